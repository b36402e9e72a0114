"""What another system tells us over the REST API, as an event the ledger can weigh.

A key speaks for the house's own systems. Its plain statement that somebody consented, with a source and a date, is a
record of consent; where the wording is not handed over, the notice version says just that. Such a statement never
lifts a no: it is the system that speaks.

It conveys an act of the person, which may lift an earlier no, only where the evidence says so in full: ``method`` is
one of ``CONVEYED_ACTS``, ``wording`` is the text the person saw, and the act happened after the no was recorded here.
docs/developers/consent.md has the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.consent.drafts import NewEvent

ACTIONS = {"grant": "granted", "withdraw": "withdrawn", "object": "objected"}

# The preference and confirmation pages are ours alone: nobody else can say that they were used.
CONVEYED_ACTS = frozenset({"form", "box_ticked", "signed_paper_scan"})

# Where these bases come without the wording, a notice is made that says so; the others are incomplete without it.
WITHOUT_WORDING = frozenset({"consent", "service"})


def event_from_api(
    said: Mapping[str, Any], *, address: str | None, contact_id: int | None, key_id: int | None
) -> NewEvent:
    """Return the event for a checked body of ``POST /consents``; ``key_id`` is the API key that speaks."""
    evidence = dict(said.get("evidence") or {})
    wording = _text(evidence.pop("wording", None)) or _text(said.get("wording"))
    method = _text(evidence.get("method")) or "api"
    occurred_at: datetime | None = said.get("occurred_at")
    is_act = said["action"] == "grant" and method in CONVEYED_ACTS and wording is not None
    notice_version_id = evidence.pop("notice_version_id", None)
    if wording is None and notice_version_id is None and said.get("basis") in WITHOUT_WORDING:
        wording = f"As stated by {said['source']}; the wording the person saw was not handed over."
    return NewEvent(
        address=address,
        contact_id=contact_id,
        channel=said["channel"],
        purpose=said.get("purpose"),
        action=ACTIONS[said["action"]],
        basis=said.get("basis") if said["action"] == "grant" else None,
        occurred_at=occurred_at,
        actor="contact" if is_act else "api",
        actor_id=key_id,
        method=method,
        source=said["source"],
        external_id=said.get("external_id"),
        notice_version_id=notice_version_id,
        wording=wording if said["action"] == "grant" else None,
        language=said.get("language") or _text(evidence.get("language")),
        evidence=evidence,
        valid_until=said.get("valid_until"),
    )


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
