"""What events do to people who are inside a journey."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import clock
from app.contacts.erasing import erase_contact
from app.contacts.merging import merge_contacts
from app.db import ScopedSession
from app.journeys.entering.by_api import OtherTriggerError, enrol_by_api
from app.journeys.models import Enrolment
from app.journeys.moving.beat import move_due
from app.mailings.models import Delivery, Mailing, MailingVersion
from tests.journeys.entering.house import SEND, TAG, House, Json

BOOKED = {"type": "participation", "on": "booked"}
BEFORE = {"type": "activity", "offset": "-P20D"}
WAIT = {"id": "wait", "type": "wait", "for": "P30D"}


def until(offset: str) -> Json:
    return {"id": "until", "type": "wait_until", "relative_to": "activity", "offset": offset}


def wait_for(trigger: Json) -> Json:
    return {
        "id": "for", "type": "wait_for", "trigger": trigger, "timeout": "P7D",
        "then": [{"id": "came", "type": "tag", "add": ["came"]}],
        "otherwise": [{"id": "not", "type": "tag", "add": ["stayed"]}],
    }  # fmt: skip


def move(house: House) -> None:
    house.beat()
    with clock.set_to(house.now):
        move_due(house.runtime, house.organisation.id)


def ways(house: House, journey_id: int) -> list[Enrolment]:
    return house.do(
        lambda session: list(
            session.scalars(sa.select(Enrolment).where(Enrolment.journey_id == journey_id).order_by(Enrolment.id))
        )
    )


def ends(house: House, journey_id: int) -> list[tuple[str, str | None]]:
    return [(way.state, way.left_because) for way in ways(house, journey_id)]


def plan_a_mail(house: House, journey_id: int) -> None:
    """A mail of the journey stands ready for everybody inside."""

    def plan(session: ScopedSession) -> None:
        mailing = Mailing(
            organisation_id=session.organisation_id, name="Mail", kind="journey", purpose="newsletter", content={},
            version=1, created_at=house.now, updated_at=house.now,
        )  # fmt: skip
        session.add(mailing)
        session.flush()
        frozen = {"organisation_id": session.organisation_id, "mailing_id": mailing.id, "version": 1}
        session.add(MailingVersion(**frozen, content={}, frozen_at=house.now))
        session.flush()
        inside = session.scalars(
            sa.select(Enrolment).where(Enrolment.journey_id == journey_id).order_by(Enrolment.id)
        ).all()
        session.add_all(_mail(session, mailing.id, way, house.now) for way in inside)

    house.do(plan)


def _mail(session: ScopedSession, mailing_id: int, way: Enrolment, at: datetime) -> Delivery:
    return Delivery(
        organisation_id=session.organisation_id, kind="mailing", contact_id=way.contact_id, purpose="newsletter",
        mailing_id=mailing_id, mailing_version=1, enrolment_id=way.id, step_id="send", planned_at=at, next_try_at=at,
    )  # fmt: skip


def mails(house: House) -> Sequence[Any]:
    rows = sa.select(Delivery.state, Delivery.problem_code).order_by(Delivery.id)
    return house.do(lambda session: [tuple(row) for row in session.execute(rows)])


def test_who_is_erased_or_says_no_leaves_at_once_with_the_mails_that_were_planned(house: House) -> None:
    house.show(1, house.now + timedelta(days=60))
    journey = house.publish(BOOKED, WAIT, SEND)
    for name in ("an", "bob", "cas"):
        house.person(name)
        house.says(name, "granted")
        house.book(name, 1)
    move(house)
    plan_a_mail(house, journey)
    house.later(minutes=1)
    house.do(lambda session: erase_contact(session, house.runtime.keyring, house.names["an"], at=house.now))
    house.says("bob", "withdrawn", actor="contact", method="preference_page")
    house.beat()
    # What an erased person went through is erased with them.
    assert ends(house, journey) == [("exited", "no_permission"), ("active", None)]
    assert mails(house)[1:] == [("cancelled", "withdrawn"), ("planned", None)]
    assert mails(house)[0][0] == "cancelled"


def test_of_two_ways_that_a_merge_brings_together_the_first_goes_on(house: House) -> None:
    house.show(1, house.now + timedelta(days=60))
    journey = house.publish(BOOKED, WAIT)
    an, also_an, bob = (house.person(name) for name in ("an", "ann", "bob"))
    for name in ("an", "ann", "bob"):
        house.book(name, 1)
        move(house)
        house.later(minutes=1)
    plan_a_mail(house, journey)
    house.do(lambda session: merge_contacts(session, an, into_id=also_an, at=house.now))
    house.beat()
    assert ends(house, journey) == [("active", None), ("exited", "merged"), ("active", None)]
    assert [way.contact_id for way in ways(house, journey)] == [also_an, also_an, bob]
    assert mails(house) == [("planned", None), ("cancelled", "merged"), ("planned", None)]


def test_an_occurrence_of_somebody_who_was_merged_meanwhile_lets_in_who_they_became(house: House) -> None:
    segment = house.segment({"type": "tag", "tag": "friend"})
    house.beat()
    journey = house.publish({"type": "segment", "segment": segment, "on": "enter"})
    house.turn(journey, "paused")
    an, bob = house.person("an", tags=("friend",)), house.person("bob", tags=("friend",))
    house.beat()
    house.do(lambda session: merge_contacts(session, an, into_id=bob, at=house.now))
    house.turn(journey, "published")
    house.beat()
    assert [way.contact_id for way in ways(house, journey)] == [bob]


def test_waits_follow_a_performance_that_moves(house: House) -> None:
    starts_at = house.now + timedelta(days=10)
    house.show(1, starts_at)
    house.book("an", 1, booked_at=house.now - timedelta(days=5))
    journey = house.publish(BEFORE, until("-P2D"), TAG)
    house.book("bob", 1)
    move(house)
    (way,) = ways(house, journey)
    assert way.wake_at == starts_at - timedelta(days=2)
    house.show(1, starts_at + timedelta(days=5))
    house.beat()
    (way,) = ways(house, journey)
    assert (way.wake_at, way.is_waiting) == (starts_at + timedelta(days=3), True)
    house.show(1, house.now + timedelta(days=2, hours=1))
    house.beat()
    assert ways(house, journey)[0].wake_at == house.now + timedelta(hours=1)


def test_who_returns_a_ticket_leaves_unless_another_ticket_of_theirs_stands(house: House) -> None:
    house.show(1, house.now + timedelta(days=30))
    journey = house.publish(BOOKED, until("-P2D"), TAG)
    lines = [house.book("an", 1), house.book("an", 1)]
    move(house)
    plan_a_mail(house, journey)
    house.book("an", 1, ticket=lines[0], status="cancelled")
    house.beat()
    assert ends(house, journey) == [("active", None)]
    house.book("an", 1, ticket=lines[1], status="refunded")
    house.beat()
    assert ends(house, journey) == [("exited", "booking_cancelled")]
    assert mails(house) == [("cancelled", "booking_cancelled")]


def test_a_performance_that_is_cancelled_takes_its_people_out_before_it(house: House) -> None:
    starts_at = house.now + timedelta(days=10)
    house.show(1, starts_at)
    journey = house.publish(BEFORE, until("-P2D"), TAG)
    house.book("an", 1)
    move(house)
    house.show(1, starts_at, is_cancelled=True)
    house.beat()
    assert ends(house, journey) == [("exited", "activity_cancelled")]


def test_who_reaches_the_goal_by_booking_leaves_at_once(house: House) -> None:
    house.show(1, house.now + timedelta(days=60))
    house.show(2, house.now + timedelta(days=70))
    goal = {"rule": {"type": "participation", "at_least": 2}, "within": "P30D"}
    journey = house.publish(BOOKED, WAIT, goal=goal)
    for name in ("an", "bob"):
        house.book(name, 1)
    move(house)
    house.later(minutes=1)
    house.book("an", 2)
    house.later(seconds=2)
    house.beat()
    assert ends(house, journey) == [("exited", "goal_reached"), ("active", None)]
    assert house.away(journey) == {"inside": 1}


def test_who_waits_for_something_hears_of_it_once_and_only_of_what_happens_while_they_wait(house: House) -> None:
    for number in (1, 2, 3):
        house.show(number, house.now + timedelta(days=60))
    journey = house.publish(BOOKED, wait_for(BOOKED))
    house.book("an", 1)
    house.book("bob", 1)
    move(house)
    house.later(minutes=1)
    house.book("an", 2, booked_at=house.now - timedelta(days=1))
    house.beat()
    assert [way.happened for way in ways(house, journey)] == [None, None]
    house.book("an", 3)
    house.beat()
    an, bob = ways(house, journey)
    assert (an.happened is not None, bob.happened) == (True, None)
    move(house)
    house.later(days=8)
    move(house)
    assert [way.state for way in ways(house, journey)] == ["completed", "completed"]
    tags = sa.text("SELECT tags FROM contact ORDER BY id")
    assert house.do(lambda session: session.scalars(tags).all()) == [["came"], ["stayed"]]


def test_what_happens_before_the_step_that_waits_can_be_seen_is_told_when_it_can(house: House) -> None:
    house.show(1, house.now + timedelta(days=60))
    house.show(2, house.now + timedelta(days=60))
    journey = house.publish(BOOKED, wait_for(BOOKED))
    house.book("an", 1)
    move(house)
    # As it looks while the engine has not committed yet that somebody came to the step.
    hidden = sa.update(Enrolment).values(is_waiting=False)
    house.do(lambda session: session.execute(hidden))
    house.later(seconds=30)
    house.book("an", 2)
    house.beat()
    assert [way.happened for way in ways(house, journey)] == [None]
    house.do(lambda session: session.execute(sa.update(Enrolment).values(is_waiting=True)))
    house.beat()
    assert [way.happened is not None for way in ways(house, journey)] == [True]
    house.later(minutes=20)
    house.beat()
    left = sa.text("SELECT count(*) FROM journey_arrival")
    assert house.do(lambda session: session.scalar(left)) == 0


def test_another_program_wakes_who_waits_for_it_whatever_let_them_in(house: House) -> None:
    house.show(1, house.now + timedelta(days=60))
    journey = house.publish(BOOKED, wait_for({"type": "api"}))
    house.person("an")
    house.book("an", 1)
    with pytest.raises(OtherTriggerError):
        house.do(lambda session: enrol_by_api(session, journey, house.names["an"], key="paid 1"))
    move(house)
    house.later(minutes=1)
    for _ in range(2):
        asked = house.do(lambda session: enrol_by_api(session, journey, house.names["an"], key="paid 1"))
        assert asked.outcome == "heard"
    move(house)
    assert [way.state for way in ways(house, journey)] == ["completed"]
    assert house.do(lambda session: session.scalar(sa.text("SELECT tags FROM contact"))) == ["came"]
