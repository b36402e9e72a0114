"""Who is alike to somebody that fulfils a rule, in SQL: as fast for a family of two as for a school of a thousand.

Whoever fulfils the rule is hashed by key, and each person looks for one other in there: the second that is met ends the
search, so that nobody is compared with everybody who shares a key with them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.contacts import likeness
from app.contacts.models import Contact
from app.segments.compiling.aggregates import Reach, within_reach
from app.segments.language import rules

Condition = ColumnElement[bool]

NAME = "like_name"


def keys_of(who: str) -> tuple[str, ...]:
    """The columns of which one in common makes two contacts alike."""
    return likeness.PERSON if who == "person" else likeness.HOUSEHOLD


def columns_compared(who: str) -> tuple[str, ...]:
    """Every column of a contact that decides whether they are alike to another."""
    return (*keys_of(who), "like_number") if who == "person" else keys_of(who)


def came_since(rule: rules.Rule, as_of: date) -> date | None:
    """The day since which a rule asks for a visit, and for nothing else; None for any other rule.

    Whoever fulfils such a rule is told by their latest visit alone.
    """
    match rule:
        case rules.Participation(measure=rules.Measure.COUNT, date_of=rules.DateOf.ACTIVITY) if (
            rule.where == rules.EVERY_PARTICIPATION
            and rule.bounds.at_most is None
            and rule.bounds.at_least is not None
            and 0 < rule.bounds.at_least <= 1
        ):
            days = rule.window.around(as_of)
            return (days.since or date.min) if days.before is None else None
        case _:
            return None


class Alike:
    """The people of a statement who may be alike to somebody: all living, those found ``near``, or those in reach."""

    def __init__(self, *, organisation_id: int, near: sa.FromClause | None, only: Reach | None) -> None:
        """``near`` has the columns of ``columns_compared``, and its ``id``."""
        self._people = Contact.__table__.alias("a") if near is None else near
        self._organisation_id = organisation_id
        self._near, self._only = near, only

    def in_reach_of(self, kinds: Collection[str]) -> sa.CompoundSelect[int] | None:
        """The ids of everybody who shares a key with people in reach; None where these are not few."""
        if self._only is None:
            return None
        return sa.union(*(self._sharing(key) for key in sorted({key for who in kinds for key in keys_of(who)})))

    def to(self, fulfilling: sa.CTE, who: str) -> sa.CompoundSelect[int]:
        """The ids of those alike to somebody else in ``fulfilling``, which has the columns compared, and ``id``."""
        return sa.union(*(self._alike_by(key, fulfilling) for key in keys_of(who)))

    def _sharing(self, key: str) -> sa.Select[int]:
        other = Contact.__table__.alias("o")
        having = sa.select(self._people.c[key]).where(self._people.c[key].is_not(None), *self._of_people())
        return sa.select(other.c.id).where(
            other.c.organisation_id == self._organisation_id,
            other.c.state == "living",
            other.c[key].is_not(None),
            other.c[key].in_(having),
        )

    def _of_people(self) -> list[Condition]:
        if self._near is not None:
            return []
        people = self._people.c
        conditions = [people.organisation_id == self._organisation_id, people.state == "living"]
        return conditions if self._only is None else [*conditions, within_reach(people.id, self._only)]

    def _alike_by(self, key: str, fulfilling: sa.CTE) -> sa.Select[int]:
        one, other = self._people.c, fulfilling.c
        is_another = [other[key] == one[key], other.id != one.id]
        if key == NAME:
            # Two people of one name in one town, at different numbers, are two people.
            same = other.like_number == one.like_number
            is_another.append(sa.or_(other.like_number.is_(None), one.like_number.is_(None), same))
        some: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(fulfilling).where(*is_another)
        return sa.select(one.id).where(*self._of_people(), some.correlate(self._people).exists())
