"""Waits that hang on a performance: they move with it, stop with it, and know what is past."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.activities.models import Participation
from app.journeys.moving.replanning import replan
from tests.conftest import NOW
from tests.journeys.moving.house import Json, Walks, tag, wait

BOOKED = {"type": "participation", "on": "booked"}
SHOW = NOW + timedelta(days=10)


def until(step_id: str, offset: str, **more: Any) -> Json:
    return {"id": step_id, "type": "wait_until", "offset": offset, **more}


def booked(house: Walks, *steps: Json, starts_at: Any = SHOW) -> int:
    """An has a ticket and walks through the steps; returns her enrolment."""
    house.friend("an")
    house.show(1, starts_at)
    house.book("an", 1, ticket=1)
    ticket = house.do(lambda session: session.scalars(sa.select(Participation.id)).one())
    [an] = house.come_in(house.run(*steps, trigger=BOOKED), "an", booking=ticket)
    house.move()
    return an


def test_the_wait_ends_so_long_before_the_performance(house: Walks) -> None:
    an = booked(house, until("u", "-PT4H"), tag("practical"))
    assert house.where(an).wake_at == SHOW - timedelta(hours=4)
    house.now = SHOW - timedelta(hours=4, seconds=1)
    house.move()
    assert house.tags("an") == []
    house.later(seconds=1)
    house.move()
    assert house.tags("an") == ["practical"]


@pytest.mark.parametrize("days", [-3, 5])
def test_a_performance_that_moves_takes_the_wait_along(house: Walks, days: int) -> None:
    an = booked(house, until("u", "-PT4H"), tag("practical"))
    house.show(1, SHOW + timedelta(days=days))
    house.do(lambda session: replan(session, [an]))
    assert house.where(an).wake_at == SHOW + timedelta(days=days, hours=-4)
    house.now = SHOW + timedelta(days=days, hours=-4)
    house.move()
    assert house.tags("an") == ["practical"]


def test_nobody_goes_on_by_a_moment_that_is_no_longer_right_even_if_nobody_replanned(house: Walks) -> None:
    an = booked(house, until("u", "-PT4H"), tag("practical"))
    house.show(1, SHOW + timedelta(days=5))
    house.now = SHOW - timedelta(hours=4)
    house.move()
    assert house.tags("an") == []
    assert house.where(an).wake_at == SHOW + timedelta(days=5, hours=-4)


def test_a_cancelled_performance_ends_the_way_to_it(house: Walks) -> None:
    an = booked(house, until("u", "-PT4H"), tag("practical"))
    house.show(1, SHOW, is_cancelled=True)
    house.do(lambda session: replan(session, [an]))
    house.now = SHOW
    house.move()
    assert house.tags("an") == []
    assert house.where(an).left_because == "activity_cancelled"
    assert house.log(an) == [("u", "skipped", "activity_cancelled")]


def test_who_returns_the_ticket_hears_nothing_more_about_it(house: Walks) -> None:
    an = booked(house, wait("w"), tag("thanks"))
    house.book("an", 1, ticket=1, status="cancelled")
    house.later(days=1)
    house.move()
    assert (house.where(an).left_because, house.tags("an")) == ("booking_cancelled", [])


@pytest.mark.parametrize(
    ("if_past", "tags", "state"),
    [
        ("now", ["after", "mark", "reminder"], "completed"),
        ("skip", ["after"], "completed"),
        ("exit", [], "exited"),
    ],
)
def test_a_moment_that_has_passed_on_arrival_is_dealt_with_as_the_step_says(
    house: Walks, if_past: str, tags: list[str], state: str
) -> None:
    steps = [until("u", "-P20D", if_past=if_past), tag("reminder"), tag("mark"), until("v", "P1D"), tag("after")]
    an = booked(house, *steps)
    house.now = SHOW + timedelta(days=1)
    house.move()
    assert house.tags("an") == tags
    assert house.where(an).state == state


def test_a_worker_that_comes_late_does_not_make_a_moment_past(house: Walks) -> None:
    booked(house, until("u", "-PT4H", if_past="exit"), tag("practical"))
    house.now = SHOW - timedelta(hours=2)
    house.move()
    assert house.tags("an") == ["practical"]


def test_a_performance_moved_so_early_that_the_moment_is_past_is_dealt_with_as_past(house: Walks) -> None:
    an = booked(house, until("u", "-P2D", if_past="exit"), tag("practical"))
    house.show(1, house.now + timedelta(days=1))
    house.do(lambda session: replan(session, [an]))
    house.later(seconds=1)
    house.move()
    assert (house.where(an).left_because, house.tags("an")) == ("moment_passed", [])


def test_a_performance_without_a_date_holds_people_until_it_has_one(house: Walks) -> None:
    an = booked(house, until("u", "-PT4H"), tag("practical"), starts_at=None)
    assert house.where(an).held_because == "activity_without_date"
    house.show(1, SHOW)
    house.later(minutes=10)
    house.move()
    assert (house.where(an).held_because, house.where(an).wake_at) == (None, SHOW - timedelta(hours=4))


def test_a_day_before_a_performance_keeps_the_time_of_day_when_the_clocks_change(house: Walks) -> None:
    house.at("2026-10-20 10:00")
    starts_at = house.at("2026-10-25 14:00").now
    house.at("2026-10-20 10:00")
    an = booked(house, until("u", "-P1D"), tag("practical"), starts_at=starts_at)
    assert house.where(an).wake_at == house.at("2026-10-24 14:00").now
