"""The proof that permission is what the ledger implies: recompute it, compare, and, where asked, put it right (I8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select, tuple_, union

from app.consent import projection
from app.consent.locks import lock_for_change
from app.consent.models import ConsentEvent, Permission
from app.db import ScopedSession

PAIRS_A_STEP = 1000


@dataclass(frozen=True, slots=True)
class Difference:
    """A permission row that is not what the ledger implies; the codes are of stored and implied reasons."""

    subject_key: bytes
    channel: str
    purpose: str
    stored: str | None
    implied: str | None


def differences(session: ScopedSession, *, subject_keys: Sequence[bytes] | None = None) -> list[Difference]:
    """Return every row that differs from a rebuild, for some subjects or (None) for all. Changes nothing."""
    found: list[Difference] = []
    rules = projection.purpose_rules(session)
    for pairs in _pairs(session, subject_keys):
        implied = projection.implied_rows(projection.read_histories(session, pairs), rules)
        stored = projection.stored_rows(session, pairs)
        for key in sorted(implied.keys() | stored.keys()):
            was, wanted = stored.get(key), implied.get(key)
            if was != wanted:
                found.append(Difference(*key, was.reason if was else None, wanted.reason if wanted else None))
    return found


def rebuild(session: ScopedSession, *, subject_keys: Sequence[bytes] | None = None) -> int:
    """Recompute the permission rows of some subjects, or (None) of all; returns how many changed.

    Wanted after the rules of a purpose changed or a purpose was added: a no to all marketing covers the new one too.
    Locks the subjects until the commit.
    """
    changed = 0
    for pairs in _pairs(session, subject_keys):
        channels = sorted({channel for _, channel in pairs})
        lock_for_change(session, {key for key, _ in pairs}, channels=channels)
        changed += projection.project(session, projection.read_histories(session, pairs))
    return changed


def _pairs(session: ScopedSession, subject_keys: Sequence[bytes] | None) -> Iterator[list[projection.Pair]]:
    """Yield the (subject, channel) pairs that have a history or a row, in order and in steps."""
    queries = []
    for model in (ConsentEvent, Permission):
        query = select(model.subject_key, model.channel)
        if subject_keys is not None:
            query = query.where(model.subject_key.in_(list(subject_keys)))
        queries.append(query)
    every = union(*queries).subquery()
    last: tuple[bytes, str] | None = None
    while True:
        query = select(every).order_by(every.c.subject_key, every.c.channel).limit(PAIRS_A_STEP)
        if last is not None:
            query = query.where(tuple_(every.c.subject_key, every.c.channel) > last)
        pairs = [(bytes(key), channel) for key, channel in session.execute(query)]
        if not pairs:
            return
        yield pairs
        last = pairs[-1]
