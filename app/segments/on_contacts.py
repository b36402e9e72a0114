"""What this room adds to the pages of contacts: segments entered and left, and segments to narrow a list to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select

from app.contacts.neighbours import MOMENTS_PER_ROOM_MAX, Groups, Moment, MorePage, add_groups, add_page, add_timeline
from app.db import ScopedSession
from app.segments.models import Segment, SegmentMembership
from app.segments.problems import N_


def stretches_of(session: ScopedSession, contact_id: int) -> list[Moment]:
    """Return when a person entered and left each segment."""
    stretch = SegmentMembership
    rows = session.execute(
        select(stretch.entered_at, stretch.left_at, Segment.id, Segment.name)
        .join(Segment, Segment.id == stretch.segment_id)
        .where(stretch.contact_id == contact_id)
        .order_by(stretch.entered_at.desc())
        .limit(MOMENTS_PER_ROOM_MAX)
    ).all()
    entries = [_moment(row.entered_at, "entered", row.name, row.id) for row in rows]
    exits = [_moment(row.left_at, "left", row.name, row.id) for row in rows if row.left_at]
    return entries + exits


def _moment(at: datetime, what: str, name: str, segment_id: int) -> Moment:
    return Moment(at, what, name, "", "segments.show", {"segment_id": segment_id})


def _names(session: ScopedSession) -> list[tuple[int, str]]:
    return [(row.id, row.name) for row in session.execute(select(Segment.id, Segment.name).order_by(Segment.name))]


def _members(segment_id: int) -> Select[int]:
    stretch = SegmentMembership
    return select(stretch.contact_id).where(stretch.segment_id == segment_id, stretch.left_at.is_(None))


add_timeline(stretches_of)
add_groups("segment", Groups(_names, _members))
add_page(MorePage(N_("In which segments, and why"), "segment", "segments.why"))
