"""Asking the database for an answer within a time limit, without losing the transaction when there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.db import ScopedSession
from app.segments.problems import TooSlowError

QUERY_CANCELED = "57014"

# By default PostgreSQL takes a second core only for what lasts longer than anybody waits.
BIG_SCANS = {
    "work_mem": "64MB",
    "plan_cache_mode": "force_custom_plan",
    "parallel_setup_cost": "100",
    "parallel_tuple_cost": "0.01",
}


@contextmanager
def within(session: ScopedSession, seconds: float) -> Iterator[None]:
    """Run the block in a savepoint whose statements may take ``seconds`` each.

    Big scans get room to sort and hash in memory, every core there is, and plans made for their own values. Raises
    TooSlowError, with everything the block did undone and the transaction as it was.
    """
    try:
        with session.begin_nested():
            settings = {"statement_timeout": str(int(seconds * 1000)), **BIG_SCANS}
            session.execute(sa.select(*(sa.func.set_config(name, value, True) for name, value in settings.items())))
            yield
            # One round trip: a heartbeat does this every second.
            session.execute(sa.text("; ".join(f"SET LOCAL {name} TO DEFAULT" for name in settings)))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == QUERY_CANCELED:
            raise TooSlowError(f"no answer within {seconds} s") from None
        raise
