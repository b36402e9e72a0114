"""What a journey brought about: the goal and bookings against the held-out, each person once, by step and version."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.models import Organisation
from app.db import ScopedSession, transaction
from app.journeys.effect import journey_effect
from app.journeys.models import Enrolment, Journey, JourneyVersion
from app.mailings.models import Delivery
from app.runtime import Runtime
from tests.conftest import make_user, signed_in
from tests.mailings.effect.world import an_activity, book, deliver, event, make_people, sent_mailing

DAY = timedelta(days=1)
GOAL = {"rule": {"type": "tag", "tag": "doel"}, "within": "P20D"}
_numbers = count(1)


def a_journey(session: ScopedSession, *, goal: dict[str, Any] | None = None, versions: int = 1) -> int:
    now = clock.now()
    journey = Journey(
        organisation_id=session.organisation_id,
        name=f"Traject {next(_numbers)}",
        state="published",
        draft={},
        version=versions,
        created_at=now,
        updated_at=now,
    )
    session.add(journey)
    session.flush()
    for version in range(1, versions + 1):
        session.add(
            JourneyVersion(
                organisation_id=session.organisation_id,
                journey_id=journey.id,
                version=version,
                definition={"goal": goal} if goal else {},
                published_at=now,
            )
        )
    session.flush()
    return journey.id


def enter(session: ScopedSession, journey_id: int, people: Iterable[int], **fields: Any) -> list[int]:
    """Let each enter now, unless it says otherwise; returns their ways."""
    at: datetime = fields.pop("at", clock.now())
    row = {
        "organisation_id": session.organisation_id,
        "journey_id": journey_id,
        "version": 1,
        "state": "active",
        "entered_at": at,
        "entered_on": at.date(),
        "updated_at": at,
    } | fields
    rows = [row | {"contact_id": each, "occurrence": f"api:{next(_numbers)}"} for each in people]
    return list(session.scalars(insert(Enrolment).returning(Enrolment.id), rows)) if rows else []


def reached(at: datetime) -> dict[str, Any]:
    return {"state": "exited", "left_because": "goal_reached", "left_at": at, "left_on": at.date(), "reached_at": at}


def test_there_is_no_effect_of_a_journey_that_is_not_there(session: ScopedSession) -> None:
    assert journey_effect(session, 4711, at=clock.now()) is None


def test_a_journey_that_nobody_entered_says_nothing(session: ScopedSession) -> None:
    found = journey_effect(session, a_journey(session, goal=GOAL), at=clock.now())
    assert found is not None
    assert (found.versions, found.steps, found.days) == ((), (), 20)
    assert found.best.rates.verdict == "no_control"


def test_an_effect_that_is_there_is_found_and_one_that_is_not_is_not(session: ScopedSession) -> None:
    random, later = Random(4), clock.now() + 5 * DAY
    for uplift, verdict in ((0.15, "more"), (0.0, "no_proof")):
        journey_id, people = a_journey(session, goal=GOAL), make_people(session, 2_000)
        for number, person in enumerate(people):
            is_held = number % 5 == 0
            did = random.random() < 0.08 + (not is_held) * uplift
            enter(session, journey_id, [person], is_held_out=is_held, **(reached(later) if did else {}))
        found = journey_effect(session, journey_id, at=later)
        assert found is not None
        assert found.goal is not None
        assert found.best is found.goal
        assert (found.goal.treated.people, found.goal.control.people) == (1_600, 400)
        assert found.goal.rates.verdict == verdict
        assert found.goal.rates.low is not None
        assert found.goal.rates.high is not None
        assert found.goal.rates.low <= uplift <= found.goal.rates.high


def test_everybody_counts_once_from_the_first_time_they_entered(session: ScopedSession) -> None:
    journey_id, people, activity = a_journey(session), make_people(session, 3), an_activity(session)
    start = clock.now()
    enter(session, journey_id, people[:2])
    enter(session, journey_id, people[:2], at=start + 40 * DAY)
    enter(session, journey_id, people[2:], is_held_out=True)
    enter(session, journey_id, make_people(session, 5), is_rehearsal=True)
    book(session, people[:1], activity, at=start + 29 * DAY)
    book(session, people[1:2], activity, at=start + 45 * DAY)
    book(session, people[2:], activity, at=start - DAY)
    found = journey_effect(session, journey_id, at=start + 60 * DAY)
    assert found is not None
    assert found.goal is None
    bookings = found.best
    assert (bookings.treated.people, bookings.treated.hits, bookings.treated.amount) == (2, 1, 20)
    assert (bookings.control.people, bookings.control.hits) == (1, 0)
    longer = journey_effect(session, journey_id, at=start + 60 * DAY, days=50)
    assert longer is not None
    assert longer.bookings.treated.hits == 2


def test_a_booking_counts_for_the_last_mail_before_it(session: ScopedSession) -> None:
    journey_id, people, start = a_journey(session), make_people(session, 2), clock.now()
    ways = enter(session, journey_id, people)
    mailing_id = sent_mailing(session, kind="journey", state="draft", name="Dank u")
    for way, person in zip(ways, people, strict=True):
        for number, step in enumerate(("s1", "s2")):
            deliver(session, mailing_id, [person], at=start + number * 5 * DAY, enrolment_id=way, step_id=step)
    book(session, people[:1], an_activity(session), at=start + DAY)
    book(session, people, an_activity(session), at=start + 6 * DAY)
    clicked = session.scalar(sa.select(Delivery.id).where(Delivery.step_id == "s2").limit(1))
    event(session, "clicked", people[:1], delivery_id=clicked, mailing_id=mailing_id)
    found = journey_effect(session, journey_id, at=start + 20 * DAY)
    assert found is not None
    told = [
        (each.step_id, each.mailing, each.handed_over, each.clicked, each.booked, each.amount) for each in found.steps
    ]
    assert told == [("s1", "Dank u", 2, 0, 1, 20.0), ("s2", "Dank u", 2, 1, 2, 40.0)]


def test_a_mail_that_was_refused_or_bounced_did_not_arrive_and_one_complained_of_did(session: ScopedSession) -> None:
    journey_id, people = a_journey(session), make_people(session, 4)
    ways = enter(session, journey_id, people)
    mailing_id = sent_mailing(session, kind="journey", state="draft", name="Dank u")
    for way, person, came_back in zip(ways, people, ("refused", "bounced", "complained", None), strict=True):
        deliver(session, mailing_id, [person], enrolment_id=way, step_id="s1", came_back=came_back)
    found = journey_effect(session, journey_id, at=clock.now())
    assert found is not None
    assert [(each.accepted, each.bounced) for each in found.steps] == [(4, 2)]


def test_versions_are_told_apart(session: ScopedSession) -> None:
    journey_id, people, later = a_journey(session, goal=GOAL, versions=2), make_people(session, 5), clock.now() + DAY
    enter(session, journey_id, people[:3])
    enter(session, journey_id, people[3:4], version=2, **reached(later))
    enter(session, journey_id, people[4:], version=2, is_held_out=True)
    found = journey_effect(session, journey_id, at=later)
    assert found is not None
    assert [(each.version, each.people, each.held_out, each.reached) for each in found.versions] == [
        (2, 2, 1, 1),
        (1, 3, 0, 0),
    ]
    second = journey_effect(session, journey_id, at=later, version=2)
    assert second is not None
    assert second.goal is not None
    assert (second.goal.treated.people, second.goal.treated.hits, second.goal.control.people) == (1, 1, 1)


def test_the_page_tells_goal_bookings_mails_and_versions(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        journey_id, empty = a_journey(session, goal=GOAL, versions=2), a_journey(session)
        people = make_people(session, 40)
        enter(session, journey_id, people[:20], **reached(clock.now()))
        ways = enter(session, journey_id, people[20:30], version=2)
        enter(session, journey_id, people[30:], version=2, is_held_out=True)
        mailing_id = sent_mailing(session, kind="journey", state="draft", name="Welkom thuis")
        deliver(session, mailing_id, people[20:21], enrolment_id=ways[0], step_id="s1")
    signed_in(client, make_user(runtime, organisation, "viewer"))
    for url in (f"{journey_id}/effect", f"{journey_id}/effect?version=2&days=0", f"{journey_id}/effect?days=x"):
        answer = client.get(f"/journeys/{url}")
        assert answer.status_code == 200
        assert "Welkom thuis" in answer.text
    assert "Nog niemand" in client.get(f"/journeys/{empty}/effect").text
    assert client.get(f"/journeys/{journey_id}/effect?version=9").status_code == 404
    assert client.get("/journeys/424242/effect").status_code == 404
