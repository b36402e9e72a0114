"""How long a rule will take to count, before it is counted: what PostgreSQL's planner expects, in words.

The planner's estimate is rough, and so are the words. It is meant for the rule that would take a minute, which its
maker should hear about while they can still make it narrower.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from app.db import ScopedSession
from app.segments.building.preview import PREVIEW_S
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import Scope
from app.segments.compiling.time_limit import within
from app.segments.definitions import complete_rule
from app.segments.keeping.permitted import scope_to_show
from app.segments.language import rules
from app.segments.problems import N_, Message, Problem

# Measured over the ready-made segments at sector on two cores that others used too (docs/developers/benches.md): so
# many of the planner's units were counted in a second with two others at work, and half as many with ten.
UNITS_PER_S = 125_000
SLOW_S = 3.0
# Only so many conditions are looked at one by one, and only those that cost a good part of the whole are named.
LOOKED_AT = 20
GOOD_PART = 0.25

READS_TICKETS = Message(N_("This reads every ticket of the period one by one. A shorter period makes it faster."))
READS_VISITS = Message(N_("This reads all visits of everybody. A shorter period makes it faster."))
SEARCHES_TEXT = Message(N_("This searches a text of every person. “Starts with” or “is” is faster than “contains”."))
READS_PEOPLE = Message(N_("This looks at every person."))


@dataclass(frozen=True, slots=True)
class Cost:
    """How many seconds counting is expected to take, and for a slow rule which conditions make it so, with why."""

    seconds: float
    slow: tuple[Problem, ...] = ()

    @property
    def is_slow(self) -> bool:
        """Whether its maker should hear about it."""
        return bool(self.slow)


def estimate_cost(
    session: ScopedSession, rule: rules.Rule, *, at: date | None = None, slow_from_s: float = SLOW_S
) -> Cost:
    """What counting ``rule`` (read, with its references) is expected to take. Runs EXPLAIN, evaluates nothing."""
    scope = scope_to_show(session, at=at)
    # Planned as it will be executed.
    with within(session, PREVIEW_S):
        whole = _seconds(session, rule, scope)
        if whole < slow_from_s:
            return Cost(whole)
        placed = list({one.leaf: one for one in reversed(list(rules.placed_leaves(rule)))}.values())[:LOOKED_AT]
        each = [(one, _seconds(session, one.leaf, scope)) for one in placed]
    dearest = max((seconds for _one, seconds in each), default=0.0)
    slow = [Problem(one.path, _why(one.leaf)) for one, seconds in each if seconds >= GOOD_PART * max(dearest, whole)]
    return Cost(whole, tuple(slow) or (Problem("", READS_VISITS),))


def _seconds(session: ScopedSession, rule: rules.Rule, scope: Scope) -> float:
    members = select_members(complete_rule(session, rule), scope)
    plan = session.execute(_Explained(members)).scalar_one()
    return float(plan[0]["Plan"]["Total Cost"]) / UNITS_PER_S


def _why(leaf: rules.Leaf) -> Message:
    match leaf:
        case rules.Participation(where=where) | rules.FirstParticipation(where=where):
            return READS_TICKETS if _looks_at_tickets(where) else READS_VISITS
        case rules.LastParticipation(where=where):
            return READS_TICKETS if _looks_at_tickets(where) else READS_VISITS
        case rules.Share(where=where, of=of):
            return READS_TICKETS if _looks_at_tickets(where) or _looks_at_tickets(of) else READS_VISITS
        case rules.Profile(op=rules.Op.CONTAINS):
            return SEARCHES_TEXT
        case _:
            return READS_PEOPLE


def _looks_at_tickets(where: rules.Where) -> bool:
    """Whether single tickets must be read, not only how often somebody came."""
    asked = (where.channels, where.sources, where.statuses, where.weekdays)
    return any(asked) or any(limits is not None for limits in (where.price, where.quantity, where.lead_days))


class _Explained(sa.Executable, sa.ClauseElement):
    """A statement to be planned, not run: one row with the plan as JSON."""

    inherit_cache = False

    def __init__(self, statement: sa.Select[Any]) -> None:
        self.statement = statement


@compiles(_Explained)
def _explained(element: _Explained, compiler: SQLCompiler, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **options)}"
