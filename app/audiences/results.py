"""What a run did for one person, where it was not simply done."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert

from app.audiences.models import AudienceRunResult
from app.db import ScopedSession


def store_result(
    session: ScopedSession,
    run_id: int | None,
    subject_key: bytes,
    *,
    action: str,
    outcome: str,
    contact_id: int | None,
    code: str | None = None,
) -> None:
    """Note it on the run; between two runs (``run_id`` None) there is nowhere to note it. The last word counts."""
    if run_id is None:
        return
    statement = insert(AudienceRunResult).values(
        organisation_id=session.organisation_id,
        run_id=run_id,
        subject_key=subject_key,
        action=action,
        contact_id=contact_id,
        outcome=outcome,
        code=code,
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["organisation_id", "run_id", "subject_key", "action"],
            set_={"outcome": outcome, "code": code},
        )
    )
