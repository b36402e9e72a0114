"""The audit trail: who did what to what, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import AuditEvent
from app.db import ScopedSession


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person who logged in, an API key, a command, a contact on a public page, or the system itself."""

    kind: Literal["user", "api_key", "system", "command", "contact"]
    id: int | None = None


SYSTEM = Actor("system")


def record(
    session: ScopedSession,
    actor: Actor,
    action: str,
    *,
    subject: tuple[str, int] | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Write one line of the audit trail. ``action`` reads as room.verb; details hold ids and codes, never addresses."""
    subject_kind, subject_id = subject or (None, None)
    session.add(
        AuditEvent(
            organisation_id=session.organisation_id,
            occurred_at=clock.now(),
            actor_kind=actor.kind,
            actor_id=actor.id,
            action=action,
            subject_kind=subject_kind,
            subject_id=subject_id,
            details=details or {},
        )
    )


def recent_events(session: Session, *, before_id: int | None = None, limit: int = 50) -> Sequence[AuditEvent]:
    """Return lines of the audit trail, newest first; ``before_id`` continues after the last one seen."""
    statement = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit)
    if before_id is not None:
        statement = statement.where(AuditEvent.id < before_id)
    return session.scalars(statement).all()
