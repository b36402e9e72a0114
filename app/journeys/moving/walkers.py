"""People who are due in a journey: claimed, set down again, and the visits they made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from app.db import ScopedSession, array_text

_CLAIM = sa.text(
    "SELECT id, contact_id, version, step_id, is_waiting, arrived_at, wake_at, participation_id, happened, is_held_out,"
    " is_rehearsal, entered_at FROM enrolment"
    " WHERE organisation_id = :organisation_id AND journey_id = :journey_id AND state = 'active' AND wake_at <= :now"
    " ORDER BY wake_at LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_SET_DOWN = sa.text(
    "UPDATE enrolment SET step_id = given.step_id, wake_at = given.wake_at, is_waiting = given.is_waiting,"
    " arrived_at = given.arrived_at, happened = given.happened, held_because = given.held_because, state = given.state,"
    " left_because = given.left_because,"
    " reached_at = CASE WHEN given.left_because = 'goal_reached' THEN CAST(:at AS timestamptz) END,"
    " left_at = CASE WHEN given.state <> 'active' THEN CAST(:at AS timestamptz) END,"
    " left_on = CASE WHEN given.state <> 'active' THEN CAST(:today AS date) END, updated_at = :at"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:steps AS text[]), CAST(:wakes AS timestamptz[]),"
    " CAST(:waits AS boolean[]), CAST(:arrivals AS timestamptz[]), CAST(:happened AS text[]), CAST(:helds AS text[]),"
    " CAST(:states AS text[]), CAST(:becauses AS text[]))"
    " AS given (id, step_id, wake_at, is_waiting, arrived_at, happened, held_because, state, left_because)"
    " WHERE enrolment.organisation_id = :organisation_id AND enrolment.id = given.id"
)
_VISIT = sa.text(
    "INSERT INTO journey_visit (organisation_id, enrolment_id, step_id, journey_id, version, contact_id, arrived_at,"
    " done_at, outcome, reason, branch, facts)"
    " SELECT :organisation_id, given.enrolment_id, :step_id, :journey_id, :version, given.contact_id, :at,"
    " CASE WHEN given.outcome <> 'waiting' THEN CAST(:at AS timestamptz) END,"
    " given.outcome, given.reason, given.branch, CAST(given.facts AS jsonb)"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:contacts AS bigint[]), CAST(:outcomes AS text[]),"
    " CAST(:reasons AS text[]), CAST(:branches AS text[]), CAST(:facts AS text[]))"
    " AS given (enrolment_id, contact_id, outcome, reason, branch, facts)"
    " ON CONFLICT DO NOTHING RETURNING enrolment_id"
)
_FINISH = sa.text(
    "UPDATE journey_visit SET done_at = :at, outcome = given.outcome, reason = given.reason, branch = given.branch,"
    " facts = COALESCE(journey_visit.facts || CAST(given.facts AS jsonb), journey_visit.facts)"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:outcomes AS text[]), CAST(:reasons AS text[]),"
    " CAST(:branches AS text[]), CAST(:facts AS text[])) AS given (enrolment_id, outcome, reason, branch, facts)"
    " WHERE journey_visit.organisation_id = :organisation_id AND journey_visit.enrolment_id = given.enrolment_id"
    " AND journey_visit.step_id = :step_id AND journey_visit.outcome = 'waiting'"
)


@dataclass(slots=True)
class Walker:
    """One person's way through a journey, while a heartbeat moves them."""

    id: int
    contact_id: int
    version: int
    step_id: str | None
    is_waiting: bool
    arrived_at: datetime | None
    wake_at: datetime | None
    participation_id: int | None
    happened: str | None
    is_held_out: bool
    is_rehearsal: bool
    entered_at: datetime
    state: str = "active"
    left_because: str | None = None
    held_because: str | None = None

    def go_to(self, step_id: str | None) -> None:
        """Stand before a step; behind the last one, the journey is completed."""
        self.step_id = self.step_id if step_id is None else step_id
        self.is_waiting, self.happened, self.held_because = False, None, None
        if step_id is None:
            self.state, self.wake_at = "completed", None

    def wait(self, until: datetime, *, since: datetime) -> None:
        """Stay at the step until then."""
        self.is_waiting, self.arrived_at, self.wake_at, self.held_because = True, since, until, None

    def leave(self, because: str) -> None:
        """End the journey here."""
        self.state, self.left_because, self.wake_at = "exited", because, None
        self.is_waiting, self.held_because = False, None

    def hold(self, because: str, *, until: datetime) -> None:
        """Stay where they are, for a reason that is not theirs, and try again then."""
        self.held_because, self.wake_at = because, until


@dataclass(frozen=True, slots=True)
class Noted:
    """What came of a step for one person. ``facts`` are what was looked at."""

    walker: Walker
    outcome: str = "done"
    reason: str | None = None
    branch: str | None = None
    facts: dict[str, Any] | None = field(default=None)


def claim_due(session: ScopedSession, journey_id: int, *, at: datetime, limit: int) -> list[Walker]:
    """Take people who are due and whom no other worker moves; they are held until the transaction ends."""
    given = {"organisation_id": session.organisation_id, "journey_id": journey_id, "now": at, "limit": limit}
    return [Walker(*row) for row in session.execute(_CLAIM, given)]


def set_down(session: ScopedSession, walkers: Sequence[Walker], *, at: datetime, today: date) -> None:
    """Write where everybody is now."""
    if not walkers:
        return
    session.execute(
        _SET_DOWN,
        {
            "organisation_id": session.organisation_id,
            "at": at,
            "today": today,
            "ids": array_text(one.id for one in walkers),
            "steps": array_text(one.step_id for one in walkers),
            "wakes": array_text(one.wake_at for one in walkers),
            "waits": array_text(one.is_waiting for one in walkers),
            "arrivals": array_text(one.arrived_at for one in walkers),
            "happened": array_text(one.happened for one in walkers),
            "helds": array_text(one.held_because for one in walkers),
            "states": array_text(one.state for one in walkers),
            "becauses": array_text(one.left_because for one in walkers),
        },
    )


@dataclass(frozen=True, slots=True)
class StepVisits:
    """The visits to one step of one version."""

    session: ScopedSession
    journey_id: int
    version: int
    step_id: str
    at: datetime

    def begin(self, noted: Sequence[Noted]) -> set[int]:
        """Note visits; returns the enrolments for whom it is the first, so that only their effect may happen."""
        if not noted:
            return set()
        given = self._given(noted) | {
            "journey_id": self.journey_id,
            "version": self.version,
            "contacts": array_text(one.walker.contact_id for one in noted),
        }
        return set(self.session.scalars(_VISIT, given))

    def finish(self, noted: Sequence[Noted]) -> None:
        """Note what came of visits that were begun before."""
        if noted:
            self.session.execute(_FINISH, self._given(noted))

    def _given(self, noted: Sequence[Noted]) -> dict[str, Any]:
        return {
            "organisation_id": self.session.organisation_id,
            "step_id": self.step_id,
            "at": self.at,
            "ids": array_text(one.walker.id for one in noted),
            "outcomes": array_text(one.outcome for one in noted),
            "reasons": array_text(one.reason for one in noted),
            "branches": array_text(one.branch for one in noted),
            "facts": array_text(_json(one.facts) for one in noted),
        }


def _json(facts: dict[str, Any] | None) -> str | None:
    return None if facts is None else json.dumps(facts)


def ids_of(walkers: Iterable[Walker]) -> list[int]:
    """The contacts of these people, each once."""
    return sorted({one.contact_id for one in walkers})
