"""Opt-outs and erasures on their way, as pages and operators see them. Nothing here changes anything.

A clearing is late when it is under way for longer than ``TARGET``: then somebody has to look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, select

from app import clock
from app.audiences.clearing.errands import OPEN
from app.audiences.clearing.outcomes import CARRIED
from app.consent.clearing.erasures import SystemProgress, progress_of
from app.consent.clearing.models import Clearance, Clearing
from app.consent.models import ConsentEvent
from app.contacts.models import Contact
from app.db import ScopedSession

TARGET = timedelta(minutes=5)
PAGE = 40
FILTERS = ("all", "open", "late", "failing", "erasures", "again")


@dataclass(frozen=True, slots=True)
class Travel:
    """One no or erasure with everybody it goes to. ``name`` is empty where nobody is known by that address (any more).

    ``method`` is how it was said, where the ledger knows. ``systems`` are by name.
    """

    id: int
    kind: str
    contact_id: int | None
    name: str
    purpose: str | None
    source: str
    method: str | None
    is_repair: bool
    recorded_at: datetime
    systems: Sequence[SystemProgress]

    @property
    def state(self) -> str:
        """The worst of its systems: failing, pending, or acknowledged."""
        states = {system.state for system in self.systems}
        return next((state for state in ("failing", "pending") if state in states), "acknowledged")

    def is_late(self, at: datetime) -> bool:
        """Whether it is under way for too long."""
        return self.state in OPEN and at - self.recorded_at > TARGET

    @property
    def took(self) -> timedelta | None:
        """How long the slowest system took; None while it is under way, and where nothing had to travel."""
        if self.state in OPEN:
            return None
        times = [one.acknowledged_at - self.recorded_at for one in self.systems if one.acknowledged_at is not None]
        return max(times, default=None)


@dataclass(frozen=True, slots=True)
class Figures:
    """How the clearing house is doing. ``slowest_s`` is the time within which 95 in 100 arrived this month, None where
    none did; ``median_s`` the time half of them took."""

    under_way: int
    late: int
    failing: int
    oldest_at: datetime | None
    arrived: int
    median_s: float | None
    slowest_s: float | None
    repaired: int


def list_travels(
    session: ScopedSession, *, only: str = "all", contact_id: int | None = None, before_id: int | None = None
) -> list[Travel]:
    """Return a page of them and one more, the newest first. ``only`` is one of FILTERS; anything else shows all."""
    query = select(Clearing).order_by(Clearing.id.desc()).limit(PAGE + 1)
    condition = _filters().get(only)
    if condition is not None:
        query = query.where(condition)
    if contact_id is not None:
        query = query.where(Clearing.contact_id == contact_id)
    if before_id is not None:
        query = query.where(Clearing.id < before_id)
    return _travels(session, query)


def find_travel(session: ScopedSession, clearing_id: int) -> Travel | None:
    """Return one of them, or None."""
    found = _travels(session, select(Clearing).where(Clearing.id == clearing_id))
    return found[0] if found else None


def _filters() -> Mapping[str, ColumnElement[bool]]:
    late = Clearing.recorded_at < clock.now() - TARGET
    return {
        "open": Clearing.settled_at.is_(None),
        "late": Clearing.settled_at.is_(None) & late,
        "failing": Clearing.settled_at.is_(None)
        & exists().where(Clearance.clearing_id == Clearing.id, Clearance.state == "failing"),
        "erasures": Clearing.kind == "erasure",
        "again": Clearing.kind == "again",
    }


def _travels(session: ScopedSession, query: Select[Clearing]) -> list[Travel]:
    rows = session.scalars(query).all()
    progress: dict[int, list[SystemProgress]] = {}
    for one in progress_of(session, [row.id for row in rows]):
        progress.setdefault(one.clearing_id, []).append(one)
    names = _names(session, [row.contact_id for row in rows if row.contact_id is not None])
    methods = _methods(session, [row.event_id for row in rows if row.event_id is not None])
    return [
        Travel(
            id=row.id,
            kind=row.kind,
            contact_id=row.contact_id,
            name=names.get(row.contact_id or 0, ""),
            purpose=row.purpose,
            source=row.source,
            method=methods.get(row.event_id or 0),
            is_repair=row.is_repair,
            recorded_at=row.recorded_at,
            systems=progress.get(row.id, []),
        )
        for row in rows
    ]


def _names(session: ScopedSession, contact_ids: Sequence[int]) -> dict[int, str]:
    rows = session.execute(
        select(Contact.id, Contact.given_name, Contact.family_name, Contact.email).where(Contact.id.in_(contact_ids))
    )
    return {row.id: " ".join(part for part in row[1:3] if part) or row.email or "" for row in rows}


def _methods(session: ScopedSession, event_ids: Sequence[int]) -> dict[int, str]:
    event = ConsentEvent
    rows = session.execute(select(event.id, event.method).where(event.id.in_(event_ids)))
    return {row.id: row.method for row in rows}


def figures(session: ScopedSession, *, month_began_at: datetime) -> Figures:
    """Return how it is going, with the times of what was recorded since the month began."""
    now = clock.now()
    open_ones = select(Clearing).where(Clearing.settled_at.is_(None)).subquery()
    counted = session.execute(
        select(
            func.count().label("under_way"),
            func.count().filter(open_ones.c.recorded_at < now - TARGET).label("late"),
            func.min(open_ones.c.recorded_at).label("oldest_at"),
        ).select_from(open_ones)
    ).one()
    failing = session.scalar(select(func.count(Clearance.clearing_id.distinct())).where(Clearance.state == "failing"))
    arrived, median_s, slowest_s = _times(session, month_began_at)
    repaired = session.scalar(
        select(func.count()).select_from(Clearing).where(Clearing.is_repair, Clearing.recorded_at >= month_began_at)
    )
    return Figures(
        under_way=counted.under_way,
        late=counted.late,
        failing=failing or 0,
        oldest_at=counted.oldest_at,
        arrived=arrived,
        median_s=median_s,
        slowest_s=slowest_s,
        repaired=repaired or 0,
    )


def _times(session: ScopedSession, since: datetime) -> tuple[int, float | None, float | None]:
    """How many arrived at a system since then, and in how many seconds half of them did, and 95 in 100."""
    took = func.extract("epoch", Clearance.acknowledged_at - Clearing.recorded_at)
    row = session.execute(
        select(
            func.count().label("arrived"),
            func.percentile_cont(0.5).within_group(took).label("median_s"),
            func.percentile_cont(0.95).within_group(took).label("slowest_s"),
        )
        .select_from(Clearance)
        .join(Clearing, Clearing.id == Clearance.clearing_id)
        .where(Clearance.outcome.in_(CARRIED), Clearing.recorded_at >= since)
    ).one()
    return row.arrived, _seconds(row.median_s), _seconds(row.slowest_s)


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is wrong now, for the home page and the operator: how many are late, since when, and whether they fail."""

    late: int
    oldest_at: datetime
    failing: int


def alarm(session: ScopedSession) -> Alarm | None:
    """Return what is late, or None where every opt-out is on time."""
    late = Clearing.recorded_at < clock.now() - TARGET
    has_failing = exists().where(Clearance.clearing_id == Clearing.id, Clearance.state == "failing")
    row = session.execute(
        select(
            func.count().label("late"),
            func.min(Clearing.recorded_at).label("oldest_at"),
            func.count().filter(has_failing).label("failing"),
        ).where(Clearing.settled_at.is_(None), late)
    ).one()
    return Alarm(row.late, row.oldest_at, row.failing) if row.late else None
