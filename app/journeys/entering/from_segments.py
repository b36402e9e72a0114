"""Occurrences of entering and leaving segments, read from their feed; and those who are in a segment already."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app import clock
from app.accounts.organisations import current_organisation
from app.db import ScopedSession
from app.journeys.definition import OnSegment
from app.journeys.entering.models import JourneyWatch
from app.journeys.entering.occurrences import KEPT_FOR, Occurrence, soon_after
from app.segments.changes import Turned, changes_after, last_position
from app.segments.models import SegmentMembership, SegmentUpkeep
from app.segments.problems import ChangesForgottenError

TURNS = {"enter": "entered", "leave": "left"}
CHANGES_A_STEP = 5_000
PEOPLE_A_STEP = 5_000


def turns_heard(session: ScopedSession, trigger: OnSegment, row: JourneyWatch) -> tuple[list[Occurrence], int]:
    """Who entered (or left) since the watch last read, and how many did only because the rule was changed.

    Moves the watch: in this transaction each is acted on, or comes again. A reader that was away for longer than the
    feed is kept goes on from today, and says so.
    """
    try:
        page = changes_after(session, row.position, limit=CHANGES_A_STEP, segment_ids=[trigger.segment_id])
    except ChangesForgottenError:
        row.position, row.problem, row.problem_at = last_position(session), "changes_forgotten", clock.now()
        return [], 0
    row.position = page.cursor
    turned = [one for one in page.items if one.kind == TURNS[trigger.on]]
    # A colleague who changes a rule moves a crowd; nothing happened to the people in it.
    heard = [_occurrence(one, trigger) for one in turned if one.because != "rule"]
    return heard, len(turned) - len(heard)


def is_behind(session: ScopedSession, row: JourneyWatch) -> bool:
    """Whether the feed has more than the watch has read."""
    return (session.scalar(sa.select(SegmentUpkeep.position)) or 0) > row.position


def room_for_existing(session: ScopedSession, row: JourneyWatch) -> int:
    """How many of those already in the segment may be let in now; begins to count anew on another local date."""
    if row.existing_after is None:
        return 0
    today = clock.today(current_organisation(session).time_zone)
    if row.existing_on != today:
        row.existing_on, row.existing_today = today, 0
    if row.existing_per_day is None:
        return PEOPLE_A_STEP
    return min(PEOPLE_A_STEP, max(0, row.existing_per_day - row.existing_today))


def members_after(
    session: ScopedSession, trigger: OnSegment, row: JourneyWatch, *, after: int, limit: int = PEOPLE_A_STEP
) -> tuple[list[Occurrence], int | None]:
    """Who was in the segment when watching began and still is, by contact id; and where to go on, None at the end.

    Somebody's entering has one name, whether it is found here or heard in the feed.
    """
    member = SegmentMembership
    query = sa.select(member.contact_id, member.entered_at).where(
        member.segment_id == trigger.segment_id,
        member.left_at.is_(None),
        member.entered_at <= row.since,
        member.contact_id > after,
    )
    found: list[Any] = list(session.execute(query.order_by(member.contact_id).limit(limit)))
    now = clock.now()
    people = [
        Occurrence(one.contact_id, _name(trigger, one.entered_at), max(row.since, one.entered_at), now + KEPT_FOR)
        for one in found
    ]
    return people, found[-1].contact_id if len(found) == limit else None


def _occurrence(turned: Turned, trigger: OnSegment) -> Occurrence:
    return soon_after(turned.contact_id, _name(trigger, turned.at), turned.at)


def _name(trigger: OnSegment, at: datetime) -> str:
    return f"segment:{trigger.segment_id}:{trigger.on}:{at.isoformat()}"
