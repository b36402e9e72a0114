"""Whether mail arrives at an address: apart from permission, and the only one of the two that heals by itself.

========================= =====================================================================================
unknown, working          mail goes
soft_bouncing             came back as full or away ``SOFT_BOUNCES_MAX`` times: it pauses for ``PAUSED_FOR``
bouncing                  there is no such mailbox: only what the person asks for themselves goes
========================= =====================================================================================

A mail that goes and does not come back heals either (``heal``); time alone heals a pause.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import case, func, or_, update

from app.contacts.models import ContactIdentity
from app.db import ScopedSession

SOFT_BOUNCES_MAX = 3
# Several mails that come back on one day say no more than one.
COUNTED_EVERY = timedelta(days=1)
# A mailbox that was full long ago, and took mail since, begins anew.
COUNTED_WITHIN = timedelta(days=60)
PAUSED_FOR = timedelta(days=14)


def mark_bouncing(session: ScopedSession, subject_keys: Iterable[bytes], *, at: datetime) -> None:
    """Note that these addresses refuse mail for good. Unknown ones are passed over; said twice it changes nothing."""
    session.execute(
        update(ContactIdentity)
        .where(ContactIdentity.kind == "email", ContactIdentity.subject_key.in_(list(subject_keys)))
        .where(ContactIdentity.deliverability != "bouncing")
        .values(deliverability="bouncing", bounced_at=at)
        .execution_options(synchronize_session=False)
    )


def count_soft_bounce(session: ScopedSession, subject_key: bytes, *, at: datetime) -> None:
    """Count that a mail came back for now, once a day; the third within two months makes mail to the address pause.

    An address that refuses mail for good stays as it is.
    """
    row = ContactIdentity
    is_old = or_(row.bounced_at.is_(None), row.bounced_at < at - COUNTED_WITHIN)
    count = case((is_old, 1), else_=row.soft_bounces + 1)
    session.execute(
        update(row)
        .where(row.kind == "email", row.subject_key == subject_key, row.deliverability != "bouncing")
        .where(or_(row.bounced_at.is_(None), row.bounced_at <= at - COUNTED_EVERY))
        .values(
            soft_bounces=func.least(count, SOFT_BOUNCES_MAX),
            bounced_at=at,
            deliverability=case((count >= SOFT_BOUNCES_MAX, "soft_bouncing"), else_=row.deliverability),
        )
        .execution_options(synchronize_session=False)
    )


def end_pauses(session: ScopedSession, *, at: datetime) -> int:
    """Have mail go again to addresses whose pause is over; the next that comes back pauses them anew."""
    row = ContactIdentity
    ended = session.execute(
        update(row)
        .where(row.kind == "email", row.deliverability == "soft_bouncing")
        .where(or_(row.bounced_at.is_(None), row.bounced_at < at - PAUSED_FOR))
        .values(deliverability="unknown", soft_bounces=SOFT_BOUNCES_MAX - 1)
        .execution_options(synchronize_session=False)
    )
    return int(ended.rowcount)  # type: ignore[attr-defined]


def mark_working(session: ScopedSession, identity_ids: Iterable[int]) -> None:
    """Note that a mail arrived at these addresses: whatever came back before counts no more."""
    row = ContactIdentity
    session.execute(
        update(row)
        .where(row.id.in_(list(identity_ids)), row.kind == "email")
        .values(deliverability="working", soft_bounces=0)
        .execution_options(synchronize_session=False)
    )
