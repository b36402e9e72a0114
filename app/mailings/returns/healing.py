"""Addresses that take mail again: by a mail that went and did not come back, or by time. Permission never heals."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, select

from app import clock
from app.contacts.deliverability import end_pauses, mark_working
from app.contacts.models import ContactIdentity
from app.db import ScopedSession, transaction
from app.mailings.models import Delivery
from app.mailings.returns import breakers
from app.runtime import Runtime

# A server that cannot deliver says so within days (RFC 5321 section 4.5.4.1 has it try for four or five; most give up
# sooner).
BACK_WITHIN = timedelta(days=4)
BATCH = 1000


def heal_addresses(runtime: Runtime, organisation_id: int) -> int:
    """Have mail go again to addresses that are known, or likely, to take it; returns how many.

    An address that refused for good gets nothing but letters somebody asked for: one of those that stays away proves
    that the mailbox is there.
    """
    now, row, mail = clock.now(), ContactIdentity, Delivery
    with transaction(runtime.engine, organisation_id) as session:
        # Two looks, so that each has an index: mails to a contact, and letters, which may be to an address only.
        healed = _arrived_at(session, mail.contact_id == row.contact_id, now) | _arrived_at(
            session, mail.letter_id.is_not(None), now
        )
        mark_working(session, healed)
        breakers.forget_old(session, at=now)
        return len(healed) + end_pauses(session, at=now)


def _arrived_at(session: ScopedSession, which: ColumnElement[bool], now: datetime) -> set[int]:
    """Return the addresses at which something came back once, and a later mail did not."""
    row, mail = ContactIdentity, Delivery
    arrived = exists().where(
        mail.organisation_id == row.organisation_id,
        which,
        mail.address_hash == row.subject_key,
        mail.state == "accepted",
        mail.came_back.is_(None),
        mail.handed_over_at > row.bounced_at,
        mail.handed_over_at < now - BACK_WITHIN,
    )
    found = session.scalars(
        select(row.id)
        .where(row.kind == "email", row.bounced_at.is_not(None))
        .where((row.soft_bounces > 0) | (row.deliverability == "bouncing"))
        .where(arrived)
        .limit(BATCH)
    )
    return set(found)
