"""Conditions on participations in SQL: answered by the packed history where it can, by one scan for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.segments.compiling.aggregates import Aggregate, Reach, edge, exact, measured, shared, wanted_by
from app.segments.compiling.history import History
from app.segments.compiling.packed import PackedHistory, can_answer
from app.segments.language import rules
from app.segments.language.windows import Days

Condition = ColumnElement[bool]
Leaf = rules.Participation | rules.FirstParticipation | rules.LastParticipation | rules.Share


@lru_cache(maxsize=4096)
def is_packed(leaf: rules.Leaf, as_of: date) -> bool:
    """Whether a condition on participations is answered by the packed history alone."""
    return isinstance(leaf, Leaf) and all(map(can_answer, wanted_by([leaf], as_of)))


def needs_scan(leaf: rules.Leaf, as_of: date) -> bool:
    """Whether a condition makes it necessary to read participations."""
    return isinstance(leaf, Leaf) and not is_packed(leaf, as_of)


@dataclass(frozen=True, slots=True)
class _Value:
    """An aggregate in SQL: NULL or 0 for nothing, and what a rule's bounds are multiplied by."""

    sql: ColumnElement[Any]
    scale: Decimal = Decimal(1)


class ParticipationConditions:
    """The tables that some conditions on participations look at, and the conditions over them.

    Conditions may be NULL where a contact has no history; denials never are. ``only`` narrows what is read to these
    contacts; ``is_shared`` says that many rules are answered at once, ``has_history`` that nobody without a history can
    be meant.
    """

    def __init__(
        self,
        leaves: Iterable[rules.Leaf],
        *,
        organisation_id: int,
        as_of: date,
        only: Reach | None,
        is_shared: bool,
        has_history: bool,
    ) -> None:
        self._has_history = has_history
        self._as_of = as_of
        asked = [leaf for leaf in leaves if isinstance(leaf, Leaf)]
        packed = wanted_by((leaf for leaf in asked if is_packed(leaf, as_of)), as_of)
        scanned = wanted_by((leaf for leaf in asked if needs_scan(leaf, as_of)), as_of)
        self._scan: History | None = None
        self._packed: PackedHistory | None = None
        if to_scan := list(dict.fromkeys(scanned)):
            self._scan = History(to_scan, organisation_id=organisation_id, only=only)
        if to_look_up := list(dict.fromkeys(packed)):
            self._packed = PackedHistory(to_look_up, organisation_id=organisation_id, only=only, is_shared=is_shared)

    def join_to(self, source: sa.FromClause, contact_id: ColumnElement[int]) -> sa.FromClause:
        """``source`` with what the conditions look at beside it."""
        if self._packed is not None:
            source = self._packed.join_to(source, contact_id, is_outer=not self._has_history)
        if self._scan is not None:
            source = source.outerjoin(self._scan.subquery, self._scan.subquery.c.contact_id == contact_id)
        return source

    def condition(self, leaf: Leaf, *, no: bool) -> Condition:
        """The leaf, or its denial."""
        match leaf:
            case rules.Participation():
                return self._measure(leaf, no=no)
            case rules.FirstParticipation() | rules.LastParticipation():
                holds = self._edge(leaf)
            case rules.Share():
                holds = self._share(leaf)
        return holds.is_not(sa.true()) if no else holds

    def _measure(self, leaf: rules.Participation, *, no: bool) -> Condition:
        aggregate = measured(leaf, self._as_of)
        value = self._value(leaf, aggregate)
        holds = bounded(value.sql, _scaled(leaf.bounds, value.scale), no=no)
        low = leaf.bounds.at_least
        if no or low is None or low <= 0:
            return holds
        if leaf.bounds.at_most is None:
            # Whoever has enough for certain need not be counted.
            holds = sa.or_(*(least >= exact(low) for least in self._least(leaf, aggregate)), holds)
        return sa.and_(*self._first(leaf, aggregate, low), holds)

    def _edge(self, leaf: rules.FirstParticipation | rules.LastParticipation) -> Condition:
        aggregate = edge(leaf, self._as_of)
        holds = _in_window(self._value(leaf, aggregate).sql, leaf.window.around(self._as_of))
        return sa.and_(*self._first(leaf, aggregate, Decimal(1)), holds)

    def _share(self, leaf: rules.Share) -> Condition:
        aggregates = shared(leaf, self._as_of)
        both, every = (self._value(leaf, aggregate).sql for aggregate in aggregates)
        low, high = leaf.bounds.at_least, leaf.bounds.at_most
        if leaf.min_count <= 0:
            both = sa.func.coalesce(both, 0)
        # There are at least as many of all as of those that also match, and they are counted sooner.
        sides = [every >= max(leaf.min_count, 1)]
        # Whole numbers compare a good deal faster than numeric, and the part is looked at once.
        part, whole = (low or Decimal(0)).as_integer_ratio()
        bounds = [sa.literal(leaf.min_count * whole, sa.BigInteger), *([] if low is None else [every * part])]
        least = bounds[0] if len(bounds) == 1 else sa.func.greatest(*bounds)
        if leaf.min_count > 0 and self._packed is not None and is_packed(leaf, self._as_of):
            sides += self._packed.holders(aggregates[0])
            # Whatever looks at one table alone leaves fewer rows to be joined.
            sides += [most >= leaf.min_count for most in self._packed.most(aggregates[0])]
            sides.append(both >= leaf.min_count)
        sides.append(both * whole >= least)
        if high is not None:
            part, whole = high.as_integer_ratio()
            sides.append(both * whole <= every * part)
        return sa.and_(*sides)

    def _first(self, leaf: Leaf, aggregate: Aggregate, low: Decimal) -> Iterable[Condition]:
        """What is cheaper to ask before whether the aggregate reaches ``low``."""
        if self._packed is None or not is_packed(leaf, self._as_of):
            return ()
        return self._packed.necessary(aggregate, low)

    def _least(self, leaf: Leaf, aggregate: Aggregate) -> Iterable[ColumnElement[Any]]:
        """What is cheaper to know, and the aggregate is at least."""
        return self._packed.least(aggregate) if self._packed is not None and is_packed(leaf, self._as_of) else ()

    def _value(self, leaf: Leaf, aggregate: Aggregate) -> _Value:
        if is_packed(leaf, self._as_of) and self._packed is not None:
            return _Value(self._packed.value(aggregate), self._packed.scale(aggregate))
        if self._scan is not None:
            return _Value(self._scan.value(aggregate))
        raise AssertionError("every aggregate of the conditions is in the packed history or in the scan")


def bounded(value: ColumnElement[Any], bounds: rules.Bounds, *, no: bool) -> Condition:
    """``value``, 0 where it is NULL, lies within the bounds (or does not)."""
    low, high = bounds.at_least, bounds.at_most
    known = sa.func.coalesce(value, 0)
    if no:
        below = [known < exact(low)] if low is not None else []
        above = [known > exact(high)] if high is not None else []
        return sa.or_(*below, *above)
    sides = [] if high is None else [known <= exact(high)]
    if low is not None:
        # A bound above 0 cannot hold without a row, and says so to the planner.
        sides.insert(0, (value if low > 0 else known) >= exact(low))
    return sa.and_(*sides)


def _scaled(bounds: rules.Bounds, scale: Decimal) -> rules.Bounds:
    low, high = (None if bound is None else bound * scale for bound in (bounds.at_least, bounds.at_most))
    return rules.Bounds(low, high)


def _in_window(value: ColumnElement[Any], days: Days) -> Condition:
    sides: list[Condition] = [value.is_not(None)]
    if days.since is not None:
        sides.append(value >= days.since)
    if days.before is not None:
        sides.append(value < days.before)
    return sa.and_(*sides)
