"""Looking up what is on offer, and who came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, or_, select

from app.activities.models import Activity, Participation
from app.activities.seasons import begins_month, season_of
from app.contacts.models import Contact
from app.db import ScopedSession

CHOICES_MAX = 100
SEASONS_MAX = 30


@dataclass(frozen=True, slots=True)
class Turnout:
    """How many people an activity has, with how many tickets, and for how much; only what counts as valid."""

    people: int
    tickets: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which activities: words of the title or a genre, and what each must be. Empty means any."""

    text: str = ""
    series: str = ""
    venue: str = ""
    audience: str = ""
    season: int | None = None


ALL = Narrowing()


def list_activities(
    session: ScopedSession, narrowing: Narrowing = ALL, *, before: tuple[date, int] | None = None, limit: int = 50
) -> list[Activity]:
    """Return activities with a date, the latest first, from just before a (date, id) on."""
    activity, text = Activity, narrowing.text
    query = select(activity).where(activity.starts_on.is_not(None))
    for column, wanted in ((activity.series, narrowing.series), (activity.venue, narrowing.venue)):
        if wanted:
            query = query.where(column == wanted)
    if narrowing.audience:
        query = query.where(activity.audiences.contains([narrowing.audience]))
    if narrowing.season is not None:
        first = date(narrowing.season, begins_month(session), 1)
        query = query.where(activity.starts_on >= first, activity.starts_on < first.replace(year=first.year + 1))
    if text:
        begins = "%" + text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        query = query.where(or_(func.lower(activity.title).like(begins), activity.genres.contains([text.lower()])))
    if before is not None:
        on, row_id = before
        query = query.where(or_(activity.starts_on < on, and_(activity.starts_on == on, activity.id < row_id)))
    return list(session.scalars(query.order_by(activity.starts_on.desc(), activity.id.desc()).limit(limit)))


@dataclass(frozen=True, slots=True)
class Choices:
    """What activities can be narrowed to: what is there, the most used first; seasons the latest first."""

    series: list[str]
    venues: list[str]
    audiences: list[str]
    seasons: list[int]


def choices(session: ScopedSession) -> Choices:
    """Return what the house's activities can be narrowed to."""
    audience = select(func.unnest(Activity.audiences).label("audience")).subquery()
    first, last = session.execute(select(func.min(Activity.starts_on), func.max(Activity.starts_on))).one()
    month = begins_month(session)
    seasons = [] if first is None or last is None else range(season_of(last, month), season_of(first, month) - 1, -1)
    return Choices(
        _used(session, Activity.series),
        _used(session, Activity.venue),
        _used(session, audience.c.audience),
        list(seasons[:SEASONS_MAX]),
    )


def _used(session: ScopedSession, column: Any) -> list[str]:
    query = select(column).where(column.is_not(None)).group_by(column)
    return list(session.scalars(query.order_by(func.count().desc(), column).limit(CHOICES_MAX)))


def find_activity(session: ScopedSession, activity_id: int) -> Activity | None:
    """Return an activity, or None."""
    return session.scalars(select(Activity).where(Activity.id == activity_id)).one_or_none()


def turnout_of(session: ScopedSession, activity_ids: Sequence[int]) -> dict[int, Turnout]:
    """Return the turnout of each activity that has one."""
    line = Participation
    rows = session.execute(
        select(
            line.activity_id,
            func.count(line.contact_id.distinct()),
            func.coalesce(func.sum(line.quantity), 0),
            func.coalesce(func.sum(line.amount), 0),
        )
        .where(line.activity_id.in_(activity_ids), line.is_valid)
        .group_by(line.activity_id)
    )
    return {
        activity_id: Turnout(people, tickets, amount or Decimal(0)) for activity_id, people, tickets, amount in rows
    }


@dataclass(frozen=True, slots=True)
class Line:
    """One participation with whoever it is of."""

    participation: Participation
    contact: Contact


def lines_of(session: ScopedSession, activity_id: int, *, after: int = 0, limit: int = 50) -> list[Line]:
    """Return the lines of an activity with their contact, in the order of their ids, from just after an id on."""
    line = Participation
    rows = session.execute(
        select(line, Contact)
        .join(Contact, and_(Contact.organisation_id == line.organisation_id, Contact.id == line.contact_id))
        .where(line.activity_id == activity_id, line.id > after)
        .order_by(line.id)
        .limit(limit)
    )
    return [Line(participation, contact) for participation, contact in rows]
