"""Leaving a journey before its end: one word why, and nothing is due any more."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from app import clock
from app.accounts.organisations import current_organisation
from app.db import ScopedSession, array_text

_LEAVE = sa.text(
    "UPDATE enrolment SET state = 'exited', left_at = :at, left_on = :today, left_because = :because, wake_at = NULL,"
    " is_waiting = false, held_because = NULL, updated_at = :at,"
    " reached_at = CASE WHEN CAST(:because AS text) = 'goal_reached' THEN CAST(:at AS timestamptz) END"
    " WHERE organisation_id = :organisation_id AND id = ANY (CAST(:ids AS bigint[])) AND state = 'active' RETURNING id"
)
_CLOSE = sa.text(
    "UPDATE journey_visit SET outcome = 'skipped', reason = :because, done_at = :at"
    " WHERE organisation_id = :organisation_id AND enrolment_id = ANY (CAST(:ids AS bigint[])) AND outcome = 'waiting'"
)


def leave(session: ScopedSession, enrolment_ids: Iterable[int], *, because: str) -> int:
    """End these ways through a journey now, for the reason (a code); returns how many were still on their way."""
    ids = sorted(enrolment_ids)
    if not ids:
        return 0
    given = {
        "organisation_id": session.organisation_id,
        "at": clock.now(),
        "today": clock.today(current_organisation(session).time_zone),
        "because": because,
    }
    left = session.scalars(_LEAVE, given | {"ids": array_text(ids)}).all()
    session.execute(_CLOSE, given | {"ids": array_text(left)})
    return len(left)
