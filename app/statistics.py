"""The planner's statistics, kept up to date by the worker: see the migration ``statistics`` for why."""

from __future__ import annotations

from sqlalchemy import text

from app.db import transaction
from app.runtime import Runtime


def refresh_statistics(runtime: Runtime, _organisation_id: int) -> int:
    """Analyse the tables that changed a lot since the last time, or were never analysed; returns how many.

    It is about the whole installation: for the second organisation of a round there is nothing left to do.
    """
    with transaction(runtime.engine, None) as session:
        return int(session.scalar(text("SELECT refresh_statistics()")) or 0)
