"""One grouped scan of participations, for the conditions that the packed history cannot answer.

Every condition becomes aggregates with a filter of their own over the same grouped scan: one row per contact. What all
conditions have in common (only valid rows, the outermost dates, only these activities) narrows the scan itself, so that
the covering index and the index by activity can be used. Facts about activities are worked out once per activity, not
once per participation, and are joined only where a condition needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.activities.models import Participation
from app.segments.compiling.activity_facts import ActivityFacts
from app.segments.compiling.aggregates import Aggregate, Reach, Rows, on_weekdays, within, within_reach
from app.segments.language.lowering import lowered
from app.segments.language.rules import DateOf, Where

Condition = ColumnElement[bool]

WITH_ACTIVITY_FACTS = ("genres", "venues")


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
                yield from about_participation(self._p.c, where)
        # With one set of rows the facts hold no other activity.
        if self._facts is not None and len(self._rows) > 1:
            yield from map(self._facts.matches, rows.about_activity)


def about_participation(participation: Any, where: Where) -> Iterator[Condition]:
    """What ``where`` asks of a participation itself; ``participation`` has its columns as attributes."""
    p = participation
    if where.activities:
        yield p.activity_id.in_(where.activities)
    for texts, column in ((where.channels, p.channel), (where.sources, p.source)):
        if texts:
            yield sa.func.lower(sa.func.btrim(column)).in_([lowered(text) for text in texts])
    if where.statuses:
        yield p.status.in_(where.statuses)
    yield from on_weekdays(p.activity_on, where.weekdays)
    yield from within(p.amount, where.price)
    yield from within(p.quantity, where.quantity)
    yield from within(p.activity_on - p.booked_on, where.lead_days)
