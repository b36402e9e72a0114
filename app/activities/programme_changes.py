"""What was called off or moved while it was still to come, and who it concerns: for a person to see to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, case, func, or_, select

from app import clock
from app.activities.models import Activity, ActivityChange, Participation
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession

CHANGES_MAX = 200


@dataclass(frozen=True, slots=True)
class Affected:
    """Whom a change concerns: people who had a place when it was noticed, and how many of them have no address."""

    people: int = 0
    tickets: int = 0
    without_address: int = 0


@dataclass(frozen=True, slots=True)
class ProgrammeChange:
    """One change that nobody is done with yet."""

    change: ActivityChange
    activity: Activity
    affected: Affected


def open_changes(session: ScopedSession, *, activity_id: int | None = None) -> list[ProgrammeChange]:
    """The changes to see to, those of the first performance first; of one activity where it is named.

    What lay in the past by now is no longer shown: nobody can be told in time.
    """
    change, activity = ActivityChange, Activity
    earliest = func.least(change.starts_before, activity.starts_at)
    query = (
        select(change, activity)
        .join(activity, and_(activity.organisation_id == change.organisation_id, activity.id == change.activity_id))
        .where(change.done_at.is_(None), func.greatest(change.starts_before, activity.starts_at) > clock.now())
        .order_by(earliest, change.id)
        .limit(CHANGES_MAX)
    )
    if activity_id is not None:
        query = query.where(change.activity_id == activity_id)
    found = [(one, of) for one, of in session.execute(query)]
    affected = _affected(session, [one.id for one, _of in found])
    return [ProgrammeChange(one, of, affected.get(one.id, Affected())) for one, of in found]


def count_open_changes(session: ScopedSession) -> int:
    """How many changes there are to see to."""
    return len(open_changes(session))


def finish_change(session: ScopedSession, change_id: int) -> bool:
    """Say that all is done about a change; False where there is none that is open."""
    change = session.scalars(
        select(ActivityChange).where(ActivityChange.id == change_id, ActivityChange.done_at.is_(None))
    ).one_or_none()
    if change is None:
        return False
    change.done_at = clock.now()
    session.flush()
    return True


def _affected(session: ScopedSession, change_ids: Sequence[int]) -> dict[int, Affected]:
    """Whom changes concern. Who gave the ticket back because of it (later than it was noticed) still is concerned."""
    change, line, contact, address = ActivityChange, Participation, Contact, ContactIdentity
    has_place = or_(line.is_valid, line.updated_at >= change.noticed_at)
    has_address = (
        select(address.id)
        .where(
            address.organisation_id == contact.organisation_id,
            address.contact_id == contact.id,
            address.kind == "email",
        )
        .exists()
    )
    people = (
        select(
            change.id.label("change_id"),
            contact.id.label("contact_id"),
            func.sum(line.quantity).label("tickets"),
            has_address.label("has_address"),
        )
        .join(line, and_(line.organisation_id == change.organisation_id, line.activity_id == change.activity_id))
        .join(contact, and_(contact.organisation_id == line.organisation_id, contact.id == line.contact_id))
        .where(change.id.in_(change_ids), has_place, contact.state == "living")
        .group_by(change.id, contact.organisation_id, contact.id)
        .subquery()
    )
    rows = session.execute(
        select(
            people.c.change_id,
            func.count(),
            func.coalesce(func.sum(people.c.tickets), 0),
            func.sum(case((people.c.has_address, 0), else_=1)),
        ).group_by(people.c.change_id)
    )
    return {change_id: Affected(count, int(tickets), int(without)) for change_id, count, tickets, without in rows}
