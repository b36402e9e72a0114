"""A day goes by: each segment is evaluated for whoever has a date on the edges of its windows, and nobody else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from app import clock
from app.db import ScopedSession
from app.segments.compiling.scope import Scope, scope_of
from app.segments.keeping.changed_contacts import peek_changed
from app.segments.keeping.difference import find_turns
from app.segments.keeping.edge_people import EdgePeople
from app.segments.keeping.edges import Edges, edges_between
from app.segments.keeping.entries import Occasion, write_turns
from app.segments.keeping.evaluating import EVALUATION_S, Step, are_many, attempt, mark_stale
from app.segments.keeping.kept import Kept, kept_segments
from app.segments.models import SegmentUpkeep
from app.segments.problems import SegmentError

# So many people on all edges together are evaluated for all segments in one pass.
TOGETHER = 5_000


@dataclass
class Passing:
    """What the steps of one beat share: who is on which edge, and who is noted as changed and evaluated for that."""

    people: EdgePeople = field(default_factory=EdgePeople)
    changed: frozenset[int] | None = None


def pass_a_day(session: ScopedSession, upkeep: SegmentUpkeep, passing: Passing) -> Step:
    """Take one group of segments, with the same edges between the same days, to today. The caller holds ``upkeep``.

    Where few people are on any edge, all segments go at once: one statement more costs as much as they do.
    """
    scope, kept = scope_of(session), kept_segments(session)
    behind = [one for one in kept if is_behind(one, scope.as_of)]
    groups = _by_edges(session, behind, scope.as_of)
    if not groups:
        return Step()
    everywhere: Edges = frozenset().union(*groups)
    if len(passing.people.on(session, everywhere)) <= TOGETHER:
        # With those that no day changes: changes ask for all of them, and writing a statement takes longer than this.
        edges, group = everywhere, [one for one in kept if one.is_current]
        groups = {}
    else:
        edges, group = groups.popitem()
    if passing.changed is None:
        passing.changed = frozenset(peek_changed(session).contacts)
    # Whoever changed is not blamed on time: their turn comes with the changes, as of today.
    people = [one for one in passing.people.on(session, edges) if one not in passing.changed]
    if are_many(session, len(people)):
        for one in group:
            mark_stale(session, one, "time")
        return Step(0, is_last=not groups)
    return Step(_evaluate(session, upkeep, group, scope, people), is_last=not groups)


def is_behind(kept: Kept, today: date) -> bool:
    """Whether a segment's members are right, but for another day."""
    return kept.is_current and kept.is_due(today, clock.now())


def _by_edges(session: ScopedSession, behind: Iterable[Kept], today: date) -> dict[Edges, list[Kept]]:
    """Segments by the edges that lie between their day and today. What needs no asking is settled here at once."""
    groups: dict[Edges, list[Kept]] = {}
    for one in behind:
        state = one.state
        if one.rule is None or state is None or state.evaluated_on is None:
            continue
        edges = edges_between(one.rule, state.evaluated_on, today)
        if edges is None or state.evaluated_on > today:
            # A leaf that cannot say; or the clock or the zone went back, and what was foreseen is taken back too.
            mark_stale(session, one, "time")
        elif not edges:
            state.evaluated_on = today
        else:
            groups.setdefault(edges, []).append(one)
    session.flush()
    return groups


def _evaluate(session: ScopedSession, upkeep: SegmentUpkeep, group: list[Kept], scope: Scope, people: list[int]) -> int:
    wanted = {one.segment_id: one.rule for one in group if one.rule is not None}
    try:
        with attempt(session, EVALUATION_S):
            turns = find_turns(session, wanted, scope, only=people)
            write_turns(session, upkeep, turns, Occasion(scope.as_of, "time"))
    except SegmentError:
        # Which of them it was shows when each is evaluated in full.
        for one in group:
            mark_stale(session, one, "time")
        return 0
    for one in group:
        if one.state is not None:
            one.state.evaluated_on = scope.as_of
    session.flush()
    return len(turns)
