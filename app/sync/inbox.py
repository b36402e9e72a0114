"""The inbox: webhooks as they arrived, processed once each, in the order they came per connection.

1. ``receive`` stores the raw body before anybody looks at it; a repeat of one already stored changes nothing.
2. ``claim_batch`` takes the oldest due items of one connection that nobody else is working on. The connection's row is
   locked while it chooses (SKIP LOCKED), so two workers never take items of the same connection; the lease is
   ``next_try_at``, and it runs out by itself when a worker is killed.
3. A processor does the work, in transactions of its own and with none open while it speaks to the network.
4. The outcome is noted, only where the lease is still ours (leases.py). Webhooks of a source are read and stored
   many at a time (source_hooks.py).

Processing twice must be harmless: a worker may be killed between 3 and 4. An item that cannot succeed, or has failed
too often, is ``dead``: it stays visible, and a person can replay it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.audit import Actor, record
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.leases import Processor, claim_batch, process_each
from app.sync.models import Connection, InboxItem
from app.sync.source_hooks import process_source_hooks
from integrations.catalogue import SYSTEMS

log = structlog.get_logger()

KEPT_DAYS = 30


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
        processor = processors.get(hooks[0].system)
        if processor is None:
            settled += process_source_hooks(runtime, hooks)
        else:
            settled += process_each(runtime, hooks, processor)


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
