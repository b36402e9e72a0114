"""Other programs that let people into a journey."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from app import clock
from app.contacts.models import Contact
from app.db import ScopedSession
from app.journeys.definition import OnApi, WaitFor
from app.journeys.entering.enrolling import enrol
from app.journeys.entering.occurrences import Occurrence, soon_after
from app.journeys.entering.watches import read_definition
from app.journeys.models import Enrolment, Journey, JourneyVersion
from app.journeys.moving.arrivals import Happening, arrived
from app.journeys.problems import JourneyError, JourneyMissingError, JourneyStateError
from app.journeys.versions import route_of_version
from app.segments.problems import SegmentError

LONGEST_KEY = 200


class OtherTriggerError(JourneyError):
    """Nobody enters journey ``journey_id`` by the API: its trigger is another one."""

    code = "trigger_is_not_api"

    def __init__(self, journey_id: int) -> None:
        super().__init__(f"journey {journey_id} has another trigger")
        self.journey_id = journey_id


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking to let somebody in: ``entered``, ``entered_before`` under the same key, or a reason.

    ``heard``: they were inside, at a step that waited for exactly this, and go on.
    """

    outcome: str
    enrolment_id: int | None = None


def enrol_by_api(session: ScopedSession, journey_id: int, contact_id: int, *, key: str) -> Asked:
    """Let a contact into a journey whose trigger is the API; the same ``key`` for the same contact counts once.

    Somebody inside who waits for the API at a step goes on instead, whatever the trigger of the journey.
    Who may not enter gets the reason as outcome (``enrolling.enrol``; ``rule_failed``; ``changing``: ask again in a
    moment). Raises JourneyMissingError, JourneyStateError (not published; nothing waits for a paused one) or
    OtherTriggerError, and ValueError for a key that is empty or longer than ``LONGEST_KEY``.
    """
    if not key.strip() or len(key) > LONGEST_KEY:
        raise ValueError("key")
    held = sa.select(Journey).where(Journey.id == journey_id).with_for_update(key_share=True)
    journey = session.scalars(held.execution_options(populate_existing=True)).one_or_none()
    if journey is None:
        raise JourneyMissingError(journey_id)
    if journey.state != "published" or journey.version is None:
        raise JourneyStateError(journey_id, journey.state)
    version = session.get_one(JourneyVersion, (session.organisation_id, journey_id, journey.version))
    definition = read_definition(version.definition)
    occurrence = soon_after(contact_id, f"api:{key}", clock.now())
    heard = _told(session, journey_id, occurrence)
    if heard is not None:
        return Asked("heard", heard)
    if not isinstance(definition.trigger, OnApi):
        raise OtherTriggerError(journey_id)
    try:
        done = enrol(session, journey_id, journey.version, definition, [occurrence])
    except SegmentError:
        return Asked("rule_failed")
    enrolment_id = _way(session, journey_id, occurrence)
    if done.entered:
        return Asked("entered", enrolment_id)
    if enrolment_id is not None:
        return Asked("entered_before", enrolment_id)
    refused = next((reason for reason, people in done.refused.items() if people), None)
    return Asked(refused or ("changing" if _is_known(session, contact_id) else "gone"))


def _told(session: ScopedSession, journey_id: int, occurrence: Occurrence) -> int | None:
    """Tell whoever it is about that what they wait for has happened; None where they wait for nothing of the kind."""
    way = Enrolment
    theirs = sa.select(way).where(way.journey_id == journey_id, way.contact_id == occurrence.contact_id)
    waiting = theirs.where(way.state == "active", way.is_waiting, ~way.is_rehearsal).order_by(way.id)
    for one in session.scalars(waiting.with_for_update().execution_options(populate_existing=True)):
        step = route_of_version(session, journey_id, one.version).steps.get(one.step_id or "")
        if not isinstance(step, WaitFor) or not isinstance(step.trigger, OnApi):
            continue
        happening = Happening(one.id, step.id, occurrence.name, occurrence.at)
        if one.happened == occurrence.name or (one.occurrence != occurrence.name and arrived(session, [happening])):
            return one.id
    return None


def _way(session: ScopedSession, journey_id: int, occurrence: Occurrence) -> int | None:
    way = Enrolment
    theirs = (way.journey_id == journey_id, way.contact_id == occurrence.contact_id)
    return session.scalar(sa.select(way.id).where(*theirs, way.occurrence == occurrence.name))


def _is_known(session: ScopedSession, contact_id: int) -> bool:
    return session.scalar(sa.select(Contact.id).where(Contact.id == contact_id)) is not None
