"""Freezing a segment: whoever is in it now gets a tag, and a new segment holds exactly those who carry it."""

from __future__ import annotations

import sqlalchemy as sa

from app import clock
from app.contacts.tagging import is_tag_in_use, tag_contacts
from app.db import ScopedSession
from app.segments.compiling.time_limit import within
from app.segments.definitions import create_segment, find_segment
from app.segments.models import Segment, SegmentMembership
from app.segments.problems import NameTakenError

SNAPSHOT_S = 60.0


def freeze_segment(
    session: ScopedSession, segment_id: int, *, name: str, description: str | None = None, created_by: int | None = None
) -> Segment:
    """Keep the people who are in a segment now as a segment of their own, called ``name``; nobody enters it later.

    The tag is called as the segment. Somebody who is erased leaves it, and somebody who is merged takes the tag along.
    Raises SegmentMissingError, NameTakenError where a segment or a tag has the name, or TooSlowError after SNAPSHOT_S,
    with nothing kept.
    """
    find_segment(session, segment_id)
    name = name.strip()
    if is_tag_in_use(session, name):
        raise NameTakenError("the tag is in use")
    m = SegmentMembership
    members = sa.select(m.contact_id).where(m.segment_id == segment_id, m.left_at.is_(None))
    with within(session, SNAPSHOT_S):
        tag_contacts(session, members, name, at=clock.now())
        rule = {"type": "tag", "tag": name}
        return create_segment(session, name=name, rule=rule, description=description, created_by=created_by)
