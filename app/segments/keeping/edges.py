"""Which dates the edges of a rule's windows pass over when the day moves on: pure, and total over the leaves.

Between two days a leaf can change its mind about somebody only if a date of theirs entered or left a window. Such a
date lies between the two places of one of the window's sides, whichever way the side moved. An edge here is such a
stretch of dates, and what they are dates of. Whoever has no date on any edge of a rule, and no changed row, is a member
on the second day exactly if they were one on the first. Somebody on an edge need not change: an edge only says whom to
ask.

Every leaf must answer: with edges, with none (time cannot change it), or with ``None`` (it cannot say, and everybody is
evaluated). A new kind of leaf does not pass the type checker before it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import assert_never

from app.segments.language import rules
from app.segments.language.rules import DateOf
from app.segments.language.windows import Window

# Birthdays at which consent asks for a guardian no more, by country: the gate changes its mind at midnight.
GATE_AGES = (13, 15, 16)
A_YEAR, A_DAY = 366, timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ParticipationDates:
    """Participations with a date from ``since`` on and before ``before``."""

    date_of: DateOf
    since: date
    before: date


@dataclass(frozen=True, slots=True)
class BirthDays:
    """Births whose month * 100 + day is one of these; with ``ages``, of somebody who reaches one of these ages."""

    month_days: frozenset[int]
    year: int = 0
    ages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class MailDates:
    """Things that happened to mails on a date from ``since`` on and before ``before``."""

    event: str
    since: date
    before: date


@dataclass(frozen=True, slots=True)
class PassDates:
    """Passes of a programme that begin or expire on a date from ``since`` on and before ``before``."""

    programme: str
    since: date
    before: date


@dataclass(frozen=True, slots=True)
class EnrolmentDates:
    """Ways through a journey that began or ended on a date from ``since`` on and before ``before``."""

    journey_id: int
    since: date
    before: date


@dataclass(frozen=True, slots=True)
class AlikeTo:
    """Likely-same people, or those of one household, of somebody on an edge."""

    who: str
    edge: Edge


Edge = ParticipationDates | BirthDays | MailDates | PassDates | EnrolmentDates | AlikeTo
Edges = frozenset[Edge]


def edges_between(rule: rules.Rule, before: date, after: date) -> Edges | None:
    """What lies between the places of the rule's edges on two days, or ``None`` if a leaf cannot say.

    The order of the days does not matter. ``rule`` holds no references any more.
    """
    first, last = sorted((before, after))
    if first == last:
        return frozenset()
    found: set[Edge] = set()
    for leaf in dict.fromkeys(rules.leaves(rule)):
        edges = _edges_of(leaf, first, last)
        if edges is None:
            return None
        found.update(edges)
    return frozenset(found)


def _edges_of(  # noqa: PLR0911 (one return per kind of leaf)
    leaf: rules.Leaf, first: date, last: date
) -> Iterable[Edge] | None:
    match leaf:
        case (
            rules.Participation(window=window, date_of=date_of)
            | rules.FirstParticipation(window=window, date_of=date_of)
            | rules.LastParticipation(window=window, date_of=date_of)
            | rules.Share(window=window, date_of=date_of)
        ):
            return [ParticipationDates(date_of, since, before) for since, before in passed_over(window, first, last)]
        case rules.Anniversary(window=window):
            # Dates in fields of the organisation's own have no index: to look for them is to look at everybody.
            return _returns(window, first, last) if leaf.attribute is None else None
        case rules.Profile():
            # All other fields are compared with what the rule itself says, which no day changes.
            return _birthdays(first, last) if leaf.field == "age" else ()
        case rules.Permission():
            return _birthdays(first, last, ages=GATE_AGES)
        case rules.Engagement(event=event, window=window):
            return [MailDates(event, since, before) for since, before in passed_over(window, first, last)]
        case rules.Pass(programme=programme):
            return [PassDates(programme, *dates) for dates in _passes(leaf, first, last)]
        case rules.InJourney(journey_id=journey_id):
            return [EnrolmentDates(journey_id, first + A_DAY, last + A_DAY)]
        case rules.LikelySame(rule=inner, who=who):
            edges = edges_between(inner, first, last)
            return None if edges is None else [AlikeTo(who, edge) for edge in edges]
        case rules.Tag() | rules.Sample() | rules.Deliverability():
            return ()
        case rules.InSegment(segment_id):
            raise ValueError(f"segment {segment_id} is not put in")
        case _:
            assert_never(leaf)


def passed_over(window: Window, first: date, last: date) -> Iterator[tuple[date, date]]:
    """The stretches of dates (``since <= date < before``) that the sides of a window passed over between two days."""
    was, now = window.around(first), window.around(last)
    for side, other in ((was.since, now.since), (was.before, now.before)):
        if side is not None and other is not None and side != other:
            yield min(side, other), max(side, other)


def _passes(leaf: rules.Pass, first: date, last: date) -> Iterator[tuple[date, date]]:
    """A pass begins to count on its first day and stops after its last; and it may be asked when it expires."""
    yield first, last + A_DAY
    if leaf.expires is not None:
        yield from passed_over(leaf.expires, first, last)


def _returns(window: Window, first: date, last: date) -> Iterator[BirthDays]:
    """Yearly returns on the dates that were passed over; an open window holds a return of every date, always."""
    if window.since is None or window.before is None:
        return
    for since, before in passed_over(window, first, last):
        yield BirthDays(_month_days(since, before))


def _birthdays(first: date, last: date, *, ages: tuple[int, ...] = ()) -> Iterator[BirthDays]:
    """Everybody who had a birthday after ``first``, up to and with ``last``."""
    month_days = _month_days(first + A_DAY, last + A_DAY)
    yield BirthDays(month_days, last.year, ages) if ages and last.year == first.year else BirthDays(month_days)


def _month_days(since: date, before: date) -> frozenset[int]:
    """The days of the year of these dates. 29 February counts with 28 February and with 1 March: rules differ in on
    which of the two it returns in a common year, and one candidate too many does no harm."""
    count = min((before - since).days, A_YEAR)
    days = [since + timedelta(days=number) for number in range(count)]
    month_days = {day.month * 100 + day.day for day in days}
    return frozenset(month_days | ({229} if month_days & {228, 301} else set()))
