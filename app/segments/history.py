"""One pass over participation, whatever number of conditions look at it.

Every condition becomes aggregates with a filter of their own over the same grouped scan: one row per contact. What all
conditions have in common (only valid rows, the outermost dates, only these activities) narrows the scan itself, so that
the covering index and the index by activity can be used. Facts about activities are worked out once per activity, not
once per participation, and are joined only where a condition needs them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.activities.models import Participation
from app.segments import rules
from app.segments.activity_facts import ActivityFacts, activity_part
from app.segments.lowering import lowered
from app.segments.rules import DateOf, Where
from app.segments.windows import Days

Condition = ColumnElement[bool]
# Contacts to look at: their ids, or a select of one column that gives them.
Candidates = Collection[int] | sa.Select[int]
# The same within a statement: what selects the ids is named once, so that it is read once.
Reach = list[int] | sa.Select[int]

WITH_ACTIVITY_FACTS = ("genres", "venues")


@dataclass(frozen=True, slots=True)
class Rows:
    """The participations that an aggregate looks at: a window on one of the two dates, and conditions."""

    days: Days
    date_of: DateOf
    where: Where
    also: Where | None = None

    @property
    def is_valid_only(self) -> bool:
        """Whether cancelled and refunded participations are left out."""
        return not self.where.statuses

    @property
    def about_activity(self) -> tuple[Where, ...]:
        """The parts of the conditions that are about the activity; all must hold."""
        parts = (activity_part(where) for where in (self.where, self.also) if where is not None)
        return tuple(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One number (or date) per contact over ``rows``."""

    kind: Literal["count", "tickets", "spend", "activities", "genres", "venues", "days", "first", "last"]
    rows: Rows


def measured(leaf: rules.Participation, as_of: date) -> Aggregate:
    """What a participation leaf measures."""
    return Aggregate(leaf.measure.value, Rows(leaf.window.around(as_of), leaf.date_of, leaf.where))


def edge(leaf: rules.FirstParticipation | rules.LastParticipation, as_of: date) -> Aggregate:
    """The earliest or latest date; of the latest only what lies after the window's start can matter."""
    if isinstance(leaf, rules.FirstParticipation):
        return Aggregate("first", Rows(Days(), leaf.date_of, leaf.where))
    return Aggregate("last", Rows(Days(since=leaf.window.around(as_of).since), leaf.date_of, leaf.where))


def shared(leaf: rules.Share, as_of: date) -> tuple[Aggregate, Aggregate]:
    """How many participations match both, and how many match ``where``."""
    rows = Rows(leaf.window.around(as_of), leaf.date_of, leaf.where)
    return Aggregate("count", replace(rows, also=leaf.of)), Aggregate("count", rows)


def wanted_by(leaves: Iterable[rules.Leaf], as_of: date) -> Iterator[Aggregate]:
    """Every aggregate that the leaves look at."""
    for leaf in leaves:
        match leaf:
            case rules.Participation():
                yield measured(leaf, as_of)
            case rules.FirstParticipation() | rules.LastParticipation():
                yield edge(leaf, as_of)
            case rules.Share():
                yield from shared(leaf, as_of)
            case _:
                continue


def reach_of(only: Candidates | None) -> Reach | None:
    """``only`` as the parts of one statement share it."""
    match only:
        case None:
            return None
        case sa.Select():
            candidates = only.cte("candidates")
            return sa.select(*candidates.c)
        case _:
            return list(only)


def within_reach(contact_id: ColumnElement[int], reach: Reach) -> Condition:
    """Whether a contact is among those to look at."""
    if isinstance(reach, sa.Select):
        return contact_id.in_(reach)
    return contact_id == sa.any_(sa.literal(reach, sa.ARRAY(sa.BigInteger)))


class History:
    """The grouped scan for a set of aggregates: a subquery with a row per contact that has participations in reach.

    A contact without a row measures 0 everywhere. ``only`` narrows the scan to these contacts.
    """

    def __init__(self, wanted: Iterable[Aggregate], *, organisation_id: int, only: Reach | None) -> None:
        self._names = {aggregate: f"m{number}" for number, aggregate in enumerate(dict.fromkeys(wanted))}
        self._p = Participation.__table__.alias("p")
        self._rows = list(dict.fromkeys(aggregate.rows for aggregate in self._names))
        self._organisation_id = organisation_id
        self._only = only
        self._facts = self._needed_facts()
        self.subquery = self._build()

    def value(self, aggregate: Aggregate) -> ColumnElement[Any]:
        """The aggregate's column; NULL for contacts without a row."""
        return self.subquery.c[self._names[aggregate]]

    def _needed_facts(self) -> ActivityFacts | None:
        wheres = [part for rows in self._rows for part in rows.about_activity]
        kinds = {aggregate.kind for aggregate in self._names}
        if not wheres and not kinds & set(WITH_ACTIVITY_FACTS):
            return None
        reach = [rows.about_activity for rows in self._rows]
        return ActivityFacts(
            self._organisation_id,
            wheres,
            only_where=reach if all(reach) else None,
            with_genres="genres" in kinds,
            with_venues="venues" in kinds,
        )

    def _build(self) -> sa.Subquery:
        columns = [self._aggregate(aggregate).label(name) for aggregate, name in self._names.items()]
        source: sa.FromClause = self._p
        if self._facts is not None:
            source = source.join(self._facts.subquery, self._facts.subquery.c.id == self._p.c.activity_id)
        return (
            sa.select(self._p.c.contact_id, *columns)
            .select_from(source)
            .where(self._p.c.organisation_id == self._organisation_id, *self._common())
            .group_by(self._p.c.contact_id)
            .subquery("history")
        )

    def _common(self) -> Iterator[Condition]:
        """What every aggregate asks of its rows, so that no other row need be read."""
        if self._only is not None:
            yield within_reach(self._p.c.contact_id, self._only)
        if self._all_valid:
            yield self._p.c.is_valid
        for date_of in DateOf:
            since, before = self._outermost(date_of)
            if since is not None:
                yield self._date(date_of) >= since
            if before is not None:
                yield self._date(date_of) < before
        if len(self._rows) == 1:
            yield from self._rest(self._rows[0])

    @property
    def _all_valid(self) -> bool:
        return all(rows.is_valid_only for rows in self._rows)

    def _outermost(self, date_of: DateOf) -> tuple[date | None, date | None]:
        """The dates outside of which no aggregate looks."""
        if any(rows.date_of is not date_of for rows in self._rows):
            return None, None
        sinces = [rows.days.since for rows in self._rows]
        befores = [rows.days.before for rows in self._rows]
        return (
            None if None in sinces else min(day for day in sinces if day is not None),
            None if None in befores else max(day for day in befores if day is not None),
        )

    def _date(self, date_of: DateOf) -> ColumnElement[date]:
        return self._p.c.activity_on if date_of is DateOf.ACTIVITY else self._p.c.booked_on

    def _aggregate(self, aggregate: Aggregate) -> ColumnElement[Any]:
        function = self._function(aggregate)
        rest = [] if len(self._rows) == 1 else list(self._filters(aggregate.rows))
        filtered: sa.FunctionElement[Any] | ColumnElement[Any] = function.filter(*rest) if rest else function
        return sa.func.bit_count(filtered) if aggregate.kind == "genres" else filtered

    def _function(self, aggregate: Aggregate) -> sa.FunctionElement[Any]:  # noqa: PLR0911 (one return per measure)
        day = self._date(aggregate.rows.date_of)
        match aggregate.kind:
            case "count":
                return sa.func.count()
            case "tickets":
                return sa.func.sum(self._p.c.quantity)
            case "spend":
                return sa.func.sum(self._p.c.amount)
            case "activities":
                return sa.func.count(self._p.c.activity_id.distinct())
            case "days":
                return sa.func.count(day.distinct())
            case "first":
                return sa.func.min(day)
            case "last":
                return sa.func.max(day)
            case "venues" | "genres":
                return self._over_facts(aggregate.kind)

    def _over_facts(self, kind: Literal["venues", "genres"]) -> sa.FunctionElement[Any]:
        if self._facts is None:
            raise AssertionError("facts are joined wherever a measure needs them")
        if kind == "venues":
            return sa.func.count(self._facts.venue.distinct())
        return sa.func.bit_or(self._facts.genres)

    def _filters(self, rows: Rows) -> Iterator[Condition]:
        """What these rows must satisfy beyond what all rows do."""
        if rows.is_valid_only and not self._all_valid:
            yield self._p.c.is_valid
        since, before = self._outermost(rows.date_of)
        if rows.days.since is not None and rows.days.since != since:
            yield self._date(rows.date_of) >= rows.days.since
        if rows.days.before is not None and rows.days.before != before:
            yield self._date(rows.date_of) < rows.days.before
        yield from self._rest(rows)

    def _rest(self, rows: Rows) -> Iterator[Condition]:
        """The conditions on single participations and their activities."""
        for where in (rows.where, rows.also):
            if where is not None:
                yield from self._about_participation(where)
        # With one set of rows the facts hold no other activity.
        if self._facts is not None and len(self._rows) > 1:
            yield from map(self._facts.matches, rows.about_activity)

    def _about_participation(self, where: Where) -> Iterator[Condition]:
        p = self._p.c
        if where.activities:
            yield p.activity_id.in_(where.activities)
        for texts, column in ((where.channels, p.channel), (where.sources, p.source)):
            if texts:
                yield sa.func.lower(sa.func.btrim(column)).in_([lowered(text) for text in texts])
        if where.statuses:
            yield p.status.in_(where.statuses)
        if where.weekdays:
            yield sa.extract("isodow", p.activity_on).in_(where.weekdays)
        yield from within(p.amount, where.price)
        yield from within(p.quantity, where.quantity)
        yield from within(p.activity_on - p.booked_on, where.lead_days)


def within(value: ColumnElement[Any], limits: rules.Range | None) -> Iterator[Condition]:
    """``value`` exists and lies within the limits, both included."""
    if limits is None:
        return
    if limits.low is not None:
        yield value >= exact(limits.low)
    if limits.high is not None:
        yield value <= exact(limits.high)
    if limits.low is None and limits.high is None:
        yield value.is_not(None)


def exact(number: Decimal) -> ColumnElement[Any]:
    """A number of a rule as SQL: whole numbers as integers, which compare a good deal faster than numeric."""
    if number == number.to_integral_value():
        return sa.literal(int(number), sa.BigInteger)
    return sa.literal(number, sa.Numeric)
