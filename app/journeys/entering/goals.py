"""Goals that are reached at once, and those reached after the last step, within the time the goal gives.

What people book, say or save is heard in the notes. Whatever else a rule can look at (tags, fields, segments, mails,
loans of others) is known by the segments, which tell whose data changed. What only the passing of a day makes true is
looked for once a day. Both sides of an experiment are asked in the same way, wherever they left.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app import clock
from app.accounts.organisations import current_organisation
from app.db import ScopedSession, transaction
from app.journeys.entering.from_participations import any_of
from app.journeys.entering.inside import goal_of, look_again, people_of, versions_with_goals
from app.journeys.entering.models import JourneyNote, JourneyWatch
from app.journeys.entering.notes import Notes
from app.journeys.entering.occurrences import start_of
from app.journeys.entering.watches import ENTRANCE
from app.journeys.models import Enrolment, Journey
from app.journeys.moving.walkers import Walker
from app.journeys.spans import Span
from app.journeys.versions import route_of_version
from app.runtime import Runtime
from app.segments.keeping.changed_contacts import hear_of_changes

PEOPLE_A_STEP = 5_000
NOTE_MAX = 5_000
A_DAY = timedelta(days=1)
# Months are of several lengths.
SLACK = timedelta(days=4)

_TO_ASK = (Enrolment.reached_at.is_(None), ~Enrolment.is_rehearsal)


def note_changed(session: ScopedSession, contact_ids: Collection[int] | None) -> None:
    """Note those of these contacts who may have reached a goal by what changed; for None, look at everybody today.

    Called in the transaction in which the segments act on the change.
    """
    goals = versions_with_goals(session)
    if not goals:
        return
    if contact_ids is None:
        again = sa.update(JourneyWatch).where(JourneyWatch.place == ENTRANCE).values(goals_on=None)
        session.execute(again.execution_options(synchronize_session=False))
        return
    way = Enrolment
    inside = sa.select(way.contact_id).where(
        any_of(way.contact_id, sorted(contact_ids)),
        _is_of(goals),
        way.reached_at.is_(None),
        sa.or_(way.state == "active", ~way.is_rehearsal),
        way.entered_at > _oldest(session, goals),
    )
    found = sorted(set(session.scalars(inside)))
    rows = [
        {"organisation_id": session.organisation_id, "kind": "changed", "size": len(ids), "ids": ids}
        for ids in (found[at : at + NOTE_MAX] for at in range(0, len(found), NOTE_MAX))
    ]
    if rows:
        session.execute(sa.insert(JourneyNote), rows)


hear_of_changes(note_changed)


def note_late_goals(session: ScopedSession, notes: Notes) -> int:
    """Write down who of these notes reached a goal after their way had ended, in time; returns how many ways.

    The caller holds the journeys, and has let go of those who are inside.
    """
    goals = versions_with_goals(session)
    people = sorted(people_of(session, notes)) if goals else []
    if not people:
        return 0
    way = Enrolment
    ended = _ended(any_of(way.contact_id, people), _is_of(goals), way.entered_at > _oldest(session, goals))
    return _note_reached(session, session.execute(ended).all(), at=clock.now())


def look_at_goals(runtime: Runtime, organisation_id: int) -> int:
    """Look once a day, for every journey with a goal, who reached it because a day went by (a heartbeat).

    Returns how many did. Some thousands a transaction; a worker that is killed begins the journey again.
    """
    with transaction(runtime.engine, organisation_id) as session:
        today = clock.today(current_organisation(session).time_zone)
        due = _journeys_due(session, today)
    return sum(_look_at_journey(runtime, organisation_id, journey_id, today) for journey_id in due)


def _look_at_journey(runtime: Runtime, organisation_id: int, journey_id: int, today: date) -> int:
    reached, after = 0, 0
    with transaction(runtime.engine, organisation_id) as session:
        session.execute(_marked(journey_id, today - A_DAY))
    while True:
        with transaction(runtime.engine, organisation_id) as session:
            some, go_on = _look_at_some(session, journey_id, after)
            reached += some
            if go_on is None:
                # What was changed for everybody meanwhile took the mark away, and is looked at again.
                session.execute(_marked(journey_id, today).where(JourneyWatch.goals_on.is_not(None)))
                return reached
        after = go_on


def _marked(journey_id: int, day: date) -> sa.Update:
    watch = JourneyWatch
    entrance = sa.update(watch).where(watch.journey_id == journey_id, watch.place == ENTRANCE)
    return entrance.values(goals_on=day).execution_options(synchronize_session=False)


def _journeys_due(session: ScopedSession, today: date) -> Sequence[int]:
    watch, journey = JourneyWatch, Journey
    with_goals = sorted({journey_id for journey_id, _version in versions_with_goals(session)})
    waiting = sa.select(watch.journey_id).join(journey, journey.id == watch.journey_id)
    not_today = sa.or_(watch.goals_on.is_(None), watch.goals_on < today)
    return session.scalars(
        waiting.where(
            watch.place == ENTRANCE, not_today, journey.state.in_(("published", "paused")), journey.id.in_(with_goals)
        ).order_by(watch.journey_id)
    ).all()


def _look_at_some(session: ScopedSession, journey_id: int, after: int) -> tuple[int, int | None]:
    """Ask about the next ways of a journey behind ``after``; returns how many reached it, and where to go on."""
    session.execute(sa.select(Journey.id).where(Journey.id == journey_id).with_for_update(key_share=True))
    way = Enrolment
    goals = {one for one in versions_with_goals(session) if one[0] == journey_id}
    if not goals:
        return 0, None
    open_ways = sa.select(way.id, way.state).where(
        _is_of(goals), way.entered_at > _oldest(session, goals), way.id > after, *_TO_ASK
    )
    found = session.execute(open_ways.order_by(way.id).limit(PEOPLE_A_STEP)).all()
    left = look_again(session, [row.id for row in found if row.state == "active"])
    ended = _ended(any_of(way.id, [row.id for row in found if row.state != "active"]))
    late = _note_reached(session, session.execute(ended).all(), at=_day_began(session))
    return left + late, found[-1].id if len(found) == PEOPLE_A_STEP else None


def _is_of(goals: Collection[tuple[int, int]]) -> sa.ColumnElement[bool]:
    return sa.tuple_(Enrolment.journey_id, Enrolment.version).in_(sorted(goals))


def _oldest(session: ScopedSession, goals: Collection[tuple[int, int]]) -> datetime:
    """Before this, nobody entered who may still reach one of these goals in time."""
    withins = [goal.within for one in goals if (goal := route_of_version(session, *one).definition.goal) is not None]
    zone = ZoneInfo(current_organisation(session).time_zone)
    backs = (Span(-one.months, -one.days, -one.seconds).after(clock.now(), zone) for one in withins)
    return min(backs, default=clock.now()) - SLACK


def _ended(*which: sa.ColumnElement[bool]) -> sa.Select[*tuple[Any, ...]]:
    """The ways that ended before their goal was reached, held until the transaction ends, by id."""
    way = Enrolment
    columns = (
        way.id, way.contact_id, way.version, way.step_id, way.is_waiting, way.arrived_at, way.wake_at,
        way.participation_id, way.happened, way.is_held_out, way.is_rehearsal, way.entered_at,
    )  # fmt: skip
    query = sa.select(way.journey_id, *columns).where(way.state != "active", *_TO_ASK, *which)
    return query.order_by(way.id).with_for_update()


def _note_reached(session: ScopedSession, rows: Sequence[Any], *, at: datetime) -> int:
    by_version: dict[tuple[int, int], list[Walker]] = {}
    for journey_id, *rest in rows:
        walker = Walker(*rest)
        by_version.setdefault((journey_id, walker.version), []).append(walker)
    reached: list[int] = []
    for (journey_id, version), walkers in sorted(by_version.items()):
        done = goal_of(session, journey_id, version, walkers, at=at)
        reached += [one.id for one in walkers if one.contact_id in done]
    if reached:
        now = clock.now()
        noted = sa.update(Enrolment).where(any_of(Enrolment.id, sorted(reached)))
        session.execute(noted.values(reached_at=now, updated_at=now).execution_options(synchronize_session=False))
    return len(reached)


def _day_began(session: ScopedSession) -> datetime:
    """The last moment of yesterday: who was in time then still is, as what a day brings is looked for in its course."""
    zone = ZoneInfo(current_organisation(session).time_zone)
    return start_of(clock.now().astimezone(zone).date(), zone) - timedelta(microseconds=1)
