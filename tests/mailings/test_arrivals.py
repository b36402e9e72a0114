"""What the relay took was delivered, unless it came back: in whichever order the two are told."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.contacts.models import MailEvent
from app.mailings.models import Delivery
from app.mailings.returns.acting import House, act
from app.mailings.returns.classifying import Returned, Verdict
from tests.conftest import NOW
from tests.mailings.house_with_post import FROM, HouseWithPost
from tests.standins.smtp import Fault

AN, BO = "an@example.org", "bo@example.org"


def told_of(house: HouseWithPost) -> list[tuple[str, int]]:
    with house.transaction() as session:
        rows = session.execute(select(MailEvent.event, MailEvent.contact_id).order_by(MailEvent.id))
        return [(event, contact_id) for event, contact_id in rows]


def comes_back(house: HouseWithPost, delivery_id: int, verdict: Verdict) -> None:
    with house.transaction() as session:
        delivery = session.scalars(select(Delivery).where(Delivery.id == delivery_id)).one()
        report = Returned("bounce", verdict=verdict, status="5.7.1" if verdict == "policy" else "4.2.2")
        act(session, House(house.runtime.keyring, FROM.partition("@")[2]), report, delivery, at=NOW)


def test_who_was_mailed_is_known_to_have_got_it_and_who_was_refused_is_not(house: HouseWithPost) -> None:
    an, bo = house.person(AN), house.person(BO)
    house.mail_to(an, bo)
    house.ask(to="cis@example.org")
    house.relay.plan(Fault.UNKNOWN_MAILBOX)  # the letter goes first
    house.send()
    assert told_of(house) == [("delivered", an), ("delivered", bo)]
    with house.transaction() as session:
        event = session.scalars(select(MailEvent).where(MailEvent.contact_id == an)).one()
        assert (event.mailing_id, event.occurred_at, event.is_machine) == (
            house.delivery(contact_id=an).mailing_id,
            NOW,
            False,
        )


@pytest.mark.parametrize(("verdict", "left"), [("policy", []), ("soft", ["bounced"])])
def test_what_comes_back_was_not_got_whichever_is_told_first(
    house: HouseWithPost, verdict: Verdict, left: list[str]
) -> None:
    """I19 I20"""
    an, bo = house.person(AN), house.person(BO)
    after, before = house.mail_to(an)[0], house.mail_to(bo)[0]
    house.send(reached=lambda step: comes_back(house, before, verdict) if step == "answered" else None)
    comes_back(house, after, verdict)
    assert sorted(event for event, _contact in told_of(house)) == left * 2
    assert house.states() == ["accepted", "accepted"]
