"""Waits whose end has changed: the performance moved, or the step did because somebody was set on a new version.

The heartbeat looks again at the performance when a wait ends, so nobody goes on by a moment that is no longer right;
replanning is what makes them go on in time when the performance comes earlier, and what the pages show meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app import clock
from app.accounts.organisations import current_organisation
from app.activities.models import Activity, Participation
from app.consent import subjects
from app.db import ScopedSession, array_text
from app.journeys.definition import Step, Wait, WaitFor, WaitUntil
from app.journeys.models import Enrolment, Visit
from app.journeys.moments import moment_of, times_out, wait_ends
from app.journeys.versions import route_of_version

_SET = sa.text(
    "UPDATE enrolment SET wake_at = given.wake_at, is_waiting = given.is_waiting, updated_at = :at"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:wakes AS timestamptz[]), CAST(:waits AS boolean[]))"
    " AS given (id, wake_at, is_waiting)"
    " WHERE enrolment.organisation_id = :organisation_id AND enrolment.id = given.id AND enrolment.state = 'active'"
)


def replan(session: ScopedSession, enrolment_ids: Iterable[int]) -> int:
    """Work out anew until when these people wait, from the step they are at and the performance as they are now.

    Returns how many were on their way. Who does not wait, or whose moment is no longer known, is due at once: the
    heartbeat then decides (a cancelled performance, a moment that has passed). Safe to repeat; locks the enrolments.
    """
    ids = sorted(enrolment_ids)
    if not ids:
        return 0
    row = Enrolment
    query = (
        sa.select(row.id, row.journey_id, row.version, row.step_id, row.is_waiting, row.arrived_at, Activity.starts_at)
        .outerjoin(Participation, Participation.id == row.participation_id)
        .outerjoin(Activity, Activity.id == Participation.activity_id)
        .where(row.id == sa.any_(subjects.ids(ids)), row.state == "active")
        .order_by(row.id)
        .with_for_update(of=row)
    )
    people = session.execute(query).all()
    zone, now = ZoneInfo(current_organisation(session).time_zone), clock.now()
    wakes, waits, restarted = [], [], []
    for one in people:
        step = route_of_version(session, one.journey_id, one.version).steps.get(one.step_id or "")
        wake = _ends(step, one.arrived_at, one.starts_at, zone) if one.is_waiting else None
        is_waiting = one.is_waiting and isinstance(step, Wait | WaitUntil | WaitFor)
        if one.is_waiting and not is_waiting:
            restarted.append(one.id)
        wakes.append(max(wake or now, now))
        waits.append("true" if is_waiting else "false")
    _begin_again(session, restarted)
    given = {"organisation_id": session.organisation_id, "at": now, "ids": array_text(one.id for one in people)}
    session.execute(_SET, given | {"wakes": array_text(wakes), "waits": array_text(waits)})
    return len(people)


def _ends(step: Step | None, arrived_at: datetime, starts_at: datetime | None, zone: ZoneInfo) -> datetime | None:
    match step:
        case Wait():
            return wait_ends(step, arrived_at, zone)
        case WaitFor():
            return times_out(step, arrived_at, zone)
        case WaitUntil():
            return None if starts_at is None else moment_of(step, starts_at, zone)
        case _:
            return None


def _begin_again(session: ScopedSession, enrolment_ids: list[int]) -> None:
    """Forget that people waited at a step that no longer waits, so that it can be done."""
    if enrolment_ids:
        session.execute(sa.delete(Visit).where(Visit.enrolment_id.in_(enrolment_ids), Visit.outcome == "waiting"))
