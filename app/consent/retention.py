"""What has run out ends: a permission past its date becomes an ``expired`` event, once, so that the ledger says so too.

The gate stops at the date by itself; this writes it down. Dates are instants made of whole days of 24 hours, so that
neither summer time nor the zone of a house moves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select

from app import clock
from app.consent.ledger import NewEvent, record_events
from app.consent.models import Permission
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime

A_TRANSACTION = 500


def due_by_purpose(session: ScopedSession, *, at: datetime) -> dict[str, int]:
    """Return how many permissions have run out by then and are not ended yet, by purpose: the dry run."""
    due = _due(at).subquery()
    return dict(session.execute(select(due.c.purpose, func.count()).group_by(due.c.purpose)).all())


@dataclass(frozen=True, slots=True)
class Endings:
    """How many permissions for one purpose have run out, run out within a month and within three (each counting those
    before), and when the next one does."""

    now: int
    within_30_days: int
    within_90_days: int
    next_at: datetime | None


def endings_by_purpose(session: ScopedSession, *, at: datetime) -> dict[str, Endings]:
    """Return what will end when, by purpose; those of which nothing ends are left out. Changes nothing."""
    ends = Permission.valid_until
    rows = session.execute(
        select(
            Permission.purpose,
            func.count().filter(ends <= at),
            func.count().filter(ends <= at + timedelta(days=30)),
            func.count().filter(ends <= at + timedelta(days=90)),
            func.min(ends).filter(ends > at),
        )
        .where(Permission.is_allowed, ends.is_not(None))
        .group_by(Permission.purpose)
    )
    return {row[0]: Endings(int(row[1]), int(row[2]), int(row[3]), row[4]) for row in rows}


def end_due(session: ScopedSession, keyring: Keyring, *, at: datetime, limit: int = A_TRANSACTION) -> int:
    """End at most ``limit`` permissions that have run out by then; returns how many. Doing it again ends nothing twice.

    A later yes of anybody, complete and given after this, counts again: nobody said no.
    """
    permission = Permission
    rows: Sequence[Permission] = session.scalars(
        _due(at).order_by(permission.subject_key, permission.channel, permission.purpose).limit(limit)
    ).all()
    events = [
        NewEvent(
            subject_key=bytes(row.subject_key),
            channel=row.channel,
            purpose=row.purpose,
            action="expired",
            occurred_at=row.valid_until,
            actor="system",
            method="retention",
            source="zaallicht",
            external_id=f"ends {row.decided_by}",
            evidence={"ended": row.decided_by},
        )
        for row in rows
    ]
    return sum(recorded.is_new for recorded in record_events(session, keyring, events))


def end_all_due(runtime: Runtime, organisation_id: int) -> int:
    """End everything that has run out for one organisation, a part per transaction; returns how many (a heartbeat)."""
    ended = 0
    while True:
        with transaction(runtime.engine, organisation_id) as session:
            part = end_due(session, runtime.keyring, at=clock.now())
        ended += part
        if part < A_TRANSACTION:
            return ended


def _due(at: datetime) -> Select[Permission]:
    return select(Permission).where(Permission.is_allowed, Permission.valid_until <= at)
