"""The heartbeat of journeys: who is due is moved, journey by journey, in batches of one transaction each.

A batch holds its people (``FOR UPDATE SKIP LOCKED``) until its commit, so any number of workers share them and nobody
is moved twice; a worker that is killed anywhere leaves everything as it was before its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog

from app import clock
from app.accounts.organisations import current_organisation
from app.db import ScopedSession, transaction
from app.journeys.entering.by_contract import brings_permission
from app.journeys.models import Journey
from app.journeys.moving.deeds import Deeds
from app.journeys.moving.walkers import Walker, claim_due, set_down
from app.journeys.moving.walking import Ground, walk
from app.journeys.uses import let_go_of_unused
from app.journeys.versions import route_of_version
from app.runtime import Runtime

BATCH = 5_000
BATCHES_PER_BEAT = 40

# In a journey that was never published, only rehearsals walk.
log = structlog.get_logger()

RUNNING = ("published", "draft")

# Reads two places of an index for each journey that runs, however many people sleep in it.
_DUE = sa.text(
    "SELECT journey.id FROM journey"
    " WHERE journey.organisation_id = :organisation_id AND journey.state IN ('published', 'draft')"
    " AND EXISTS (SELECT FROM enrolment WHERE enrolment.organisation_id = journey.organisation_id"
    " AND enrolment.journey_id = journey.id AND enrolment.state = 'active' AND enrolment.wake_at <= :now)"
    " ORDER BY journey.id"
)


def move_due(runtime: Runtime, organisation_id: int, *, limit: int = BATCH) -> int:
    """Move everybody of a house who is due in a running journey; returns how many turns that took."""
    moved = 0
    for _ in range(BATCHES_PER_BEAT):
        with transaction(runtime.engine, organisation_id) as session:
            due = journeys_with_due(session)
        if not due:
            break
        before = moved
        for journey_id in due:
            try:
                with transaction(runtime.engine, organisation_id) as session:
                    moved += move_batch(session, runtime, journey_id, limit=limit)
            except Exception as problem:
                # What is wrong with one journey is no reason for the others to stand still.
                log.exception("journey stands still", journey_id=journey_id, error=type(problem).__name__)
        if moved == before:
            break
    return moved


def let_go(runtime: Runtime, organisation_id: int) -> int:
    """Let go of segments, mailings and audiences that only versions worked with on which nobody walks any more."""
    with transaction(runtime.engine, organisation_id) as session:
        return let_go_of_unused(session)


def journeys_with_due(session: ScopedSession) -> Sequence[int]:
    """The running journeys in which somebody is due now."""
    given = {"organisation_id": session.organisation_id, "now": clock.now()}
    return session.scalars(_DUE, given).all()


def move_batch(session: ScopedSession, runtime: Runtime, journey_id: int, *, limit: int = BATCH) -> int:
    """Claim at most ``limit`` due people of a journey and take them as far as they come; returns how many.

    Everything that happens to them is one transaction: the caller commits it, or nothing of it happened.
    """
    at, house = clock.now(), current_organisation(session)
    zone = ZoneInfo(house.time_zone)
    # Held until the commit, so that a journey that is paused has nobody moving any more.
    state = sa.select(Journey.state).where(Journey.id == journey_id).with_for_update(read=True, key_share=True)
    if session.scalar(state) not in RUNNING:
        return 0
    walkers = claim_due(session, journey_id, at=at, limit=limit)
    for version, group in groupby(sorted(walkers, key=_version), key=_version):
        route = route_of_version(session, journey_id, version)
        definition = route.definition
        brings = brings_permission(session, definition)
        deeds = Deeds(runtime.keyring, journey_id, definition.purpose, definition.quiet, zone, brings)
        walk(Ground(session, journey_id, version, route, at, zone, deeds), list(group))
    set_down(session, walkers, at=at, today=clock.today(house.time_zone))
    return len(walkers)


def _version(walker: Walker) -> int:
    return walker.version
