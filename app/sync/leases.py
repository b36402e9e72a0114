"""Who works on which webhook, until when, and how it ended.

The lease of an item is its ``next_try_at``; it runs out by itself when a worker is killed. Every change of an item asks
that its lease is still ours, so that a late worker overwrites nothing. Processing twice must be harmless: a worker may
be killed between its work and the note that it is done.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Select, exists, or_, select, tuple_, update
from sqlalchemy.orm import aliased

from app import clock
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.connections import UnknownConnection
from app.sync.models import Connection, InboxItem
from integrations.base import ConnectorError, Permanent, Transient

log = structlog.get_logger()

BATCH = 100
LEASE = timedelta(minutes=3)
ATTEMPTS_MAX = 12
FIRST_DELAY_S, LONGEST_DELAY_S = 10.0, 3600.0
FURTHEST = timedelta(days=1)  # nothing is ever planned further ahead, whatever a vendor asks for
# These are about the connection and not about the item: once somebody mends it, the item succeeds.
OF_THE_CONNECTION = frozenset({"unauthorised", "forbidden", "bad_certificate", "moved", "private_address"})


@dataclass(frozen=True, slots=True)
class Hook:
    """A claimed item: what arrived, for whom, and which attempt this is."""

    organisation_id: int
    connection_id: int
    item_id: int
    system: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    attempt: int


# Does the work of one item and returns whether there was any. May raise ConnectorError; must bear being repeated.
Processor = Callable[[Runtime, Hook], bool]


def claim_batch(session: ScopedSession, *, limit: int = BATCH) -> list[Hook]:
    """Lease the oldest due items of one connection nobody works for; [] where nothing is due."""
    now = clock.now()
    connection = session.scalars(_connection_with_work(now)).first()
    if connection is None:
        return []
    # Asked again now that the connection is locked: the first look may be older than another worker's claim.
    due = session.scalars(
        select(InboxItem.id)
        .where(
            InboxItem.connection_id == connection.id,
            InboxItem.state == "waiting",
            _is_due(now),
            ~_has_leased_items(connection.id, now),
        )
        .order_by(InboxItem.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    rows = session.scalars(
        update(InboxItem)
        .where(InboxItem.id.in_(due))
        .values(attempts=InboxItem.attempts + 1, next_try_at=now + LEASE, problem_code=None)
        .returning(InboxItem)
        .execution_options(synchronize_session=False)
    ).all()
    hooks = [_hook(item, connection.system) for item in rows]
    return sorted(hooks, key=lambda hook: hook.item_id)


def _connection_with_work(now: datetime) -> Select[Connection]:
    item = InboxItem
    has_due = exists().where(item.connection_id == Connection.id, item.state == "waiting", _is_due(now))
    is_open = (Connection.state != "removed") & ((Connection.kind == "destination") | (Connection.state != "paused"))
    return (
        select(Connection)
        .where(is_open, has_due, ~_has_leased_items(Connection.id, now))
        .order_by(Connection.id)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
    )


def _is_due(now: datetime) -> ColumnElement[bool]:
    """What lies further ahead than we ever plan was written by a clock that ran ahead, and is due."""
    return or_(InboxItem.next_try_at <= now, InboxItem.next_try_at > now + FURTHEST)


def _has_leased_items(connection_id: Any, now: datetime) -> ColumnElement[bool]:
    """A leased item has no problem noted and its time is still to come; one that waits for another try has one."""
    busy = aliased(InboxItem)
    return exists().where(
        busy.connection_id == connection_id,
        busy.state == "waiting",
        busy.attempts > 0,
        busy.problem_code.is_(None),
        busy.next_try_at > now,
        busy.next_try_at <= now + FURTHEST,
    )


def _hook(item: InboxItem, system: str) -> Hook:
    return Hook(
        organisation_id=item.organisation_id,
        connection_id=item.connection_id,
        item_id=item.id,
        system=system,
        headers=dict(item.headers),
        body=item.body,
        received_at=item.received_at,
        attempt=item.attempts,
    )


def still_ours(runtime: Runtime, hook: Hook) -> bool:
    """Renew the lease before the work begins; False where it ran out and somebody else took over."""
    with transaction(runtime.engine, hook.organisation_id) as session:
        return _if_ours(session, hook, next_try_at=clock.now() + LEASE)


def process_each(runtime: Runtime, hooks: Sequence[Hook], processor: Processor) -> int:
    """Do the work of each item by itself, as long as they are ours; returns how many are settled."""
    settled = 0
    for hook in hooks:
        if not still_ours(runtime, hook):
            break
        settled += _process(runtime, hook, processor)
    return settled


def _process(runtime: Runtime, hook: Hook, processor: Processor) -> int:
    try:
        has_work = processor(runtime, hook)
    except Exception as error:
        return note_failure(runtime, hook, error)
    return _settle(runtime, hook, state="done" if has_work else "ignored", code=None)


def note_failure(runtime: Runtime, hook: Hook, error: Exception) -> int:
    """Note that the work of an item failed: another try later, or, where that is hopeless, none. 1 where settled."""
    if isinstance(error, UnknownConnection):
        return _settle(runtime, hook, state="ignored", code="connection_removed")
    if isinstance(error, ConnectorError):
        return _postpone(runtime, hook, error)
    log.error("webhook failed", system=hook.system, item_id=hook.item_id, error=type(error).__name__, exc_info=error)
    return _postpone(runtime, hook, Transient("internal_error"))


def settle_read(session: ScopedSession, hooks: Sequence[Hook], *, has_work: bool) -> int:
    """Settle items in the transaction that stored what they speak of; returns how many were still ours."""
    item = InboxItem
    changed = session.execute(
        update(item)
        .where(
            tuple_(item.id, item.attempts).in_([(hook.item_id, hook.attempt) for hook in hooks]),
            item.state == "waiting",
        )
        .values(state="done" if has_work else "ignored", problem_code=None, processed_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]


def _postpone(runtime: Runtime, hook: Hook, error: ConnectorError) -> int:
    is_hopeless = isinstance(error, Permanent) and error.code not in OF_THE_CONNECTION
    if is_hopeless or hook.attempt >= ATTEMPTS_MAX:
        return _settle(runtime, hook, state="dead", code=error.code)
    delay_s = retry_delay_s(hook.attempt)
    if isinstance(error, Transient) and error.retry_after_s is not None:
        delay_s = max(delay_s, error.retry_after_s)
    with transaction(runtime.engine, hook.organisation_id) as session:
        _if_ours(
            session, hook, next_try_at=clock.now() + min(timedelta(seconds=delay_s), FURTHEST), problem_code=error.code
        )
    return 0


def retry_delay_s(attempt: int) -> float:
    """Return how long to wait after a failed attempt: doubling, bounded, and never in step with others."""
    ceiling = min(FIRST_DELAY_S * 2 ** (attempt - 1), LONGEST_DELAY_S)
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, no secret


def _settle(runtime: Runtime, hook: Hook, *, state: str, code: str | None) -> int:
    with transaction(runtime.engine, hook.organisation_id) as session:
        return int(_if_ours(session, hook, state=state, problem_code=code, processed_at=clock.now()))


def _if_ours(session: ScopedSession, hook: Hook, **values: object) -> bool:
    """Change the item, only where no other attempt has begun since."""
    changed = session.execute(
        update(InboxItem)
        .where(InboxItem.id == hook.item_id, InboxItem.state == "waiting", InboxItem.attempts == hook.attempt)
        .values(**values)
    )
    return bool(changed.rowcount == 1)  # type: ignore[attr-defined]
