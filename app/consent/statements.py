"""What a source or a file says about permission, as an event the ledger can weigh.

A statement IN is consent only where it can show date and wording, and where the person did something: a box that was
ticked beforehand, or a field that merely says yes, is kept as ``noted``. A statement OUT always counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from app.consent.drafts import NewEvent
from app.consent.precedence import Fact, is_complete

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
    def basis(self) -> str: ...
    @property
    def external_id(self) -> str | None: ...
    @property
    def raw(self) -> Mapping[str, Any]: ...


Worth = Literal["yes", "no", "note"]


def worth_of(statement: Statement, *, source: str) -> Worth:
    """Return what a statement is worth: a yes with its proof, a no, or a note that allows nothing.

    A yes with its proof may still meet a no that stands; this looks at the statement alone.
    """
    event = event_from_statement(statement, address="", source=source, actor="import")
    if event.action == "withdrawn":
        return "no"
    shown = Fact(
        id=0,
        purpose=event.purpose,
        action=event.action,
        basis=event.basis,
        occurred_at=event.occurred_at,
        recorded_at=event.occurred_at or datetime.max.replace(tzinfo=UTC),
        actor=event.actor,
        method=event.method,
        source=source,
        notice_version_id=0 if (event.wording or "").strip() else None,
        evidence=event.evidence,
    )
    return "yes" if event.action == "granted" and is_complete(shown) else "note"


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
        basis=statement.basis if action == "granted" else None,
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
