"""Addresses that take mail again: by a mail that went and did not come back, or by time. Permission never heals."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import exists, select

from app import clock
from app.contacts.deliverability import end_pauses, mark_working
from app.contacts.models import ContactIdentity
from app.db import transaction
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
    now = clock.now()
    with transaction(runtime.engine, organisation_id) as session:
        row, mail = ContactIdentity, Delivery
        arrived = exists().where(
            mail.contact_id == row.contact_id,
            mail.address_hash == row.subject_key,
            mail.state == "accepted",
            mail.came_back.is_(None),
            mail.handed_over_at > row.bounced_at,
            mail.handed_over_at < now - BACK_WITHIN,
        )
        healed = session.scalars(
            select(row.id)
            .where(row.kind == "email", row.bounced_at.is_not(None))
            .where((row.soft_bounces > 0) | (row.deliverability == "bouncing"))
            .where(arrived)
            .limit(BATCH)
        ).all()
        mark_working(session, healed)
        breakers.forget_old(session, at=now)
        return len(healed) + end_pauses(session, at=now)
