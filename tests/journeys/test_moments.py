"""When waits end by the clocks of the house, and that a split keeps its word."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journeys.definition import Portion, Split, Wait, WaitUntil
from app.journeys.moments import moment_of, portions_of, wait_ends
from app.journeys.spans import Span, instant_of

BRUSSELS = ZoneInfo("Europe/Brussels")


def local(text: str, zone: ZoneInfo = BRUSSELS) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def ends(span: str, arrived: str, *, at: str | None = None, weekdays: tuple[int, ...] = ()) -> str:
    step = Wait("w", Span.parse(span), time.fromisoformat(at) if at else None, weekdays)
    return wait_ends(step, local(arrived), BRUSSELS).astimezone(BRUSSELS).isoformat(" ", "minutes")[:16]


@pytest.mark.parametrize(
    ("span", "arrived", "expected"),
    [
        ("P1D", "2026-03-28 10:00", "2026-03-29 10:00"),  # the night in which an hour is skipped
        ("PT24H", "2026-03-28 10:00", "2026-03-29 11:00"),
        ("P1D", "2026-03-28 02:30", "2026-03-29 03:30"),  # 02:30 is not shown that day
        ("P1D", "2026-10-24 10:00", "2026-10-25 10:00"),  # the night in which an hour comes twice
        ("PT24H", "2026-10-24 10:00", "2026-10-25 09:00"),
        ("P1W", "2026-03-25 23:59", "2026-04-01 23:59"),
        ("P1M", "2028-01-31 12:00", "2028-02-29 12:00"),
        ("P1M", "2027-01-31 12:00", "2027-02-28 12:00"),
        ("P1Y", "2028-02-29 12:00", "2029-02-28 12:00"),
        ("P1DT2H", "2026-11-20 10:00", "2026-11-21 12:00"),
        ("P0D", "2026-11-20 10:00", "2026-11-20 10:00"),
    ],
)
def test_days_keep_the_time_of_day_and_hours_pass(span: str, arrived: str, expected: str) -> None:
    assert ends(span, arrived) == expected


def test_a_time_of_day_says_when_on_the_day_on_which_the_wait_ends() -> None:
    assert ends("P2D", "2026-11-16 15:00", at="10:00") == "2026-11-18 10:00"
    assert ends("P0D", "2026-11-16 15:00", at="10:00") == "2026-11-17 10:00"
    assert ends("P0D", "2026-11-16 09:00", at="10:00") == "2026-11-16 10:00"
    assert ends("PT4H", "2026-11-16 15:00", at="10:00") == "2026-11-17 10:00"
    assert ends("PT4H", "2026-11-16 05:00", at="10:00") == "2026-11-16 10:00"


def test_weekdays_move_to_the_first_of_them_at_the_same_time_of_day() -> None:
    assert ends("P1D", "2026-11-20 15:00", at="10:00", weekdays=(2, 3, 4)) == "2026-11-24 10:00"
    assert ends("P1D", "2026-11-23 15:00", weekdays=(2, 3, 4)) == "2026-11-24 15:00"
    assert ends("P0D", "2026-03-28 02:30", weekdays=(7,)) == "2026-03-29 03:30"


def test_the_hour_that_comes_twice_is_the_first_of_the_two() -> None:
    assert instant_of(local("2026-10-25 00:00").date(), time(2, 30), BRUSSELS) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


def test_a_moment_before_a_performance_is_counted_by_the_clock_of_the_house() -> None:
    # Sunday 14:00 after the clocks changed: the day before, 14:00, is 25 hours earlier.
    starts_at = local("2026-10-25 14:00")
    before = moment_of(WaitUntil("u", Span.parse("-P1D")), starts_at, BRUSSELS)
    assert before == local("2026-10-24 14:00")
    assert starts_at.astimezone(UTC) - before == timedelta(hours=25)


instants = st.datetimes(*(datetime(year, 1, 1) for year in (2020, 2040)), timezones=st.just(UTC))  # noqa: DTZ001 (bounds of Hypothesis are naive)
zones = st.sampled_from(
    ["Europe/Brussels", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
).map(ZoneInfo)
spans = st.builds(Span, st.integers(0, 14), st.integers(0, 40), st.integers(0, 90_000))


@given(
    arrived=instants,
    zone=zones,
    span=spans,
    at=st.none() | st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    weekdays=st.sets(st.integers(1, 7)).map(lambda days: tuple(sorted(days))),
)
def test_no_wait_ends_before_it_began_and_each_ends_on_a_day_and_time_it_may(
    arrived: datetime, zone: ZoneInfo, span: Span, at: time | None, weekdays: tuple[int, ...]
) -> None:
    end = wait_ends(Wait("w", span, at, weekdays), arrived, zone)
    assert end >= arrived
    assert end.utcoffset() == timedelta(0)
    shown = end.astimezone(zone)
    is_skipped = at is not None and instant_of(shown.date(), at, zone).astimezone(zone).time() != at
    if at is not None and not is_skipped:
        assert shown.time() == at
    if weekdays:
        is_day_skipped = instant_of(shown.date(), time(0), zone).astimezone(zone).date() != shown.date()
        assert shown.isoweekday() in weekdays or is_skipped or is_day_skipped or _was_skipped(shown, zone)


def _was_skipped(shown: datetime, zone: ZoneInfo) -> bool:
    """Whether the calendar of the zone jumped over the day before (Apia, 30 December 2011) or over midnight."""
    day_before = shown.date() - timedelta(days=1)
    return instant_of(day_before, shown.time(), zone).astimezone(zone).date() != day_before


def test_a_split_sends_the_same_person_the_same_way_and_keeps_to_its_weights() -> None:
    step = Split("s", (Portion("A", 30), Portion("never", 0), Portion("B", 70)))
    portions = portions_of(step, journey_id=7)
    ways = [portions.of(contact_id) for contact_id in range(20_000)]
    assert ways == [portions_of(step, journey_id=7).of(contact_id) for contact_id in range(20_000)]
    counts = Counter(ways)
    assert counts[1] == 0
    assert abs(counts[0] / 20_000 - 0.3) < 0.015
    other = portions_of(Split("t", step.portions), journey_id=7)
    same = sum(way == other.of(contact_id) for contact_id, way in enumerate(ways))
    assert abs(same / 20_000 - (0.3**2 + 0.7**2)) < 0.02, "two splits are independent of one another"
