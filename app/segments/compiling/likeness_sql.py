"""Who is alike to somebody that fulfils a rule, in SQL: as fast for a family of two as for a school of a thousand.

Nobody is compared with everybody who shares a key with them. Whoever fulfils the rule is grouped by key, with the
smallest and the largest id of each group: a person is alike to somebody else in it unless both of these are their own.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.contacts import likeness
from app.contacts.models import Contact
from app.segments.compiling.aggregates import Reach, within_reach

Condition = ColumnElement[bool]

NAME = "like_name"


def keys_of(who: str) -> tuple[str, ...]:
    """The columns of which one in common makes two contacts alike."""
    return likeness.PERSON if who == "person" else likeness.HOUSEHOLD


def columns_compared(who: str) -> tuple[str, ...]:
    """Every column of a contact that decides whether they are alike to another."""
    return (*keys_of(who), "street") if who == "person" else keys_of(who)


class Alike:
    """The people of a statement who may be alike to somebody: all living, those found ``near``, or those in reach."""

    def __init__(self, who: str, *, organisation_id: int, near: sa.FromClause | None, only: Reach | None) -> None:
        """``near`` has the columns of ``columns_compared``, and its ``id``."""
        self._keys = keys_of(who)
        self._people = Contact.__table__.alias("a") if near is None else near
        self._organisation_id = organisation_id
        self._near, self._only = near, only

    def in_reach_of(self) -> sa.CompoundSelect[int] | None:
        """The ids of everybody who shares a key with people in reach; None where these are not few."""
        if self._only is None:
            return None
        return sa.union(*map(self._sharing, self._keys))

    def may_matter(self, other: sa.FromClause) -> Condition:
        """Whether somebody shares a key with those found near; true where all are asked."""
        if self._near is None:
            return sa.true()
        return sa.or_(*(other.c[key].in_(self._having(key)) for key in self._keys))

    def to(self, fulfilling: sa.CTE) -> sa.CompoundSelect[int]:
        """The ids of those alike to somebody else in ``fulfilling``, which has the columns compared, and ``id``."""
        return sa.union(*(self._alike_by(key, fulfilling) for key in self._keys))

    def _sharing(self, key: str) -> sa.Select[int]:
        other = Contact.__table__.alias("o")
        return sa.select(other.c.id).where(
            other.c.organisation_id == self._organisation_id,
            other.c.state == "living",
            other.c[key].is_not(None),
            other.c[key].in_(self._having(key)),
        )

    def _having(self, key: str) -> sa.Select[Any]:
        """The keys of the people, where they have one."""
        return sa.select(self._people.c[key]).where(self._people.c[key].is_not(None), *self._of_people())

    def _of_people(self) -> list[Condition]:
        if self._near is not None:
            return []
        people = self._people.c
        conditions = [people.organisation_id == self._organisation_id, people.state == "living"]
        return conditions if self._only is None else [*conditions, within_reach(people.id, self._only)]

    def _alike_by(self, key: str, fulfilling: sa.CTE) -> sa.Select[int]:
        one = self._people
        # Two people of one name in one town, at different numbers, are two people.
        apart = [house_number(fulfilling).label("number")] if key == NAME else []
        groups = (
            sa.select(
                fulfilling.c[key].label("key"),
                sa.func.min(fulfilling.c.id).label("first"),
                sa.func.max(fulfilling.c.id).label("last"),
                *apart,
            )
            .where(fulfilling.c[key].is_not(None))
            .group_by(fulfilling.c[key], *apart)
            .subquery("same")
        )
        is_another = sa.or_(groups.c.first != one.c.id, groups.c.last != one.c.id)
        joined = [groups.c.key == one.c[key], is_another]
        if key == NAME:
            own = house_number(one)
            joined.append(sa.or_(groups.c.number.is_(None), own.is_(None), groups.c.number == own))
        return sa.select(one.c.id).select_from(one.join(groups, sa.and_(*joined))).where(*self._of_people())


def house_number(contact: sa.FromClause) -> ColumnElement[str]:
    """The first number in a street, NULL without one."""
    return sa.func.substring(contact.c.street, "[0-9]+")
