"""Aggregates that the packed history of a contact answers by itself, without looking at a single participation.

How many dates of a sorted array lie in a window is two binary searches (``width_bucket``); sums are differences of
running totals, first and last are its ends, and the dates of a genre, or of so many days ahead, lie together in arrays
of their own (``app/activities/models.py`` says what is in which). ``can_answer`` says which aggregates these are: valid
participations only, and conditions on at most one genre, or on lead days and weekdays. All others are left to the scan
(``history.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from math import ceil, floor
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.activities.models import ContactHistory, ContactHistoryDetail, ContactHistoryGenres, ContactHistoryLeads
from app.segments.compiling.aggregates import Aggregate, Reach, Rows, on_weekdays, within, within_reach
from app.segments.language.lowering import lowered
from app.segments.language.rules import EVERY_PARTICIPATION, DateOf, Range, Where
from app.segments.language.windows import Days

Condition = ColumnElement[bool]
# Names an expression over the packed rows, so that one that many rules use is worked out once.
See = Callable[[tuple[object, ...], ColumnElement[Any]], ColumnElement[Any]]

_EPOCH = date(2000, 1, 1)
# The dates of the next genre, or of a lead day more, lie so much further.
_APART = 2**32
_FIRST_DAY, _LAST_DAY = -(2**31), 2**31 - 1
# Further ahead than the calendar is long.
_LEAD_MAX = 2**30
# So many lead days are searched one by one, two searches each; more are counted.
_LEADS_SEARCHED = 8
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
        self._beside = {
            "detail": ContactHistoryDetail.__table__.alias("d"),
            "leads": ContactHistoryLeads.__table__.alias("l"),
            "genres": ContactHistoryGenres.__table__.alias("g"),
        }
        self._organisation_id = organisation_id
        self._only = only
        self._seen: dict[tuple[object, ...], ColumnElement[Any]] = {}
        self._labels: dict[tuple[object, ...], str] = {}
        self._uses_dates = False
        self._used: set[str] = set()
        self._is_shared = is_shared
        # What must look at single visits, worked out beside a contact's rows: unlike a subquery in a condition, that
        # keeps no other core from helping.
        self._laterals: dict[tuple[object, ...], sa.FromClause] = {}
        for aggregate in wanted:
            self._value(aggregate, self._note)
            self._most(aggregate, self._note)
            self._least(aggregate, self._note)
        self._shared = self._build() if is_shared else None

    def join_to(self, source: sa.FromClause, contact_id: ColumnElement[int], *, is_outer: bool) -> sa.FromClause:
        """``source`` with the packed rows of its contacts beside it; with ``is_outer`` also contacts without."""
        if self._shared is not None:
            return source.outerjoin(self._shared, self._shared.c.contact_id == contact_id)
        for table in [*([self._h] if self._uses_dates else []), *self._tables_used()]:
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
        elif where.lead_days is not None:
            yield from (most >= least for most in self.most(aggregate))
        elif where.weekdays:
            yield self._between("activity_dates", self._dates, aggregate.rows.days, self._look_up) >= least

    def most(self, aggregate: Aggregate) -> Iterator[ColumnElement[Any]]:
        """What the aggregate cannot exceed, where that is cheaper to know: visits of such lead days, whenever."""
        most = self._most(aggregate, self._look_up)
        if most is not None:
            yield most

    def least(self, aggregate: Aggregate) -> Iterator[ColumnElement[Any]]:
        """What the aggregate is at least, where that is cheaper to know: genres that came last in the window."""
        least = self._least(aggregate, self._look_up)
        if least is not None:
            yield least

    def holders(self, aggregate: Aggregate) -> Iterator[Condition]:
        """Who ever came for the genre that an aggregate is about: an index knows them."""
        where = _joined(aggregate.rows) or EVERY_PARTICIPATION
        if where.genres and self._shared is None and not aggregate.rows.days.is_empty:
            yield self._genre_rows.c.genres.contains(sa.literal([lowered(where.genres[0])], sa.ARRAY(sa.Text)))

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
        h = self._h
        joined: sa.FromClause = h
        for table in self._tables_used():
            of_contact = [table.c.organisation_id == self._organisation_id, table.c.contact_id == h.c.contact_id]
            if self._only is not None:
                # An outer join tells the planner nothing of which rows are within reach.
                of_contact.append(within_reach(table.c.contact_id, self._only))
            joined = joined.outerjoin(table, sa.and_(*of_contact))
        query = sa.select(h.c.contact_id, *columns).select_from(joined)
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
        self._used.add("detail")
        return self._beside["detail"].c[name]

    @property
    def _leads(self) -> ColumnElement[Any]:
        self._used.add("leads")
        return self._beside["leads"].c.lead_dates

    @property
    def _genre_rows(self) -> sa.FromClause:
        self._used.add("genres")
        return self._beside["genres"]

    def _tables_used(self) -> list[sa.FromClause]:
        return [table for name, table in self._beside.items() if name in self._used]

    # --- what aggregates are ---

    def _value(self, aggregate: Aggregate, see: See) -> ColumnElement[Any]:
        rows = aggregate.rows
        if rows.days.is_empty and aggregate.kind not in ("first", "last"):
            return sa.literal(0, sa.BigInteger)
        where = _joined(rows) or EVERY_PARTICIPATION
        if where.genres:
            return self._of_genre(aggregate, lowered(where.genres[0]), see)
        if where.weekdays:
            return self._picked(rows.days, where, see)
        if where.lead_days is not None:
            return self._booked_ahead(rows.days, where.lead_days, see)
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
        keys = self._genre_rows.c.genre_dates
        place = sa.func.array_position(self._genre_rows.c.genres, sa.literal(genre, sa.Text))
        base = sa.cast(see(("place", genre), place), sa.BigInteger) * _APART
        own_base = sa.cast(place, sa.BigInteger) * _APART

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
        if days.before is None:
            return self._genres_since(days.since, see)
        # Where nothing lies behind the window, its genres are those that did not end before it. Else each is looked up.
        total = see(("genres", "all"), _length(self._genre_rows.c.genre_lasts))
        ended = self._genres_ended(days.before, see)
        since, before = _number(days.since, _FIRST_DAY - 1), _number(days.before, _LAST_DAY)
        own = self._genre_rows.c
        one_by_one = sa.func.count_genres(own.genre_dates, _big(since), _big(before), type_=sa.Integer)
        is_last = _bucket(before, own.genre_lasts) == _length(own.genre_lasts)
        # In one pass for many rules, whatever is seen is worked out: only for whom it is needed.
        looked_up = see(("genres", days), sa.case((is_last, None), else_=one_by_one) if self._is_shared else one_by_one)
        return sa.case((ended == total, self._genres_since(days.since, see)), else_=looked_up)

    def _genres_since(self, since: date | None, see: See) -> ColumnElement[Any]:
        """How many genres have a date on or after a day."""
        total = see(("genres", "all"), _length(self._genre_rows.c.genre_lasts))
        return total if since is None else total - self._genres_ended(since, see)

    def _genres_ended(self, before: date, see: See) -> ColumnElement[Any]:
        """How many genres have no date on or after a day."""
        return see(("genre_lasts", before), _bucket(_number(before, _LAST_DAY), self._genre_rows.c.genre_lasts))

    def _least(self, aggregate: Aggregate, see: See) -> ColumnElement[Any] | None:
        """How many genres have their last date in the window."""
        days = aggregate.rows.days
        if aggregate.kind != "genres" or days.before is None or days.is_empty:
            return None
        ended = self._genres_ended(days.before, see)
        return ended if days.since is None else ended - self._genres_ended(days.since, see)

    def _most(self, aggregate: Aggregate, see: See) -> ColumnElement[Any] | None:
        """How many visits were booked so many days ahead, whenever."""
        where = _joined(aggregate.rows)
        if where is None or where.lead_days is None or aggregate.rows.days.is_empty:
            return None
        low, high = _whole(where.lead_days)
        total = see(("leads",), _length(self._leads)) if high is None else self._leads_upto(high, _LAST_DAY, see)
        return total if low is None else total - self._leads_upto(low - 1, _LAST_DAY, see)

    def _leads_upto(self, lead: int, day: int, see: See) -> ColumnElement[Any]:
        """How many visits were booked fewer days ahead, and of those booked ``lead`` days ahead, lie up to ``day``."""
        return see(("leads", lead, day), _bucket(lead * _APART + day, self._leads))

    def _booked_ahead(self, days: Days, lead_days: Range, see: See) -> ColumnElement[Any]:
        """How many visits in the window were booked so many days ahead."""
        since, before = _number(days.since, _FIRST_DAY - 1), _number(days.before, _LAST_DAY)
        low, high = _whole(lead_days)
        if low is None or high is None or high - low >= _LEADS_SEARCHED:
            low, high = -_LEAD_MAX if low is None else low, _LEAD_MAX if high is None else high
            values = (_big(each) for each in (low, high, since, before))
            return see(("leads", lead_days, days), sa.func.count_leads(self._leads, *values, type_=sa.Integer))
        return sum(
            (self._leads_upto(lead, before, see) - self._leads_upto(lead, since, see) for lead in range(low, high + 1)),
            start=sa.literal(0, sa.Integer),
        )

    def _picked(self, days: Days, where: Where, see: See) -> ColumnElement[Any]:
        """How many of the participations in the window fall on days of the week, looked at one by one."""
        if where.lead_days is None:
            upto = self._upto("activity_dates", self._dates, days.before, see)
            after = self._upto("activity_dates", self._dates, days.since, see) if days.since else sa.literal(0)
            dates = see(("activity_dates",), self._dates)[after + 1 : upto]
            day = sa.func.unnest(dates).table_valued(sa.column("day", sa.Date)).render_derived(name="line").c.day
            return self._counted(("picked", days, where), day, on_weekdays(day, where.weekdays))
        keys = sa.func.unnest(see(("lead_dates",), self._leads))
        key = keys.table_valued(sa.column("key", sa.BigInteger)).render_derived(name="line").c.key
        lead = (key - _FIRST_DAY).bitwise_rshift(sa.literal(32, sa.Integer))
        number = sa.cast(key - lead * _APART, sa.Integer)
        fits = [*on_weekdays(sa.literal(_EPOCH, sa.Date) + number, where.weekdays), *within(lead, where.lead_days)]
        fits += [number > _number(days.since, _FIRST_DAY)] if days.since else []
        fits += [number <= _number(days.before, _LAST_DAY)] if days.before else []
        return self._counted(("picked", days, where), key, fits)

    def _counted(
        self, name: tuple[object, ...], line: ColumnElement[Any], fits: Iterable[Condition]
    ) -> ColumnElement[Any]:
        """How many lines fit, counted for each contact."""
        counted = sa.select(sa.func.count(line).label("number")).where(*fits)
        if self._is_shared:
            return counted.scalar_subquery()
        if name not in self._laterals:
            beside = counted.correlate(self._h, *self._beside.values()).offset(sa.literal_column("0"))
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


def _whole(lead_days: Range) -> tuple[int | None, int | None]:
    """The first and the last whole number within the limits, as far as there can be any."""
    low, high = lead_days.low, lead_days.high
    return (
        None if low is None else max(-_LEAD_MAX, min(ceil(low), _LEAD_MAX)),
        None if high is None else max(-_LEAD_MAX, min(floor(high), _LEAD_MAX)),
    )


def _big(number: int) -> ColumnElement[int]:
    return sa.literal(number, sa.BigInteger)


def _bucket(value: ColumnElement[Any] | int, array: ColumnElement[Any]) -> ColumnElement[int]:
    """How many elements of a sorted array are at most ``value``."""
    return sa.func.width_bucket(value, array, type_=sa.Integer)


def _length(array: ColumnElement[Any]) -> ColumnElement[int]:
    return sa.func.cardinality(array, type_=sa.Integer)
