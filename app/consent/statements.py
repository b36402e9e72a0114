"""What a source or a file says about permission, as an event the ledger can weigh.

A statement IN is consent only where it can show date and wording, and where the person did something: a box that was
ticked beforehand, or a field that merely says yes, is kept as ``noted``. A statement OUT always counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from app.consent.drafts import NewEvent

# Ways of collecting that are no act of the person, whatever the system calls the result.
NO_ACT = frozenset({"pre_ticked", "default", "unticked_box", "purchase", "unknown", ""})


class Statement(Protocol):
    """What one system says about one contact, channel and purpose; ``integrations.base.ConsentRecord`` is one."""

    @property
    def channel(self) -> str: ...
    @property
    def purpose(self) -> str | None: ...
    @property
    def state(self) -> str: ...
    @property
    def captured_at(self) -> datetime | None: ...
    @property
    def method(self) -> str: ...
    @property
    def wording(self) -> str | None: ...
    @property
    def wording_language(self) -> str | None: ...
    @property
    def external_id(self) -> str | None: ...
    @property
    def raw(self) -> Mapping[str, Any]: ...


def event_from_statement(
    statement: Statement, *, address: str, source: str, actor: str, contact_id: int | None = None
) -> NewEvent:
    """Return the event for a statement. ``actor`` is ``import``, ``system`` or ``api``: none of them lifts a no."""
    state = str(statement.state)
    evidence = dict(statement.raw)
    if state == "out":
        action = "withdrawn"
    elif state == "in" and statement.purpose is not None and statement.method not in NO_ACT:
        action = "granted"
    else:
        action = "noted"
        evidence["stated"] = state
    return NewEvent(
        address=address,
        contact_id=contact_id,
        channel=statement.channel,
        purpose=statement.purpose,
        action=action,
        basis="consent" if action == "granted" else None,
        occurred_at=statement.captured_at,
        actor=actor,
        method=statement.method or "unknown",
        source=source,
        external_id=statement.external_id,
        wording=statement.wording,
        language=statement.wording_language,
        evidence=evidence,
        repeats="state",
    )
