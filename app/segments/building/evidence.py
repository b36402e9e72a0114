"""The visits of one person that a condition counted, to be shown beside its tick or cross.

A person has some hundreds of visits at most, so they are read once and matched here; the numbers themselves come from
the compiler. ``tests/segments/building/test_evidence.py`` holds the two to one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.activities.models import Activity, Participation
from app.db import ScopedSession
from app.segments.language import rules
from app.segments.language.lowering import lowered
from app.segments.language.rules import DateOf, Range, Where
from app.segments.language.windows import Days

VISITS_MAX = 5000


@dataclass(frozen=True, slots=True)
class Visit:
    """A participation with what conditions can ask of it. ``on`` is the date of the activity."""

    activity_id: int
    title: str
    on: date
    booked_on: date
    quantity: int
    amount: Decimal | None
    status: str
    is_valid: bool
    channel: str | None
    source: str
    kind: str
    genres: tuple[str, ...]
    series: str | None
    venue: str | None
    audiences: tuple[str, ...]

    def day(self, date_of: DateOf) -> date:
        """The date that a window looks at."""
        return self.on if date_of is DateOf.ACTIVITY else self.booked_on


def visits_of(session: ScopedSession, contact_id: int) -> list[Visit]:
    """Everything a contact took part in, will, or cancelled; newest first, VISITS_MAX at most."""
    p, a = Participation, Activity
    columns = (
        p.activity_id,
        a.title,
        p.activity_on.label("on"),
        p.booked_on,
        p.quantity,
        p.amount,
        p.status,
        p.is_valid,
    )
    more = (p.channel, p.source, a.kind, a.genres, a.series, a.venue, a.audiences)
    rows = session.execute(
        sa.select(*columns, *more)
        .join(a, a.id == p.activity_id)
        .where(p.contact_id == contact_id)
        .order_by(p.activity_on.desc(), p.id.desc())
        .limit(VISITS_MAX)
    )
    return [_visit(row) for row in rows]


def _visit(row: Any) -> Visit:
    values = dict(row._mapping)
    return Visit(**values | {"genres": tuple(row.genres), "audiences": tuple(row.audiences)})


def counted_by(leaf: rules.Leaf, visits: Sequence[Visit], *, as_of: date) -> list[Visit] | None:
    """The visits that speak for (or against) a condition, in the order given; None for one that looks at no visits.

    Of a first or last visit that is the one visit it is about, wherever it lies; of a share, those of the kind asked.
    """
    match leaf:
        case rules.Participation():
            return _matching(visits, leaf.window.around(as_of), leaf.date_of, leaf.where)
        case rules.Share():
            of = _matching(visits, leaf.window.around(as_of), leaf.date_of, leaf.where)
            return [visit for visit in of if _matches(leaf.of, visit)]
        case rules.FirstParticipation():
            return _edge(min, _matching(visits, Days(), leaf.date_of, leaf.where), leaf.date_of)
        case rules.LastParticipation():
            return _edge(max, _matching(visits, Days(), leaf.date_of, leaf.where), leaf.date_of)
        case _:
            return None


def _matching(visits: Iterable[Visit], days: Days, date_of: DateOf, where: Where) -> list[Visit]:
    return [
        visit
        for visit in visits
        if (visit.is_valid or where.statuses) and days.holds(visit.day(date_of)) and _matches(where, visit)
    ]


def _edge(outermost: Callable[..., Visit], visits: list[Visit], date_of: DateOf) -> list[Visit]:
    return [outermost(visits, key=lambda visit: visit.day(date_of))] if visits else []


def _matches(where: Where, visit: Visit) -> bool:
    lead_days = Decimal((visit.on - visit.booked_on).days)
    return (
        (not where.activities or visit.activity_id in where.activities)
        and _is_any(where.series, [visit.series])
        and _is_any(where.genres, visit.genres)
        and _is_any(where.venues, [visit.venue])
        and _is_any(where.kinds, [visit.kind])
        and _is_any(where.audiences, visit.audiences)
        and _is_any(where.channels, [visit.channel])
        and _is_any(where.sources, [visit.source])
        and (not where.statuses or visit.status in where.statuses)
        and (not where.weekdays or visit.on.isoweekday() in where.weekdays)
        and _lies_in(where.price, visit.amount)
        and _lies_in(where.quantity, Decimal(visit.quantity))
        and _lies_in(where.lead_days, lead_days)
    )


def _is_any(wanted: Iterable[str], held: Iterable[str | None]) -> bool:
    asked = {lowered(text) for text in wanted}
    return not asked or bool(asked & {lowered(text) for text in held if text is not None})


def _lies_in(limits: Range | None, value: Decimal | None) -> bool:
    if limits is None:
        return True
    if value is None:
        return False
    return (limits.low is None or limits.low <= value) and (limits.high is None or value <= limits.high)
