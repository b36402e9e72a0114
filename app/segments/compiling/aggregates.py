"""What conditions measure of a contact's participations: lowered from the rules, and not yet bound to a table.

Two places work these out: the packed history of a contact (``packed.py``) where it can, and one grouped scan of the
participations (``history.py``) for the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.segments.compiling.activity_facts import activity_part
from app.segments.language import rules
from app.segments.language.rules import DateOf, Where
from app.segments.language.windows import Days

Condition = ColumnElement[bool]
# Contacts to look at: their ids, or a select of one column that gives them.
Candidates = Collection[int] | sa.Select[int]
# The same within a statement: what selects the ids is named once, so that it is read once.
Reach = list[int] | sa.Select[int]


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


def on_weekdays(day: ColumnElement[date], weekdays: tuple[int, ...]) -> Iterator[Condition]:
    """``day`` falls on one of these days of the week (Monday is 1), if any are given."""
    if weekdays:
        yield sa.extract("isodow", day).in_(weekdays)


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
