"""Slowing down whoever guesses passwords: attempts are counted per log-in address and per place they come from.

An address that nobody has is counted like any other, so that the answer tells nothing. Only keyed hashes are stored.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, text

from app import clock
from app.accounts.models import LoginAttempt
from app.accounts.users import normalise_email
from app.db import ScopedSession
from app.keyring import Keyring

WINDOW = timedelta(minutes=15)
PER_ACCOUNT_MAX = 10
PER_PLACE_MAX = 60


def admit_attempt(session: ScopedSession, keyring: Keyring, *, email: str, place: str) -> timedelta | None:
    """Count an attempt and return None, or return how long to wait and count nothing.

    Run it in a transaction of its own that is committed before the password is looked at: attempts made at the same
    moment then see each other. A correct password takes the account's count away again (``forget_attempts``).
    """
    buckets = _buckets(keyring, email, place)
    _lock(session, sorted(buckets))
    since = clock.now() - WINDOW
    session.execute(delete(LoginAttempt).where(LoginAttempt.attempted_at <= since))
    waits = [_wait(session, bucket, limit, since=since) for bucket, limit in buckets.items()]
    longest = max(waits)
    if longest > timedelta(0):
        return longest
    session.execute(insert(LoginAttempt), [{"bucket_hash": each, "attempted_at": clock.now()} for each in buckets])
    return None


def forget_attempts(session: ScopedSession, keyring: Keyring, *, email: str) -> None:
    """Begin the count of an account anew, after its password was right."""
    session.execute(delete(LoginAttempt).where(LoginAttempt.bucket_hash == _account_bucket(keyring, email)))


def _wait(session: ScopedSession, bucket: bytes, limit: int, *, since: datetime) -> timedelta:
    statement = select(func.count(), func.min(LoginAttempt.attempted_at))
    count, first = session.execute(
        statement.where(LoginAttempt.bucket_hash == bucket, LoginAttempt.attempted_at > since)
    ).one()
    return timedelta(0) if count < limit else first + WINDOW - clock.now()


def _lock(session: ScopedSession, buckets: list[bytes]) -> None:
    for bucket in buckets:
        number = int.from_bytes(bucket[:8], "big", signed=True)
        session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def _buckets(keyring: Keyring, email: str, place: str) -> dict[bytes, int]:
    return {
        _account_bucket(keyring, email): PER_ACCOUNT_MAX,
        keyring.lookup_hash("attempt from", place): PER_PLACE_MAX,
    }


def _account_bucket(keyring: Keyring, email: str) -> bytes:
    return keyring.lookup_hash("attempt for", normalise_email(email))
