"""What this room adds to the page of a person: the audiences they were pushed to, or refused by."""

from __future__ import annotations

from sqlalchemy import select

from app.audiences.clearing.errands import OPEN
from app.audiences.clearing.outcomes import CARRIED
from app.audiences.models import Audience, AudienceMember
from app.consent.clearing.models import Clearance, Clearing
from app.contacts.neighbours import MOMENTS_PER_ROOM_MAX, Moment, MorePage, add_page, add_timeline
from app.db import ScopedSession
from app.sync.models import Connection
from integrations.meanings import N_

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


def clearances_of(session: ScopedSession, contact_id: int) -> list[Moment]:
    """Return when each connected system knew of a no of this person, and which does not yet."""
    row = Clearance
    rows = session.execute(
        select(Clearing.id, Clearing.recorded_at, row.state, row.acknowledged_at, Connection.name)
        .join(row, row.clearing_id == Clearing.id)
        .join(Connection, Connection.id == row.connection_id)
        .where(Clearing.contact_id == contact_id)
        .where(row.outcome.in_(CARRIED) | row.state.in_(OPEN))
        .order_by(Clearing.id.desc())
        .limit(MOMENTS_PER_ROOM_MAX)
    )
    return [
        Moment(
            one.acknowledged_at or one.recorded_at,
            "no_arrived" if one.acknowledged_at else "no_fails" if one.state == "failing" else "no_under_way",
            one.name,
            "",
            "clearing.show",
            {"clearing_id": one.id},
        )
        for one in rows
    ]


add_timeline(seats_of)
add_timeline(clearances_of)
add_page(MorePage(N_("Opt-outs"), "ban", "clearing.of_contact"))
add_page(MorePage(N_("Audiences"), "audience", "audiences.of_contact"))
