"""What every running journey watches for: its trigger, and the steps at which somebody waits for something to happen.

A watch begins when its version is published. Another version with the same trigger goes on where the one before was;
with another trigger it begins anew, so that nobody enters for what happened before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app import clock
from app.accounts.organisations import current_organisation
from app.db import ScopedSession
from app.journeys import definition as nodes
from app.journeys.entering.models import JourneyArrival, JourneyWatch
from app.journeys.models import Enrolment, Journey, JourneyVersion
from app.journeys.schemas import parse_definition
from app.segments.models import SegmentChange, SegmentUpkeep

ENTRANCE = ""
RUNNING = ("published", "paused")
STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Watching:
    """A watch with what it is for. ``is_open``: the journey takes people in now; one that is paused only remembers."""

    row: JourneyWatch
    trigger: nodes.Trigger
    definition: nodes.Definition
    is_open: bool

    @property
    def is_entrance(self) -> bool:
        """Whether this is the trigger of the journey, not a step that waits."""
        return self.row.place == ENTRANCE

    @property
    def step_id(self) -> str:
        """The step that waits; empty for the entrance."""
        return self.row.place.partition(":")[2]


@dataclass(frozen=True, slots=True)
class _Wanted:
    journey_id: int
    version: int
    place: str
    trigger: nodes.Trigger
    definition: nodes.Definition
    is_open: bool
    since: datetime

    @property
    def key(self) -> tuple[int, str]:
        return self.journey_id, self.place

    @property
    def fingerprint(self) -> str:
        # What triggers could not say before is left out where it says the same: their watches go on where they were.
        said = repr(self.trigger).replace(", who='attendee'", "")
        return hashlib.sha256(said.encode()).hexdigest()[:32]


def read_definition(data: Any) -> nodes.Definition:
    """A stored definition as nodes. Versions never change, so each is read once."""
    return _read(json.dumps(data, sort_keys=True))


@lru_cache(maxsize=256)
def _read(text: str) -> nodes.Definition:
    return parse_definition(json.loads(text))


def hold_journeys(session: ScopedSession) -> bool:
    """Keep every running journey as it is until the transaction ends; False where somebody has one at this moment.

    So nobody publishes, pauses or lets people in meanwhile, and two workers never act on the same notes.
    """
    journey = Journey
    running = sa.select(sa.func.count()).where(journey.state.in_(RUNNING))
    held = sa.select(journey.id).where(journey.state.in_(RUNNING)).order_by(journey.id)
    got = session.scalars(held.with_for_update(skip_locked=True, key_share=True)).all()
    return len(got) == session.scalar(running)


def watches(session: ScopedSession, *, journey_id: int | None = None) -> list[Watching]:
    """Everything that is watched for now (by one journey), with watches made, renewed and stopped as journeys changed.

    The caller holds the journeys (that journey).
    """
    wanted = {one.key: one for one in _wanted(session) if journey_id in (None, one.journey_id)}
    every = session.scalars(sa.select(JourneyWatch).execution_options(populate_existing=True))
    rows = {(row.journey_id, row.place): row for row in every if journey_id in (None, row.journey_id)}
    for key in rows.keys() - wanted.keys():
        _stop(session, rows.pop(key))
    for key, one in wanted.items():
        row = rows.get(key)
        if row is None or row.fingerprint != one.fingerprint:
            rows[key] = _begun(session, one, row)
        elif row.version != one.version:
            row.version = one.version
    session.flush()
    return [
        Watching(rows[key], wanted[key].trigger, wanted[key].definition, wanted[key].is_open) for key in sorted(wanted)
    ]


def _wanted(session: ScopedSession) -> Iterator[_Wanted]:
    journey, version = Journey, JourneyVersion
    entrances = session.execute(
        sa.select(journey.state, version)
        .join(version, sa.and_(version.journey_id == journey.id, version.version == journey.version))
        .where(journey.state.in_(RUNNING))
    )
    for state, row in entrances:
        definition = read_definition(row.definition)
        is_open = state == "published"
        yield _Wanted(row.journey_id, row.version, ENTRANCE, definition.trigger, definition, is_open, row.published_at)
    for state, row in session.execute(_with_people_inside()):
        definition = read_definition(row.definition)
        for step in _waiting(definition):
            place = f"{row.version}:{step.id}"
            is_open = state != "paused"
            yield _Wanted(row.journey_id, row.version, place, step.trigger, definition, is_open, row.published_at)


def _waiting(definition: nodes.Definition) -> Iterable[nodes.WaitFor]:
    return (step for step in nodes.all_steps(definition.steps) if isinstance(step, nodes.WaitFor))


def _with_people_inside() -> sa.Select[Any, Any]:
    """The versions on which somebody is still under way, also those that nobody enters any more."""
    journey, version, enrolment = Journey, JourneyVersion, Enrolment
    inside = sa.exists().where(
        enrolment.organisation_id == version.organisation_id,
        enrolment.journey_id == version.journey_id,
        enrolment.version == version.version,
        enrolment.state == "active",
    )
    joined = sa.select(journey.state, version).join(version, version.journey_id == journey.id)
    # Most journeys wait for nothing, and whether they do is seen without reading them as nodes.
    return joined.where(inside, sa.cast(version.definition, sa.Text).contains('"wait_for"'))


def _begun(session: ScopedSession, wanted: _Wanted, row: JourneyWatch | None) -> JourneyWatch:
    """A watch that begins with the version; a journey that comes back from the archive begins today."""
    zone = ZoneInfo(current_organisation(session).time_zone)
    since = _published_at(session, wanted) if row is None else wanted.since
    if row is not None and row.fingerprint == STOPPED:
        since = clock.now()
    row = row or JourneyWatch(organisation_id=session.organisation_id, journey_id=wanted.journey_id, place=wanted.place)
    row.version, row.fingerprint, row.since = wanted.version, wanted.fingerprint, since
    row.looked_at, row.looked_on = since, since.astimezone(zone).date()
    row.position = _position_at(session, since)
    row.existing_after, row.existing_per_day, row.problem, row.problem_at = None, None, None, None
    session.add(row)
    return row


def _published_at(session: ScopedSession, wanted: _Wanted) -> datetime:
    """When the trigger was first published: with this version, or with those before it that had the same one."""
    since, version = wanted.since, JourneyVersion
    if wanted.place != ENTRANCE:
        return since
    earlier = sa.select(version).where(
        version.journey_id == wanted.journey_id, version.version < wanted.version, version.was_published
    )
    for row in session.scalars(earlier.order_by(version.version.desc())):
        if read_definition(row.definition).trigger != wanted.trigger:
            break
        since = row.published_at
    return since


def _position_at(session: ScopedSession, instant: datetime) -> int:
    """The place in the feed of segments behind everything that happened before an instant."""
    change, upkeep = SegmentChange, SegmentUpkeep
    last = session.scalar(sa.select(sa.func.max(change.position)).where(change.happened_at < instant))
    return last or session.scalar(sa.select(upkeep.forgotten_position)) or 0


def _stop(session: ScopedSession, row: JourneyWatch) -> None:
    """Nothing is watched for any more, and who waited at the entrance does not enter."""
    if row.fingerprint == STOPPED:
        return
    arrival = JourneyArrival
    waiting = sa.delete(arrival).where(arrival.journey_id == row.journey_id, arrival.place == row.place)
    session.execute(waiting.execution_options(synchronize_session=False))
    if row.place == ENTRANCE:
        row.fingerprint = STOPPED
    else:
        session.delete(row)
