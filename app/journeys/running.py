"""Pausing a journey, taking it up again, and putting it away.

A pause holds everybody where they are. Whoever became due meanwhile is *overdue*; whoever takes the journey up again
says whether that is still to happen (``run``) or not (``skip``: they go on at the next wait of their branch).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from app import clock
from app.accounts.audit import Actor, record
from app.accounts.organisations import current_organisation
from app.db import ScopedSession, array_text
from app.journeys.models import Enrolment, Journey, Visit
from app.journeys.moving.leaving import leave
from app.journeys.problems import JourneyStateError
from app.journeys.publishing import held_journey
from app.journeys.uses import let_go_of_unused
from app.journeys.versions import route_of_version

Overdue = Literal["run", "skip"]

_GO_TO = sa.text(
    "UPDATE enrolment SET step_id = COALESCE(:next_id, step_id), is_waiting = false, happened = NULL,"
    " held_because = NULL, wake_at = CASE WHEN CAST(:next_id AS text) IS NULL THEN NULL ELSE :at END,"
    " state = CASE WHEN CAST(:next_id AS text) IS NULL THEN 'completed' ELSE 'active' END,"
    " left_at = CASE WHEN CAST(:next_id AS text) IS NULL THEN CAST(:at AS timestamptz) END,"
    " left_on = CASE WHEN CAST(:next_id AS text) IS NULL THEN CAST(:today AS date) END, updated_at = :at"
    " WHERE organisation_id = :organisation_id AND id = ANY (CAST(:ids AS bigint[]))"
)


@dataclass(frozen=True, slots=True)
class OverdueAt:
    """How many people are overdue at a step of a version (``None``: before the first)."""

    version: int
    step_id: str | None
    people: int


def overdue_of(session: ScopedSession, journey_id: int) -> list[OverdueAt]:
    """Who became due while the journey stood still, by step; what ``resume_journey`` asks about."""
    row = Enrolment
    counted = sa.select(row.version, row.step_id, sa.func.count()).where(*_is_overdue(journey_id))
    rows = session.execute(counted.group_by(row.version, row.step_id).order_by(row.version, row.step_id))
    return [OverdueAt(*one) for one in rows]


def pause_journey(session: ScopedSession, journey_id: int, *, actor: Actor) -> Journey:
    """Hold everybody where they are, and let nobody in; raises JourneyStateError where it does not run.

    Waits for the batch that moves people this moment; after the commit nobody moves.
    """
    journey = _in_state(session, journey_id, ("published",))
    journey.state, journey.updated_at = "paused", clock.now()
    record(session, actor, "journeys.pause", subject=("journey", journey_id))
    session.flush()
    return journey


def resume_journey(session: ScopedSession, journey_id: int, *, overdue: Overdue, actor: Actor) -> Journey:
    """Take a paused journey up again; ``overdue`` says what becomes of who became due meanwhile."""
    journey = _in_state(session, journey_id, ("paused",))
    skipped = _skip_overdue(session, journey_id) if overdue == "skip" else 0
    journey.state, journey.updated_at = "published", clock.now()
    details = {"overdue": overdue, "skipped": skipped}
    record(session, actor, "journeys.resume", subject=("journey", journey_id), details=details)
    session.flush()
    return journey


def archive_journey(session: ScopedSession, journey_id: int, *, actor: Actor) -> int:
    """Put a journey away for good: nobody comes in, and who is inside leaves. Returns how many left."""
    journey = _in_state(session, journey_id, ("draft", "published", "paused"))
    inside = sa.select(Enrolment.id).where(Enrolment.journey_id == journey_id, Enrolment.state == "active")
    left = leave(session, session.scalars(inside.order_by(Enrolment.id).with_for_update()).all(), because="archived")
    journey.state, journey.updated_at = "archived", clock.now()
    record(session, actor, "journeys.archive", subject=("journey", journey_id), details={"left": left})
    session.flush()
    let_go_of_unused(session)
    return left


def _in_state(session: ScopedSession, journey_id: int, states: Sequence[str]) -> Journey:
    journey = held_journey(session, journey_id)
    if journey.state not in states:
        raise JourneyStateError(journey_id, journey.state)
    return journey


def _is_overdue(journey_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    row = Enrolment
    return row.journey_id == journey_id, row.state == "active", ~row.is_rehearsal, row.wake_at <= clock.now()


def _skip_overdue(session: ScopedSession, journey_id: int) -> int:
    row, skipped = Enrolment, 0
    for one in overdue_of(session, journey_id):
        if one.step_id is None:
            continue  # nothing of theirs was due before the pause: they have only just come in
        route = route_of_version(session, journey_id, one.version)
        next_id = route.next_wait(one.step_id) if one.step_id in route.steps else None
        there = sa.select(row.id).where(
            *_is_overdue(journey_id), row.version == one.version, row.step_id == one.step_id
        )
        ids = session.scalars(there.order_by(row.id).with_for_update()).all()
        _note_skipped(session, ids, one.step_id)
        given = {
            "organisation_id": session.organisation_id,
            "at": clock.now(),
            "today": clock.today(current_organisation(session).time_zone),
            "next_id": next_id,
            "ids": array_text(ids),
        }
        session.execute(_GO_TO, given)
        skipped += len(ids)
    return skipped


def _note_skipped(session: ScopedSession, enrolment_ids: Sequence[int], step_id: str) -> None:
    """The wait ended, and what was to follow was passed over."""
    row = Visit
    session.execute(
        sa.update(row)
        .where(row.enrolment_id.in_(enrolment_ids), row.step_id == step_id, row.outcome == "waiting")
        .values(outcome="skipped", reason="paused", done_at=clock.now())
        .execution_options(synchronize_session=False)
    )
