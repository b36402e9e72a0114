"""The locks of everything that decides or changes permission, and their order.

1. The advisory locks of the address hashes, ascending. The absence of a suppression or of an event has no row to lock.
2. The permission rows, by (subject_key, channel, purpose).
3. In a claim only, the rows of the contacts (``gate``), without waiting.

Whoever changes permission takes them exclusively, whoever claims takes them shared; both keep them to the end of the
transaction. One call takes everything a transaction needs: two calls in one transaction may meet another in reverse.

Hashes share ``BUCKETS`` locks an organisation, because PostgreSQL keeps every advisory lock in one small shared table:
an import of a million addresses must not fill it. Sharing can only make somebody wait a moment longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import text

from app.consent.models import Permission
from app.db import ScopedSession

BUCKETS = 1024


def bucket_of(subject_key: bytes) -> int:
    """Return which of the advisory locks guards an address hash."""
    return int.from_bytes(subject_key[:4], "big") % BUCKETS


def lock_for_change(session: ScopedSession, subject_keys: Iterable[bytes], *, channels: Sequence[str]) -> None:
    """Wait until nobody decides or changes anything about these subjects, and keep it so until the commit.

    What must be read to decide is read by a later statement: one that waits for a lock has an older snapshot.
    """
    keys = sorted(set(subject_keys))
    _lock(session, {bucket_of(key) for key in keys}, "pg_advisory_xact_lock")
    _lock_rows(session, keys, channels, "UPDATE")


def lock_everybody_for_change(session: ScopedSession) -> None:
    """Wait until nobody decides or changes anything about anybody, and keep it so until the commit."""
    _lock(session, range(BUCKETS), "pg_advisory_xact_lock")


def lock_for_decision(session: ScopedSession, subject_keys: Iterable[bytes], *, channels: Sequence[str]) -> None:
    """Wait until nobody changes anything about these subjects, and keep it so until the commit; deciders share it."""
    keys = sorted(set(subject_keys))
    _lock(session, {bucket_of(key) for key in keys}, "pg_advisory_xact_lock_shared")
    _lock_rows(session, keys, channels, "SHARE")


def _lock(session: ScopedSession, buckets: Iterable[int], function: str) -> None:
    # OFFSET 0 keeps the planner from pulling the sorted list apart: the locks are taken in its order.
    session.execute(
        text(
            f"SELECT count({function}(CAST(:organisation AS integer), bucket)) FROM"
            " (SELECT bucket FROM unnest(CAST(:buckets AS integer[])) AS bucket ORDER BY bucket OFFSET 0) AS sorted"
        ),
        {"organisation": session.organisation_id, "buckets": sorted(buckets)},
    )


def _lock_rows(session: ScopedSession, keys: Sequence[bytes], channels: Sequence[str], strength: str) -> None:
    session.execute(
        text(
            f"SELECT count(*) FROM (SELECT FROM {Permission.__tablename__}"
            " WHERE organisation_id = :organisation AND subject_key = ANY(:keys) AND channel = ANY(:channels)"
            f" ORDER BY subject_key, channel, purpose FOR {strength}) AS locked"
        ),
        {"organisation": session.organisation_id, "keys": list(keys), "channels": list(channels)},
    )
