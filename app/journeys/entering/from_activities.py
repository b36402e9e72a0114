"""Occurrences around activities: two days before a performance, the day after.

Each valid participation has one, when the offset from the start of its activity is reached. Nothing is planned ahead:
the time that passed since the last look is compared with the starts of activities as they are now, so a performance
that moved is simply due at another time. What changes too late for that (a booking on the day itself, a performance
that moves forward) is noted, and looked at then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app import clock
from app.activities.models import Activity, Participation
from app.db import ScopedSession
from app.journeys.definition import OnActivity
from app.journeys.entering.from_participations import VALID, any_of, first_of_each_party, matching
from app.journeys.entering.notes import Noted, Notes
from app.journeys.entering.occurrences import KEPT_FOR, Occurrence
from app.journeys.spans import Span

SLACK = timedelta(days=5)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def activities_due(
    session: ScopedSession, trigger: OnActivity, *, since: datetime, zone: ZoneInfo
) -> Iterator[Occurrence]:
    """The occurrences that became due after ``since``, up to and with now, as activities are now."""
    now = clock.now()
    starting = _starting(session, trigger.offset, since, now)
    due = {activity_id: at for activity_id, at in _dues(starting, trigger.offset, zone) if since < at <= now}
    yield from _occurrences(session, trigger, due, Participation.activity_id)


def activities_heard(
    session: ScopedSession, trigger: OnActivity, notes: Notes, *, zone: ZoneInfo
) -> Iterator[Occurrence]:
    """The occurrences of bookings and moves that were noted after the moment itself had passed."""
    now = clock.now()
    booked = notes.of("booked", "attended", "pending", "exchanged")
    if booked:
        p, a = Participation, Activity
        # Most of what is told late is history: it is passed over before anything is worked out.
        back = Span(-trigger.offset.months, -trigger.offset.days, -trigger.offset.seconds)
        oldest = min(now, back.after(now, zone)) - KEPT_FOR - SLACK
        lines = sa.select(p.activity_id).where(any_of(p.id, sorted(booked)), p.activity_on >= oldest.date())
        of = sa.select(a.id, a.starts_at).where(a.id.in_(lines), a.starts_at.is_not(None))
        due = {activity_id: at for activity_id, at in _dues(session.execute(of), trigger.offset, zone) if at <= now}
        yield from _occurrences(session, trigger, due, p.activity_id, only=sorted(booked))
    yield from _moved(session, trigger, notes, zone)


def _moved(session: ScopedSession, trigger: OnActivity, notes: Notes, zone: ZoneInfo) -> Iterator[Occurrence]:
    """Of activities that moved: those that are due by now and were not before."""
    moved, now, a = notes.of("activity_moved"), clock.now(), Activity
    if not moved:
        return
    of = sa.select(a.id, a.starts_at).where(any_of(a.id, sorted(moved)), a.starts_at.is_not(None))
    due = {}
    for activity_id, at in _dues(session.execute(of), trigger.offset, zone):
        was = _was_due(moved[activity_id], trigger.offset, zone)
        if at <= now and (was is None or was > moved[activity_id].at):
            due[activity_id] = max(at, moved[activity_id].at)
    yield from _occurrences(session, trigger, due, Participation.activity_id)


def _was_due(noted: Noted, offset: Span, zone: ZoneInfo) -> datetime | None:
    """When it was due before it moved; None where it had no start, or was cancelled."""
    if noted.before is None:
        return None
    try:
        return offset.after(EPOCH + timedelta(minutes=noted.before), zone)
    except OverflowError:
        return None


def _starting(session: ScopedSession, offset: Span, since: datetime, until: datetime) -> Sequence[Any]:
    """The activities whose start may be ``offset`` from a moment in between: few, by the index over dates."""
    back = Span(-offset.months, -offset.days, -offset.seconds)
    first, last = (back.after(instant, ZoneInfo("UTC")) for instant in (since, until))
    a = Activity
    return session.execute(
        sa.select(a.id, a.starts_at).where(
            a.starts_on >= (first - SLACK).date(), a.starts_on <= (last + SLACK).date(), a.starts_at.is_not(None)
        )
    ).all()


def _dues(activities: Any, offset: Span, zone: ZoneInfo) -> Iterator[tuple[int, datetime]]:
    for activity_id, starts_at in activities:
        # An activity at the end of the calendar is one without a date: nothing is ever due after it.
        with suppress(OverflowError):
            yield activity_id, offset.after(starts_at, zone)


def _occurrences(
    session: ScopedSession,
    trigger: OnActivity,
    due: Mapping[int, datetime],
    column: Any,
    *,
    only: Sequence[int] | None = None,
) -> Iterator[Occurrence]:
    if not due:
        return
    query = matching(trigger, VALID).where(any_of(column, sorted(due)), ~Activity.is_cancelled)
    if only is not None:
        query = query.where(any_of(Participation.id, only))
    for row in first_of_each_party(session.execute(query)):
        # Who books after the moment has passed enters because of the booking, as long as it still helps them.
        at, is_before = max(due[row.activity_id], row.booked_at), due[row.activity_id] <= row.starts_at
        until = row.starts_at if is_before else due[row.activity_id] + KEPT_FOR
        at = at if is_before else due[row.activity_id]
        yield Occurrence(row.contact_id, f"participation:{row.id}:activity", at, until, row.id)
