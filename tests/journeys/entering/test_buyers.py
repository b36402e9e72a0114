"""Who orders and who comes are told apart: each journey is about one of the two."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from app.journeys.entering.inside import look_again
from app.journeys.models import Enrolment
from tests.journeys.entering.house import House

GUESTS = ("bo", "cas", "dries")


def _inside(house: House, journey_id: int) -> list[str]:
    names = {number: name for name, number in house.names.items()}
    theirs = sa.select(Enrolment.contact_id).where(Enrolment.journey_id == journey_id, Enrolment.state == "active")
    return sorted(names[one] for one in house.do(lambda session: session.scalars(theirs).all()))


def _left(house: House, journey_id: int, name: str) -> str | None:
    way = Enrolment
    theirs = sa.select(way.left_because).where(way.journey_id == journey_id, way.contact_id == house.names[name])
    return house.do(lambda session: session.scalar(theirs))


def test_a_party_whose_tickets_bear_names_is_one_buyer_and_several_guests(house: House) -> None:
    an = house.record("an")
    for name in ("an", *GUESTS):
        house.person(name)
    house.show(1, house.now + timedelta(days=30))

    def journeys(trigger: dict[str, Any]) -> dict[str, int]:
        return {who: house.publish(trigger | {"who": who}) for who in ("attendee", "buyer")}

    booked = journeys({"type": "participation", "on": "booked"})
    before = journeys({"type": "activity", "offset": "-P2D"})
    cancelled = journeys({"type": "participation", "on": "cancelled"})
    second = journeys({"type": "participation", "on": "booked", "nth": 2})
    lines = {name: house.book(name, 1, buyer=an) for name in ("an", *GUESTS)}
    house.beat()
    assert _inside(house, booked["attendee"]) == ["an", *GUESTS]
    assert _inside(house, booked["buyer"]) == ["an"], "an order of four is one party of one buyer"
    house.show(2, house.now + timedelta(days=40))
    house.book("bo", 2, buyer=an)
    house.beat()
    assert _inside(house, second["attendee"]) == ["bo"]
    assert _inside(house, second["buyer"]) == ["an"], "what she orders for others counts among what she orders"

    house.book("an", 1, ticket=lines["an"], buyer=an, status="cancelled")
    house.beat()
    assert _inside(house, booked["buyer"]) == ["an"], "she goes on about a ticket that stands"
    assert _inside(house, booked["attendee"]) == list(GUESTS)
    assert _inside(house, cancelled["attendee"]) == ["an"]
    assert _inside(house, cancelled["buyer"]) == []

    house.book("cas", 1, ticket=lines["bo"], buyer=an)
    house.later(days=28)
    house.beat()
    assert _inside(house, before["attendee"]) == ["cas", "dries"], "her guest gave his ticket to another"
    assert _inside(house, before["buyer"]) == ["an"]

    for name in GUESTS:
        house.book(name if name != "bo" else "cas", 1, ticket=lines[name], buyer=an, status="cancelled")
    house.beat()
    assert _inside(house, cancelled["buyer"]) == ["an"]
    assert _inside(house, booked["buyer"]) == []
    assert _left(house, booked["buyer"], "an") == "booking_cancelled"


def test_who_passes_a_ticket_on_leaves_the_journey_about_it(house: House) -> None:
    house.person("an")
    house.person("bo")
    house.show(1, house.now + timedelta(days=30))
    journey = house.publish({"type": "participation", "on": "booked"})
    line = house.book("an", 1)
    house.beat()
    assert _inside(house, journey) == ["an"]
    house.book("bo", 1, ticket=line)
    ways = sa.select(Enrolment.id).where(Enrolment.journey_id == journey)
    house.do(lambda session: look_again(session, session.scalars(ways).all()))
    assert _left(house, journey, "an") == "passed_on"
