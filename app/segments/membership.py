"""Who is in a segment: kept as stretches with a beginning, an end and a reason, and brought up to date by difference.

An evaluation compares the rule's members with the open stretches in one statement and writes only what differs.
Lock order: the segment's row, then its membership.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.activities.models import Activity, Participation
from app.consent.models import ConsentEvent, Suppression
from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments import rules
from app.segments.compiler import Scope, select_members
from app.segments.definitions import complete_rule, find_segment
from app.segments.models import Segment, SegmentMembership
from app.segments.preview import scope_of
from app.segments.schemas import parse_rule
from app.segments.time_limit import within

EVALUATION_S = 300.0
# A change that was stamped before an evaluation may have been committed after it.
OVERLAP = timedelta(minutes=2)

Because = Literal["data", "time", "rule"]


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
    """Bring the stored membership of one segment up to today, and say what changed.

    Raises SegmentMissingError, or TooSlowError with nothing changed. Holds the segment's row until the transaction
    ends, so that two evaluations never write at once.
    """
    segment = find_segment(session, segment_id)
    session.refresh(segment, with_for_update=True)
    scope = scope_of(session)
    rule = complete_rule(session, parse_rule(segment.rule))
    with within(session, seconds):
        entering, leaving = _difference(session, segment, select_members(rule, scope))
        _write(session, segment, rule, scope, entering=entering, leaving=leaving)
        segment.member_count = session.execute(
            sa.select(sa.func.count()).select_from(SegmentMembership).where(_is_open(segment_id))
        ).scalar_one()
        segment.evaluated_on = scope.as_of
        segment.evaluated_at = clock.now()
        segment.evaluated_version = segment.version
        session.flush()
    return Difference(len(entering), len(leaving), segment.member_count)


def due_segments(session: ScopedSession) -> list[int]:
    """The ids of the segments whose stored membership may be out of date: another rule, another day, changed data."""
    today = scope_of(session).as_of
    segments = session.scalars(sa.select(Segment).order_by(Segment.evaluated_at.asc().nulls_first(), Segment.id)).all()
    fresh = {one.id: one.evaluated_at for one in segments if one.evaluated_at and not _is_stale(session, one, today)}
    # Only what changed since the oldest evaluation is looked for: after a large import that is soon nothing.
    changed_at = _last_change(session, since=min(fresh.values()) - OVERLAP) if fresh else None
    unchanged = {number for number, at in fresh.items() if changed_at is None or changed_at < at - OVERLAP}
    return [one.id for one in segments if one.id not in unchanged]


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
    whatever changed since. For any other day the rule is evaluated as of that day, over what is known now.
    """
    scope = scope_of(session)
    began_on = segment.created_at.astimezone(ZoneInfo(scope.time_zone)).date()
    if began_on <= day < scope.as_of:
        m = SegmentMembership
        then = (
            sa.select(m.contact_id, sa.func.max(m.entered_on).label("entered_on"))
            .where(m.segment_id == segment.id, m.contact_id > after, m.entered_on <= day)
            .where(sa.or_(m.left_on.is_(None), m.left_on > day))
            .group_by(m.contact_id)
            .order_by(m.contact_id)
            .limit(limit)
        )
        return [Member(row.contact_id, row.entered_on) for row in session.execute(then)], True
    rule = complete_rule(session, parse_rule(segment.rule))
    found = select_members(rule, Scope(scope.organisation_id, day, scope.time_zone)).subquery("found")
    page = sa.select(found.c.contact_id).where(found.c.contact_id > after).order_by(found.c.contact_id).limit(limit)
    with within(session, EVALUATION_S):
        ids = session.scalars(page).all()
    return [Member(contact_id, None) for contact_id in ids], False


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


# --- the difference --------------------------------------------------------------------------------------------------


def _is_open(segment_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(SegmentMembership.segment_id == segment_id, SegmentMembership.left_at.is_(None))


def _difference(session: ScopedSession, segment: Segment, members: sa.Select[int]) -> tuple[list[int], list[int]]:
    """Who enters and who leaves, from one statement and so from one moment."""
    now = members.subquery("now")
    stored = sa.select(SegmentMembership.contact_id).where(_is_open(segment.id)).subquery("stored")
    joined = now.join(stored, stored.c.contact_id == now.c.contact_id, full=True)
    different = (
        sa.select(now.c.contact_id, stored.c.contact_id)
        .select_from(joined)
        .where(sa.or_(now.c.contact_id.is_(None), stored.c.contact_id.is_(None)))
    )
    entering: list[int] = []
    leaving: list[int] = []
    for new, old in session.execute(different):
        (leaving if new is None else entering).append(old if new is None else new)
    return entering, leaving


def _write(
    session: ScopedSession,
    segment: Segment,
    rule: rules.Rule,
    scope: Scope,
    *,
    entering: list[int],
    leaving: list[int],
) -> None:
    for because, ids in _reasons(session, segment, rule, scope, entering, was_member=False):
        _enter(session, segment, ids, scope=scope, because=because)
    for because, ids in _reasons(session, segment, rule, scope, leaving, was_member=True):
        _leave(session, segment, ids, scope=scope, because=because)


def _reasons(
    session: ScopedSession, segment: Segment, rule: rules.Rule, scope: Scope, ids: list[int], *, was_member: bool
) -> list[tuple[Because, list[int]]]:
    """Why these contacts change. Time did it where, with today's data, nothing would have changed on the old day."""
    if not ids:
        return []
    if segment.evaluated_version != segment.version:
        return [("rule", ids)]
    if segment.evaluated_on is None or segment.evaluated_on == scope.as_of:
        return [("data", ids)]
    before = Scope(scope.organisation_id, segment.evaluated_on, scope.time_zone)
    held = set(session.scalars(select_members(rule, before, only=ids)))
    by_time = [one for one in ids if (one in held) is was_member]
    by_data = [one for one in ids if (one in held) is not was_member]
    return [("time", by_time), ("data", by_data)]


def _enter(session: ScopedSession, segment: Segment, ids: list[int], *, scope: Scope, because: Because) -> None:
    contact_id = sa.func.unnest(sa.literal(ids, sa.ARRAY(sa.BigInteger))).column_valued("contact_id")
    columns: dict[str, Any] = {
        "organisation_id": sa.literal(segment.organisation_id, sa.Integer),
        "segment_id": sa.literal(segment.id, sa.BigInteger),
        "contact_id": contact_id,
        "entered_at": sa.literal(clock.now(), sa.DateTime(timezone=True)),
        "entered_on": sa.literal(scope.as_of, sa.Date),
        "entered_because": sa.literal(because, sa.Text),
    }
    entry = insert(SegmentMembership).from_select(list(columns), sa.select(*columns.values()))
    # Who left and comes back within one instant never left.
    never_left = {"left_at": None, "left_on": None, "left_because": None}
    session.execute(
        entry.on_conflict_do_update(index_elements=SegmentMembership.__table__.primary_key, set_=never_left)
    )


def _leave(session: ScopedSession, segment: Segment, ids: list[int], *, scope: Scope, because: Because) -> None:
    session.execute(
        sa.update(SegmentMembership)
        .where(_is_open(segment.id))
        .where(SegmentMembership.contact_id == sa.any_(sa.literal(ids, sa.ARRAY(sa.BigInteger))))
        .values(left_at=clock.now(), left_on=scope.as_of, left_because=because)
        .execution_options(synchronize_session=False)
    )


# --- what is due -----------------------------------------------------------------------------------------------------


def _is_stale(session: ScopedSession, segment: Segment, today: date) -> bool:
    """Whether the rule, the day or a segment it refers to is another than at the last evaluation."""
    is_other = segment.evaluated_version != segment.version or segment.evaluated_on != today
    return is_other or _refers_to_stale(session, segment)


def _last_change(session: ScopedSession, *, since: datetime) -> datetime | None:
    """When anything that a rule can look at last changed, or None if not since ``since``."""
    stamps = (Contact.updated_at, Participation.updated_at, Activity.updated_at, Suppression.since)
    latest = [session.scalar(sa.select(sa.func.max(stamp)).where(stamp >= since)) for stamp in stamps]
    # The ledger only grows: its newest fact is its last.
    said_at = session.scalar(sa.select(ConsentEvent.recorded_at).order_by(ConsentEvent.id.desc()).limit(1))
    latest.append(said_at if said_at is not None and said_at >= since else None)
    return max((stamp for stamp in latest if stamp is not None), default=None)


def _refers_to_stale(session: ScopedSession, segment: Segment) -> bool:
    """Whether a segment that the rule refers to was given another rule since."""
    if segment.evaluated_at is None:
        return True
    seen: set[int] = set()
    ahead = list(rules.references(parse_rule(segment.rule)))
    while ahead:
        other = session.get(Segment, (session.organisation_id, ahead.pop()))
        if other is None or other.id in seen:
            continue
        if other.updated_at >= segment.evaluated_at - OVERLAP:
            return True
        seen.add(other.id)
        ahead.extend(rules.references(parse_rule(other.rule)))
    return False
