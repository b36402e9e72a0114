"""Publishing a journey: a new version for who enters from now on, and a word for each who is inside already.

A version never changes. Whoever is inside finishes on the version they entered (``keep``), goes on from the same step
of the new one (``move``), or leaves (``end``), as the marketer says per step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from app import clock
from app.accounts.audit import Actor, record
from app.db import ScopedSession
from app.journeys.checking import STOPS, Finding, problems_of, value_at
from app.journeys.definition import Send
from app.journeys.drafts import find_journey
from app.journeys.entering.existing import let_in_existing
from app.journeys.models import Enrolment, Journey, JourneyVersion
from app.journeys.moving.leaving import leave
from app.journeys.moving.replanning import replan
from app.journeys.problems import (
    ImpossibleFateError,
    InvalidDefinitionError,
    JourneyMissingError,
    JourneyStateError,
    NotPublishableError,
)
from app.journeys.route import Route, route_of
from app.journeys.schemas import parse_definition
from app.journeys.uses import let_go_of_unused, note_uses
from app.journeys.versions import route_of_version
from app.mailings.freezing import freeze

Fate = Literal["keep", "move", "end"]


@dataclass(frozen=True, slots=True)
class Inside:
    """How many people are at a step of an older version (``None``: before the first), and what can become of them.

    ``is_changed``: the step, as it stands in the draft, is another than the one they are at, or is not there any more.
    Only where ``can_move`` is there a step of the same id to move them to.
    """

    step_id: str | None
    version: int
    people: int
    is_changed: bool
    can_move: bool


@dataclass(frozen=True, slots=True)
class PublishPreview:
    """What publishing would do: the number of the new version, what was found, and who is inside."""

    version: int
    findings: tuple[Finding, ...]
    inside: tuple[Inside, ...]

    @property
    def can_publish(self) -> bool:
        """Whether nothing stands in the way."""
        return not any(finding.severity == STOPS for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Published:
    """A version, and how many people were moved to it or left because of it."""

    version: int
    moved: int
    ended: int


def publish_preview(session: ScopedSession, journey_id: int, *, allows_loopback: bool = False) -> PublishPreview:
    """What publishing the draft would mean now; changes nothing. Raises JourneyMissingError."""
    journey = find_journey(session, journey_id)
    findings = tuple(problems_of(session, journey.draft, allows_loopback=allows_loopback))
    version = _version_of_draft(session, journey)
    return PublishPreview(version, findings, tuple(_inside(session, journey, version)))


def publish(
    session: ScopedSession,
    journey_id: int,
    *,
    actor: Actor,
    inside: Mapping[str, Fate] | None = None,
    include_existing: bool | int = False,
    allows_loopback: bool = False,
) -> Published:
    """Make the draft the version that people enter from now on; a paused journey stays paused.

    ``inside`` says per step id what becomes of those who are there on an older version; who is not named stays on
    theirs. ``include_existing``: who is in the trigger's segment already enters too, so many a day at most where
    that is a number. Mailings of its steps are frozen
    as they are now. A draft that is published already makes no new version, and only freezes. Raises
    NotPublishableError, ImpossibleFateError, JourneyStateError (archived) or JourneyMissingError; roll back then.
    """
    journey = held_journey(session, journey_id)
    if journey.state == "archived":
        raise JourneyStateError(journey_id, journey.state)
    found = problems_of(session, journey.draft, allows_loopback=allows_loopback)
    stops = [finding.code for finding in found if finding.severity == STOPS]
    if stops:
        raise NotPublishableError(journey_id, stops)
    route = route_of(parse_definition(journey.draft))
    _refuse_impossible(journey_id, inside or {}, route)
    _freeze_mailings(session, route, actor=actor)
    version = _new_version(session, journey, actor=actor)
    note_uses(session, journey_id, version=version, route=route)
    if journey.state == "draft":
        journey.state = "published"
    journey.version, journey.updated_at = version, clock.now()
    session.flush()
    ended = _end(session, journey_id, version, [step for step, fate in (inside or {}).items() if fate == "end"])
    moved = _move(session, journey_id, version, [step for step, fate in (inside or {}).items() if fate == "move"])
    let_go_of_unused(session)
    if include_existing:
        per_day = None if include_existing is True else include_existing
        let_in_existing(session, journey_id, per_day=per_day)
    details = {"version": version, "moved": moved, "ended": ended}
    record(session, actor, "journeys.publish", subject=("journey", journey_id), details=details)
    return Published(version, moved, ended)


def held_journey(session: ScopedSession, journey_id: int) -> Journey:
    """Return a journey and keep others from changing its state until the transaction ends; JourneyMissingError."""
    query = sa.select(Journey).where(Journey.id == journey_id).with_for_update()
    journey = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if journey is None:
        raise JourneyMissingError(journey_id)
    return journey


def _newest(session: ScopedSession, journey_id: int) -> int:
    row = JourneyVersion
    return session.scalar(sa.select(sa.func.max(row.version)).where(row.journey_id == journey_id)) or 0


def _new_version(session: ScopedSession, journey: Journey, *, actor: Actor) -> int:
    version = _version_of_draft(session, journey)
    stored = session.get(JourneyVersion, (session.organisation_id, journey.id, version))
    published_by = actor.id if actor.kind == "user" else None
    if stored is not None:
        if not stored.was_published:
            # It was only rehearsed so far: what happened before this moment lets nobody in.
            stored.was_published, stored.published_by, stored.published_at = True, published_by, clock.now()
        return version
    session.add(
        JourneyVersion(
            organisation_id=session.organisation_id,
            journey_id=journey.id,
            version=version,
            definition=journey.draft,
            published_by=published_by,
            published_at=clock.now(),
        )
    )
    session.flush()
    return version


def _freeze_mailings(session: ScopedSession, route: Route, *, actor: Actor) -> None:
    mailings = {step.mailing_id for step in route.steps.values() if isinstance(step, Send)}
    for mailing_id in sorted(mailings):
        freeze(session, mailing_id, frozen_by=actor.id if actor.kind == "user" else None)


def _version_of_draft(session: ScopedSession, journey: Journey) -> int:
    """The number that the draft has or would get: an unchanged one keeps that of the newest version."""
    newest = _newest(session, journey.id)
    stored = session.get(JourneyVersion, (session.organisation_id, journey.id, newest))
    return newest if stored is not None and stored.definition == journey.draft else newest + 1


def _inside(session: ScopedSession, journey: Journey, version: int) -> list[Inside]:
    """Who is on an older version than the one that the draft is or would be."""
    row = Enrolment
    counted = session.execute(
        sa.select(row.version, row.step_id, sa.func.count().label("people"))
        .where(row.journey_id == journey.id, row.state == "active", ~row.is_rehearsal, row.version < version)
        .group_by(row.version, row.step_id)
    ).all()
    draft = _steps_of(journey.draft)
    stored = {version: _version_steps(session, journey.id, version) for version in {row.version for row in counted}}
    order = {step_id: place for place, step_id in enumerate(draft)}
    found = [
        Inside(
            one.step_id,
            one.version,
            one.people,
            is_changed=stored[one.version].get(one.step_id) != draft.get(one.step_id),
            can_move=one.step_id is None or one.step_id in draft,
        )
        for one in counted
    ]
    return sorted(found, key=lambda one: (order.get(one.step_id or "", -1), one.step_id or "", one.version))


def _version_steps(session: ScopedSession, journey_id: int, version: int) -> dict[str, Any]:
    stored = session.get(JourneyVersion, (session.organisation_id, journey_id, version))
    return {} if stored is None else _steps_of(stored.definition)


def _steps_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of every step, without the steps inside its branches; nothing for what cannot be read."""
    try:
        route = route_of(parse_definition(data))
    except InvalidDefinitionError:
        return {}
    return {step_id: _own(value_at(data, route.paths[step_id])) for step_id in route.order}


def _own(step: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in step.items() if key not in ("then", "otherwise")}
    if "branches" in own:
        own["branches"] = [{key: value for key, value in one.items() if key != "steps"} for one in own["branches"]]
    return own


def _refuse_impossible(journey_id: int, inside: Mapping[str, Fate], route: Route) -> None:
    lost = [step_id for step_id, fate in inside.items() if fate == "move" and step_id not in route.steps]
    if lost:
        raise ImpossibleFateError(journey_id, lost)


def _there(journey_id: int, version: int, step_ids: list[str]) -> tuple[sa.ColumnElement[bool], ...]:
    row = Enrolment
    return row.journey_id == journey_id, row.state == "active", row.version < version, row.step_id.in_(step_ids)


def _end(session: ScopedSession, journey_id: int, version: int, step_ids: list[str]) -> int:
    if not step_ids:
        return 0
    query = sa.select(Enrolment.id).where(*_there(journey_id, version, step_ids)).order_by(Enrolment.id)
    return leave(session, session.scalars(query.with_for_update()).all(), because="ended_by_publishing")


def _move(session: ScopedSession, journey_id: int, version: int, step_ids: list[str]) -> int:
    """Set people on the same step of the new version; who waits there waits as the new step says."""
    if not step_ids:
        return 0
    row = Enrolment
    moved = session.scalars(
        sa.update(row)
        .where(*_there(journey_id, version, step_ids))
        .values(version=version, held_because=None, updated_at=clock.now())
        .returning(row.id)
        .execution_options(synchronize_session=False)
    ).all()
    replan(session, moved)
    return len(moved)


def version_route(session: ScopedSession, journey_id: int) -> Route | None:
    """The way through the version that people enter now; ``None`` before the first."""
    journey = find_journey(session, journey_id)
    return None if journey.version is None else route_of_version(session, journey_id, journey.version)
