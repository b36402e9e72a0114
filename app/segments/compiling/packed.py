"""Aggregates that the packed history of a contact answers by itself, without looking at a single participation.

How many dates of a sorted array lie in a window is two binary searches (``width_bucket``); sums are differences of
running totals, first and last are its ends, and a genre's dates lie together in an array of their own
(``app/activities/models.py`` says what is in which). ``can_answer`` says which aggregates these are: valid
participations only, and conditions on at most one genre, or on lead days and weekdays. All others are left to the scan
(``history.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.activities.models import ContactHistory, ContactHistoryDetail
from app.segments.compiling.aggregates import Aggregate, Reach, Rows, on_weekdays, within, within_reach
from app.segments.language.lowering import lowered
from app.segments.language.rules import EVERY_PARTICIPATION, DateOf, Where
from app.segments.language.windows import Days

Condition = ColumnElement[bool]
# Names an expression over the packed rows, so that one that many rules use is worked out once.
See = Callable[[tuple[object, ...], ColumnElement[Any]], ColumnElement[Any]]

_EPOCH = date(2000, 1, 1)
_A_GENRE = 2**32
_FIRST_DAY, _LAST_DAY = -(2**31), 2**31 - 1
_IN_CENTS = 100


def can_answer(aggregate: Aggregate) -> bool:
    """Whether the packed history holds all that this aggregate looks at."""
    rows = aggregate.rows
    where = _joined(rows)
    if where is None or where.statuses:
        return False
    if where == EVERY_PARTICIPATION:
        by_activity = aggregate.kind in ("count", "days", "tickets", "spend", "genres", "first", "last")
        return by_activity if rows.date_of is DateOf.ACTIVITY else aggregate.kind in ("count", "first", "last")
    if rows.date_of is not DateOf.ACTIVITY:
        return False
    if where == Where(genres=where.genres):
        return len({lowered(genre) for genre in where.genres}) == 1 and aggregate.kind in ("count", "first", "last")
    return aggregate.kind == "count" and where == Where(weekdays=where.weekdays, lead_days=where.lead_days)


class PackedHistory:
    """The packed rows for a set of aggregates that it can answer, to be joined to the contacts.

    A contact without a row, or without the genre, measures NULL. With ``is_shared`` many rules look at the same rows:
    whatever more than one of them may need is then worked out once per contact.
    """

    def __init__(
        self, wanted: Iterable[Aggregate], *, organisation_id: int, only: Reach | None, is_shared: bool
    ) -> None:
        self._h = ContactHistory.__table__.alias("h")
        self._d = ContactHistoryDetail.__table__.alias("d")
        self._organisation_id = organisation_id
        self._only = only
        self._seen: dict[tuple[object, ...], ColumnElement[Any]] = {}
        self._labels: dict[tuple[object, ...], str] = {}
        self._uses_dates = self._uses_details = False
        self._is_shared = is_shared
        # What must look at single visits or genres, worked out beside a contact's rows: unlike a subquery in a
        # condition, that keeps no other core from helping.
        self._laterals: dict[tuple[object, ...], sa.FromClause] = {}
        for aggregate in wanted:
            self._value(aggregate, self._note)
            self._most(aggregate, self._note)
        self._shared = self._build() if is_shared else None

    def join_to(self, source: sa.FromClause, contact_id: ColumnElement[int], *, is_outer: bool) -> sa.FromClause:
        """``source`` with the packed rows of its contacts beside it; with ``is_outer`` also contacts without."""
        if self._shared is not None:
            return source.outerjoin(self._shared, self._shared.c.contact_id == contact_id)
        for table, is_used in ((self._h, self._uses_dates), (self._d, self._uses_details)):
            if is_used:
                of_contact = sa.and_(table.c.organisation_id == self._organisation_id, table.c.contact_id == contact_id)
                source = source.join(table, of_contact, isouter=is_outer)
        for lateral in self._laterals.values():
            source = source.join(lateral, sa.true())
        return source

    def value(self, aggregate: Aggregate) -> ColumnElement[Any]:
        """The aggregate; spend in cents. NULL or 0 for nothing."""
        return self._value(aggregate, self._look_up)

    def scale(self, aggregate: Aggregate) -> Decimal:
        """What a rule's bound is multiplied by before it is compared with ``value``."""
        return Decimal(_IN_CENTS if aggregate.kind == "spend" else 1)

    def necessary(self, aggregate: Aggregate, at_least: Decimal) -> Iterator[Condition]:
        """Cheaper conditions without which the aggregate cannot reach ``at_least``, which is above 0."""
        if aggregate.rows.days.is_empty:
            # Nothing lies in the window, and nothing was joined for it.
            yield sa.false()
            return
        yield from self.holders(aggregate)
        least = sa.literal(int(at_least), sa.BigInteger)
        where = _joined(aggregate.rows) or EVERY_PARTICIPATION
        if aggregate.kind == "genres":
            yield self._genres_since(aggregate.rows.days.since, self._look_up) >= least
        elif where.weekdays or where.lead_days:
            yield self._between("activity_dates", self._dates, aggregate.rows.days, self._look_up) >= least
            yield from (most >= least for most in self.most(aggregate))

    def most(self, aggregate: Aggregate) -> Iterator[ColumnElement[Any]]:
        """What the aggregate cannot exceed, where that is cheaper to know: visits of such lead days, whenever."""
        most = self._most(aggregate, self._look_up)
        if most is not None:
            yield most

    def holders(self, aggregate: Aggregate) -> Iterator[Condition]:
        """Who ever came for the genre that an aggregate is about: an index knows them."""
        where = _joined(aggregate.rows) or EVERY_PARTICIPATION
        if where.genres and self._shared is None and not aggregate.rows.days.is_empty:
            yield self._d.c.genres.contains(sa.literal([lowered(where.genres[0])], sa.ARRAY(sa.Text)))

    # --- one row's expressions, worked out where they stand or shared ---

    def _note(self, name: tuple[object, ...], expression: ColumnElement[Any]) -> ColumnElement[Any]:
        self._seen.setdefault(name, expression)
        return expression

    def _look_up(self, name: tuple[object, ...], expression: ColumnElement[Any]) -> ColumnElement[Any]:
        return expression if self._shared is None else self._shared.c[self._label(name)]

    def _label(self, name: tuple[object, ...]) -> str:
        return self._labels.setdefault(name, f"v{len(self._labels)}")

    def _build(self) -> sa.Subquery:
        columns = [expression.label(self._label(name)) for name, expression in self._seen.items()]
        h, d = self._h, self._d
        of_contact = [d.c.organisation_id == self._organisation_id, d.c.contact_id == h.c.contact_id]
        if self._only is not None:
            # An outer join tells the planner nothing of which details are within reach.
            of_contact.append(within_reach(d.c.contact_id, self._only))
        joined = h.outerjoin(d, sa.and_(*of_contact))
        query = sa.select(h.c.contact_id, *columns).select_from(joined if self._uses_details else h)
        query = query.where(h.c.organisation_id == self._organisation_id)
        if self._only is not None:
            query = query.where(within_reach(h.c.contact_id, self._only))
        # OFFSET 0 keeps the planner from working an expression out again wherever a rule uses it.
        return query.offset(sa.literal_column("0")).subquery("packed")

    @property
    def _dates(self) -> ColumnElement[Any]:
        self._uses_dates = True
        return self._h.c.activity_dates

    def _detail(self, name: str) -> ColumnElement[Any]:
        self._uses_details = True
        return self._d.c[name]

    # --- what aggregates are ---

    def _value(self, aggregate: Aggregate, see: See) -> ColumnElement[Any]:
        rows = aggregate.rows
        if rows.days.is_empty and aggregate.kind not in ("first", "last"):
            return sa.literal(0, sa.BigInteger)
        where = _joined(rows) or EVERY_PARTICIPATION
        if where.genres:
            return self._of_genre(aggregate, lowered(where.genres[0]), see)
        if where != EVERY_PARTICIPATION:
            return self._picked(rows.days, where, see)
        return self._of_all(aggregate, see)

    def _of_all(self, aggregate: Aggregate, see: See) -> ColumnElement[Any]:
        days, is_booking = aggregate.rows.days, aggregate.rows.date_of is DateOf.BOOKING
        if aggregate.kind == "genres":
            return self._genres(days, see)
        name = "booking_dates" if is_booking else "activity_dates"
        array = self._detail(name) if is_booking else self._dates
        match aggregate.kind:
            case "days":
                return self._between("activity_days", sa.func.coalesce(self._h.c.activity_days, array), days, see)
            case "tickets" | "spend":
                return self._summed(aggregate.kind, days, see)
            case "first":
                return see((name, "first"), array[1])
            case "last":
                return see((name, "last"), array[_length(array)])
            case _:
                return self._between(name, array, days, see)

    def _between(self, name: str, array: ColumnElement[Any], days: Days, see: See) -> ColumnElement[Any]:
        upto = self._upto(name, array, days.before, see)
        return upto if days.since is None else upto - self._upto(name, array, days.since, see)

    def _upto(self, name: str, array: ColumnElement[Any], edge: date | None, see: See) -> ColumnElement[Any]:
        """How many dates lie before ``edge`` (all of them where it is open), which is the place of the last one."""
        if edge is None:
            return see((name, "all"), _length(array))
        if edge == date.min:
            return sa.literal(0, sa.Integer)
        return see((name, edge), _bucket(sa.literal(edge - timedelta(days=1), sa.Date), array))

    def _summed(self, name: str, days: Days, see: See) -> ColumnElement[Any]:
        totals = see((name,), self._detail(name))

        def total_before(edge: date | None) -> ColumnElement[Any]:
            return sa.func.coalesce(totals[self._upto("activity_dates", self._dates, edge, see)], 0)

        total = total_before(days.before)
        return total if days.since is None else total - total_before(days.since)

    def _of_genre(self, aggregate: Aggregate, genre: str, see: See) -> ColumnElement[Any]:
        keys = self._detail("genre_dates")
        place = sa.func.array_position(self._detail("genres"), sa.literal(genre, sa.Text))
        base = sa.cast(see(("place", genre), place), sa.BigInteger) * _A_GENRE
        own_base = sa.cast(place, sa.BigInteger) * _A_GENRE

        def upto(day: int) -> ColumnElement[Any]:
            return see((genre, day), _bucket(own_base + day, keys))

        if aggregate.kind in ("first", "last"):
            found = upto(_LAST_DAY) if aggregate.kind == "last" else upto(_FIRST_DAY - 1) + 1
            key = see(("genre_dates",), keys)[found]
            return sa.literal(_EPOCH, sa.Date) + sa.cast(key - base, sa.Integer)
        return upto(_number(aggregate.rows.days.before, _LAST_DAY)) - upto(
            _number(aggregate.rows.days.since, _FIRST_DAY - 1)
        )

    def _genres(self, days: Days, see: See) -> ColumnElement[Any]:
        total = see(("genres", "all"), _length(self._detail("genres")))
        if days.before is None:
            return self._genres_since(days.since, see)
        # Where nothing lies behind the window, its genres are those that did not end before it. Else each is looked up.
        ended = see(("genre_lasts", days.before), _bucket(_number(days.before, _LAST_DAY), self._detail("genre_lasts")))
        between = self._genres_between(days, ended != total, see)
        return sa.case((ended == total, self._genres_since(days.since, see)), else_=between)

    def _genres_since(self, since: date | None, see: See) -> ColumnElement[Any]:
        """How many genres have a date on or after a day."""
        total = see(("genres", "all"), _length(self._detail("genres")))
        if since is None:
            return total
        return total - see(("genre_lasts", since), _bucket(_number(since, _LAST_DAY), self._detail("genre_lasts")))

    def _most(self, aggregate: Aggregate, see: See) -> ColumnElement[Any] | None:
        """How many visits were booked so many days ahead, whenever."""
        where = _joined(aggregate.rows)
        if where is None or where.lead_days is None or aggregate.rows.days.is_empty:
            return None
        lead_days, leads = where.lead_days, self._detail("sorted_lead_days")

        def upto(days: Decimal) -> ColumnElement[Any]:
            return see(("sorted_lead_days", days), _bucket(int(days), leads))

        total = see(("sorted_lead_days",), _length(leads)) if lead_days.high is None else upto(lead_days.high)
        return total if lead_days.low is None else total - upto(lead_days.low - 1)

    def _genres_between(self, days: Days, is_asked: Condition, see: See) -> ColumnElement[Any]:
        """How many genres have a date in the window, each looked up by itself, where that is asked."""
        keys = see(("genre_dates",), self._detail("genre_dates"))
        # The planner expects a few elements of an array, and a thousand of a series; it must not choose a plan by that.
        names = sa.func.unnest(see(("genres",), self._detail("genres")))
        genre = names.table_valued(sa.column("name", sa.Text), with_ordinality="place").render_derived(name="genre")
        base = sa.cast(genre.c.place, sa.BigInteger) * _A_GENRE
        since, before = _number(days.since, _FIRST_DAY - 1), _number(days.before, _LAST_DAY)
        came = _bucket(base + before, keys) > _bucket(base + since, keys)
        counted = sa.select(sa.func.count().label("number")).select_from(genre).where(is_asked, came)
        return self._counted(("genres", days), counted)

    def _picked(self, days: Days, where: Where, see: See) -> ColumnElement[Any]:
        """How many of the participations in the window fit, looked at one by one."""
        upto = self._upto("activity_dates", self._dates, days.before, see)
        after = self._upto("activity_dates", self._dates, days.since, see) if days.since else sa.literal(0, sa.Integer)
        # No more is taken apart than is asked about.
        looked_at: dict[str, tuple[ColumnElement[Any], sa.types.TypeEngine[Any]]] = {}
        if where.weekdays:
            looked_at["day"] = see(("activity_dates",), self._dates), sa.Date()
        if where.lead_days:
            looked_at["lead"] = see(("lead_days",), self._detail("lead_days")), sa.Integer()
        line = sa.func.unnest(*(array[after + 1 : upto] for array, _ in looked_at.values()))
        columns = (sa.column(name, kind) for name, (_, kind) in looked_at.items())
        lines = line.table_valued(*columns).render_derived(name="line")
        fits: list[Condition] = []
        if where.weekdays:
            fits += on_weekdays(lines.c.day, where.weekdays)
        if where.lead_days:
            fits += within(lines.c.lead, where.lead_days)
        counted = sa.select(sa.func.count().label("number")).select_from(lines).where(*fits)
        return self._counted(("picked", days, where), counted)

    def _counted(self, name: tuple[object, ...], counted: sa.Select[int]) -> ColumnElement[Any]:
        """The number that is counted for each contact."""
        if self._is_shared:
            return counted.scalar_subquery()
        if name not in self._laterals:
            beside = counted.correlate(self._h, self._d).offset(sa.literal_column("0"))
            self._laterals[name] = beside.lateral(f"counted_{len(self._laterals)}")
        return self._laterals[name].c.number


def _joined(rows: Rows) -> Where | None:
    """The conditions of ``where`` and ``also`` as one, or None where they do not make one."""
    if rows.also in (None, rows.where, EVERY_PARTICIPATION):
        return rows.where
    return rows.also if rows.where == EVERY_PARTICIPATION else None


def _number(edge: date | None, unbounded: int) -> int:
    """The day before ``edge`` as genre dates count days."""
    return unbounded if edge is None else (edge - _EPOCH).days - 1


def _bucket(value: ColumnElement[Any] | int, array: ColumnElement[Any]) -> ColumnElement[int]:
    """How many elements of a sorted array are at most ``value``."""
    return sa.func.width_bucket(value, array, type_=sa.Integer)


def _length(array: ColumnElement[Any]) -> ColumnElement[int]:
    return sa.func.cardinality(array, type_=sa.Integer)
