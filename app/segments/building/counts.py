"""How many people each condition of a rule holds for by itself, and how many are left after each step.

All of it is one statement: every distinct condition is worked out once per contact, and whatever groups make of the
conditions is counted over these answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.building.preview import PREVIEW_S
from app.segments.compiling.compiler import select_truths
from app.segments.compiling.time_limit import within
from app.segments.definitions import complete_rule, read_rule
from app.segments.keeping.permitted import scope_to_show
from app.segments.language import rules

Condition = ColumnElement[bool]
# What PostgreSQL takes in one list of columns, well below its limit of 1,664.
COLUMNS_MAX = 1200


@dataclass(frozen=True, slots=True)
class StepCount:
    """One condition or group at ``path``: for how many it holds ``alone``, and how many are ``left`` in the group it
    stands in once it and everything above it there is asked."""

    path: str
    alone: int
    left: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Every condition and group of a rule, in reading order, among ``of`` living contacts."""

    of: int
    steps: tuple[StepCount, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    path: str
    alone: Condition
    left: Condition


def count_conditions(session: ScopedSession, rule: object, *, at: date | None = None) -> Counts:
    """Count ``rule`` (JSON) step by step, as of ``at`` (default: today in the organisation's zone).

    Where a group says "none of these", ``left`` counts those for whom none has held so far; where it says "any of
    these", those for whom at least one has. Raises InvalidRuleError, or TooSlowError after PREVIEW_S.
    """
    parsed = read_rule(session, rule)
    if not _has_steps(parsed):
        # One condition has no steps; its own count comes with the preview, which has better ways to it.
        with within(session, PREVIEW_S):
            living = sa.select(sa.func.count()).select_from(Contact).where(Contact.state == "living")
            return Counts(session.scalar(living) or 0, ())
    leaves = list(dict.fromkeys(rules.leaves(parsed)))
    asked = select_truths([complete_rule(session, leaf) for leaf in leaves], scope_to_show(session, at=at))
    # Each answer is counted again and again, and OFFSET 0 has it worked out once per contact.
    truths = asked.offset(sa.literal_column("0")).subquery("truth")
    known = {leaf: truths.c[f"holds_{number}"] for number, leaf in enumerate(leaves)}
    steps = list(_steps(parsed, (), known))[: COLUMNS_MAX // 2]
    counted = [sa.func.count().filter(one) for step in steps for one in (step.alone, step.left)]
    with within(session, PREVIEW_S):
        of, *numbers = session.execute(sa.select(sa.func.count(), *counted).select_from(truths)).one()
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return Counts(of, tuple(StepCount(step.path, *pair) for step, pair in zip(steps, pairs, strict=True)))


def _has_steps(rule: rules.Rule) -> bool:
    while isinstance(rule, rules.Not):
        rule = rule.rule
    return isinstance(rule, rules.All | rules.AnyOf)


def _steps(rule: rules.Rule, path: tuple[str, ...], known: Mapping[rules.Leaf, Condition]) -> Iterator[_Step]:
    """The steps inside ``rule``: those of its groups, and whatever stands in them."""
    group, inner_path, is_denied = rule, path, False
    while isinstance(group, rules.Not):
        group, inner_path, is_denied = group.rule, (*inner_path, "rule"), not is_denied
    if not isinstance(group, rules.All | rules.AnyOf):
        return
    asked: list[Condition] = []
    for number, one in enumerate(group.rules):
        place = (*inner_path, "rules", str(number))
        alone = _condition(one, known)
        asked.append(alone)
        so_far = sa.and_(*asked) if isinstance(group, rules.All) else sa.or_(*asked)
        yield _Step(".".join(place), alone, sa.not_(so_far) if is_denied else so_far)
        yield from _steps(one, place, known)


def _condition(rule: rules.Rule, known: Mapping[rules.Leaf, Condition]) -> Condition:
    match rule:
        case rules.All(inner):
            return sa.and_(sa.true(), *(_condition(one, known) for one in inner))
        case rules.AnyOf(inner):
            return sa.or_(sa.false(), *(_condition(one, known) for one in inner))
        case rules.Not(one):
            return sa.not_(_condition(one, known))
        case leaf:
            return known[leaf]
