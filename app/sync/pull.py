"""Reading sources on schedule: a few pages at a time, in one transaction with the cursor that stands for them.

A run reads all streams of a connection, each once. It goes in turns of at most ``TURN``, so that one house's first year
of orders does not keep the others waiting; the next turn goes on where this one stopped, and so does the turn after a
kill. One worker at a time reads a connection: ``lease_until`` is both the lease and its proof, renewed with everything
that is stored, in the same transaction, so that a worker that lost it can no longer store anything.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, or_, select, update

from app import clock
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.connections import close, get_connection, open_source, record_failure, record_success
from app.sync.models import Connection, PullProgress
from app.sync.reconciling import GONE, Account, forget_strangers, reconcile
from app.sync.storing import join_pages, store_page
from integrations.base import ConnectorError, Permanent, Source, SourcePage, Transient

log = structlog.get_logger()

EVERY = timedelta(minutes=5)
TURN = timedelta(seconds=60)
LEASE = timedelta(minutes=5)
GATHERED_ROWS, GATHERED_S = 1000, 5.0
PAGES_MIN = 3  # a source that resumes reads one page again; a turn that ended there would never get anywhere
FIRST_DELAY_S, LONGEST_DELAY_S = 60.0, 3600.0
FURTHEST = timedelta(days=1)  # nothing is ever planned further ahead, whatever a vendor asks for


class LeaseLost(Exception):
    """Another worker has taken over, or somebody paused or removed the connection; what is on its way is dropped."""


@dataclass(slots=True)
class Turn:
    """One worker's turn with one connection. ``lease`` is the proof that it is still ours."""

    runtime: Runtime
    organisation_id: int
    connection_id: int
    lease: datetime
    ends_at: datetime
    rows: int = 0
    pages: int = 0

    @property
    def is_over(self) -> bool:
        """Whether somebody else should have a turn now."""
        return self.pages >= PAGES_MIN and clock.now() >= self.ends_at


def pull_due(runtime: Runtime, organisation_id: int) -> int:
    """Give every source of a house that is due one turn and return how many rows came in."""
    with transaction(runtime.engine, organisation_id) as session:
        due = session.scalars(select(Connection.id).where(_is_due(clock.now())).order_by(Connection.next_run_at)).all()
    return sum(pull_connection(runtime, organisation_id, connection_id) for connection_id in due)


def pull_connection(runtime: Runtime, organisation_id: int, connection_id: int) -> int:
    """Read one connection for one turn and return how many rows came in; 0 where another worker has it.

    What goes wrong is noted on the connection, in a code that pages put in words, and decides when to try again.
    """
    turn = _take_turn(runtime, organisation_id, connection_id)
    if turn is None:
        return 0
    try:
        is_complete = _read(turn)
    except LeaseLost:
        log.info("pull handed over", connection_id=connection_id, organisation_id=organisation_id)
    except ConnectorError as error:
        _end_failed(turn, error)
    except Exception as error:
        log.exception("pull failed", connection_id=connection_id, error=type(error).__name__)
        _end_failed(turn, Transient("internal_error"))
    else:
        _end_well(turn, is_complete=is_complete)
    return turn.rows


def start_over(session: ScopedSession, connection_id: int) -> None:
    """Forget how far the pulls of a connection are: the next run reads everything. Nothing that came in is removed."""
    session.execute(
        update(PullProgress)
        .where(PullProgress.connection_id == connection_id)
        .values(cursor={}, started_at=None, finished_at=None, rows_done=0, rows_total=None)
    )


def progress_of(session: ScopedSession, connection_id: int) -> dict[str, PullProgress]:
    """Return how far each stream of a connection is; looking what is gone there is no stream."""
    rows = session.scalars(select(PullProgress).where(PullProgress.connection_id == connection_id))
    return {row.stream: row for row in rows if not row.stream.startswith(GONE)}


def _read(turn: Turn) -> bool:
    """Read the streams that this run still has to read; returns whether the run is complete."""
    with transaction(turn.runtime.engine, turn.organisation_id) as session:
        connection = get_connection(session, turn.connection_id)
        loopback = turn.runtime.settings.allow_loopback_connections
        source = open_source(turn.runtime.keyring, connection, allows_loopback=loopback)
        cursors = _begin_or_resume(session, turn.connection_id, source.capabilities.streams)
    account = Account(turn.runtime, turn.organisation_id, turn.connection_id, connection.settings["source"])
    try:
        is_complete = all(_read_stream(turn, source, stream, cursor) for stream, cursor in cursors.items())
        if is_complete:
            reconcile(account, source, renew=lambda: _renew(turn))
    finally:
        close(source)
    return is_complete


def _renew(turn: Turn) -> None:
    with transaction(turn.runtime.engine, turn.organisation_id) as session:
        lease = _renewed(session, turn)
    turn.lease = lease


def _read_stream(turn: Turn, source: Source, stream: str, cursor: Mapping[str, Any]) -> bool:
    """Read one stream; returns False where the turn was over before its end."""
    for pages in gathered(source.pull(stream, cursor)):
        if turn.is_over:
            return False  # asked before storing and not after, so that a last page is known to be the last
        _store(turn, pages)
    with transaction(turn.runtime.engine, turn.organisation_id) as session:
        lease = _renewed(session, turn)
        _progress(session, turn.connection_id, stream).finished_at = clock.now()
    turn.lease = lease
    return True


def gathered(pages: Iterable[SourcePage]) -> Iterator[list[SourcePage]]:
    """Yield pages a few at a time: a commit costs the same for one page as for ten.

    What is gathered is neither large nor long in hand, so that a kill costs little reading and people see progress.
    """
    held: list[SourcePage] = []
    until = time.monotonic() + GATHERED_S
    for page in pages:
        held.append(page)
        if sum(_rows(each) for each in held) >= GATHERED_ROWS or time.monotonic() > until:
            yield held
            held, until = [], time.monotonic() + GATHERED_S
    if held:
        yield held


def _rows(page: SourcePage) -> int:
    return len(page.contacts) + len(page.activities) + len(page.participations)


def _store(turn: Turn, pages: Sequence[SourcePage]) -> None:
    last, rows = pages[-1], sum(_rows(page) for page in pages)
    with transaction(turn.runtime.engine, turn.organisation_id) as session:
        lease = _renewed(session, turn)
        progress = _progress(session, turn.connection_id, last.stream)
        for page in join_pages(pages):
            counts = store_page(session, turn.runtime.keyring, page, connection_id=turn.connection_id)
            progress.counts = dict(Counter(progress.counts) + counts)
        progress.cursor = dict(last.cursor)
        progress.rows_total = last.total if last.total is not None else progress.rows_total
        progress.rows_done += rows
    turn.lease = lease
    turn.rows += rows
    turn.pages += len(pages)


def _begin_or_resume(session: ScopedSession, connection_id: int, streams: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return the streams left to read with their cursors; where none is left, a new run begins."""
    known = [_progress(session, connection_id, stream) for stream in streams]
    if all(each.finished_at is not None for each in known):
        for each in known:
            each.started_at = each.finished_at = None
            each.rows_done, each.rows_total = 0, None
    left = [each for each in known if each.finished_at is None]
    for each in left:
        each.started_at = each.started_at or clock.now()
    return {each.stream: dict(each.cursor) for each in left}


def _progress(session: ScopedSession, connection_id: int, stream: str) -> PullProgress:
    key = (session.organisation_id, connection_id, stream)
    found = session.get(PullProgress, key)
    if found is None:
        found = PullProgress(
            organisation_id=key[0], connection_id=connection_id, stream=stream, cursor={}, rows_done=0, counts={}
        )
        session.add(found)
        session.flush()
    return found


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Which sources are due. What lies further ahead than we ever plan was written by a clock that ran ahead."""
    return and_(
        Connection.kind == "source",
        Connection.state.in_(("active", "failing")),
        or_(Connection.next_run_at <= now, Connection.next_run_at > now + FURTHEST),
        or_(Connection.lease_until.is_(None), Connection.lease_until < now, Connection.lease_until > now + 2 * LEASE),
    )


def _take_turn(runtime: Runtime, organisation_id: int, connection_id: int) -> Turn | None:
    now = clock.now()
    lease = now + LEASE
    with transaction(runtime.engine, organisation_id) as session:
        taken = session.execute(
            update(Connection).where(Connection.id == connection_id, _is_due(now)).values(lease_until=lease)
        )
    is_ours = taken.rowcount == 1  # type: ignore[attr-defined]
    return Turn(runtime, organisation_id, connection_id, lease, now + TURN) if is_ours else None


def _renewed(session: ScopedSession, turn: Turn) -> datetime:
    """Prolong the lease in the transaction that stores something and return it, to be kept once that is committed.

    Raises LeaseLost where it is no longer ours, or where the connection was paused or removed meanwhile.
    """
    lease = clock.now() + LEASE
    renewed = session.execute(
        update(Connection)
        .where(
            Connection.id == turn.connection_id,
            Connection.lease_until == turn.lease,
            Connection.state.in_(("active", "failing")),
        )
        .values(lease_until=lease)
    )
    if renewed.rowcount != 1:  # type: ignore[attr-defined]
        raise LeaseLost
    return lease


def _end_well(turn: Turn, *, is_complete: bool) -> None:
    with transaction(turn.runtime.engine, turn.organisation_id) as session:
        connection = _ours(session, turn)
        if connection is not None:
            forget_strangers(session, connection.id)
            record_success(connection)
            connection.next_run_at = clock.now() + (EVERY if is_complete else timedelta())
            connection.lease_until = None


def _end_failed(turn: Turn, error: ConnectorError) -> None:
    log.info("pull stopped", connection_id=turn.connection_id, code=error.code, hint=error.hint)
    with transaction(turn.runtime.engine, turn.organisation_id) as session:
        connection = _ours(session, turn)
        if connection is not None:
            record_failure(connection, error)
            connection.next_run_at = _next_try(connection, error)
            connection.lease_until = None


def _ours(session: ScopedSession, turn: Turn) -> Connection | None:
    return session.scalars(
        select(Connection)
        .where(Connection.id == turn.connection_id, Connection.lease_until == turn.lease)
        .with_for_update()
    ).one_or_none()


def _next_try(connection: Connection, error: ConnectorError) -> datetime | None:
    """A person must mend what is permanent; anything else is tried again, ever less often while it lasts."""
    if isinstance(error, Permanent):
        return None
    lasting = clock.now() - (connection.failing_since or clock.now())
    delay_s = min(max(FIRST_DELAY_S, lasting.total_seconds()), LONGEST_DELAY_S) * random.uniform(0.8, 1.2)  # noqa: S311
    if isinstance(error, Transient) and error.retry_after_s is not None:
        delay_s = max(delay_s, error.retry_after_s)
    return clock.now() + min(timedelta(seconds=delay_s), FURTHEST)
