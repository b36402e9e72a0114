"""What somebody waited for has happened: a ``wait_for`` lets them go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app import clock
from app.db import ScopedSession, array_text

_ARRIVED = sa.text(
    "UPDATE enrolment SET happened = given.occurrence, wake_at = :now, updated_at = :now,"
    " participation_id = COALESCE(given.participation_id, enrolment.participation_id)"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:steps AS text[]), CAST(:occurrences AS text[]),"
    " CAST(:ats AS timestamptz[]), CAST(:participations AS bigint[]))"
    " AS given (id, step_id, occurrence, at, participation_id)"
    " WHERE enrolment.organisation_id = :organisation_id AND enrolment.id = given.id"
    " AND enrolment.state = 'active' AND enrolment.is_waiting AND enrolment.step_id = given.step_id"
    " AND enrolment.happened IS NULL AND given.at >= enrolment.arrived_at AND given.at <= enrolment.wake_at"
    " RETURNING enrolment.id"
)


@dataclass(frozen=True, slots=True)
class Happening:
    """What somebody at a ``wait_for`` waited for: who, where, which occurrence, when, and about which booking."""

    enrolment_id: int
    step_id: str
    occurrence: str
    at: datetime
    participation_id: int | None = None


def arrived(session: ScopedSession, happenings: Sequence[Happening]) -> int:
    """Let people go the way of ``then``; returns how many. Delivered twice, the second changes nothing.

    It counts only if it happened while they waited: not before they came there, and not after the time was up, however
    late it is told. From there on the journey is about the booking that came, where there is one.
    """
    if not happenings:
        return 0
    rows = session.scalars(
        _ARRIVED,
        {
            "organisation_id": session.organisation_id,
            "now": clock.now(),
            "ids": array_text(one.enrolment_id for one in happenings),
            "steps": array_text(one.step_id for one in happenings),
            "occurrences": array_text(one.occurrence for one in happenings),
            "ats": array_text(one.at for one in happenings),
            "participations": array_text(one.participation_id for one in happenings),
        },
    )
    return len(rows.all())
