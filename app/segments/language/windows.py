"""Windows of whole local days around the date ``D`` that a rule is evaluated for.

A window is written as two ISO 8601 durations relative to ``D`` (``["-P18M", "P1D"]``), ``None`` for open. It holds the
dates ``D + from <= date < D + until``. A side may also be a day of the calendar (``["2024-09-01", None]``), which stays
where it is whatever ``D`` is. Months clamp to the month's last day, exactly as PostgreSQL's
``date + interval`` does: years and months together first, then weeks and days.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from app.segments.problems import N_, FieldError, Message

_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?=.)"
    r"(?:(?P<years>[+-]?\d{1,5})Y)?(?:(?P<months>[+-]?\d{1,6})M)?(?:(?P<weeks>[+-]?\d{1,6})W)?(?:(?P<days>[+-]?\d{1,7})D)?"
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

NOT_A_DURATION = Message(
    N_(
        "Give a duration in whole days, weeks, months or years, such as -P18M, -P2W, P0D or P7D, a day such as "
        "2024-09-01, or leave it open."
    )
)


@dataclass(frozen=True, slots=True)
class Duration:
    """A signed calendar duration: months (years are 12 of them) and days (weeks are 7 of them)."""

    months: int = 0
    days: int = 0

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read ISO 8601 (``-P1Y6M``, ``P2W``, ``P0D``; a sign in front holds for all parts).

        Raises ValueError for anything else; durations with hours have no meaning for whole days.
        """
        found = _DURATION.fullmatch(text.strip())
        if found is None:
            raise ValueError(text)
        sign = -1 if found["sign"] == "-" else 1
        years, months, weeks, days = (int(found[part] or 0) for part in ("years", "months", "weeks", "days"))
        return cls(months=sign * (12 * years + months), days=sign * (7 * weeks + days))

    def after(self, day: date) -> date:
        """``day`` plus this duration, as PostgreSQL adds an interval to a date; stops at the calendar's ends."""
        year, month = divmod(day.year * 12 + day.month - 1 + self.months, 12)
        if not date.min.year <= year <= date.max.year:
            return date.min if year < date.min.year else date.max
        clamped = date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
        try:
            return clamped + timedelta(days=self.days)
        except OverflowError:
            return date.min if self.days < 0 else date.max


@dataclass(frozen=True, slots=True)
class FixedDay:
    """A day of the calendar as the side of a window: the same whatever ``D`` is."""

    on: date

    def after(self, _day: date) -> date:
        """The day itself."""
        return self.on


Side = Duration | FixedDay


@dataclass(frozen=True, slots=True)
class Days:
    """A resolved window: ``since <= date < before``; ``None`` is open on that side."""

    since: date | None = None
    before: date | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no date at all lies in the window."""
        return self.since is not None and self.before is not None and self.before <= self.since

    @property
    def last(self) -> date | None:
        """The last date in the window, for telling it in words; ``None`` if open."""
        return None if self.before is None else self.before - timedelta(days=1) if self.before > date.min else date.min

    def holds(self, day: date) -> bool:
        """Whether ``day`` lies in the window."""
        return (self.since is None or self.since <= day) and (self.before is None or day < self.before)


@dataclass(frozen=True, slots=True)
class Window:
    """``between`` of a rule: two sides, each a duration relative to ``D``, a day, or open.

    ``skips_closed``: days on which the house was closed do not count, so a side that a duration puts before ``D`` lies
    as many days further back. ``closed`` holds those days once they are known (``with_closed_days``), in order, none
    touching another.

    How time moves it: ``around(day)`` says where the sides are on any day. A side goes forward with the day, but it may
    stand still (month ends) and, where closed days are skipped, go back: compare ``around`` before and after, in both
    directions.
    """

    since: Side | None = None
    before: Side | None = None
    skips_closed: bool = False
    closed: tuple[ClosedPeriod, ...] = ()

    @classmethod
    def parse(cls, between: object) -> Window:
        """Read the JSON value of ``between``; ``None`` is every date.

        Raises FieldError naming ``between`` where it is not two sides.
        """
        if between is None:
            return cls()
        if not isinstance(between, list | tuple) or len(between) != 2:
            raise FieldError("between", Message(N_("Give two durations: from and until. Use null to leave one open.")))
        since, before = (_side(value) for value in between)
        return cls(since, before)

    def around(self, day: date) -> Days:
        """The dates of this window for ``D`` = ``day``."""
        return Days(since=self._at(self.since, day), before=self._at(self.before, day))

    def _at(self, side: Side | None, day: date) -> date | None:
        if side is None:
            return None
        falls_on = side.after(day)
        if not self.skips_closed or isinstance(side, FixedDay) or falls_on >= day:
            return falls_on
        return open_days_before(day, (day - falls_on).days, self.closed)

    @property
    def is_open(self) -> bool:
        """Whether every date lies in it."""
        return self.since is None and self.before is None


EVERY_DATE = Window()


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """Days on which the house was closed, the first and the last included."""

    first: date
    last: date


def in_order(periods: Iterable[ClosedPeriod]) -> tuple[ClosedPeriod, ...]:
    """The same days as the fewest periods, in order; periods that overlap or touch become one."""
    joined: list[ClosedPeriod] = []
    for period in sorted(periods, key=lambda one: one.first):
        if joined and (period.first - joined[-1].last).days <= 1:
            joined[-1] = ClosedPeriod(joined[-1].first, max(joined[-1].last, period.last))
        else:
            joined.append(period)
    return tuple(joined)


def open_days_before(day: date, count: int, closed: tuple[ClosedPeriod, ...]) -> date:
    """The latest date from which ``count`` days on which the house was open lie before ``day``.

    ``closed`` is in order. Stops at the calendar's beginning.
    """
    if not count:
        return day
    reached = day
    for period in reversed(closed):
        open_between = (reached - period.last).days - 1
        if open_between >= count:
            break
        if period.first < reached:
            count -= max(open_between, 0)
            reached = period.first
    return reached - timedelta(days=count) if (reached - date.min).days >= count else date.min


def _side(value: object) -> Side | None:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return FixedDay(date.fromisoformat(value)) if _DAY.fullmatch(value) else Duration.parse(value)
    except ValueError:
        pass
    raise FieldError("between", NOT_A_DURATION)
