"""The segments of a house as upkeep sees them: their complete rules, and how far each is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256

import sqlalchemy as sa

from app.db import ScopedSession
from app.segments.compiling.compiler import inline
from app.segments.house_facts import HouseFacts
from app.segments.language import rules
from app.segments.language.schemas import parse_rule
from app.segments.models import Segment, SegmentState
from app.segments.problems import SegmentError


@dataclass(frozen=True, slots=True)
class Kept:
    """One segment: its rule with those it refers to put in, a hash of that, and its row of ``segment_state`` if any.

    Without a ``rule`` it cannot be evaluated, and ``problem`` says why.
    """

    segment_id: int
    rule: rules.Rule | None
    rule_sha256: bytes
    state: SegmentState | None
    problem: SegmentError | None = None

    @property
    def is_current(self) -> bool:
        """Whether the stored members are right but for changed contacts and the passing of days."""
        state = self.state
        return (
            self.rule is not None
            and state is not None
            and state.stale_because is None
            and state.rule_sha256 == self.rule_sha256
        )

    def is_due(self, today: date, now: datetime) -> bool:
        """Whether the members must be found in full or for another day, and it is time to (again)."""
        state = self.state
        waits = state is not None and state.retry_at is not None and state.retry_at > now
        return not waits and not (self.is_current and state is not None and state.evaluated_on == today)


def kept_segments(session: ScopedSession) -> list[Kept]:
    """Every segment of the organisation, in the order in which they were made."""
    query = (
        sa.select(Segment.id, sa.cast(Segment.rule, sa.Text).label("text"), SegmentState)
        .outerjoin(
            SegmentState,
            sa.and_(SegmentState.organisation_id == Segment.organisation_id, SegmentState.segment_id == Segment.id),
        )
        .order_by(Segment.id)
        .execution_options(populate_existing=True)
    )
    rows = session.execute(query).all()
    texts, facts = {row.id: row.text for row in rows}, HouseFacts(session)
    return [_kept(row.id, texts, row.SegmentState, facts) for row in rows]


def kept_segment(session: ScopedSession, segment_id: int) -> Kept | None:
    """One segment, or ``None`` where there is none with this id."""
    return next((one for one in kept_segments(session) if one.segment_id == segment_id), None)


def state_of(session: ScopedSession, kept: Kept) -> SegmentState:
    """The segment's row of ``segment_state``, made where there is none. The caller holds ``segment_upkeep``."""
    if kept.state is not None:
        return kept.state
    state = SegmentState(organisation_id=session.organisation_id, segment_id=kept.segment_id)
    session.add(state)
    session.flush()
    return state


def _kept(segment_id: int, texts: Mapping[int, str], state: SegmentState | None, facts: HouseFacts) -> Kept:
    digest = _sha256(segment_id, texts)
    try:
        rule = inline(_parsed(texts[segment_id]), _resolver(texts), path=(segment_id,))
    except SegmentError as problem:
        return Kept(segment_id, None, digest, state, problem)
    return Kept(segment_id, facts.filled(rule), digest, state)


def _resolver(texts: Mapping[int, str]) -> Callable[[int], rules.Rule | None]:
    return lambda segment_id: _parsed(texts[segment_id]) if segment_id in texts else None


def _sha256(segment_id: int, texts: Mapping[int, str]) -> bytes:
    """Of the rule as it is stored and of all that it refers to, however far."""
    ahead, seen = [segment_id], dict[int, str]()
    while ahead:
        one = ahead.pop()
        if one not in seen and one in texts:
            seen[one] = texts[one]
            ahead.extend(_references(texts[one]))
    return sha256(json.dumps([seen.pop(segment_id), sorted(seen.items())]).encode()).digest()


def _references(text: str) -> Iterable[int]:
    try:
        return rules.references(_parsed(text))
    except SegmentError:
        return ()


@lru_cache(maxsize=4096)
def _parsed(text: str) -> rules.Rule:
    """The rule of a stored text: a house has a few hundred, which change seldom and are asked for every second."""
    return parse_rule(json.loads(text))
