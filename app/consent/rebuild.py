"""The proof that permission is what the ledger implies: recompute it, compare, and, where asked, put it right (I8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select, true, union

from app.consent import projection
from app.consent.locks import lock_everybody_for_change, lock_for_change
from app.consent.models import ConsentEvent, Permission
from app.db import ScopedSession

KEYS_A_STEP = 1000
MODELS = (ConsentEvent, Permission)
CHANNELS = ("email", "sms", "post", "phone", "ads")


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
    if subject_keys is None:
        lock_everybody_for_change(session)
    elif subject_keys:
        lock_for_change(session, subject_keys, channels=CHANNELS)
    return sum(
        projection.project(session, projection.read_histories(session, pairs))
        for pairs in _pairs(session, subject_keys)
    )


def _pairs(session: ScopedSession, subject_keys: Sequence[bytes] | None) -> Iterator[list[projection.Pair]]:
    """Yield the (subject, channel) pairs that have a history or a row, in steps."""
    batches = _every_key(session) if subject_keys is None else _in_steps(sorted(set(subject_keys)))
    for keys in batches:
        known = (select(model.subject_key, model.channel).where(model.subject_key.in_(keys)) for model in MODELS)
        yield [(bytes(key), channel) for key, channel in session.execute(union(*known))]


def _in_steps(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), KEYS_A_STEP):
        yield keys[start : start + KEYS_A_STEP]


def _every_key(session: ScopedSession) -> Iterator[Sequence[bytes]]:
    """Yield the subjects of every event, then those of rows that no event explains (there should be none)."""
    orphan = ~exists().where(ConsentEvent.subject_key == Permission.subject_key)
    for key, condition in ((ConsentEvent.subject_key, true()), (Permission.subject_key, orphan)):
        last = b""
        while True:
            query = select(key).distinct().where(key > last, condition).order_by(key).limit(KEYS_A_STEP)
            keys = [bytes(found) for found in session.scalars(query)]
            if not keys:
                break
            yield keys
            last = keys[-1]
