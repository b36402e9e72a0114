"""Storing a batch so that one row the database refuses costs that row and no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.exc import DBAPIError

from app.contacts.importing.kinds import Stored, Taken
from app.db import ScopedSession

# Classes of SQLSTATE that are about the data: data exception, constraint violation, limit exceeded.
ABOUT_THE_DATA = ("22", "23", "54")

Store = Callable[[Sequence[Taken]], list[Stored]]


def store_all(session: ScopedSession, rows: Sequence[Taken], store: Store) -> list[Stored]:
    """Store rows together; where the database refuses them, in halves, down to the one it cannot hold (``refused``)."""
    if not rows:
        return []
    try:
        with session.begin_nested():
            return store(rows)
    except DBAPIError as problem:
        if (getattr(problem.orig, "sqlstate", None) or "")[:2] not in ABOUT_THE_DATA:
            raise
        if len(rows) == 1:
            return [Stored("error", None, "refused")]
    half = len(rows) // 2
    return store_all(session, rows[:half], store) + store_all(session, rows[half:], store)
