"""Mails of mailings that the relay took, as what happened to their people: segments ask who received a mail.

A report of a bounce may come before the relay's answer is stored, or after it (I19): in both orders what came back was
not received.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete

from app.contacts.engagement import MailEventRecord, record_engagement
from app.contacts.models import MailEvent
from app.db import ScopedSession
from app.mailings.deliveries import Reserved

SOURCE = "zaallicht"
# What a mail came back as that its person did not get; a complaint is of somebody who did.
NOT_RECEIVED = ("refused", "bounced_for_now", "bounced")


def note_arrived(session: ScopedSession, arrived: Sequence[Reserved], *, at: datetime) -> None:
    """Note that those of these that are of mailings were delivered; idempotent, two statements however many.

    Locks their contacts (as a reference to them does): call it before anything locks deliveries.
    """
    records = [
        MailEventRecord(
            contact_id=each.contact_id or 0,
            event="delivered",
            occurred_at=at,
            source=SOURCE,
            external_id=f"delivered {each.id}",
            mailing_id=each.mailing_id,
            delivery_id=each.id,
        )
        for each in arrived
        if each.mailing_id is not None
    ]
    if records:
        record_engagement(session, records, at=at)


def forget_arrived(session: ScopedSession, delivery_ids: Collection[int]) -> None:
    """Take back that mails were delivered: they came back."""
    if not delivery_ids:
        return
    row = MailEvent
    session.execute(
        delete(row)
        .where(row.delivery_id.in_(delivery_ids), row.event == "delivered")
        .execution_options(synchronize_session=False)
    )
