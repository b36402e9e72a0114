"""Letting in who is in the segment already when a journey is published, where the marketer asks for it."""

from __future__ import annotations

import sqlalchemy as sa

from app.db import ScopedSession
from app.journeys.definition import OnSegment
from app.journeys.entering.models import JourneyArrival, JourneyWatch
from app.journeys.entering.watches import ENTRANCE, RUNNING, watches
from app.journeys.models import Journey
from app.journeys.problems import JourneyMissingError, JourneyStateError


def let_in_existing(session: ScopedSession, journey_id: int, *, per_day: int | None = None) -> bool:
    """Begin to let in everybody who was in the segment when the journey was published and still is.

    The heartbeat does it, some thousands at a time, at most ``per_day`` of them on one local date (all at once where
    not said), and stops while the journey is paused. Each of them enters as if
    they entered the segment now: by the rules of the journey, and once. Returns whether there is anything to do: only a
    journey that people enter by entering a segment has people already in it. Raises JourneyMissingError, or
    JourneyStateError for one that does not run.
    """
    journey = session.scalars(
        sa.select(Journey).where(Journey.id == journey_id).with_for_update(key_share=True)
    ).one_or_none()
    if journey is None:
        raise JourneyMissingError(journey_id)
    if journey.state not in RUNNING:
        raise JourneyStateError(journey_id, journey.state)
    session.flush()
    for watching in watches(session, journey_id=journey_id):
        if watching.is_entrance:
            has_existing = isinstance(watching.trigger, OnSegment) and watching.trigger.on == "enter"
            watching.row.existing_after = 0 if has_existing else None
            watching.row.existing_per_day = per_day
            session.flush()
            return has_existing
    return False


def waiting_at_entrance(session: ScopedSession, journey_id: int) -> int:
    """How many are about to enter: those who arrived while the journey was paused, or since the last heartbeat."""
    arrival = JourneyArrival
    counted = sa.select(sa.func.count()).where(arrival.journey_id == journey_id, arrival.place == ENTRANCE)
    return session.scalar(counted) or 0


def problem_at_entrance(session: ScopedSession, journey_id: int) -> str | None:
    """A code of what was missed at the entrance: ``changes_forgotten``, or None."""
    return session.scalar(
        sa.select(JourneyWatch.problem).where(JourneyWatch.journey_id == journey_id, JourneyWatch.place == ENTRANCE)
    )
