"""Asking the database for an answer within a time limit, without losing the transaction when there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.db import ScopedSession
from app.segments.problems import TooSlowError

QUERY_CANCELED = "57014"


@contextmanager
def within(session: ScopedSession, seconds: float) -> Iterator[None]:
    """Run the block in a savepoint whose statements may take ``seconds`` each.

    Big scans get room to sort and hash in memory, and plans made for their own values. Raises TooSlowError, with
    everything the block did undone and the transaction as it was.
    """
    try:
        with session.begin_nested():
            _set_local(session, "statement_timeout", str(int(seconds * 1000)))
            _set_local(session, "work_mem", "64MB")
            _set_local(session, "plan_cache_mode", "force_custom_plan")
            yield
            for name in ("statement_timeout", "work_mem", "plan_cache_mode"):
                session.execute(sa.text(f"SET LOCAL {name} TO DEFAULT"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == QUERY_CANCELED:
            raise TooSlowError(f"no answer within {seconds} s") from None
        raise


def _set_local(session: ScopedSession, name: str, value: str) -> None:
    session.execute(sa.select(sa.func.set_config(name, value, True)))
