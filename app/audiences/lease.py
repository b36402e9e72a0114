"""One writer per audience and per list.

A lease is a row's ``lease_until``; its value is the holder's proof. Taking it locks every audience of the same list, so
that two audiences never write to one list at once. Every transaction of a run renews it first: whoever has lost it
changes nothing more, and what they left half done is read back by the next run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from app.audiences.models import Audience, AudienceBatch
from app.audiences.problems import LeaseLost
from app.db import ScopedSession

# Longer than the longest single call a destination may take (120 s at MailChimp) with one repeat.
LEASE = timedelta(minutes=5)


@dataclass(slots=True)
class Lease:
    """The right to write to one list, until an instant."""

    audience_id: int
    until: datetime


def take_lease(session: ScopedSession, audience_id: int, *, at: datetime) -> Lease | None:
    """Return the lease, or None where somebody holds one for this audience or for its list.

    A batch of another audience that is under way on the list counts: whom it adds is not there to be taken off yet.
    """
    audience = session.get_one(Audience, (session.organisation_id, audience_id))
    rows = session.execute(
        select(Audience.id, Audience.lease_until)
        .where(Audience.connection_id == audience.connection_id, Audience.list_ref == audience.list_ref)
        .order_by(Audience.id)
        .with_for_update()
    ).all()
    if any(until is not None and until > at for _, until in rows):
        return None
    others = [number for number, _ in rows if number != audience_id]
    if session.scalars(select(AudienceBatch.audience_id).where(AudienceBatch.audience_id.in_(others))).first():
        return None
    session.execute(update(Audience).where(Audience.id == audience_id).values(lease_until=at + LEASE))
    return Lease(audience_id, at + LEASE)


def renew_lease(session: ScopedSession, lease: Lease, *, at: datetime) -> None:
    """Hold the lease for another while; its row stays locked until the commit. Raises LeaseLost."""
    renewed = session.execute(
        update(Audience)
        .where(Audience.id == lease.audience_id, Audience.lease_until == lease.until)
        .values(lease_until=at + LEASE)
        .returning(Audience.id)
    ).first()
    if renewed is None:
        raise LeaseLost(lease.audience_id)
    lease.until = at + LEASE


def release_lease(session: ScopedSession, lease: Lease) -> None:
    """Give the lease back; nothing happens where it was lost."""
    session.execute(
        update(Audience)
        .where(Audience.id == lease.audience_id, Audience.lease_until == lease.until)
        .values(lease_until=None)
    )
