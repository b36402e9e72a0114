"""Making, changing and removing segments, and who uses them.

Every change takes the organisation's definition lock first, so that two people cannot together make segments that refer
to one another in a circle. Nothing here evaluates a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import clock
from app.activities.models import Activity
from app.activities.vocabulary import BY_VALUE
from app.consent.models import Purpose
from app.db import ScopedSession
from app.segments.closures import closed_periods
from app.segments.compiling.compiler import inline
from app.segments.house_facts import HouseFacts
from app.segments.keeping.entries import hold_upkeep
from app.segments.language import rules
from app.segments.language.schemas import parse_rule
from app.segments.language.told import Names
from app.segments.models import Segment
from app.segments.problems import (
    N_,
    InvalidRuleError,
    Message,
    NameTakenError,
    Problem,
    SegmentCycleError,
    SegmentInUseError,
    SegmentMissingError,
)

Json = Mapping[str, Any]

DEFINITION_LOCK = 7301

# Rooms above this one that use segments. Imports point down, so they are named by their table; the foreign key is what
# keeps a used segment from going.
_JOURNEY = sa.table("journey", sa.column("id", sa.BigInteger), sa.column("name", sa.Text))
_JOURNEY_USE = sa.table("journey_use", sa.column("journey_id", sa.BigInteger), sa.column("segment_id", sa.BigInteger))
_AUDIENCE = sa.table(
    "audience", sa.column("id", sa.BigInteger), sa.column("name", sa.Text), sa.column("segment_id", sa.BigInteger)
)
_MAILING = sa.table("mailing", sa.column("id", sa.BigInteger), sa.column("name", sa.Text))
_MAILING_SEGMENT = sa.table(
    "mailing_segment", sa.column("mailing_id", sa.BigInteger), sa.column("segment_id", sa.BigInteger)
)


@dataclass(frozen=True, slots=True)
class Use:
    """Something that uses a segment: another segment, an audience, a mailing or a journey that runs."""

    kind: str
    id: int
    name: str


def find_segment(session: ScopedSession, segment_id: int) -> Segment:
    """The segment; raises SegmentMissingError where the organisation has none with this id."""
    segment = session.get(Segment, (session.organisation_id, segment_id))
    if segment is None:
        raise SegmentMissingError(segment_id)
    return segment


def list_segments(session: ScopedSession, *, after: int = 0, limit: int | None = None) -> list[Segment]:
    """Segments with an id above ``after``, in the order in which they were made."""
    query = sa.select(Segment).where(Segment.id > after).order_by(Segment.id).limit(limit)
    return list(session.scalars(query))


def create_segment(
    session: ScopedSession, *, name: str, rule: Json, description: str | None = None, created_by: int | None = None
) -> Segment:
    """Keep a new segment. Raises InvalidRuleError, or NameTakenError."""
    _lock_definitions(session)
    read_rule(session, rule)
    now = clock.now()
    segment = Segment(
        organisation_id=session.organisation_id,
        name=name.strip(),
        description=(description or "").strip() or None,
        rule=dict(rule),
        version=1,
        created_by=created_by,
        created_at=now,
        updated_at=now,
    )
    _flush_named(session, lambda: session.add(segment))
    return segment


def update_segment(
    session: ScopedSession, segment_id: int, *, name: str, rule: Json, description: str | None = None
) -> Segment:
    """Change a segment; its version grows where the rule is another. Raises as ``create_segment``, and
    SegmentMissingError."""
    _lock_definitions(session)
    segment = find_segment(session, segment_id)
    read_rule(session, rule, own_id=segment_id)

    def change() -> None:
        if segment.rule != rule:
            segment.version += 1
        segment.name = name.strip()
        segment.description = (description or "").strip() or None
        segment.rule = dict(rule)
        segment.updated_at = clock.now()

    _flush_named(session, change)
    return segment


def delete_segment(session: ScopedSession, segment_id: int) -> None:
    """Remove a segment with its membership history. Raises SegmentMissingError, or SegmentInUseError with its users."""
    _lock_definitions(session)
    # Its members go with it. Whoever keeps them holds this first, so that neither waits for the other for ever.
    hold_upkeep(session)
    segment = find_segment(session, segment_id)
    uses = uses_of(session, segment_id)
    if uses:
        raise SegmentInUseError(segment_id, [(use.kind, use.id) for use in uses])
    try:
        with session.begin_nested():
            session.delete(segment)
            session.flush()
    except IntegrityError:
        raise SegmentInUseError(segment_id, [(use.kind, use.id) for use in uses_of(session, segment_id)]) from None


def uses_of(session: ScopedSession, segment_id: int) -> list[Use]:
    """What refers to the segment itself: other segments, audiences, mailings, then running journeys, by name."""
    return uses_by_segment(session).get(segment_id, [])


def uses_by_segment(session: ScopedSession) -> dict[int, list[Use]]:
    """What uses each segment that is used, for lists."""
    found: dict[int, list[Use]] = {}
    for other in session.execute(sa.select(Segment.id, Segment.name, Segment.rule).order_by(Segment.name)):
        for referred in rules.references(parse_rule(other.rule)):
            found.setdefault(referred, []).append(Use("segment", other.id, other.name))
    for audience in session.execute(sa.select(_AUDIENCE).order_by(_AUDIENCE.c.name)):
        found.setdefault(audience.segment_id, []).append(Use("audience", audience.id, audience.name))
    mailings = (
        sa.select(_MAILING.c.id, _MAILING.c.name, _MAILING_SEGMENT.c.segment_id)
        .join_from(_MAILING, _MAILING_SEGMENT, _MAILING_SEGMENT.c.mailing_id == _MAILING.c.id)
        .order_by(_MAILING.c.name)
    )
    for mailing in session.execute(mailings):
        found.setdefault(mailing.segment_id, []).append(Use("mailing", mailing.id, mailing.name))
    journeys = (
        sa.select(_JOURNEY.c.id, _JOURNEY.c.name, _JOURNEY_USE.c.segment_id)
        .distinct()
        .join_from(_JOURNEY, _JOURNEY_USE, _JOURNEY_USE.c.journey_id == _JOURNEY.c.id)
        .where(_JOURNEY_USE.c.segment_id.is_not(None))
        .order_by(_JOURNEY.c.name)
    )
    for journey in session.execute(journeys):
        found.setdefault(journey.segment_id, []).append(Use("journey", journey.id, journey.name))
    return found


def list_purposes(session: ScopedSession) -> list[str]:
    """The codes of the organisation's purposes."""
    return list(session.scalars(sa.select(Purpose.code).order_by(Purpose.code)))


def read_rule(session: ScopedSession, rule: object, *, own_id: int | None = None) -> rules.Rule:
    """Parse a rule and check all it refers to: segments and purposes that exist, no circle through ``own_id``.

    The answer still holds its references (``complete_rule`` puts them in). Raises InvalidRuleError with paths.
    """
    parsed = rules.with_closed_days(parse_rule(rule), closed_periods(session))
    problems = list(_reference_problems(session, parsed, own_id=own_id))
    if problems:
        raise InvalidRuleError(problems)
    return parsed


def complete_rule(session: ScopedSession, rule: rules.Rule) -> rules.Rule:
    """``rule`` with the segments it refers to put in by their rules, ready to be compiled.

    Raises SegmentMissingError or SegmentCycleError.
    """
    return HouseFacts(session).filled(inline(rule, _resolver(session)))


def names_in(session: ScopedSession, rule: rules.Rule, *, language: str) -> Names:
    """The names that telling ``rule`` in ``language`` needs: activities, segments, purposes."""
    leaves = list(rules.all_leaves(rule))
    journeys = {leaf.journey_id for leaf in leaves if isinstance(leaf, rules.InJourney)}
    activities = {number for leaf in leaves for where in _wheres(leaf) for number in where.activities}
    genres = {genre for leaf in leaves for where in _wheres(leaf) for genre in where.genres}
    titles = sa.select(Activity.id, Activity.title).where(Activity.id.in_(activities))
    segments = sa.select(Segment.id, Segment.name).where(Segment.id.in_(rules.references(rule)))
    purposes = sa.select(Purpose.code, Purpose.names)
    named = sa.select(_JOURNEY.c.id, _JOURNEY.c.name).where(_JOURNEY.c.id.in_(journeys))
    return Names(
        activities={row.id: row.title for row in session.execute(titles)} if activities else {},
        segments={row.id: row.name for row in session.execute(segments)},
        purposes={row.code: row.names.get(language, row.code) for row in session.execute(purposes)},
        journeys={row.id: row.name for row in session.execute(named)} if journeys else {},
        genres={one: BY_VALUE[one].name(language) for one in genres & BY_VALUE.keys()},
    )


def _wheres(leaf: rules.Leaf) -> Iterable[rules.Where]:
    match leaf:
        case rules.Share(where=where, of=of):
            return where, of
        case rules.Participation(where=where):
            return (where,)
        case rules.FirstParticipation(where=where) | rules.LastParticipation(where=where):
            return (where,)
        case _:
            return ()


def _reference_problems(session: ScopedSession, rule: rules.Rule, *, own_id: int | None) -> Iterator[Problem]:
    resolve = _resolver(session)
    purposes = list_purposes(session)
    for placed in rules.all_placed_leaves(rule):
        path = placed.path
        match placed.leaf:
            case rules.InSegment(segment_id):
                message = _segment_problem(segment_id, resolve, own_id=own_id)
                if message is not None:
                    yield Problem(_inside(path, "segment"), message)
            case rules.Permission(purpose=purpose) if purpose not in purposes:
                known = ", ".join(sorted(purposes))
                message = Message(
                    N_("There is no purpose “%(code)s”. Choose one of %(known)s."), code=purpose, known=known
                )
                yield Problem(_inside(path, "purpose"), message)
            case rules.InJourney(journey_id):
                if session.scalar(sa.select(_JOURNEY.c.id).where(_JOURNEY.c.id == journey_id)) is None:
                    message = Message(N_("There is no journey %(id)s. It may have been removed."), id=str(journey_id))
                    yield Problem(_inside(path, "journey"), message)
            case _:
                continue


def _segment_problem(
    segment_id: int, resolve: Callable[[int], rules.Rule | None], *, own_id: int | None
) -> Message | None:
    try:
        inline(rules.InSegment(segment_id), resolve, path=() if own_id is None else (own_id,))
    except SegmentMissingError as missing:
        return Message(N_("There is no segment %(id)s. It may have been removed."), id=str(missing.segment_id))
    except SegmentCycleError:
        return Message(N_("This would make the segment refer to itself. Choose another segment."))
    return None


def _resolver(session: ScopedSession) -> Callable[[int], rules.Rule | None]:
    """Looks up the rules of segments, each once."""
    found: dict[int, rules.Rule | None] = {}

    def resolve(segment_id: int) -> rules.Rule | None:
        if segment_id not in found:
            stored = session.scalar(sa.select(Segment.rule).where(Segment.id == segment_id))
            found[segment_id] = None if stored is None else parse_rule(stored)
        return found[segment_id]

    return resolve


def _inside(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _lock_definitions(session: ScopedSession) -> None:
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(DEFINITION_LOCK, session.organisation_id)))


def _flush_named(session: ScopedSession, change: Callable[[], None]) -> None:
    """Make the change; a name that another segment has is refused without harming the transaction."""
    try:
        with session.begin_nested():
            change()
            session.flush()
    except IntegrityError as error:
        if "uq_segment_name" in str(error.orig):
            raise NameTakenError(N_("There is already a segment with this name.")) from None
        raise
