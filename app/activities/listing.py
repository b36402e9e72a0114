"""Looking up what is on offer, and who came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import and_, func, or_, select

from app.activities.models import Activity, Participation
from app.contacts.models import Contact
from app.db import ScopedSession


@dataclass(frozen=True, slots=True)
class Turnout:
    """How many people an activity has, with how many tickets, and for how much; only what counts as valid."""

    people: int
    tickets: int
    amount: Decimal


def list_activities(
    session: ScopedSession, *, text: str = "", before: tuple[date, int] | None = None, limit: int = 50
) -> list[Activity]:
    """Return activities with a date, the latest first, from just before a (date, id) on."""
    activity = Activity
    query = select(activity).where(activity.starts_on.is_not(None))
    if text:
        begins = "%" + text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        query = query.where(or_(func.lower(activity.title).like(begins), activity.genres.contains([text.lower()])))
    if before is not None:
        on, row_id = before
        query = query.where(or_(activity.starts_on < on, and_(activity.starts_on == on, activity.id < row_id)))
    return list(session.scalars(query.order_by(activity.starts_on.desc(), activity.id.desc()).limit(limit)))


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
