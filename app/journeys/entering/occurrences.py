"""What happened to somebody that a journey watches for, and how long that is a reason to enter it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.journeys.spans import Span, instant_of

# What happened longer ago than this when we hear of it, or when a paused journey goes on, lets nobody in any more.
KEPT_FOR = timedelta(days=7)
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of a trigger for a contact; ``name`` tells it from every other, and is the same when heard again.

    ``at`` is when it happened, ``until`` the last moment at which it still is a reason to enter.
    """

    contact_id: int
    name: str
    at: datetime
    until: datetime
    participation_id: int | None = None


def soon_after(contact_id: int, name: str, at: datetime, *, participation_id: int | None = None) -> Occurrence:
    """An occurrence that counts for ``KEPT_FOR``."""
    return Occurrence(contact_id, name, at, at + KEPT_FOR, participation_id)


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The last moment of a local date; also of the last day there is: it stands for "no end" in many a box office."""
    try:
        return instant_of(day, time.max, zone)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local date."""
    return instant_of(day, time(), zone)


def days_leading_to(span: Span, first: date, last: date) -> Iterator[date]:
    """The dates from which ``span`` leads to a date from ``first`` up to and with ``last``, in order.

    There may be none (no month ends on its 31st day before the 30th) or several (31 and 30 January both lead to
    28 February by a month).
    """
    back = Span(-span.months, -span.days)
    # Months clamp to their last day: the way back may miss by up to three days.
    day, stop = back.day_after(first) - 4 * A_DAY, back.day_after(last) + 4 * A_DAY
    while day <= stop:
        if first <= span.day_after(day) <= last:
            yield day
        day += A_DAY
