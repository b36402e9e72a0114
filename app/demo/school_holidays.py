"""School holidays in Flanders: the rules by which the Flemish government fixes them, so that any year is known.

- Autumn: the week of 1 November; where that is a Sunday, the week after it.
- Christmas: two weeks from the Monday of the week of 25 December; where that is in a weekend, from the Monday after.
- Spring half-term (krokus): the week of the seventh Monday before Easter.
- Easter: two weeks from the first Monday of April; where Easter falls in March, from the Monday after Easter; where it
  falls after 15 April, from the second Monday before Easter. Easter Monday always belongs to it.
- Summer: July and August.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from dateutil.easter import easter

WEEKEND = (5, 6)


@dataclass(frozen=True, slots=True)
class Holiday:
    """A stretch without school; both days are included, weekends before it are not."""

    name: str
    first_on: date
    last_on: date


@lru_cache(maxsize=64)
def holidays_of(school_year: int) -> tuple[Holiday, ...]:
    """Return the holidays of the school year that begins on 1 September of ``school_year``, in order."""
    autumn = _autumn(school_year)
    christmas = _christmas(school_year)
    year = school_year + 1
    half_term = _monday_of(easter(year)) - timedelta(weeks=6)
    spring = _easter_holiday(year)
    return (
        Holiday("autumn", autumn, autumn + timedelta(days=6)),
        Holiday("christmas", christmas, christmas + timedelta(days=13)),
        Holiday("half-term", half_term, half_term + timedelta(days=6)),
        Holiday("easter", spring, max(spring + timedelta(days=13), easter(year) + timedelta(days=1))),
        Holiday("summer", date(year, 7, 1), date(year, 8, 31)),
    )


def holiday_on(day: date) -> str | None:
    """Return the name of the holiday a day belongs to, or None on a school day or plain weekend."""
    school_year = day.year if day.month >= 9 else day.year - 1
    for holiday in holidays_of(school_year):
        if holiday.first_on <= day <= holiday.last_on:
            return holiday.name
    return None


def _autumn(year: int) -> date:
    all_saints = date(year, 11, 1)
    return all_saints + timedelta(days=1) if all_saints.weekday() == 6 else _monday_of(all_saints)


def _christmas(year: int) -> date:
    christmas = date(year, 12, 25)
    monday = _monday_of(christmas)
    return monday + timedelta(weeks=1) if christmas.weekday() in WEEKEND else monday


def _easter_holiday(year: int) -> date:
    sunday = easter(year)
    if sunday.month == 3:
        return sunday + timedelta(days=1)
    if sunday > date(year, 4, 15):
        return sunday - timedelta(days=13)
    first = date(year, 4, 1)
    return first + timedelta(days=-first.weekday() % 7)


def _monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())
