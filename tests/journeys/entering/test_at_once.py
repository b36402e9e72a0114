"""What others do at the same moment: publish, merge, change and give away, while people are let in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import clock
from app.contacts.merging import merge_contacts
from app.db import ScopedSession, transaction
from app.journeys.entering.beat import let_people_in
from app.journeys.models import Enrolment
from tests.journeys.entering.house import SEND, House

BOOKED = {"type": "participation", "on": "booked"}


@contextmanager
def meanwhile(house: House, statement: str, **given: Any) -> Iterator[ScopedSession]:
    """Somebody else's transaction, open during the block and committed after it."""
    with clock.set_to(house.now), transaction(house.runtime.engine, house.organisation.id) as session:
        session.execute(sa.text(statement), given)
        yield session


@pytest.fixture
def journey(house: House) -> int:
    house.show(1, house.now + timedelta(days=60))
    return house.publish(BOOKED)


def people(house: House, journey_id: int) -> list[int]:
    ways = sa.select(Enrolment.contact_id).where(Enrolment.journey_id == journey_id).order_by(Enrolment.id)
    return house.do(lambda session: list(session.scalars(ways)))


def test_while_a_colleague_changes_the_journey_nobody_is_judged_and_nothing_is_lost(house: House, journey: int) -> None:
    house.book("an", 1)
    with meanwhile(house, "SELECT id FROM journey WHERE id = :id FOR UPDATE", id=journey):
        assert let_in(house) == 0
    assert let_in(house) == 1
    assert house.entered(journey) == ["an"]


def test_who_is_being_changed_waits_at_the_entrance_and_holds_nobody_up(house: House, journey: int) -> None:
    house.book("an", 1)
    house.book("bob", 1)
    change = "UPDATE contact SET given_name = 'An' WHERE email = 'an@example.org'"
    with meanwhile(house, change):
        assert let_in(house) == 1
        assert house.entered(journey) == ["bob"]
    assert let_in(house) == 1
    assert house.entered(journey) == ["an", "bob"]


def test_somebody_who_is_merged_at_that_moment_enters_as_who_they_become(house: House, journey: int) -> None:
    an, bob = house.person("an"), house.person("bob")
    house.book("an", 1)
    with clock.set_to(house.now), transaction(house.runtime.engine, house.organisation.id) as other:
        merge_contacts(other, an, into_id=bob, at=house.now)
        assert let_in(house) == 0
    assert let_in(house) == 1
    assert people(house, journey) == [bob]


def test_a_booking_that_is_given_to_somebody_else_before_anybody_looks_lets_in_who_has_it(
    house: House, journey: int
) -> None:
    line = house.book("an", 1)
    house.book("bob", 1, ticket=line)
    let_in(house)
    assert house.entered(journey) == ["bob"]


def test_a_no_that_is_said_at_that_moment_is_heard_before_the_next_step(house: House) -> None:
    house.show(1, house.now + timedelta(days=60))
    journey = house.publish(BOOKED, {"id": "w", "type": "wait", "for": "P1D"}, SEND)
    house.says("an", "granted")
    house.book("an", 1)
    house.later(seconds=1)
    let_in(house)
    house.says("an", "withdrawn", method="preference_page")
    let_in(house)
    ways = sa.select(Enrolment.state, Enrolment.left_because).where(Enrolment.journey_id == journey)
    assert house.do(lambda session: [tuple(row) for row in session.execute(ways)]) == [("exited", "no_permission")]


def test_who_asked_that_their_data_rest_does_not_enter(house: House, journey: int) -> None:
    an = house.person("an")
    house.book("an", 1)
    with meanwhile(house, "UPDATE contact SET is_restricted = true WHERE id = :id", id=an):
        pass
    let_in(house)
    assert house.entered(journey) == []
    assert house.away(journey) == {"restricted": 1}


def test_the_control_group_passes_through_and_stays_on_its_side(house: House) -> None:
    for number in range(2):
        house.show(number, house.now + timedelta(days=60))
    journey = house.publish(BOOKED, holdout_percent=50)
    names = [f"p{number}" for number in range(12)]
    for number in range(2):
        for name in names:
            house.book(name, number)
        let_in(house)
        house.finish(journey)
        house.later(hours=1)
        # Where somebody lives is what households are drawn by, and becomes known by booking.
        with meanwhile(house, "UPDATE contact SET street = 'Kouter ' || id, postcode = '9000'"):
            pass
    sides = sa.select(Enrolment.contact_id, Enrolment.is_held_out).where(Enrolment.journey_id == journey)
    seen: dict[int, set[bool]] = {}
    for contact_id, is_held_out in house.do(lambda session: session.execute(sides).all()):
        seen.setdefault(contact_id, set()).add(is_held_out)
    assert len(seen) == len(names)
    assert all(len(sides_of_one) == 1 for sides_of_one in seen.values())
    assert set().union(*seen.values()) == {True, False}


def let_in(house: House) -> int:
    with clock.set_to(house.now):
        return let_people_in(house.runtime, house.organisation.id)
