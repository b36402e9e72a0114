"""How often something may be done from one place, at one form, about one address: counted in the database, so that
every web process counts the same, and by keyed hash, so that no network address is kept.

A window slides: what was counted in the window before weighs as much as it still overlaps. A count goes as soon as it
weighs nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.models import RateCount
from app.db import ScopedSession
from app.keyring import Keyring

SWEPT_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``most`` times within a window, for each thing that is counted under this name."""

    name: str
    most: int
    within: timedelta


def admit(session: ScopedSession, keyring: Keyring, counted: Mapping[Limit, str]) -> timedelta | None:
    """Count once under every limit and return None; or return how long to wait, and then roll back to count nothing.

    ``counted`` says for each limit what it is about: a network, a form, a token. Run it in a transaction of its own
    that ends at once: whoever counts the same thing waits for it.
    """
    _sweep(session)
    buckets = sorted((keyring.lookup_hash(f"rate {limit.name}", about), limit) for limit, about in counted.items())
    waits = [_wait(session, bucket, limit) for bucket, limit in buckets]
    longest = max(waits, default=timedelta(0))
    return longest if longest > timedelta(0) else None


def network_of(address: str) -> str:
    """Return what stands for one household or office: an IPv4 address, or the /64 an IPv6 address is in (RFC 6177)."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped is not None else parsed.packed[:8].hex()
    return str(parsed)


def _wait(session: ScopedSession, bucket: bytes, limit: Limit) -> timedelta:
    now = clock.now()
    window_at = _window_at(now, limit.within)
    row = RateCount
    statement = insert(row).values(
        bucket_hash=bucket, window_at=window_at, hits=1, forget_at=window_at + 2 * limit.within
    )
    hits = session.scalar(
        statement.on_conflict_do_update(
            index_elements=["bucket_hash", "window_at"], set_={"hits": row.hits + 1}
        ).returning(row.hits)
    )
    before = session.scalar(
        select(row.hits).where(row.bucket_hash == bucket, row.window_at == window_at - limit.within)
    )
    overlap = 1 - (now - window_at) / limit.within
    is_too_often = (hits or 0) + (before or 0) * overlap > limit.most
    return window_at + limit.within - now if is_too_often else timedelta(0)


def _window_at(now: datetime, within: timedelta) -> datetime:
    epoch = datetime(2000, 1, 1, tzinfo=UTC)
    return epoch + (now - epoch) // within * within


def _sweep(session: ScopedSession) -> None:
    row = RateCount
    # Whoever sweeps at the same moment takes others: nobody waits.
    due = (
        select(row.bucket_hash, row.window_at)
        .where(row.forget_at <= clock.now())
        .limit(SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    session.execute(
        delete(row).where(row.bucket_hash == due.c.bucket_hash, row.window_at == due.c.window_at),
        execution_options={"synchronize_session": False},
    )
