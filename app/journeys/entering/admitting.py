"""Letting in who arrived: a thousand a transaction, journey by journey, and nobody while the journey is paused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from app import clock
from app.db import ScopedSession, array_text
from app.journeys import definition as nodes
from app.journeys.entering.arrivals import count_turned_away
from app.journeys.entering.enrolling import enrol
from app.journeys.entering.models import JourneyArrival, JourneyWatch
from app.journeys.entering.occurrences import Occurrence
from app.journeys.entering.watches import ENTRANCE, read_definition
from app.journeys.models import Journey, JourneyVersion
from app.segments.models import SegmentMembership

PEOPLE_A_STEP = 1_000
RULE_FAILED = "rule_failed"
# Whoever waited longer did so because the journey was paused, or nobody worked.
AT_ONCE = timedelta(hours=1)


def waiting_journeys(session: ScopedSession) -> list[int]:
    """The journeys that take people in now and at whose entrance somebody waits."""
    arrival = JourneyArrival
    waiting = sa.exists().where(
        arrival.organisation_id == Journey.organisation_id, arrival.journey_id == Journey.id, arrival.place == ENTRANCE
    )
    open_now = sa.select(Journey.id).where(Journey.state == "published", waiting)
    return list(session.scalars(open_now.order_by(Journey.id)))


def admit(session: ScopedSession, journey_id: int, *, after: int = 0) -> tuple[int, int | None]:
    """Let in, or turn away, the next of those who arrived at a journey, by contact, behind ``after``.

    Returns how many entered, and the contact to go on behind; None once nobody is left. Holds the journey. Somebody
    whom somebody else is changing stays where they are.
    """
    journey = session.scalars(
        sa.select(Journey)
        .where(Journey.id == journey_id, Journey.state == "published")
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if journey is None or journey.version is None:
        return 0, None
    waiting = _next(session, journey_id, after)
    version = session.get(JourneyVersion, (session.organisation_id, journey_id, journey.version))
    if not waiting or version is None:
        return 0, None
    definition = read_definition(version.definition)
    now, refused = clock.now(), Counter[str]()
    timely = [one for one in waiting if one.until >= now]
    refused["too_old"] = len(waiting) - len(timely)
    still = _still_there(session, definition.trigger, timely)
    refused["left_meanwhile"] = len(timely) - len(still)
    done = enrol(session, journey_id, journey.version, definition, still)
    count_turned_away(session, journey_id, refused + done.refused)
    kept = {(one.contact_id, one.name) for one in done.later}
    _forget(session, journey_id, [one for one in waiting if (one.contact_id, one.name) not in kept])
    return done.entered, waiting[-1].contact_id if len(waiting) >= PEOPLE_A_STEP else None


def note_problem(session: ScopedSession, journey_id: int, problem: str | None) -> None:
    """Say at the entrance that the rule of the journey cannot be worked out, or that it can again."""
    watch = JourneyWatch
    here = sa.update(watch).where(watch.journey_id == journey_id, watch.place == ENTRANCE)
    if problem is None:
        said = here.where(watch.problem == RULE_FAILED).values(problem=None, problem_at=None)
    else:
        is_new = watch.problem.is_distinct_from(problem)
        said = here.where(is_new).values(problem=problem, problem_at=clock.now())
    session.execute(said.execution_options(synchronize_session=False))


def _next(session: ScopedSession, journey_id: int, after: int) -> list[Occurrence]:
    """The next arrivals by contact; all of the last contact, so that one person is judged in one go."""
    a = JourneyArrival
    columns = (a.contact_id, a.occurrence, a.occurred_at, a.until, a.participation_id)
    theirs = sa.select(*columns).where(a.journey_id == journey_id, a.place == ENTRANCE, a.contact_id > after)
    in_order = theirs.order_by(a.contact_id, a.occurrence)
    rows = list(session.execute(in_order.limit(PEOPLE_A_STEP)))
    if len(rows) == PEOPLE_A_STEP:
        rest = theirs.where(a.contact_id == rows[-1].contact_id, a.occurrence > rows[-1].occurrence)
        rows += session.execute(rest)
    # The first thing that happened to somebody is what lets them in.
    rows.sort(key=lambda row: (row.contact_id, row.occurred_at, row.occurrence))
    return [Occurrence(*row) for row in rows]


def _still_there(session: ScopedSession, trigger: nodes.Trigger, rows: Sequence[Occurrence]) -> list[Occurrence]:
    """Without those who entered a segment and left it while the journey was paused: it is not about them any more."""
    if not isinstance(trigger, nodes.OnSegment) or trigger.on != "enter":
        return list(rows)
    old = clock.now() - AT_ONCE
    waited = [one.contact_id for one in rows if one.at < old]
    member = SegmentMembership
    inside = set(
        session.scalars(
            sa.select(member.contact_id).where(
                member.segment_id == trigger.segment_id,
                member.left_at.is_(None),
                member.contact_id == sa.any_(sa.literal(waited, sa.ARRAY(sa.BigInteger))),
            )
        )
        if waited
        else ()
    )
    return [one for one in rows if one.at >= old or one.contact_id in inside]


_FORGET = """
DELETE FROM journey_arrival AS a
 USING unnest(CAST(:contact_ids AS bigint[]), CAST(:names AS text[])) AS done(contact_id, occurrence)
 WHERE a.organisation_id = :organisation_id AND a.journey_id = :journey_id AND a.place = :place
   AND a.contact_id = done.contact_id AND a.occurrence = done.occurrence
"""


def _forget(session: ScopedSession, journey_id: int, rows: Sequence[Occurrence], *, place: str = ENTRANCE) -> None:
    session.execute(
        sa.text(_FORGET),
        {
            "organisation_id": session.organisation_id,
            "journey_id": journey_id,
            "place": place,
            "contact_ids": array_text(row.contact_id for row in rows),
            "names": array_text(row.name for row in rows),
        },
    )
