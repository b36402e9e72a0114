"""What the operator's commands about consent do, for one organisation."""

from __future__ import annotations

from app import clock
from app.consent.rebuild import differences, rebuild
from app.consent.retention import due_by_purpose, end_all_due
from app.db import transaction
from app.runtime import Runtime


def prove(runtime: Runtime, organisation_id: int, *, is_repair: bool) -> dict[str, int]:
    """Compare every permission with what the ledger implies; with ``is_repair`` put right what differs."""
    with transaction(runtime.engine, organisation_id) as session:
        found = len(differences(session))
        return {"differences": found, "repaired": rebuild(session) if found and is_repair else 0}


def end_what_ran_out(runtime: Runtime, organisation_id: int, *, is_dry: bool) -> dict[str, int]:
    """End permissions past their date, or (dry) count them by purpose."""
    if not is_dry:
        return {"ended": end_all_due(runtime, organisation_id)}
    with transaction(runtime.engine, organisation_id) as session:
        return due_by_purpose(session, at=clock.now())
