"""Whether mail arrives at an address: apart from permission, and the only one of the two that heals by itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import update

from app.contacts.models import ContactIdentity
from app.db import ScopedSession


def mark_bouncing(session: ScopedSession, subject_keys: Iterable[bytes], *, at: datetime) -> None:
    """Note that these addresses refuse mail for good. Unknown ones are passed over; said twice it changes nothing."""
    session.execute(
        update(ContactIdentity)
        .where(ContactIdentity.kind == "email", ContactIdentity.subject_key.in_(list(subject_keys)))
        .where(ContactIdentity.deliverability != "bouncing")
        .values(deliverability="bouncing", bounced_at=at)
        .execution_options(synchronize_session=False)
    )
