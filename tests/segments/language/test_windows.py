"""Windows of whole days, clamped as PostgreSQL clamps them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import ScopedSession
from app.segments.language.windows import ClosedPeriod, Days, Duration, Window, in_order, open_days_before
from app.segments.problems import FieldError


@pytest.mark.parametrize(
    ("text", "months", "days"),
    [
        ("-P18M", -18, 0),
        ("P1Y6M", 18, 0),
        ("-P2W", 0, -14),
        ("P0D", 0, 0),
        ("+P1M2D", 1, 2),
        ("-P1Y2M3W4D", -14, -25),
        ("P-1M", -1, 0),
    ],
)
def test_a_duration_is_read_as_months_and_days(text: str, months: int, days: int) -> None:
    assert Duration.parse(text) == Duration(months, days)


@pytest.mark.parametrize(
    "text", ["", "P", "18M", "-PT5H", "P1.5M", "P1D2M", "-P", "today", "P99999999D", "2024-02-30", "20240901"]
)
def test_what_is_no_duration_in_days_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(FieldError) as refused:
        Window.parse([text, None])
    assert "-P18M" in str(refused.value)
    assert refused.value.field == "between"


@pytest.mark.parametrize("between", ["P1D", ["P1D"], ["P1D", "P1D", "P1D"], [1, 2], {"from": "P1D"}])
def test_a_window_is_exactly_two_sides(between: object) -> None:
    with pytest.raises(FieldError):
        Window.parse(between)


def test_the_last_18_months_include_today_and_not_the_same_day_18_months_ago_less_one() -> None:
    days = Window.parse(["-P18M", "P1D"]).around(date(2026, 11, 20))
    assert days.holds(date(2025, 5, 20))
    assert not days.holds(date(2025, 5, 19))
    assert days.holds(date(2026, 11, 20))
    assert not days.holds(date(2026, 11, 21))


def test_a_day_of_the_calendar_stays_where_it_is() -> None:
    window = Window.parse(["2024-09-01", "P1D"])
    for day in (date(2025, 1, 1), date(2026, 11, 20)):
        assert window.around(day) == Days(date(2024, 9, 1), day.replace(day=day.day + 1))


def test_months_clamp_to_the_last_day_of_the_month() -> None:
    assert Duration.parse("-P1M").after(date(2026, 3, 31)) == date(2026, 2, 28)
    assert Duration.parse("P1Y").after(date(2024, 2, 29)) == date(2025, 2, 28)
    assert Duration.parse("-P1M1D").after(date(2024, 3, 31)) == date(2024, 2, 28)


def test_a_window_further_than_the_calendar_stops_at_its_ends() -> None:
    assert Duration.parse("-P9999Y").after(date(2026, 1, 1)) == date.min
    assert Duration.parse("P9999999D").after(date(2026, 1, 1)) == date.max


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    day=st.dates(date(1990, 1, 1), date(2060, 12, 31)) | st.sampled_from([date(2024, 2, 29), date(2026, 8, 31)]),
    months=st.integers(-600, 600),
    days=st.integers(-800, 800),
)
def test_adding_a_duration_is_what_postgresql_adds(session: ScopedSession, day: date, months: int, days: int) -> None:
    theirs = session.scalar(
        sa.text("SELECT CAST(CAST(:day AS date) + make_interval(months => :months, days => :days) AS date)"),
        {"day": day, "months": months, "days": days},
    )
    assert Duration(months, days).after(day) == theirs


SUMMERS = (ClosedPeriod(date(2025, 7, 1), date(2025, 8, 31)), ClosedPeriod(date(2026, 7, 1), date(2026, 8, 31)))


def test_closed_days_push_a_period_as_many_days_further_back() -> None:
    window = Window.parse(["-P18M", None])
    skipping = Window(window.since, window.before, skips_closed=True, closed=SUMMERS)
    day = date(2026, 11, 20)
    assert window.around(day) == Days(since=date(2025, 5, 20))
    assert skipping.around(day) == Days(since=date(2025, 5, 20) - 2 * (date(2025, 9, 1) - date(2025, 7, 1)))


def test_only_what_a_duration_puts_before_the_day_is_pushed() -> None:
    window = Window.parse(["2025-01-01", "P7D"])
    skipping = Window(window.since, window.before, skips_closed=True, closed=SUMMERS)
    assert skipping.around(date(2026, 11, 20)) == window.around(date(2026, 11, 20))


def test_a_side_that_falls_on_a_closed_day_waits_behind_it() -> None:
    # Monday to Wednesday were closed: two open days before Saturday are Thursday and Friday.
    closed = (ClosedPeriod(date(2026, 11, 16), date(2026, 11, 18)),)
    assert open_days_before(date(2026, 11, 21), 2, closed) == date(2026, 11, 19)
    assert open_days_before(date(2026, 11, 21), 3, closed) == date(2026, 11, 15)
    assert open_days_before(date(2026, 11, 17), 1, closed) == date(2026, 11, 15)
    assert open_days_before(date(2026, 11, 17), 0, closed) == date(2026, 11, 17)


def test_closed_periods_that_overlap_or_touch_are_one() -> None:
    def period(first: int, last: int) -> ClosedPeriod:
        return ClosedPeriod(date(2026, 7, first), date(2026, 7, last))

    assert in_order([period(9, 12), period(1, 3), period(4, 5), period(10, 11)]) == (period(1, 5), period(9, 12))


@given(
    day=st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    count=st.integers(0, 500),
    starts=st.lists(st.tuples(st.dates(date(2024, 1, 1), date(2026, 12, 31)), st.integers(0, 90)), max_size=4),
)
def test_open_days_are_counted_as_by_hand(day: date, count: int, starts: list[tuple[date, int]]) -> None:
    closed = in_order(ClosedPeriod(first, first + timedelta(days=days)) for first, days in starts)
    reached, left = day, count
    while left:
        reached -= timedelta(days=1)
        left -= not any(one.first <= reached <= one.last for one in closed)
    assert open_days_before(day, count, closed) == reached
