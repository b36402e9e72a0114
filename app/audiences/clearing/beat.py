"""The heartbeats of the clearing house: carry what is due, look for what is missing, compare the lists."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app import clock
from app.audiences.clearing.carrying import carry_due
from app.audiences.clearing.errands import OPEN
from app.audiences.clearing.settling import give_up_removed
from app.consent.clearing.models import Clearance
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.models import Connection

CARRY_EVERY = timedelta(seconds=3)
LOOK_FOR_MISSING_EVERY = timedelta(minutes=5)
COMPARE_EVERY = timedelta(minutes=10)


def carry_noes(runtime: Runtime, organisation_id: int) -> int:
    """Carry what is due in a house to every destination, and return how many errands are over."""
    with transaction(runtime.engine, organisation_id) as session:
        give_up_removed(session)
        due = _due(session)
    return sum(carry_due(runtime, organisation_id, connection_id) for connection_id in due)


def _due(session: ScopedSession) -> list[int]:
    row = Clearance
    return list(
        session.scalars(
            select(row.connection_id)
            .join(Connection, Connection.id == row.connection_id)
            .where(row.state.in_(OPEN), row.next_try_at <= clock.now(), Connection.state != "removed")
            .distinct()
            .order_by(row.connection_id)
        )
    )
