"""The figures of journeys for lists: who is inside, who entered, and what was mailed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from app import clock
from app.db import ScopedSession
from app.journeys.models import Enrolment
from app.mailings.models import Delivery

LATELY = timedelta(days=7)
GONE = ("handed_over", "accepted")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one journey: people inside now, entered in the last seven days, mails that left, people whose journey stopped
    on an error, and ways on which the goal was reached."""

    inside: int = 0
    entered_lately: int = 0
    mails: int = 0
    failed: int = 0
    reached: int = 0


def figures_of(session: ScopedSession, journey_ids: Sequence[int]) -> dict[int, Figures]:
    """Return the figures of journeys that anybody entered, by journey; the others have none."""
    enrolment = Enrolment
    inside = enrolment.state == "active"
    counted = session.execute(
        sa.select(
            enrolment.journey_id,
            sa.func.count().filter(inside),
            sa.func.count().filter(enrolment.entered_at > clock.now() - LATELY),
            sa.func.count().filter(enrolment.state == "failed"),
            sa.func.count(enrolment.reached_at),
        )
        .where(enrolment.journey_id.in_(journey_ids), ~enrolment.is_rehearsal)
        .group_by(enrolment.journey_id)
    )
    mailed = session.execute(
        sa.select(enrolment.journey_id, sa.func.count())
        .join(Delivery, Delivery.enrolment_id == enrolment.id)
        .where(enrolment.journey_id.in_(journey_ids), ~enrolment.is_rehearsal, Delivery.state.in_(GONE))
        .group_by(enrolment.journey_id)
    )
    mails = {row[0]: row[1] for row in mailed}
    return {
        journey_id: Figures(now, lately, mails.get(journey_id, 0), failed, reached)
        for journey_id, now, lately, failed, reached in map(tuple, counted)
    }
