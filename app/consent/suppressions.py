"""Addresses never to be contacted for marketing: keyed hashes, which survive the erasure of everything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from app.consent.locks import lock_for_change
from app.consent.models import Suppression
from app.consent.queued import cancel_suppressed
from app.consent.subjects import email_subject, hash_key_id
from app.db import ScopedSession
from app.keyring import Keyring

ERASED = "erased"


def suppress(
    session: ScopedSession,
    keyring: Keyring,
    addresses: Iterable[str],
    *,
    channel: str,
    reason: str,
    source: str,
    at: datetime,
) -> int:
    """Suppress addresses on a channel; returns how many were not suppressed before. Effective with the commit.

    The first reason and date stay. Addresses that cannot exist are skipped. There is no verb to take one off again;
    only whoever was erased takes off that block, by proving that the address is theirs (``welcome_back``).
    """
    keys = [key for address in addresses if (key := email_subject(session, keyring, address)) is not None]
    return suppress_subjects(session, keys, channel=channel, reason=reason, source=source, at=at)


def suppress_subjects(
    session: ScopedSession, subject_keys: Sequence[bytes], *, channel: str, reason: str, source: str, at: datetime
) -> int:
    """Suppress addresses by their hash; returns how many were not suppressed before."""
    if not subject_keys:
        return 0
    lock_for_change(session, subject_keys, channels=[channel])
    statement = insert(Suppression).on_conflict_do_nothing().returning(Suppression.address_hash)
    same = {
        "organisation_id": session.organisation_id,
        "hash_key_id": hash_key_id(session),
        "channel": channel,
        "reason": reason,
        "source": source,
        "since": at,
    }
    added = session.execute(statement, [{"address_hash": key} | same for key in sorted(set(subject_keys))])
    if channel == "email":
        cancel_suppressed(session, subject_keys, at=at)
    return len(added.all())


def welcome_back(session: ScopedSession, subjects: Sequence[tuple[bytes, str]]) -> int:
    """Take off the block that an erasure left, for people who said yes themselves since; returns how many it was.

    For the ledger alone, which records that yes in the same transaction and holds the locks. Every other reason stays.
    """
    if not subjects:
        return 0
    row = Suppression
    lifted = session.execute(
        delete(row)
        .where(tuple_(row.address_hash, row.channel).in_(sorted(set(subjects))), row.reason == ERASED)
        .returning(row.address_hash)
    )
    return len(lifted.all())


def suppressed(session: ScopedSession, subject_keys: Iterable[bytes], *, channel: str) -> dict[bytes, Suppression]:
    """Return which of these addresses are suppressed on a channel."""
    rows = session.scalars(
        select(Suppression).where(Suppression.address_hash.in_(list(subject_keys)), Suppression.channel == channel)
    )
    return {bytes(row.address_hash): row for row in rows}


def list_suppressions(
    session: ScopedSession, *, after: tuple[datetime, bytes] | None = None, limit: int = 100
) -> list[Suppression]:
    """Return suppressions, newest first, from just after a (since, address_hash) on."""
    row = Suppression
    query = select(row).order_by(row.since.desc(), row.address_hash.desc(), row.channel).limit(limit)
    if after is not None:
        query = query.where(tuple_(row.since, row.address_hash) < after)
    return list(session.scalars(query))
