"""What a journey brought about: who passed through it against who was held out, by version and by step.

Everybody counts once, from the first time they entered, on the side they are on. The held-out walk every step and get
nothing, so the goal is looked for among both in the same way. A journey goes on while somebody looks, so what is said
to be proven holds however often that is (``proof``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.accounts.organisations import current_organisation
from app.db import ScopedSession
from app.journeys.models import Journey, JourneyVersion
from app.journeys.spans import Span
from app.mailings.effect.comparison import Comparison, compared
from app.mailings.effect.people_sql import BOUGHT, SIDES
from app.mailings.effect.proof import Side
from app.mailings.effect.results import sides_of

DAYS = 30

_SUBJECT = """
subject AS (
    SELECT DISTINCT ON (way.contact_id) way.contact_id AS person_id, way.is_held_out, way.entered_at AS since,
           (way.entered_at AT TIME ZONE :time_zone + make_interval(days => :days)) AT TIME ZONE :time_zone AS until
      FROM enrolment AS way
     WHERE way.organisation_id = :organisation_id AND way.journey_id = :journey_id AND NOT way.is_rehearsal
       AND (CAST(:version AS integer) IS NULL OR way.version = :version)
     ORDER BY way.contact_id, way.entered_at
)
"""
_BOOKED = f"WITH {_SUBJECT}, {SIDES}"

_REACHED = f"""
WITH {_SUBJECT}, reached AS (
    SELECT DISTINCT way.contact_id FROM enrolment AS way
     WHERE way.organisation_id = :organisation_id AND way.journey_id = :journey_id AND NOT way.is_rehearsal
       AND way.reached_at IS NOT NULL AND (CAST(:version AS integer) IS NULL OR way.version = :version)
), home AS (
    SELECT subject.is_held_out, count(*) AS m, count(reached.contact_id) AS y, CAST(0 AS double precision) AS r
      FROM subject
      JOIN contact ON contact.organisation_id = :organisation_id AND contact.id = subject.person_id
      LEFT JOIN reached ON reached.contact_id = subject.person_id
     GROUP BY subject.is_held_out, coalesce('h' || contact.like_address, 'c' || contact.id)
)
SELECT is_held_out, count(*) AS households, sum(m) AS people, sum(y) AS hits, sum(m * m) AS mm, sum(m * y) AS my,
       sum(y * y) AS yy, sum(r) AS amount, sum(r * r) AS rr, sum(m * r) AS mr
  FROM home GROUP BY is_held_out
"""

# A booking counts for the last mail of the journey that came before it.
_STEPS = f"""
WITH sent AS MATERIALIZED (
    SELECT delivery.id, delivery.mailing_id, delivery.step_id, delivery.state, delivery.handed_over_at AS got_at,
           delivery.came_back,
           way.contact_id, way.contact_id AS person_id, '' AS variant, coalesce(delivery.language, '') AS language
      FROM enrolment AS way
      JOIN delivery ON delivery.organisation_id = :organisation_id AND delivery.enrolment_id = way.id
     WHERE way.organisation_id = :organisation_id AND way.journey_id = :journey_id AND NOT way.is_rehearsal
       AND delivery.state <> 'draft' AND (CAST(:version AS integer) IS NULL OR way.version = :version)
), back AS MATERIALIZED (
    SELECT id AS delivery_id FROM sent WHERE came_back <> 'complained'
), clicked AS MATERIALIZED (
    SELECT DISTINCT event.delivery_id FROM mail_event AS event JOIN sent ON sent.id = event.delivery_id
     WHERE event.organisation_id = :organisation_id AND event.event = 'clicked' AND NOT event.is_machine
), got AS MATERIALIZED (
    SELECT sent.* FROM sent LEFT JOIN back ON back.delivery_id = sent.id
     WHERE back.delivery_id IS NULL AND sent.state IN ('handed_over', 'accepted', 'uncertain')
), {BOUGHT}, earned AS (
    SELECT step_id, count(DISTINCT person_id) AS booked, CAST(sum(amount) AS double precision) AS amount
      FROM bought GROUP BY step_id
)
SELECT sent.step_id, min(mailing.name) AS mailing, min(sent.mailing_id) AS mailing_id, count(*) AS planned,
       count(*) FILTER (WHERE sent.got_at IS NOT NULL) AS handed_over,
       count(*) FILTER (WHERE sent.state = 'accepted') AS accepted, count(back.delivery_id) AS bounced,
       count(clicked.delivery_id) AS clicked, coalesce(min(earned.booked), 0) AS booked,
       coalesce(min(earned.amount), 0) AS amount
  FROM sent
  LEFT JOIN mailing ON mailing.organisation_id = :organisation_id AND mailing.id = sent.mailing_id
  LEFT JOIN back ON back.delivery_id = sent.id
  LEFT JOIN clicked ON clicked.delivery_id = sent.id
  LEFT JOIN earned ON earned.step_id = sent.step_id
 GROUP BY sent.step_id ORDER BY min(sent.id)
"""

_VERSIONS = """
SELECT way.version, count(DISTINCT way.contact_id) AS people,
       count(DISTINCT way.contact_id) FILTER (WHERE way.is_held_out) AS held_out,
       count(DISTINCT way.contact_id) FILTER (WHERE way.reached_at IS NOT NULL) AS reached
  FROM enrolment AS way
 WHERE way.organisation_id = :organisation_id AND way.journey_id = :journey_id AND NOT way.is_rehearsal
 GROUP BY way.version ORDER BY way.version DESC
"""


@dataclass(frozen=True, slots=True)
class StepEffect:
    """One mail of the journey: how many went, and what was booked before the next one came."""

    step_id: str
    mailing: str
    mailing_id: int
    planned: int
    handed_over: int
    accepted: int
    bounced: int
    clicked: int
    booked: int
    amount: float


@dataclass(frozen=True, slots=True)
class VersionEffect:
    """Who entered on one version, and how many of them reached the goal."""

    version: int
    people: int
    held_out: int
    reached: int


@dataclass(frozen=True, slots=True)
class JourneyEffect:
    """What a journey brought about within ``days`` days of entering. ``goal`` None: the journey has none."""

    journey_id: int
    version: int | None
    days: int
    goal: Comparison | None
    bookings: Comparison
    steps: tuple[StepEffect, ...]
    versions: tuple[VersionEffect, ...]

    @property
    def best(self) -> Comparison:
        """What the journey is judged by: its goal, or bookings where it has none."""
        return self.goal or self.bookings


def journey_effect(
    session: ScopedSession, journey_id: int, *, at: datetime, version: int | None = None, days: int | None = None
) -> JourneyEffect | None:
    """Measure a journey (one version of it) as it stands at ``at``; None where there is no such journey.

    ``days``: within how many days of entering bookings count; the time the goal gives where not said, else thirty.
    """
    journey = session.get(Journey, (session.organisation_id, journey_id))
    if journey is None:
        return None
    goal = _goal(session, journey, version)
    asked = _asked(session, journey_id, version=version, days=days or _days_of(goal), at=at)
    return JourneyEffect(
        journey_id,
        version,
        asked["days"],
        _compared(session, _REACHED, asked) if goal else None,
        _compared(session, _BOOKED, asked),
        steps=tuple(
            StepEffect(
                row.step_id,
                row.mailing or row.step_id,
                row.mailing_id,
                row.planned,
                row.handed_over,
                row.accepted,
                row.bounced,
                row.clicked,
                row.booked,
                round(row.amount, 2),
            )
            for row in session.execute(sa.text(_STEPS), asked)
        ),
        versions=tuple(
            VersionEffect(row.version, row.people, row.held_out, row.reached)
            for row in session.execute(sa.text(_VERSIONS), asked)
        ),
    )


def _compared(session: ScopedSession, statement: str, asked: Mapping[str, Any]) -> Comparison:
    sides = sides_of(session, statement, asked)
    return compared(sides.get(False, Side()), sides.get(True, Side()), is_watched=True)


def _goal(session: ScopedSession, journey: Journey, version: int | None) -> Mapping[str, Any] | None:
    """The goal of a version (the newest published where none is named), as it was published."""
    wanted = version if version is not None else journey.version
    if wanted is None:
        return None
    published = session.get(JourneyVersion, (session.organisation_id, journey.id, wanted))
    goal = published.definition.get("goal") if published else None
    return goal if isinstance(goal, Mapping) else None


def _days_of(goal: Mapping[str, Any] | None) -> int:
    if goal is None:
        return DAYS
    start = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC"))
    within = Span.parse(str(goal.get("within", f"P{DAYS}D"))).after(start, ZoneInfo("UTC")) - start
    return max(1, -(-int(within.total_seconds()) // 86_400))


def _asked(session: ScopedSession, journey_id: int, *, version: int | None, days: int, at: datetime) -> dict[str, Any]:
    own = {"organisation_id": session.organisation_id, "journey_id": journey_id}
    first: Any = session.scalar(
        sa.text(
            "SELECT min(entered_on) FROM enrolment"
            " WHERE organisation_id = :organisation_id AND journey_id = :journey_id AND NOT is_rehearsal"
        ),
        own,
    )
    return own | {
        "version": version,
        "days": days,
        "now": at,
        "time_zone": current_organisation(session).time_zone,
        "first_on": first or at.date(),
        "last_on": (at + timedelta(days=1)).date(),
    }
