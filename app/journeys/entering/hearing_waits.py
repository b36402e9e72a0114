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
from app.journeys.moving.arrivals import Happening, arrived

# Longer than any transaction of the engine.
LOOKED_AT_AGAIN_FOR = timedelta(minutes=10)

# The ways are held, because the engine may be moving them at this moment. What let somebody in is not what they then
# wait for.
_WAITING = """
SELECT e.id, a.contact_id, a.occurrence, a.occurred_at, a.participation_id
  FROM journey_arrival AS a
  JOIN enrolment AS e
    ON e.organisation_id = a.organisation_id AND e.journey_id = a.journey_id AND e.contact_id = a.contact_id
 WHERE a.organisation_id = :organisation_id AND a.journey_id = :journey_id AND a.place = :place
   AND e.version = :version AND e.step_id = :step_id AND e.state = 'active' AND e.is_waiting AND e.happened IS NULL
   AND e.arrived_at <= a.occurred_at AND e.occurrence <> a.occurrence
 ORDER BY e.id, a.occurred_at, a.occurrence
   FOR UPDATE OF e
"""


def tell_who_waits(session: ScopedSession, watching: Watching, occurrences: Iterable[Occurrence]) -> int:
    """Wake whoever waits at the step for one of these, by the first; returns how many. The caller holds journeys."""
    heard = list(occurrences)
    inside = _inside(session, watching, {one.contact_id for one in heard})
    until = clock.now() + LOOKED_AT_AGAIN_FOR
    arrive(session, watching, (replace(one, until=until) for one in heard if one.contact_id in inside))
    row, told = watching.row, dict[int, Happening]()
    given = {"organisation_id": session.organisation_id, "journey_id": row.journey_id, "place": row.place}
    people = session.execute(sa.text(_WAITING), given | {"version": row.version, "step_id": watching.step_id}).all()
    for one in people:
        happening = Happening(one.id, watching.step_id, one.occurrence, one.occurred_at, one.participation_id)
        told.setdefault(one.id, happening)
    woken = arrived(session, list(told.values()))
    _forget(session, watching, {one.contact_id for one in people})
    return woken


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
