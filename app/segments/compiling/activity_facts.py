"""What conditions ask about activities, worked out once per activity.

There are a few thousand activities to millions of participations: whether a genre matches is decided here, and the
scan of participations only joins the outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import ARRAY, BIT

from app.activities.models import Activity
from app.segments.language.lowering import lowered
from app.segments.language.rules import EVERY_PARTICIPATION, Where

Condition = ColumnElement[bool]

_TEXTS = ARRAY(sa.Text)


def activity_part(where: Where) -> Where | None:
    """The conditions of ``where`` that are about the activity itself, or ``None`` if there are none."""
    part = Where(
        series=where.series,
        genres=where.genres,
        venues=where.venues,
        kinds=where.kinds,
        audiences=where.audiences,
    )
    return None if part == EVERY_PARTICIPATION else part


class ActivityFacts:
    """A subquery with a row per activity: its id, whether it matches each of ``wheres``, and what is counted of it.

    ``only_where`` keeps the activities that match all parts of at least one of its tuples.
    """

    def __init__(
        self,
        organisation_id: int,
        wheres: Iterable[Where],
        *,
        only_where: Sequence[tuple[Where, ...]] | None,
        with_genres: bool,
        with_venues: bool,
    ) -> None:
        self._a = Activity.__table__.alias("a")
        self._names = {where: f"k{number}" for number, where in enumerate(dict.fromkeys(wheres))}
        columns: list[ColumnElement[Any]] = [
            sa.func.coalesce(self._condition(where), sa.false()).label(name) for where, name in self._names.items()
        ]
        source: sa.FromClause = self._a
        if with_genres:
            bits = _genre_bits(organisation_id)
            source = self._a.outerjoin(bits, bits.c.id == self._a.c.id)
            columns.append(bits.c.genres)
        if with_venues:
            columns.append(_venue_number(self._a.c.venue).label("venue"))
        query = sa.select(self._a.c.id, *columns).select_from(source)
        query = query.where(self._a.c.organisation_id == organisation_id)
        if only_where is not None:
            query = query.where(sa.or_(*(sa.and_(*map(self._condition, parts)) for parts in only_where)))
        # OFFSET 0 keeps the planner from pulling this up, which would work the facts out once per participation.
        self.subquery = query.offset(sa.literal_column("0")).subquery("facts")

    def matches(self, where: Where) -> Condition:
        """Whether the activity of a participation matches ``where``."""
        return self.subquery.c[self._names[where]]

    @property
    def genres(self) -> ColumnElement[Any]:
        """The set of genres, a bit for each genre of the organisation."""
        return self.subquery.c.genres

    @property
    def venue(self) -> ColumnElement[int]:
        """A number for the venue, NULL without one."""
        return self.subquery.c.venue

    def _condition(self, where: Where) -> Condition:
        return sa.and_(*about_activity(self._a.c, where))


def about_activity(activity: Any, where: Where) -> Iterator[Condition]:
    """What ``where`` asks of the activity itself; ``activity`` has its columns as attributes."""
    single = ((where.series, activity.series), (where.venues, activity.venue), (where.kinds, activity.kind))
    for texts, column in single:
        if texts:
            yield sa.func.lower(sa.func.btrim(column)).in_(_lowered(texts))
    for texts, several in ((where.genres, activity.genres), (where.audiences, activity.audiences)):
        if texts:
            yield _lowered_array(several).overlap(sa.literal(_lowered(texts), _TEXTS))


def _lowered(texts: Iterable[str]) -> list[str]:
    return [lowered(text) for text in texts]


def _lowered_array(texts: ColumnElement[Any]) -> ColumnElement[Any]:
    """A text array in lower case, without a subquery per row: by way of its written form."""
    return sa.cast(sa.func.lower(sa.cast(texts, sa.Text)), _TEXTS)


def _venue_number(venue: ColumnElement[Any]) -> ColumnElement[Any]:
    said = sa.func.lower(sa.func.btrim(venue))
    return sa.case((said.is_not(None), sa.func.dense_rank().over(order_by=said)))


def _genre_bits(organisation_id: int) -> sa.Subquery:
    """A row per activity with genres: the set of them as bits, one for each genre of the organisation.

    Distinct genres are then counted by OR-ing sets, not by a row for each genre of each participation.
    """
    other = Activity.__table__.alias("g")
    each = (
        sa.select(other.c.id, sa.func.unnest(_lowered_array(other.c.genres)).label("genre"))
        .where(other.c.organisation_id == organisation_id)
        .subquery("each")
    )
    distinct = sa.select(each.c.genre).where(each.c.genre.is_not(None)).distinct().subquery("genre")
    numbered = sa.select(
        distinct.c.genre,
        sa.cast(sa.func.row_number().over() - 1, sa.Integer).label("number"),
        sa.cast(sa.func.count().over(), sa.Integer).label("total"),
    ).subquery("numbered")
    none = sa.cast(sa.func.repeat("0", numbered.c.total), BIT(varying=True))
    return (
        sa.select(each.c.id, sa.func.bit_or(sa.func.set_bit(none, numbered.c.number, 1)).label("genres"))
        .join_from(each, numbered, numbered.c.genre == each.c.genre)
        .group_by(each.c.id)
        .subquery("genre_bits")
    )
