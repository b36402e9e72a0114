"""Rehearsals: a journey runs on real people, its mails wait as drafts to be looked at, and nothing else is done.

A rehearsal walks the draft as it is now, on a version of its own (published later without a change, it keeps the
number). Waits take as long as they say, or end at once where somebody asks (``go_on_now``). No mail leaves before
``release_mails``; then each is an ordinary delivery, which the gate, the cap and the quiet hours still decide about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app import clock
from app.accounts.audit import Actor, record
from app.accounts.organisations import current_organisation
from app.contacts.models import Contact
from app.db import ScopedSession
from app.journeys.checking import STOPS, problems_of
from app.journeys.definition import Send
from app.journeys.models import Enrolment, Journey, JourneyUse, JourneyVersion
from app.journeys.moving.leaving import leave
from app.journeys.problems import JourneyStateError, NotPublishableError
from app.journeys.publishing import held_journey
from app.journeys.route import route_of
from app.journeys.schemas import parse_definition
from app.mailings.freezing import freeze
from app.mailings.models import Delivery, Mailing

PEOPLE_MAX = 200
MAILS_PER_PAGE = 50


def begin_rehearsal(
    session: ScopedSession, journey_id: int, contact_ids: Sequence[int], *, actor: Actor, allows_loopback: bool = False
) -> int:
    """Let people of the house walk through the draft, to look at; returns how many (PEOPLE_MAX at most).

    Whoever is in a rehearsal of this journey stays in that one. Raises NotPublishableError where the draft cannot run,
    JourneyStateError for an archived journey, or JourneyMissingError.
    """
    journey = held_journey(session, journey_id)
    if journey.state == "archived":
        raise JourneyStateError(journey_id, journey.state)
    found = problems_of(session, journey.draft, allows_loopback=allows_loopback)
    stops = [one.code for one in found if one.severity == STOPS]
    if stops:
        raise NotPublishableError(journey_id, stops)
    version = _version_of_draft(session, journey, actor=actor)
    people = session.scalars(
        sa.select(Contact.id)
        .where(Contact.id.in_(contact_ids[:PEOPLE_MAX]), Contact.state == "living")
        .where(Contact.id.not_in(_inside(journey_id)))
        .order_by(Contact.id)
    ).all()
    now, today = clock.now(), clock.today(current_organisation(session).time_zone)
    turn = f"rehearsal:{int(now.timestamp() * 1000)}"
    session.add_all(
        Enrolment(
            organisation_id=session.organisation_id,
            journey_id=journey_id,
            version=version,
            contact_id=contact_id,
            occurrence=turn,
            is_rehearsal=True,
            wake_at=now,
            entered_at=now,
            entered_on=today,
            updated_at=now,
        )
        for contact_id in people
    )
    details = {"version": version, "people": len(people)}
    record(session, actor, "journeys.rehearse", subject=("journey", journey_id), details=details)
    session.flush()
    return len(people)


def go_on_now(session: ScopedSession, journey_id: int) -> int:
    """Let the waits of everybody in the rehearsal end now; returns how many waited."""
    row, now = Enrolment, clock.now()
    woken = session.scalars(
        sa.update(row)
        .where(*_rehearsing(journey_id), row.wake_at > now)
        .values(wake_at=now, updated_at=now)
        .returning(row.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(woken)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One mail of a rehearsal: the delivery, to whom, and which mailing."""

    delivery: Delivery
    contact: Contact
    mailing_name: str


def people_in_rehearsal(session: ScopedSession, journey_id: int) -> Sequence[tuple[Enrolment, Contact]]:
    """Return everybody in the rehearsal, in the order of their coming."""
    row = Enrolment
    query = sa.select(row, Contact).join(Contact, Contact.id == row.contact_id)
    found = session.execute(query.where(row.journey_id == journey_id, row.is_rehearsal).order_by(row.id.desc()))
    return [(one[0], one[1]) for one in found.fetchmany(PEOPLE_MAX)]


def mails_of(session: ScopedSession, journey_id: int, *, before: int | None = None) -> Sequence[Rehearsed]:
    """Return a page of the mails that wait as drafts and one more, the newest first."""
    query = (
        sa.select(Delivery, Contact, Mailing.name)
        .join(Contact, Contact.id == Delivery.contact_id)
        .join(Mailing, Mailing.id == Delivery.mailing_id)
        .where(*_drafts(journey_id))
        .order_by(Delivery.id.desc())
        .limit(MAILS_PER_PAGE + 1)
    )
    if before is not None:
        query = query.where(Delivery.id < before)
    return [Rehearsed(row[0], row[1], row[2]) for row in session.execute(query)]


def count_drafts(session: ScopedSession, journey_id: int) -> int:
    """Return how many mails of the rehearsal wait."""
    return session.scalar(sa.select(sa.func.count()).where(*_drafts(journey_id))) or 0


def release_mails(session: ScopedSession, journey_id: int, *, expected: int, actor: Actor) -> int | None:
    """Let the drafts of the rehearsal leave as ordinary mails; returns how many.

    None, and nothing happens, where there are other than the ``expected`` number: somebody who said yes to five does
    not say yes to six.
    """
    ids = _locked_drafts(session, journey_id)
    if len(ids) != expected:
        return None
    _settle(session, ids, {"state": "planned", "next_try_at": clock.now()})
    record(session, actor, "journeys.release", subject=("journey", journey_id), details={"mails": len(ids)})
    return len(ids)


def discard_mails(session: ScopedSession, journey_id: int, *, actor: Actor) -> int:
    """Throw the drafts away and end the rehearsal for everybody; returns how many mails."""
    inside = session.scalars(sa.select(Enrolment.id).where(*_rehearsing(journey_id)).with_for_update()).all()
    leave(session, inside, because="ended_by_hand")
    ids = _locked_drafts(session, journey_id)
    _settle(session, ids, {"state": "cancelled", "problem_code": "discarded", "settled_at": clock.now()})
    record(session, actor, "journeys.discard", subject=("journey", journey_id), details={"mails": len(ids)})
    return len(ids)


def _locked_drafts(session: ScopedSession, journey_id: int) -> Sequence[int]:
    return session.scalars(sa.select(Delivery.id).where(*_drafts(journey_id)).with_for_update()).all()


def _settle(session: ScopedSession, ids: Sequence[int], values: dict[str, Any]) -> None:
    session.execute(
        sa.update(Delivery)
        .where(Delivery.id.in_(ids), Delivery.state == "draft")
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _drafts(journey_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    of_journey = sa.select(Enrolment.id).where(Enrolment.journey_id == journey_id, Enrolment.is_rehearsal)
    return Delivery.state == "draft", Delivery.enrolment_id.in_(of_journey)


def _rehearsing(journey_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return Enrolment.journey_id == journey_id, Enrolment.is_rehearsal.is_(True), Enrolment.state == "active"


def _inside(journey_id: int) -> sa.Select[int]:
    return sa.select(Enrolment.contact_id).where(*_rehearsing(journey_id))


def _runs_elsewhere(session: ScopedSession, mailing_id: int) -> bool:
    row = JourneyUse
    running = sa.select(row.id).join(Journey, sa.and_(Journey.id == row.journey_id, Journey.version == row.version))
    return session.scalar(running.where(row.mailing_id == mailing_id).limit(1)) is not None


def _version_of_draft(session: ScopedSession, journey: Journey, *, actor: Actor) -> int:
    """The newest version where it is the draft, else a new one that nobody enters.

    Its mailings are frozen as they are now, but for those that a running journey sends: to look at a mail must not
    change what others get.
    """
    row, user = JourneyVersion, actor.id if actor.kind == "user" else None
    versions = sa.select(row).where(row.journey_id == journey.id).order_by(row.version.desc()).limit(1)
    newest = session.scalars(versions).first()
    number = (newest.version if newest else 0) + 1
    for step in route_of(parse_definition(journey.draft)).steps.values():
        if isinstance(step, Send) and not _runs_elsewhere(session, step.mailing_id):
            freeze(session, step.mailing_id, frozen_by=user)
    if newest is not None and newest.definition == journey.draft:
        return newest.version
    session.add(
        row(
            organisation_id=session.organisation_id,
            journey_id=journey.id,
            version=number,
            definition=journey.draft,
            was_published=False,
            published_by=user,
            published_at=clock.now(),
        )
    )
    session.flush()
    return number
