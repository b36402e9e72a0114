"""Confirming what was asked for: one act answers everything that was asked in one go, and stores who asked.

A room above may know more about a request than the ledger does (a sign-up form knows a name). It registers how to find
that, so that imports keep pointing down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select

from app import clock
from app.consent.drafts import NewEvent, Recorded
from app.consent.ledger import record_events
from app.consent.models import ConsentEvent, NoticeVersion, Purpose
from app.consent.wordings import name_of
from app.db import ScopedSession
from app.keyring import Keyring

CONFIRM_WITHIN = timedelta(days=30)
SOURCE = "zaallicht"


def _nothing(_session: ScopedSession, _keyring: Keyring) -> None:
    return None


def _nobody(_session: ScopedSession) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Together:
    """The requests that one act confirms, who confirms them (``contact`` or ``guardian``), and what comes with it.

    ``store`` may take locks on people: it is called before anything is recorded. ``tell`` is called last.
    """

    event_ids: Sequence[int]
    actor: str = "contact"
    store: Callable[[ScopedSession, Keyring], None] = field(default=_nothing)
    tell: Callable[[ScopedSession], None] = field(default=_nobody)


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing to confirm, as the page shows it: what it is called, and the sentence that was shown then."""

    purpose: str
    wording: str


Finder = Callable[[ScopedSession, ConsentEvent], Together | None]
FINDERS: list[Finder] = []


def add_finder(finder: Finder) -> None:
    """Let a room say which requests belong together."""
    FINDERS.append(finder)


def open_request(session: ScopedSession, subject_key: bytes, event_id: int) -> ConsentEvent | None:
    """Return the request for confirmation that a link answers, or None where there is none or it is too old."""
    event = ConsentEvent
    request = session.scalars(
        select(event).where(event.id == event_id, event.subject_key == subject_key, event.action == "requested")
    ).one_or_none()
    if request is None or clock.now() - request.recorded_at > CONFIRM_WITHIN:
        return None
    return request


def together_with(session: ScopedSession, request: ConsentEvent) -> Together:
    """Return everything that is confirmed with a request; the request alone where no room knows of more."""
    for find in FINDERS:
        found = find(session, request)
        if found is not None:
            return found
    return Together([request.id])


def asked_for(session: ScopedSession, group: Together, *, language: str) -> list[Asked]:
    """Return what a confirmation is about, in the order of the purposes."""
    rows = session.execute(
        select(Purpose, NoticeVersion.wording)
        .select_from(ConsentEvent)
        .join(Purpose, Purpose.code == ConsentEvent.purpose)
        .outerjoin(NoticeVersion, NoticeVersion.id == ConsentEvent.notice_version_id)
        .where(ConsentEvent.id.in_(group.event_ids))
        .order_by(Purpose.position, Purpose.code)
    )
    return [Asked(name_of(purpose, language), wording or "") for purpose, wording in rows]


def confirm(session: ScopedSession, keyring: Keyring, group: Together) -> list[Recorded]:
    """Record the confirmation of all that was asked together; doing it again changes nothing."""
    group.store(session, keyring)
    event = ConsentEvent
    requests = session.scalars(select(event).where(event.id.in_(group.event_ids)).order_by(event.id))
    recorded = record_events(session, keyring, [_confirmation(request, group.actor) for request in requests])
    group.tell(session)
    return recorded


def _confirmation(request: ConsentEvent, actor: str) -> NewEvent:
    return NewEvent(
        subject_key=bytes(request.subject_key),
        channel=request.channel,
        purpose=request.purpose,
        action="confirmed",
        basis=request.basis or "consent",
        occurred_at=clock.now(),
        actor=actor,
        method="confirmation_page",
        source=SOURCE,
        external_id=f"confirms {request.id}",
        notice_version_id=request.notice_version_id,
        language=request.language,
        evidence={"request": request.id},
    )
