"""Service mails about a booking reach whoever booked, without anybody asking for a permission."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.consent.gate import contactable
from app.consent.models import ConsentEvent
from app.journeys.ready_made.catalogue import BY_KEY, Parts
from tests.journeys.entering.house import House
from tests.journeys.moving.house import Walks


def _may_be_mailed(house: House, purpose: str) -> list[str]:
    gate = contactable.c
    found = sa.select(gate.contact_id).where(gate.channel == "email", gate.purpose == purpose)
    names = {number: name for name, number in house.names.items()}
    return sorted(names[one] for one in house.do(lambda session: session.scalars(found).all()))


@pytest.mark.parametrize(("key", "letter"), [("before", "before"), ("called_off", "called-off")])
def test_the_ready_made_service_journeys_mail_who_booked_and_only_them(walks: Walks, key: str, letter: str) -> None:
    house = walks
    for name in ("an", "bo", "refuses"):
        house.person(name)
    house.says("refuses", "objected", purpose="service")
    mailing = house.mailing("Praktisch", purpose="service")
    made = BY_KEY[key].build(Parts({letter: mailing}, {}, "uitpas", confirms_newsletter=False))
    house.run(*made.pop("steps"), **made)
    house.show(1, house.now + timedelta(days=10))
    for name in ("an", "refuses"):
        house.book(name, 1)
    house.beat()
    house.later(days=8, minutes=1)
    if key == "called_off":
        house.show(1, house.now + timedelta(days=2), is_cancelled=True)
    house.beat()
    house.move()
    assert [contact for contact, _step, _state in house.mails()] == [house.names["an"]]
    assert (_may_be_mailed(house, "service"), _may_be_mailed(house, "newsletter")) == (["an"], [])
    events = house.do(
        lambda session: session.scalars(sa.select(ConsentEvent).where(ConsentEvent.source == "booking")).all()
    )
    assert {(one.basis, one.purpose, one.actor) for one in events} == {("service", "service", "system")}
    before = len(events)
    house.beat()
    assert (
        house.do(lambda session: session.scalar(sa.select(sa.func.count()).where(ConsentEvent.source == "booking")))
        == before
    )


def test_a_booking_is_no_reason_for_marketing(walks: Walks) -> None:
    house = walks
    house.person("an")
    house.run(house.send("m"), trigger={"type": "participation", "on": "booked"})
    house.show(1, house.now + timedelta(days=10))
    house.later(minutes=1)
    house.book("an", 1)
    house.beat()
    house.move()
    assert (house.mails(), _may_be_mailed(house, "newsletter")) == ([], [])
