"""How large a segment was on each day, and why people came and went: from remembered membership, for charts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from app.db import ScopedSession
from app.segments.models import SegmentMembership

DAYS_SHOWN_MAX = 400


@dataclass(frozen=True, slots=True)
class Size:
    """How many people were in a segment at the end of a day."""

    on: date
    people: int


@dataclass(frozen=True, slots=True)
class Movement:
    """How many people entered (or left) for one reason: ``data``, ``time`` or ``rule``."""

    because: str
    entered: int
    left: int


def sizes_between(session: ScopedSession, segment_id: int, *, since: date, until: date) -> list[Size]:
    """The size on every day from ``since`` to ``until``, both included, DAYS_SHOWN_MAX days at most, oldest first."""
    since = max(since, until - timedelta(days=DAYS_SHOWN_MAX - 1))
    m = SegmentMembership
    changes = sa.union_all(
        sa.select(m.entered_on.label("day"), sa.literal(1).label("change")).where(m.segment_id == segment_id),
        sa.select(m.left_on, sa.literal(-1)).where(m.segment_id == segment_id, m.left_on.is_not(None)),
    ).subquery("change")
    day = sa.func.greatest(changes.c.day, sa.literal(since, sa.Date))
    by_day = sa.select(day.label("day"), sa.func.sum(changes.c.change).label("change")).group_by(day)
    change_on = {row.day: int(row.change) for row in session.execute(by_day)}
    sizes, people = [], 0
    for number in range((until - since).days + 1):
        on = since + timedelta(days=number)
        people += change_on.get(on, 0)
        sizes.append(Size(on, people))
    return sizes


def movements_since(session: ScopedSession, segment_id: int, since: date) -> list[Movement]:
    """Entries and exits from ``since`` on, by reason; a reason that moved nobody is left out."""
    m = SegmentMembership
    entries = (
        sa.select(m.entered_because.label("because"), sa.func.count().label("number"))
        .where(m.segment_id == segment_id, m.entered_on >= since)
        .group_by(m.entered_because)
    )
    exits = (
        sa.select(m.left_because.label("because"), sa.func.count().label("number"))
        .where(m.segment_id == segment_id, m.left_on >= since)
        .group_by(m.left_because)
    )
    entered = {row.because: row.number for row in session.execute(entries)}
    left = {row.because: row.number for row in session.execute(exits)}
    return [
        Movement(because, entered.get(because, 0), left.get(because, 0))
        for because in ("data", "time", "rule")
        if because in entered or because in left
    ]
