"""What happened is told to whoever waits for it at a step: once, and to nobody who began to wait later.

A way through a journey may come to the step in a transaction that is not visible yet when we hear what happened. So
what concerns somebody inside is kept for a while, and looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from app import clock
from app.db import ScopedSession
from app.journeys.entering.arrivals import arrive
from app.journeys.entering.models import JourneyArrival
from app.journeys.entering.occurrences import Occurrence
from app.journeys.entering.watches import Watching
from app.journeys.models import Enrolment

# Longer than any transaction of the engine.
LOOKED_AT_AGAIN_FOR = timedelta(minutes=10)

# One occurrence for each way: the first. The way is held before it is asked whether it still waits, because the engine
# may be moving it at this moment. What let somebody in is not what they then wait for.
_TELL = """
WITH theirs AS (
    SELECT e.id, min(a.occurred_at) AS occurred_at
      FROM journey_arrival AS a
      JOIN enrolment AS e
        ON e.organisation_id = a.organisation_id AND e.journey_id = a.journey_id AND e.contact_id = a.contact_id
     WHERE a.organisation_id = :organisation_id AND a.journey_id = :journey_id AND a.place = :place
       AND e.version = :version AND e.step_id = :step_id AND e.state = 'active' AND e.is_waiting
       AND e.happened IS NULL AND e.arrived_at <= a.occurred_at AND e.occurrence <> a.occurrence
     GROUP BY e.id
), held AS MATERIALIZED (
    SELECT e.id FROM enrolment AS e
     WHERE e.organisation_id = :organisation_id AND e.id IN (SELECT id FROM theirs) ORDER BY e.id FOR UPDATE
)
UPDATE enrolment AS e
   SET happened = a.occurrence, wake_at = :now, updated_at = :now
  FROM held JOIN theirs USING (id), journey_arrival AS a
 WHERE e.organisation_id = :organisation_id AND e.id = held.id AND e.state = 'active' AND e.is_waiting
   AND e.step_id = :step_id AND e.version = :version AND e.happened IS NULL
   AND a.organisation_id = :organisation_id AND a.journey_id = :journey_id AND a.place = :place
   AND a.contact_id = e.contact_id AND a.occurred_at = theirs.occurred_at AND a.occurrence <> e.occurrence
RETURNING e.contact_id
"""


def tell_who_waits(session: ScopedSession, watching: Watching, occurrences: Iterable[Occurrence]) -> int:
    """Wake whoever waits at the step for one of these; returns how many. The caller holds the journeys."""
    heard = list(occurrences)
    inside = _inside(session, watching, {one.contact_id for one in heard})
    until = clock.now() + LOOKED_AT_AGAIN_FOR
    arrive(session, watching, (replace(one, until=until) for one in heard if one.contact_id in inside))
    told = session.scalars(
        sa.text(_TELL),
        {
            "organisation_id": session.organisation_id,
            "journey_id": watching.row.journey_id,
            "place": watching.row.place,
            "version": watching.row.version,
            "step_id": watching.step_id,
            "now": clock.now(),
        },
    ).all()
    _forget(session, watching, told)
    return len(told)


def _inside(session: ScopedSession, watching: Watching, contact_ids: Iterable[int]) -> frozenset[int]:
    """Those of these contacts who are under way on the version of the watch."""
    if not (wanted := sorted(contact_ids)):
        return frozenset()
    way, row = Enrolment, watching.row
    inside = sa.select(way.contact_id).where(
        way.journey_id == row.journey_id,
        way.version == row.version,
        way.state == "active",
        way.contact_id == sa.any_(sa.literal(wanted, sa.ARRAY(sa.BigInteger))),
    )
    return frozenset(session.scalars(inside))


def _forget(session: ScopedSession, watching: Watching, told: Iterable[int]) -> None:
    arrival, row = JourneyArrival, watching.row
    done = sa.or_(arrival.until < clock.now(), arrival.contact_id.in_(list(told)))
    here = (arrival.journey_id == row.journey_id, arrival.place == row.place)
    session.execute(sa.delete(arrival).where(*here, done).execution_options(synchronize_session=False))
