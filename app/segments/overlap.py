"""Two segments laid over one another: who is in both, in only one, in neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.building.preview import PREVIEW_S
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import scope_of
from app.segments.compiling.time_limit import within
from app.segments.definitions import complete_rule, find_segment
from app.segments.language.schemas import parse_rule
from app.segments.membership import due_segments
from app.segments.models import SegmentMembership

Part = Literal["both", "only_a", "only_b", "neither"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many living contacts are in both segments, in only one of them, and in neither; together they are all."""

    both: int
    only_a: int
    only_b: int
    neither: int


def compare_segments(session: ScopedSession, a_id: int, b_id: int) -> Overlap:
    """Count the four parts as of today, in one statement and so at one moment.

    Stored membership is used for a segment that is up to date, its rule for one that is not; nothing is written. Raises
    SegmentMissingError, or TooSlowError after PREVIEW_S.
    """
    due = set(due_segments(session))
    a, b = (
        _people(session, number, is_due=number in due).subquery(name) for number, name in ((a_id, "a"), (b_id, "b"))
    )
    in_a, in_b = a.c.contact_id.is_not(None), b.c.contact_id.is_not(None)
    living = sa.select(sa.func.count()).where(Contact.state == "living").scalar_subquery()
    query = sa.select(
        sa.func.count().filter(in_a, in_b).label("both"),
        sa.func.count().filter(in_a, b.c.contact_id.is_(None)).label("only_a"),
        sa.func.count().filter(in_b, a.c.contact_id.is_(None)).label("only_b"),
        (living - sa.func.count()).label("neither"),
    ).select_from(a.join(b, a.c.contact_id == b.c.contact_id, full=True))
    with within(session, PREVIEW_S):
        counted = session.execute(query).one()
    return Overlap(counted.both, counted.only_a, counted.only_b, counted.neither)


def part_rule(a_id: int, b_id: int, part: Part) -> Json:
    """The rule (JSON) of one part, so that its people can be seen, or kept as a segment of their own."""
    in_a, in_b = part in ("both", "only_a"), part in ("both", "only_b")
    return {"type": "all", "rules": [_in_segment(a_id, is_member=in_a), _in_segment(b_id, is_member=in_b)]}


def _in_segment(segment_id: int, *, is_member: bool) -> Json:
    return {"type": "segment", "segment": segment_id, "is": "member" if is_member else "not_member"}


def _people(session: ScopedSession, segment_id: int, *, is_due: bool) -> sa.Select[int]:
    """The ``contact_id`` of each of a segment's people today, each once."""
    segment = find_segment(session, segment_id)
    if is_due:
        return select_members(complete_rule(session, parse_rule(segment.rule)), scope_of(session))
    is_open = sa.and_(SegmentMembership.segment_id == segment_id, SegmentMembership.left_at.is_(None))
    return sa.select(SegmentMembership.contact_id).where(is_open)
