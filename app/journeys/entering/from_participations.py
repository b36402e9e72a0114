"""Occurrences in what people book, attend and cancel.

Who enters is whom a ticket names, or its buyer where it names nobody; a trigger may also be about the buyer alone. All
lines that one person has (or bought) for one activity on one day are a party, and a party is one occurrence: four
tickets bought by one person are one thank-you.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app import clock
from app.activities.models import Activity, Participation
from app.db import ScopedSession
from app.journeys.definition import OnActivity, OnParticipation
from app.journeys.entering.notes import Noted, Notes
from app.journeys.entering.occurrences import KEPT_FOR, Occurrence, end_of, soon_after
from app.segments.compiling.activity_facts import about_activity
from app.segments.compiling.history import about_participation

STATUSES = {
    "booked": ("booked", "attended"),
    "attended": ("attended",),
    "cancelled": ("cancelled", "refunded"),
}
VALID = ("booked", "attended", "pending")
TICKETS_GO_FIRST = timedelta(days=2)

Party = tuple[int, int, Any]


def participations_heard(
    session: ScopedSession, trigger: OnParticipation, notes: Notes, zone: ZoneInfo
) -> Iterator[Occurrence]:
    """The occurrences of ``trigger`` in these notes, each of somebody for whom it still holds now.

    What is about activities before ``oldest_on`` is left out; ``old_parties`` counts it.
    """
    if trigger.on == "called_off":
        yield from _of_cancelled_activities(session, trigger, notes, zone)
        return
    noted = notes.of(*_kinds(trigger))
    came = notes.of("came_cancelled").keys() if trigger.on == "cancelled" else ()
    rows = list(_read(session, sorted(noted), trigger, oldest_on(zone)))
    if trigger.on == "cancelled":
        rows = [row for row in rows if not row.is_still_coming]
        yield from _of_cancelled_activities(session, trigger, notes, zone)
    if trigger.nth is not None:
        yield from _nth(session, trigger, rows, zone)
        return
    for row in first_of_each_party(rows):
        at = _happened(row, trigger.on, noted[row.id], came_so=row.id in came, zone=zone)
        name = f"participation:{row.id}:{trigger.on}"
        yield soon_after(row.contact_id, name, at, participation_id=row.id)


def oldest_on(zone: ZoneInfo) -> date:
    """The first day whose activities can still let somebody in for what they booked, attended or cancelled."""
    return (clock.now() - KEPT_FOR).astimezone(zone).date()


def old_parties(
    session: ScopedSession, trigger: OnParticipation, notes: Notes, *, before: date, published_on: date
) -> dict[str, int]:
    """How many parties of these notes are too old to let anybody in, by reason: counted, and never read one by one.

    An import of a whole history is made of them.
    """
    ids = sorted(notes.of(*_kinds(trigger))) if trigger.on in STATUSES else []
    if not ids or trigger.nth is not None:
        return {}
    p = Participation
    old = matching(trigger, STATUSES[trigger.on]).where(any_of(p.id, ids), p.activity_on < before)
    parties = old.with_only_columns(person_of(trigger), p.activity_id, p.activity_on).distinct().subquery("parties")
    is_earlier = parties.c.activity_on < published_on
    earlier, later = session.execute(
        sa.select(sa.func.count().filter(is_earlier), sa.func.count().filter(~is_earlier)).select_from(parties)
    ).one()
    return {"before_publishing": earlier, "too_old": later}


def _kinds(trigger: OnParticipation) -> tuple[str, ...]:
    return ("cancelled", "came_cancelled") if trigger.on == "cancelled" else (trigger.on,)


def first_of_each_party(rows: Iterable[Any]) -> list[Any]:
    """One row (the oldest) for everything one person has for one activity on one day."""
    parties: dict[Party, Any] = {}
    for row in sorted(rows, key=lambda one: one.id):
        parties.setdefault((row.contact_id, row.activity_id, row.activity_on), row)
    return list(parties.values())


def matching(trigger: OnParticipation | OnActivity, statuses: Sequence[str]) -> sa.Select[*tuple[Any, ...]]:
    """A select of participations with their activity, of these statuses, that ``where`` of the trigger holds for.

    ``contact_id`` is the person the trigger is about.
    """
    p, a = Participation, Activity
    who = person_of(trigger).label("contact_id")
    columns = (p.id, who, p.activity_id, p.activity_on, p.booked_at, p.attended_at, a.starts_at)
    conditions = (*about_participation(p, trigger.where), *about_activity(a, trigger.where))
    return sa.select(*columns).join(a, a.id == p.activity_id).where(p.status.in_(statuses), *conditions)


def person_of(trigger: OnParticipation | OnActivity, line: Any = Participation) -> sa.ColumnElement[int]:
    """Whom a participation concerns: who takes part, or who ordered it."""
    holder: sa.ColumnElement[int] = line.contact_id
    return holder if trigger.who == "attendee" else sa.func.coalesce(line.buyer_id, holder)


def is_one_of(trigger: OnParticipation | OnActivity, contact_ids: Sequence[int]) -> sa.ColumnElement[bool]:
    """Whether a participation concerns one of many people, found by the indexes of both."""
    p = Participation
    holds = any_of(p.contact_id, contact_ids)
    if trigger.who == "attendee":
        return holds
    return sa.or_(sa.and_(holds, p.buyer_id.is_(None)), any_of(p.buyer_id, contact_ids))


def any_of(column: Any, ids: Sequence[int]) -> sa.ColumnElement[bool]:
    """``column`` is one of many ids, as one parameter."""
    is_one: sa.ColumnElement[bool] = column == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.BigInteger)))
    return is_one


def _read(session: ScopedSession, ids: Sequence[int], trigger: OnParticipation, oldest: date) -> Iterable[Any]:
    if not ids:
        return ()
    p = Participation
    query = matching(trigger, STATUSES[trigger.on]).where(any_of(p.id, ids), p.activity_on >= oldest)
    if trigger.on == "cancelled":
        query = query.add_columns(_is_still_coming(trigger).label("is_still_coming"))
    return session.execute(query).all()


def _is_still_coming(trigger: OnParticipation) -> sa.ColumnElement[bool]:
    """Whether another line of the same party still stands: somebody who returns one of four tickets is coming."""
    p, other = Participation, sa.orm.aliased(Participation)
    return (
        sa.exists()
        .where(
            other.organisation_id == p.organisation_id,
            person_of(trigger, other) == person_of(trigger, p),
            other.activity_id == p.activity_id,
            other.activity_on == p.activity_on,
            other.is_valid,
        )
        .correlate(p)
    )


def _happened(row: Any, on: str, noted: Noted, *, came_so: bool, zone: ZoneInfo) -> datetime:
    """When it happened, as far as anybody knows. Never later than the day of the activity itself: what a source tells
    of last year's season is last year's, whatever day it is told."""
    at: datetime
    match on:
        case "booked":
            at = row.booked_at
        case "attended":
            at = row.attended_at or row.starts_at or noted.at
        case _:
            at = row.booked_at if came_so else noted.at
    return min(at, end_of(row.activity_on, zone))


def _of_cancelled_activities(
    session: ScopedSession, trigger: OnParticipation, notes: Notes, zone: ZoneInfo
) -> Iterator[Occurrence]:
    """A performance that the house cancels is cancelled for everybody who was coming, whatever their tickets say.

    Where the house calls it off, box offices often take the tickets back first: those of the last days count as well.
    """
    noted = notes.of("activity_cancelled")
    if not noted or trigger.nth is not None:
        return
    p, a = Participation, Activity
    was_coming: sa.ColumnElement[bool] = p.status.in_(VALID)
    if trigger.on == "called_off":
        earliest = min(one.at for one in noted.values()) - TICKETS_GO_FIRST
        was_coming = sa.or_(was_coming, p.updated_at >= earliest)
    query = matching(trigger, (*VALID, *STATUSES["cancelled"])).where(
        any_of(p.activity_id, sorted(noted)), a.is_cancelled, was_coming
    )
    for row in first_of_each_party(session.execute(query)):
        at = min(noted[row.activity_id].at, end_of(row.activity_on, zone))
        yield soon_after(row.contact_id, f"participation:{row.id}:{trigger.on}", at, participation_id=row.id)


def _nth(session: ScopedSession, trigger: OnParticipation, rows: Sequence[Any], zone: ZoneInfo) -> Iterator[Occurrence]:
    """Whoever reaches the nth party with what was noted: there were fewer before, and there are as many now.

    Parties count in the order of their days, so it does not matter in which order they are heard of.
    """
    nth, new = trigger.nth or 1, {row.id for row in rows}
    p = Participation
    people = sorted({row.contact_id for row in rows})
    if not people:
        return
    query = matching(trigger, STATUSES[trigger.on]).where(is_one_of(trigger, people)).order_by(p.activity_on, p.id)
    parties: dict[int, dict[Party, Any]] = {}
    before: dict[int, set[Party]] = {}
    for row in session.execute(query):
        party = (row.contact_id, row.activity_id, row.activity_on)
        parties.setdefault(row.contact_id, {}).setdefault(party, row)
        if row.id not in new:
            before.setdefault(row.contact_id, set()).add(party)
    for contact_id, theirs in parties.items():
        if len(before.get(contact_id, ())) < nth <= len(theirs):
            row = list(theirs.values())[nth - 1]
            when = row.booked_at if trigger.on == "booked" else row.attended_at or row.starts_at or row.booked_at
            at = min(when, end_of(row.activity_on, zone))
            yield soon_after(contact_id, f"nth:{nth}:{trigger.on}", at, participation_id=row.id)
