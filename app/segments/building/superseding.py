"""Asking again replaces what was asked before: the older statement is cancelled at the server.

Whoever edits a rule asks for its numbers at every pause of the fingers. A browser that gives up on an answer does not
stop PostgreSQL from working on it, and with a few people building at once, nothing would be left for anybody else.

How it works, over any number of web processes, without a table:

1. A question announces itself: its connection takes the question's name as ``application_name``.
2. A newer question of that name cancels the statements of connections with that name, then announces itself.
3. Cancelling happens while holding an advisory lock that a question takes too before it puts its name away. So a
   cancellation never reaches a connection that has gone on to something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from app.db import ScopedSession
from app.segments.compiling.time_limit import within
from app.segments.problems import SegmentError

SUPERSEDING_LOCK = 7302
# The lock is only ever held for the time of two small statements.
PATIENCE_S = 5.0


@contextmanager
def superseding(session: ScopedSession, asked_by: str) -> Iterator[None]:
    """Run the block as the newest question of ``asked_by`` (such as one open builder of one person).

    An older block of the same name, in whichever process, ends with the statement that it is running cancelled
    (TooSlowError, also where it just ended). An empty ``asked_by`` replaces nothing and cannot be replaced.
    """
    if not asked_by:
        yield
        return
    digest = hashlib.sha256(f"{session.organisation_id} {asked_by}".encode()).digest()
    name, lock = f"question {digest.hex()[:32]}", int.from_bytes(digest[:4], signed=True)
    with _locked(session, lock):
        _cancel_older(session, name)
        _announce(session, name)
    try:
        yield
    except SegmentError:
        _announce(session, "")
        raise
    with _locked(session, lock):
        _announce(session, "")


def _cancel_older(session: ScopedSession, name: str) -> None:
    session.execute(
        sa.text(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = :name AND pid <> pg_backend_pid() AND state = 'active'"
        ),
        {"name": name},
    )


def _announce(session: ScopedSession, name: str) -> None:
    session.execute(sa.select(sa.func.set_config("application_name", name, True)))


@contextmanager
def _locked(session: ScopedSession, lock: int) -> Iterator[None]:
    with within(session, PATIENCE_S):
        session.execute(sa.select(sa.func.pg_advisory_lock(SUPERSEDING_LOCK, lock)))
        yield
        session.execute(sa.select(sa.func.pg_advisory_unlock(SUPERSEDING_LOCK, lock)))
