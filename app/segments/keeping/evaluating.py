"""Bringing segments up to date in full: one of them because somebody asks, or many in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app import clock
from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.compiling.scope import Scope
from app.segments.compiling.time_limit import within
from app.segments.keeping.difference import find_turns
from app.segments.keeping.entries import Because, Occasion, Turn, write_turns
from app.segments.keeping.gone_names import existing_names, names_of, standing
from app.segments.keeping.kept import Kept, state_of
from app.segments.models import SegmentState, SegmentUpkeep
from app.segments.problems import FailedRuleError, NamesGoneError, SegmentError

# Above this many, and this part of all contacts (a half), everybody is evaluated in one pass instead of some: a contact
# who is looked up costs about twice as much as one in a pass over all.
MANY, MANY_PART = 2_000, 2

EVALUATION_S = 300.0
RETRY_AFTER = timedelta(minutes=10)
# Data that a rule cannot be worked out over, and rules that are too much for a statement. Anything else that goes wrong
# in a database (a lost connection, a deadlock) says nothing about a rule.
ABOUT_THE_RULE = ("22", "42", "54")


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction of upkeep did: how many entered or left, and whether there is no more to do of its kind."""

    turned: int = 0
    is_last: bool = True


@contextmanager
def attempt(session: ScopedSession, seconds: float) -> Iterator[None]:
    """Run the block within a time limit; where it fails, it is undone, and TooSlowError or FailedRuleError raised."""
    try:
        with within(session, seconds):
            yield
    except DBAPIError as error:
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        if sqlstate.startswith(ABOUT_THE_RULE):
            raise FailedRuleError(sqlstate) from None
        raise


def are_many(session: ScopedSession, contacts: int) -> bool:
    """Whether so many contacts are to be evaluated that one pass over all of them is no more work."""
    if contacts <= MANY:
        return False
    living = session.scalar(sa.select(sa.func.count()).select_from(Contact).where(Contact.state == "living")) or 0
    return contacts > living / MANY_PART


def evaluate_fully(
    session: ScopedSession, upkeep: SegmentUpkeep, group: Sequence[Kept], scope: Scope, *, seconds: float
) -> list[Turn]:
    """Make the stored members of these segments those for whom their rules hold, in one pass; returns who turned.

    All have a rule. Raises TooSlowError or FailedRuleError with nothing changed. The caller holds ``upkeep``.
    """
    wanted = {one.segment_id: one.rule for one in group if one.rule is not None}
    with attempt(session, seconds):
        turns = find_turns(session, wanted, scope)
        reasons = {one.segment_id: reason_of(one) for one in group}
        existing = existing_names(session)
        for one in group:
            settle(session, one, scope, existing=existing)
        for because in sorted(set(reasons.values())):
            mine = [turn for turn in turns if reasons[turn.segment_id] == because]
            write_turns(session, upkeep, mine, Occasion(scope.as_of, because))
    return turns


def reason_of(kept: Kept) -> Because:
    """Why a full evaluation of a segment finds entries and exits: its rule, unless that is the one of the last time."""
    state = kept.state
    if state is None or state.rule_sha256 != kept.rule_sha256:
        return "rule"
    return state.stale_because or "data"  # type: ignore[return-value]  # the CHECK knows the words


def mark_stale(session: ScopedSession, kept: Kept, because: Because) -> None:
    """Ask for a full evaluation of a segment. A new rule stays the reason, and waits for nothing that was wrong."""
    state = state_of(session, kept)
    if because == "rule":
        state.problem = state.problem_about = state.problem_since = state.retry_at = None
    if state.stale_because != "rule":
        state.stale_because = because


def mark_problem(session: ScopedSession, kept: Kept, problem: SegmentError) -> None:
    """Keep the last good members, say why on the segment, and try again after a while."""
    state, now = state_of(session, kept), clock.now()
    if state.problem != problem.code:
        state.problem_since = now
    state.problem = problem.code
    state.problem_about = list(problem.names) if isinstance(problem, NamesGoneError) else None
    state.stale_because = reason_of(kept)
    state.retry_at = now + RETRY_AFTER


def settle(
    session: ScopedSession, kept: Kept, scope: Scope, *, existing: Mapping[str, frozenset[str]] | None = None
) -> SegmentState:
    """Note that a segment's members were found in full: for this day and rule, with the names there are now."""
    state, names = state_of(session, kept), names_of(kept.rule) if kept.rule is not None else {}
    state.evaluated_on, state.evaluated_at = scope.as_of, clock.now()
    state.rule_sha256 = kept.rule_sha256
    state.names = standing(names, existing_names(session) if existing is None else existing) if names else {}
    state.stale_because = state.problem = state.problem_about = state.problem_since = state.retry_at = None
    if state.member_count is None:
        state.member_count = 0
    session.flush()
    return state
