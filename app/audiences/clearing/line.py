"""One worker at a time carries noes to a destination, and nobody does while it does not answer.

The lease is the row's ``lease_until``; its value is the holder's proof. Every transaction of a round renews it, so that
whoever has lost it changes nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.audiences.clearing.models import ClearingLine
from app.audiences.problems import LeaseLost
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.leases import retry_delay_s
from app.sync.models import Connection
from integrations.base import ConnectorError, Permanent, Transient

# Longer than the longest single call a destination may take (120 s at MailChimp) with one repeat.
LEASE = timedelta(minutes=5)
LONGEST_WAIT = timedelta(minutes=15)
# What a person has to mend is tried again at this pace, or at once when they have mended it.
MENDED_AFTER = timedelta(minutes=15)


@dataclass(slots=True)
class Line:
    """The right to carry noes to one destination, until an instant."""

    runtime: Runtime
    organisation_id: int
    connection_id: int
    until: datetime

    @contextmanager
    def fenced(self) -> Iterator[ScopedSession]:
        """Open a transaction that only commits while the line is ours. Raises LeaseLost."""
        with transaction(self.runtime.engine, self.organisation_id) as session:
            until = clock.now() + LEASE  # asked once: the clock runs on, and the value is the proof
            renewed = session.execute(
                update(ClearingLine)
                .where(ClearingLine.connection_id == self.connection_id, ClearingLine.lease_until == self.until)
                .values(lease_until=until)
                .returning(ClearingLine.connection_id)
            ).first()
            if renewed is None:
                raise LeaseLost(self.connection_id)
            self.until = until
            yield session


def take_line(runtime: Runtime, organisation_id: int, connection_id: int, *, is_answering: bool = False) -> Line | None:
    """Return the line, or None where somebody has it, or where the system did not answer a moment ago.

    ``is_answering``: the caller has just spoken with the system. A connection that was mended since is tried at once.
    """
    now = clock.now()
    with transaction(runtime.engine, organisation_id) as session:
        session.execute(
            insert(ClearingLine)
            .values(organisation_id=organisation_id, connection_id=connection_id)
            .on_conflict_do_nothing()
        )
        line = session.scalars(
            select(ClearingLine).where(ClearingLine.connection_id == connection_id).with_for_update()
        ).one()
        if line.lease_until is not None and line.lease_until > now:
            return None
        waits = line.next_try_at is not None and line.next_try_at > now
        if waits and not is_answering and not _is_mended(session, connection_id):
            return None
        line.lease_until = now + LEASE
    return Line(runtime, organisation_id, connection_id, now + LEASE)


def _is_mended(session: ScopedSession, connection_id: int) -> bool:
    return (
        session.scalars(
            select(Connection.id).where(
                Connection.id == connection_id, Connection.state == "active", Connection.failing_since.is_(None)
            )
        ).first()
        is not None
    )


def release_line(line: Line) -> None:
    """Give the line back; nothing happens where it was lost."""
    with transaction(line.runtime.engine, line.organisation_id) as session:
        session.execute(
            update(ClearingLine)
            .where(ClearingLine.connection_id == line.connection_id, ClearingLine.lease_until == line.until)
            .values(lease_until=None)
        )


def note_answer(session: ScopedSession, connection_id: int) -> None:
    """The system answered: nobody has to wait any more."""
    session.execute(
        update(ClearingLine)
        .where(
            ClearingLine.connection_id == connection_id,
            or_(ClearingLine.attempts > 0, ClearingLine.next_try_at.is_not(None)),
        )
        .values(attempts=0, next_try_at=None, failing_since=None, failure_code=None)
    )


def note_silence(session: ScopedSession, connection_id: int, problem: ConnectorError) -> None:
    """The system did not answer: everybody waits, ever longer and never in step with others."""
    now = clock.now()
    line = session.scalars(
        select(ClearingLine)
        .where(ClearingLine.connection_id == connection_id)
        .execution_options(populate_existing=True)
    ).one()
    line.attempts += 1
    line.failure_code, line.failing_since = problem.code, line.failing_since or now
    wait = MENDED_AFTER if isinstance(problem, Permanent) else timedelta(seconds=retry_delay_s(line.attempts))
    if isinstance(problem, Transient) and problem.retry_after_s is not None:
        wait = max(wait, timedelta(seconds=problem.retry_after_s))
    line.next_try_at = now + min(wait, LONGEST_WAIT)
