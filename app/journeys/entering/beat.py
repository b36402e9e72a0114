"""The heartbeat of entering: every other second a look, and work only where something happened or is due.

1. *hear*: what was noted, what segments fed and what became due is made into arrivals, for every running journey
2. *admit*: who arrived is let in, or turned away and counted

Each is a transaction that may be cut off anywhere. At most one worker hears for an organisation at a time, because it
holds the journeys; another finds them taken and comes back.
"""

from __future__ import annotations

import sqlalchemy as sa
import structlog

from app import clock
from app.db import ScopedSession, transaction
from app.journeys.entering.admitting import RULE_FAILED, admit, note_problem, waiting_journeys
from app.journeys.entering.by_contract import record_bookings
from app.journeys.entering.goals import note_late_goals
from app.journeys.entering.hearing import House, has_more, hear, house_of
from app.journeys.entering.inside import tell_people_inside
from app.journeys.entering.models import NOW
from app.journeys.entering.notes import Notes, take_notes
from app.journeys.entering.watches import Watching, hold_journeys, watches
from app.runtime import Runtime
from app.segments.problems import SegmentError

log = structlog.get_logger()

# So that a flood cannot keep one organisation's turn for ever.
STEPS_A_BEAT = 200
HEARING_FAILED = "hearing_failed"
# How often the clock alone is a reason to look. Nobody plans a journey to the second.
A_LOOK = "interval '30 seconds'"

LOOK = f"""
SELECT EXISTS (SELECT FROM journey_note AS n WHERE n.organisation_id = o.id)
       OR EXISTS (
          SELECT FROM journey_watch AS w
            JOIN journey_arrival AS a
              ON a.organisation_id = w.organisation_id AND a.journey_id = w.journey_id AND a.place = w.place
           WHERE w.organisation_id = o.id AND w.place <> '')
       OR EXISTS (
          SELECT FROM journey AS j
            LEFT JOIN journey_watch AS w ON w.organisation_id = j.organisation_id AND w.journey_id = j.id
            LEFT JOIN segment_upkeep AS u ON u.organisation_id = j.organisation_id
           WHERE j.organisation_id = o.id AND j.state IN ('published', 'paused')
             AND (w.journey_id IS NULL OR (w.place = '' AND w.version <> j.version) OR w.position < u.position
                  OR w.looked_at < {NOW} - {A_LOOK} OR (w.existing_after IS NOT NULL AND j.state = 'published'
                      AND (w.existing_per_day IS NULL OR w.existing_today < w.existing_per_day
                           OR w.existing_on < CAST({NOW} AT TIME ZONE o.time_zone AS date)))))
       AS has_something_to_hear
  FROM organisation AS o
 WHERE o.id = :organisation_id
"""


def let_people_in(runtime: Runtime, organisation_id: int) -> int:
    """Hear what happened and let in who may enter, for one organisation; returns how many entered (a heartbeat)."""
    with transaction(runtime.engine, organisation_id) as session:
        is_something = session.scalar(sa.text(LOOK), {"organisation_id": organisation_id})
        waiting = waiting_journeys(session)
    if is_something:
        _hear_all(runtime, organisation_id)
        with transaction(runtime.engine, organisation_id) as session:
            waiting = waiting_journeys(session)
    return sum(_admit_all(runtime, organisation_id, journey_id) for journey_id in waiting)


def hear_some(session: ScopedSession) -> bool:
    """Hear some of what happened; returns whether there is more. Takes the journeys, or leaves it to who has them."""
    if not hold_journeys(session):
        return False
    watched, house, notes = watches(session), house_of(session), take_notes(session)
    if notes:
        tell_people_inside(session, notes)
        note_late_goals(session, notes)
    for watching in watched:
        _hear_one(house, watching, notes)
    session.flush()
    return bool(notes) or any(has_more(session, watching) for watching in watched)


def _hear_one(house: House, watching: Watching, notes: Notes) -> None:
    """Hear for one watch. What no program foresaw in somebody's data is said at that journey, and stops no other."""
    session, row = house.session, watching.row
    try:
        with session.begin_nested():
            hear(house, watching, notes)
    except (ArithmeticError, ValueError, sa.exc.DataError) as problem:
        log.exception("a trigger failed", journey_id=row.journey_id, place=row.place, error=type(problem).__name__)
        session.refresh(row)
        row.problem, row.problem_at, row.looked_at = HEARING_FAILED, clock.now(), max(row.looked_at, clock.now())


def _hear_all(runtime: Runtime, organisation_id: int) -> None:
    for _ in range(STEPS_A_BEAT):
        with transaction(runtime.engine, organisation_id) as session:
            is_more = hear_some(session)
        if not is_more:
            return


def _admit_all(runtime: Runtime, organisation_id: int, journey_id: int) -> int:
    entered, after = 0, 0
    for _ in range(STEPS_A_BEAT):
        with transaction(runtime.engine, organisation_id) as session:
            if not record_bookings(session, runtime.keyring, journey_id):
                break
    for _ in range(STEPS_A_BEAT):
        try:
            with transaction(runtime.engine, organisation_id) as session:
                some, go_on = admit(session, journey_id, after=after)
                note_problem(session, journey_id, None)
        except SegmentError as problem:
            # Who arrived waits until the rule can be worked out again; the other journeys go on.
            log.warning("rule of a journey failed", journey_id=journey_id, error=type(problem).__name__)
            with transaction(runtime.engine, organisation_id) as session:
                note_problem(session, journey_id, RULE_FAILED)
            break
        entered += some
        if go_on is None:
            break
        after = go_on
    return entered
