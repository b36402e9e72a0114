"""Which segments, mailings and audiences running journeys work with, and who must be asked before one of them goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import sqlalchemy as sa

from app.db import ScopedSession
from app.journeys import definition as nodes
from app.journeys.models import Enrolment, Journey, JourneyUse
from app.journeys.route import Route
from app.segments.language import rules
from app.segments.language.rules import Rule

Used = Literal["segment_id", "mailing_id", "audience_id"]


def used_by(route: Route) -> set[tuple[Used, int]]:
    """What a version works with."""
    return set(_used(route))


def note_uses(session: ScopedSession, journey_id: int, *, version: int, route: Route) -> None:
    """Hold on to what a version works with, as long as people may walk through it."""
    same = {"organisation_id": session.organisation_id, "journey_id": journey_id, "version": version}
    rows = [same | {used: used_id} for used, used_id in sorted(used_by(route))]
    session.execute(sa.delete(JourneyUse).where(JourneyUse.journey_id == journey_id, JourneyUse.version == version))
    for row in rows:
        session.execute(sa.insert(JourneyUse).values(row))


def let_go_of_unused(session: ScopedSession) -> int:
    """Let go of what versions work with that nobody enters and nobody is inside of; returns how many uses."""
    use = JourneyUse
    inside = sa.exists().where(
        Enrolment.journey_id == use.journey_id, Enrolment.version == use.version, Enrolment.state == "active"
    )
    entered = sa.exists().where(
        Journey.id == use.journey_id, Journey.version == use.version, Journey.state.in_(("published", "paused"))
    )
    gone = sa.delete(use).where(~inside, ~entered).returning(use.id).execution_options(synchronize_session=False)
    return len(session.scalars(gone).all())


def _used(route: Route) -> Iterator[tuple[Used, int]]:
    definition = route.definition
    triggers = [definition.trigger]
    asked = [] if definition.only is None else [definition.only]
    asked += [] if definition.goal is None else [definition.goal.rule]
    for step in route.steps.values():
        match step:
            case nodes.Send(mailing_id=mailing_id):
                yield "mailing_id", mailing_id
            case nodes.ChangeAudience(audience_id=audience_id):
                yield "audience_id", audience_id
            case nodes.WaitFor(trigger=trigger):
                triggers.append(trigger)
            case nodes.Choose(branches=branches):
                asked += [branch.when for branch in branches]
            case _:
                continue
    yield from (("segment_id", one.segment_id) for one in triggers if isinstance(one, nodes.OnSegment))
    for rule in asked:
        yield from (("segment_id", segment_id) for segment_id in _segments(rule))


def _segments(rule: Rule) -> Iterator[int]:
    return (leaf.segment_id for leaf in rules.all_leaves(rule) if isinstance(leaf, rules.InSegment))
