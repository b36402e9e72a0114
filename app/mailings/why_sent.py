"""Why a mail went to somebody, or did not: the decision as it was recorded, what was known then, and what holds now."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select

from app.accounts.models import Letter
from app.consent.decided import Decided, decided_then
from app.consent.subjects import subjects_of
from app.db import ScopedSession
from app.mailings.models import Delivery, Mailing

PAGE = 50


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person. ``what`` is the kind of letter, or ``mailing``; ``name`` is that of the mailing."""

    delivery: Delivery
    what: str
    name: str = ""

    @property
    def is_letter(self) -> bool:
        """Whether it follows something the person did or booked, so that no permission was asked."""
        return self.delivery.kind == "letter"

    @property
    def was_decided(self) -> bool:
        """Whether it was let through."""
        return self.delivery.decision_reason is not None


def mails_to(session: ScopedSession, contact_id: int, *, before_id: int | None = None) -> list[Mail]:
    """Return a page of the mails to a person and one more, letters to their addresses included, the newest first."""
    keys = subjects_of(session, [contact_id]).get(contact_id, [])
    row = Delivery
    query = (
        select(row, Letter.kind, Mailing.name)
        .outerjoin(Letter, Letter.id == row.letter_id)
        .outerjoin(Mailing, Mailing.id == row.mailing_id)
        .where(or_(row.contact_id == contact_id, row.address_hash.in_(keys)))
        .order_by(row.id.desc())
        .limit(PAGE + 1)
    )
    if before_id is not None:
        query = query.where(row.id < before_id)
    return [Mail(delivery, kind or "mailing", name or "") for delivery, kind, name in session.execute(query)]


def find_mail(session: ScopedSession, contact_id: int, delivery_id: int) -> Mail | None:
    """Return one mail to this person, or None."""
    found = mails_to(session, contact_id, before_id=delivery_id + 1)
    return found[0] if found and found[0].delivery.id == delivery_id else None


def decision_of(session: ScopedSession, contact_id: int, mail: Mail, *, language: str) -> Decided | None:
    """Return what the gate decided about a mailing, and on what; None for a letter, which asks no permission."""
    delivery = mail.delivery
    if mail.is_letter or delivery.purpose is None:
        return None
    return decided_then(
        session,
        contact_id,
        purpose=delivery.purpose,
        decided_at=delivery.decided_at if mail.was_decided else None,
        decided_by=delivery.decided_by,
        language=language,
        reason=delivery.decision_reason,
    )
