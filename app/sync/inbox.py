"""The inbox: webhooks as they arrived, processed once each, in the order they came per connection.

1. ``receive`` stores the raw body before anybody looks at it; a repeat of one already stored changes nothing.
2. ``claim_batch`` takes the oldest due items of one connection that nobody else is working on. The connection's row is
   locked while it chooses (SKIP LOCKED), so two workers never take items of the same connection; the lease is
   ``next_try_at``, and it runs out by itself when a worker is killed.
3. A processor does the work, in transactions of its own and with none open while it speaks to the network.
4. ``_settle`` notes the outcome, only where the lease is still ours.

Processing twice must be harmless: a worker may be killed between 3 and 4. An item that cannot succeed, or has failed
too often, is ``dead``: it stays visible, and a person can replay it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Select, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from app import clock
from app.accounts.audit import Actor, record
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.connections import UnknownConnection, get_connection, open_destination, open_source
from app.sync.connections import close as close_system
from app.sync.models import Connection, InboxItem
from app.sync.storing import store_page
from integrations.base import ConnectorError, Permanent, Transient
from integrations.catalogue import SYSTEMS

log = structlog.get_logger()

BATCH = 10
LEASE = timedelta(minutes=3)
ATTEMPTS_MAX = 12
FIRST_DELAY_S, LONGEST_DELAY_S = 10.0, 3600.0
# These are about the connection and not about the item: once somebody mends it, the item succeeds.
OF_THE_CONNECTION = frozenset({"unauthorised", "forbidden", "bad_certificate", "moved", "private_address"})
KEPT_DAYS = 30


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


def receive(session: ScopedSession, connection: Connection, *, headers: Mapping[str, str], body: bytes) -> bool:
    """Store a webhook as it came; returns False for a repeat. Only the headers its signature needs are kept."""
    system = SYSTEMS.get(connection.system)
    wanted = {name.lower() for name in system.hook_headers} if system else set()
    stored = session.execute(
        insert(InboxItem)
        .values(
            organisation_id=session.organisation_id,
            connection_id=connection.id,
            received_at=clock.now(),
            headers={name.lower(): value for name, value in headers.items() if name.lower() in wanted},
            body=body,
            dedupe_key=_dedupe_key(connection.system, body),
            next_try_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(InboxItem.id)
    )
    return stored.first() is not None


def process_inbox(runtime: Runtime, organisation_id: int, *, processors: Mapping[str, Processor]) -> int:
    """Process everything that is due for a house and return how many items were settled.

    ``processors`` says per system who does the work; a source without one is refetched and stored.
    """
    settled = 0
    while True:
        with transaction(runtime.engine, organisation_id) as session:
            hooks = claim_batch(session)
        if not hooks:
            return settled
        for hook in hooks:
            if not _still_ours(runtime, hook):
                break
            settled += _process(runtime, hook, processors.get(hook.system) or store_source_hook)


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
            InboxItem.next_try_at <= now,
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


def store_source_hook(runtime: Runtime, hook: Hook) -> bool:
    """Refetch what a source's webhook speaks of and store it: the processor of every source."""
    allows_loopback = runtime.settings.allow_loopback_connections
    with transaction(runtime.engine, hook.organisation_id) as session:
        connection = get_connection(session, hook.connection_id)
    source = open_source(runtime.keyring, connection, allows_loopback=allows_loopback)
    try:
        pages = source.read_hook(hook.body)
    finally:
        close_system(source)
    for page in pages:
        with transaction(runtime.engine, hook.organisation_id) as session:
            store_page(session, runtime.keyring, page, connection_id=hook.connection_id)
    return bool(pages)


def has_valid_signature(runtime: Runtime, hook: Hook) -> bool:
    """Whether a destination's webhook is the vendor's, as of the moment it arrived; True where it does not sign."""
    with transaction(runtime.engine, hook.organisation_id) as session:
        connection = get_connection(session, hook.connection_id)
    stored = connection.hook_secret_encrypted
    secret = runtime.keyring.decrypted(stored) if stored is not None else None
    allows_loopback = runtime.settings.allow_loopback_connections
    destination = open_destination(runtime.keyring, connection, allows_loopback=allows_loopback)
    try:
        return destination.verify_hook(hook.headers, hook.body, secret=secret, now=hook.received_at)
    finally:
        close_system(destination)


def replay(session: ScopedSession, connection_id: int, item_id: int, *, actor: Actor) -> bool:
    """Put a connection's item that is dead, ignored or done back in line; returns whether there was one."""
    found = session.execute(
        update(InboxItem)
        .where(
            InboxItem.id == item_id,
            InboxItem.connection_id == connection_id,
            InboxItem.state != "waiting",
            func.octet_length(InboxItem.body) > 0,
        )
        .values(state="waiting", attempts=0, next_try_at=clock.now(), problem_code=None, processed_at=None)
        .returning(InboxItem.connection_id)
    ).first()
    if found is not None:
        record(session, actor, "inbox.replay", subject=("inbox_item", item_id))
    return found is not None


def replay_dead(session: ScopedSession, connection_id: int, *, actor: Actor) -> int:
    """Put every dead item of a connection back in line and return how many there were."""
    dead = session.scalars(
        select(InboxItem.id).where(InboxItem.connection_id == connection_id, InboxItem.state == "dead")
    ).all()
    return sum(replay(session, connection_id, item_id, actor=actor) for item_id in dead)


def items_of(
    session: ScopedSession, connection_id: int, *, before_id: int | None = None, limit: int = 50
) -> Sequence[InboxItem]:
    """Return a connection's items, the newest first, from below ``before_id`` on."""
    query = select(InboxItem).where(InboxItem.connection_id == connection_id).order_by(InboxItem.id.desc())
    if before_id is not None:
        query = query.where(InboxItem.id < before_id)
    return session.scalars(query.limit(limit)).all()


def count_by_state(session: ScopedSession, connection_id: int) -> dict[str, int]:
    """Return how many items of a connection are in each state."""
    rows = session.execute(
        select(InboxItem.state, func.count()).where(InboxItem.connection_id == connection_id).group_by(InboxItem.state)
    )
    return dict(rows.all())


def forget_old_messages(runtime: Runtime, organisation_id: int) -> int:
    """Empty what was processed long ago: bodies may speak of people, and what they led to is in the store."""
    with transaction(runtime.engine, organisation_id) as session:
        emptied = session.execute(
            update(InboxItem)
            .where(
                InboxItem.state.in_(("done", "ignored")),
                InboxItem.processed_at < clock.now() - timedelta(days=KEPT_DAYS),
                func.octet_length(InboxItem.body) > 0,
            )
            .values(body=b"", headers={})
        )
    return int(emptied.rowcount)  # type: ignore[attr-defined]


def _connection_with_work(now: datetime) -> Select[Connection]:
    item = InboxItem
    has_due = exists().where(item.connection_id == Connection.id, item.state == "waiting", item.next_try_at <= now)
    is_open = (Connection.state != "removed") & ((Connection.kind == "destination") | (Connection.state != "paused"))
    return (
        select(Connection)
        .where(is_open, has_due, ~_has_leased_items(Connection.id, now))
        .order_by(Connection.id)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
    )


def _has_leased_items(connection_id: Any, now: datetime) -> ColumnElement[bool]:
    """A leased item has no problem noted and its time is still to come; one that waits for another try has one."""
    busy = aliased(InboxItem)
    return exists().where(
        busy.connection_id == connection_id,
        busy.state == "waiting",
        busy.attempts > 0,
        busy.problem_code.is_(None),
        busy.next_try_at > now,
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


def _still_ours(runtime: Runtime, hook: Hook) -> bool:
    """Renew the lease before the work begins; False where it ran out and somebody else took over."""
    with transaction(runtime.engine, hook.organisation_id) as session:
        return _if_ours(session, hook, next_try_at=clock.now() + LEASE)


def _process(runtime: Runtime, hook: Hook, processor: Processor) -> int:
    try:
        has_work = processor(runtime, hook)
    except UnknownConnection:
        return _settle(runtime, hook, state="ignored", code="connection_removed")
    except ConnectorError as error:
        return _postpone(runtime, hook, error)
    except Exception as error:
        log.exception("webhook failed", system=hook.system, item_id=hook.item_id, error=type(error).__name__)
        return _postpone(runtime, hook, Transient("internal_error"))
    return _settle(runtime, hook, state="done" if has_work else "ignored", code=None)


def _postpone(runtime: Runtime, hook: Hook, error: ConnectorError) -> int:
    is_hopeless = isinstance(error, Permanent) and error.code not in OF_THE_CONNECTION
    if is_hopeless or hook.attempt >= ATTEMPTS_MAX:
        return _settle(runtime, hook, state="dead", code=error.code)
    delay_s = retry_delay_s(hook.attempt)
    if isinstance(error, Transient) and error.retry_after_s is not None:
        delay_s = max(delay_s, error.retry_after_s)
    with transaction(runtime.engine, hook.organisation_id) as session:
        _if_ours(session, hook, next_try_at=clock.now() + timedelta(seconds=delay_s), problem_code=error.code)
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


def _dedupe_key(system: str, body: bytes) -> str | None:
    """Whatever the body is, it is stored; a key that cannot be read only means that repeats are not recognised."""
    known = SYSTEMS.get(system)
    if known is None:
        return None
    try:
        return known.hook_dedupe_key(body)
    except Exception:
        log.warning("webhook without a readable key", system=system)
        return None
