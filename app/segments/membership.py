"""Who is in a segment, who was, and who came and went; and bringing one segment up to date because somebody asks.

Membership is kept as stretches with a beginning, an end and a reason. ``upkeep`` keeps it by itself, by difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import Scope, scope_of
from app.segments.compiling.time_limit import within
from app.segments.definitions import complete_rule, find_segment
from app.segments.keeping.changed_contacts import is_somebody_waiting
from app.segments.keeping.difference import find_turns
from app.segments.keeping.entries import Because, Occasion, Turn, hold_upkeep, write_turns
from app.segments.keeping.evaluating import (
    EVALUATION_S,
    attempt,
    mark_problem,
    reason_of,
    settle,
)
from app.segments.keeping.kept import Kept, kept_segment, kept_segments
from app.segments.language.schemas import parse_rule
from app.segments.models import Segment, SegmentMembership
from app.segments.problems import FailedRuleError, SegmentMissingError


@dataclass(frozen=True, slots=True)
class Difference:
    """What an evaluation changed: how many entered, how many left, and how many are in now."""

    entered: int
    left: int
    members: int


@dataclass(frozen=True, slots=True)
class Member:
    """A contact in a segment. ``entered_on`` is None where membership was worked out, not remembered."""

    contact_id: int
    entered_on: date | None


def evaluate_segment(session: ScopedSession, segment_id: int, *, seconds: float = EVALUATION_S) -> Difference:
    """Bring the stored members of one segment up to today in full, and say what changed.

    Whoever asks takes the rule as it stands, also where names in it are gone. A rule that the database cannot work out
    keeps its last good members, and the segment says so. Raises SegmentMissingError, or TooSlowError with nothing
    changed. Waits (within ``seconds``) for whoever keeps the organisation's membership now, and keeps it from others
    until the transaction ends.
    """
    segment = find_segment(session, segment_id)
    session.flush()
    turns: list[Turn] = []
    try:
        with attempt(session, seconds):
            turns = _evaluate(session, segment_id)
    except FailedRuleError as problem:
        _keep_last(session, segment_id, problem)
    session.refresh(segment, ["state"])
    entered = sum(turn.enters for turn in turns)
    return Difference(entered, len(turns) - entered, segment.member_count or 0)


def due_segments(session: ScopedSession) -> list[int]:
    """The ids of the segments whose stored members may not be those of this moment: all, while a change waits."""
    kept, today = kept_segments(session), scope_of(session).as_of
    if is_somebody_waiting(session):
        return [one.segment_id for one in kept]
    return [one.segment_id for one in kept if not (one.is_current and one.state and one.state.evaluated_on == today)]


def _evaluate(session: ScopedSession, segment_id: int) -> list[Turn]:
    upkeep, kept = hold_upkeep(session), kept_segment(session, segment_id)
    if upkeep is None or kept is None:
        raise SegmentMissingError(segment_id)
    if kept.rule is None or kept.problem is not None:
        raise kept.problem or SegmentMissingError(segment_id)
    scope = scope_of(session)
    turns = find_turns(session, {segment_id: kept.rule}, scope)
    because = _reasons(session, kept, turns, scope)
    state = settle(session, kept, scope)
    write_turns(session, upkeep, turns, Occasion(scope.as_of, because))
    session.refresh(state)
    return turns


def _reasons(session: ScopedSession, kept: Kept, turns: Sequence[Turn], scope: Scope) -> Because | dict[int, Because]:
    """Why these contacts turn. Time did it where, with today's data, nothing would have changed on the old day."""
    because = reason_of(kept)
    if because == "rule" or kept.rule is None or kept.state is None or kept.state.evaluated_on in (None, scope.as_of):
        return because
    before = Scope(scope.organisation_id, kept.state.evaluated_on or scope.as_of, scope.time_zone)
    held = set(session.scalars(select_members(kept.rule, before, only=[turn.contact_id for turn in turns])))
    return {turn.contact_id: "data" if (turn.contact_id in held) is turn.enters else "time" for turn in turns}


def _keep_last(session: ScopedSession, segment_id: int, problem: FailedRuleError) -> None:
    hold_upkeep(session)
    kept = kept_segment(session, segment_id)
    if kept is not None:
        mark_problem(session, kept, problem)
        session.flush()


def members_now(
    session: ScopedSession, segment_id: int, *, after: int = 0, limit: int | None = 100
) -> Sequence[Member]:
    """The stored members with an id above ``after``, in the order of their ids."""
    open_now = (
        sa.select(SegmentMembership.contact_id, SegmentMembership.entered_on)
        .where(_is_open(segment_id), SegmentMembership.contact_id > after)
        .order_by(SegmentMembership.contact_id)
        .limit(limit)
    )
    return [Member(row.contact_id, row.entered_on) for row in session.execute(open_now)]


def members_on(
    session: ScopedSession, segment: Segment, day: date, *, after: int = 0, limit: int = 100
) -> tuple[Sequence[Member], bool]:
    """The members on a day, and whether they are remembered (True) or worked out (False).

    Of days that are over and on which the segment existed, membership is remembered: it says who was in it then,
    whatever changed since. Who became part of another contact since is that contact, and who was erased is nobody any
    more. For any other day the rule is evaluated as of that day, over what is known now.
    """
    scope = scope_of(session)
    began_on = segment.created_at.astimezone(ZoneInfo(scope.time_zone)).date()
    if began_on <= day < scope.as_of:
        rows = session.execute(_remembered(segment, day, after=after).limit(limit))
        return [Member(row.contact_id, row.entered_on) for row in rows], True
    rule = complete_rule(session, parse_rule(segment.rule))
    found = select_members(rule, Scope(scope.organisation_id, day, scope.time_zone)).subquery("found")
    page = sa.select(found.c.contact_id).where(found.c.contact_id > after).order_by(found.c.contact_id).limit(limit)
    with within(session, EVALUATION_S):
        ids = session.scalars(page).all()
    return [Member(contact_id, None) for contact_id in ids], False


# Whom a stretch is about today: contacts who became part of others, followed to the end.
_chain = (
    sa.select(Contact.id.label("from_id"), Contact.merged_into_id.label("into_id"))
    .where(Contact.state == "merged")
    .cte("chain", recursive=True)
)
_chain = _chain.union(
    sa.select(_chain.c.from_id, Contact.merged_into_id).where(Contact.id == _chain.c.into_id, Contact.state == "merged")
)
_person = sa.func.coalesce(_chain.c.into_id, SegmentMembership.contact_id)


def _remembered(segment: Segment, day: date, *, after: int) -> sa.Select[Any, date]:
    """Whoever was in the segment at the end of a day, as the living contact they are now, by id."""
    m = SegmentMembership
    return (
        sa.select(_person.label("contact_id"), sa.func.min(m.entered_on).label("entered_on"))
        .outerjoin(_chain, _chain.c.from_id == m.contact_id)
        .join(Contact, sa.and_(Contact.organisation_id == m.organisation_id, Contact.id == _person))
        .where(m.segment_id == segment.id, m.entered_on <= day, Contact.state == "living")
        .where(sa.or_(m.left_on.is_(None), m.left_on > day), _person > sa.literal(after, sa.BigInteger))
        .group_by(_person)
        .order_by(_person)
    )


@dataclass(frozen=True, slots=True)
class Change:
    """An entry or an exit: who, when (instant and local date), and why."""

    contact_id: int
    kind: Literal["entered", "left"]
    at: datetime
    on: date
    because: str


def changes_since(
    session: ScopedSession,
    segment_id: int,
    *,
    since: datetime | None = None,
    after: tuple[datetime, int, str] | None = None,
    limit: int = 100,
) -> list[Change]:
    """Entries and exits from ``since`` on, oldest first; ``after`` continues behind the last one of a page."""
    m = SegmentMembership
    entered = sa.select(
        m.contact_id,
        sa.literal("entered", sa.Text).label("kind"),
        m.entered_at.label("at"),
        m.entered_on.label("day"),
        m.entered_because.label("because"),
    ).where(m.segment_id == segment_id)
    left = sa.select(m.contact_id, sa.literal("left", sa.Text), m.left_at, m.left_on, m.left_because).where(
        m.segment_id == segment_id, m.left_at.is_not(None)
    )
    both = sa.union_all(entered, left).subquery("change")
    query = sa.select(both).order_by(both.c.at, both.c.contact_id, both.c.kind).limit(limit)
    if since is not None:
        query = query.where(both.c.at >= since)
    if after is not None:
        # The instant alone lets the indexes skip what came before.
        query = query.where(both.c.at >= after[0])
        query = query.where(sa.tuple_(both.c.at, both.c.contact_id, both.c.kind) > sa.tuple_(*map(sa.literal, after)))
    return [Change(row.contact_id, row.kind, row.at, row.day, row.because) for row in session.execute(query)]


def latest_changes(session: ScopedSession, segment_id: int, *, limit: int) -> list[Change]:
    """The newest entries and exits, newest first."""
    m = SegmentMembership
    stretches = sa.select(m).where(m.segment_id == segment_id).limit(limit)
    entered = session.scalars(stretches.order_by(m.entered_at.desc()))
    changes = [
        Change(one.contact_id, "entered", one.entered_at, one.entered_on, one.entered_because) for one in entered
    ]
    left = session.scalars(stretches.where(m.left_at.is_not(None)).order_by(m.left_at.desc()))
    changes += [
        Change(one.contact_id, "left", one.left_at, one.left_on, one.left_because or "data")
        for one in left
        if one.left_at is not None and one.left_on is not None
    ]
    return sorted(changes, key=lambda change: (change.at, change.contact_id), reverse=True)[:limit]


def _is_open(segment_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(SegmentMembership.segment_id == segment_id, SegmentMembership.left_at.is_(None))
