"""What a run did for single people, where it was not simply done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import insert

from app.audiences.models import AudienceRunResult
from app.db import ScopedSession, insert_many


@dataclass(frozen=True, slots=True)
class PersonResult:
    """What became of one person. ``code`` says why, where there is a why."""

    subject_key: bytes
    action: str
    outcome: str
    contact_id: int | None
    code: str | None = None


def store_results(session: ScopedSession, run_id: int | None, results: Sequence[PersonResult]) -> None:
    """Note them on the run; between two runs (``run_id`` None) there is nowhere to note them. The last word counts."""
    if run_id is None or not results:
        return
    statement = insert(AudienceRunResult)
    told = {"outcome": statement.excluded.outcome, "code": statement.excluded.code}
    insert_many(
        session,
        statement.on_conflict_do_update(
            index_elements=["organisation_id", "run_id", "subject_key", "action"], set_=told
        ),
        [
            {
                "organisation_id": session.organisation_id,
                "run_id": run_id,
                "subject_key": result.subject_key,
                "action": result.action,
                "contact_id": result.contact_id,
                "outcome": result.outcome,
                "code": result.code,
            }
            for result in {(result.subject_key, result.action): result for result in results}.values()
        ],
    )
