"""What this room adds to the page of a person: what they went to, and what they will."""

from __future__ import annotations

from sqlalchemy import select

from app import clock
from app.accounts.organisations import current_organisation
from app.activities.models import Activity, Participation
from app.contacts.neighbours import MOMENTS_PER_ROOM_MAX, Moment, add_timeline
from app.db import ScopedSession


def visits_of(session: ScopedSession, contact_id: int) -> list[Moment]:
    """Return the last visits of a person as moments, at the date of the activity."""
    line = Participation
    today = clock.today(current_organisation(session).time_zone)
    rows = session.execute(
        select(line.activity_on, line.status, line.quantity, line.is_valid, Activity.id, Activity.title, Activity.venue)
        .join(Activity, Activity.id == line.activity_id)
        .where(line.contact_id == contact_id)
        .order_by(line.activity_on.desc(), line.id.desc())
        .limit(MOMENTS_PER_ROOM_MAX)
    )
    return [
        Moment(
            at=row.activity_on,
            what="cancelled" if not row.is_valid else "will_visit" if row.activity_on > today else "visited",
            title=row.title,
            text=" · ".join(part for part in (f"{row.quantity} ×", row.venue) if part),
            endpoint="activities.show",
            arguments={"activity_id": row.id},
        )
        for row in rows
    ]


add_timeline(visits_of)
