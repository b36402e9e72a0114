"""Who of those who enter is in the control group: of the journey, or of the season.

Somebody who entered a journey before stays on the side they were on, also when the address that households are drawn by
has become another one since.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from app import clock
from app.db import ScopedSession
from app.journeys.definition import Definition
from app.journeys.models import Enrolment
from app.mailings.effect.holdout import held_out, holdouts_of_journey, record_sides_of


def held_out_of(
    session: ScopedSession, journey_id: int, definition: Definition, contact_ids: Sequence[int]
) -> frozenset[int]:
    """Those of these contacts who pass through the journey and get nothing. Writes down the sides of the season."""
    now, held = clock.now(), set[int]()
    groups = holdouts_of_journey(
        session, journey_id=journey_id, percent=definition.holdout_percent, purpose=definition.purpose, at=now
    )
    if not groups:
        return frozenset()
    before = _sides_before(session, journey_id, contact_ids)
    for group in groups:
        drawn = held_out(session, group, contact_ids)
        record_sides_of(session, group, held=drawn, others=set(contact_ids) - drawn, at=now)
        held |= drawn
    return frozenset(one for one in contact_ids if before.get(one, one in held))


def _sides_before(session: ScopedSession, journey_id: int, contact_ids: Sequence[int]) -> dict[int, bool]:
    theirs = sa.any_(sa.literal(list(contact_ids), sa.ARRAY(sa.BigInteger)))
    ways = sa.select(Enrolment.contact_id, Enrolment.is_held_out).where(
        Enrolment.journey_id == journey_id, Enrolment.contact_id == theirs, ~Enrolment.is_rehearsal
    )
    return {row.contact_id: row.is_held_out for row in session.execute(ways.order_by(Enrolment.id.desc()))}
