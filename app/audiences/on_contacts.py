"""What this room adds to the page of a person: the audiences they were pushed to, or refused by."""

from __future__ import annotations

from sqlalchemy import select

from app.audiences.models import Audience, AudienceMember
from app.contacts.neighbours import MOMENTS_PER_ROOM_MAX, Moment, add_timeline
from app.db import ScopedSession

SHOWN = {"in": "pushed", "refused": "refused", "out": "taken_off"}


def seats_of(session: ScopedSession, contact_id: int) -> list[Moment]:
    """Return what destinations acknowledged about a person, each audience once, as it is now."""
    seat = AudienceMember
    rows = session.execute(
        select(seat.state, seat.acknowledged_at, Audience.id, Audience.name)
        .join(Audience, Audience.id == seat.audience_id)
        .where(seat.contact_id == contact_id, seat.acknowledged_at.is_not(None), seat.state.in_(SHOWN))
        .order_by(seat.acknowledged_at.desc())
        .limit(MOMENTS_PER_ROOM_MAX)
    )
    return [
        Moment(row.acknowledged_at, SHOWN[row.state], row.name, "", "audiences.show", {"audience_id": row.id})
        for row in rows
        if row.acknowledged_at is not None
    ]


add_timeline(seats_of)
