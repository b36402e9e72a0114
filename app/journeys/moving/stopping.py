"""Who may not go on: asked before every step, for everybody who came to it, by one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.activities.models import Activity, Participation
from app.consent import subjects
from app.consent.gate import contactable
from app.consent.models import Permission
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession
from app.journeys.definition import Definition, OnActivity, OnParticipation, Send, WaitFor, all_steps
from app.journeys.entering.models import JourneyNote
from app.journeys.moving.walkers import Walker, ids_of
from app.journeys.route import Route
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import scope_of
from app.segments.definitions import complete_rule


def stopped(session: ScopedSession, route: Route, walkers: Sequence[Walker], *, at: datetime) -> dict[int, str]:
    """Why people leave before their next step, by contact: ``erased``, ``merged``, ``restricted`` or ``no_permission``.

    A journey that mails needs the permission of its purpose; one that does not is left by who said no to it. Who only
    asked for a pause stays: the gate keeps their mails back.
    """
    contact = Contact
    reasons = [
        (contact.state == "merged", "merged"),
        (contact.state != "living", "erased"),
        (contact.is_restricted, "restricted"),
    ]
    query = sa.select(
        contact.id, sa.case(*reasons, (~_may_go_on(route, at=at), "no_permission"), else_=None).label("because")
    ).where(contact.id == sa.any_(subjects.ids(ids_of(walkers))))
    found = {row.id: row.because for row in session.execute(query)}
    because = {walker.contact_id: found.get(walker.contact_id, "erased") for walker in walkers}
    return {contact_id: reason for contact_id, reason in because.items() if reason is not None}


def is_somebody_gone(session: ScopedSession) -> bool:
    """Whether it is noted, and not heard yet, that somebody said no, was erased, merged or restricted."""
    return bool(session.scalar(sa.select(sa.exists().where(JourneyNote.kind.in_(("consent_no", "contact_gone"))))))


def lost_booking(session: ScopedSession, definition: Definition, walkers: Sequence[Walker]) -> dict[int, str]:
    """Whose booking is no more, or whose performance was cancelled, of a journey that goes about it; by enrolment.

    A ticket that was passed on to somebody else is theirs: who had it does not come by it any more.
    """
    trigger = definition.trigger
    is_about_visit = isinstance(trigger, OnActivity)
    if not isinstance(trigger, OnActivity | OnParticipation) or (
        isinstance(trigger, OnParticipation) and trigger.on != "booked"
    ):
        return {}
    wanted = {one.participation_id for one in walkers if one.participation_id is not None}
    if not wanted:
        return {}
    rows = session.execute(
        sa.select(
            Participation.id,
            Participation.is_valid,
            Participation.contact_id,
            sa.func.coalesce(Participation.buyer_id, Participation.contact_id).label("buyer_id"),
            Activity.is_cancelled,
        )
        .join(Activity, Activity.id == Participation.activity_id)
        .where(Participation.id == sa.any_(subjects.ids(wanted)))
    )
    lines = {row.id: row for row in rows}
    counts_buyers = any(one.who == "buyer" for one in _about_bookings(definition))
    lost: dict[int, str] = {}
    for one in walkers:
        line = lines.get(one.participation_id or 0)
        if line is None:
            continue
        if not line.is_valid:
            lost[one.id] = "booking_cancelled"
        elif is_about_visit and line.is_cancelled:
            lost[one.id] = "activity_cancelled"
        elif one.contact_id not in ((line.contact_id, line.buyer_id) if counts_buyers else (line.contact_id,)):
            lost[one.id] = "passed_on"
    return lost


def _about_bookings(definition: Definition) -> Iterator[OnParticipation | OnActivity]:
    """What a way may be about: the booking that let somebody in, or one that a step waited for."""
    waited = (step.trigger for step in all_steps(definition.steps) if isinstance(step, WaitFor))
    yield from (one for one in (definition.trigger, *waited) if isinstance(one, OnParticipation | OnActivity))


def reached_goal(
    session: ScopedSession, definition: Definition, walkers: Sequence[Walker], *, at: datetime
) -> set[int]:
    """The contacts who reached the goal of the journey, of those who may still do so in time."""
    goal = definition.goal
    if goal is None:
        return set()
    scope = scope_of(session)
    zone = ZoneInfo(scope.time_zone)
    in_time = [one for one in walkers if at <= goal.within.after(one.entered_at, zone)]
    if not in_time:
        return set()
    rule = complete_rule(session, goal.rule)
    return set(session.scalars(select_members(rule, scope, only=ids_of(in_time))))


def _may_go_on(route: Route, *, at: datetime) -> sa.ColumnElement[bool]:
    purpose = route.definition.purpose
    gate, identity, permission = contactable.c, ContactIdentity, Permission
    spoken = (
        sa.select(sa.literal(1))
        .select_from(identity)
        .join(permission, permission.subject_key == identity.subject_key)
        .where(identity.contact_id == Contact.id, permission.channel == "email", permission.purpose == purpose)
        .correlate(Contact)
    )
    has_said_no = sa.exists(spoken.where(permission.is_negative))
    if not any(isinstance(step, Send) for step in route.steps.values()):
        return ~has_said_no
    allowed = sa.exists(
        sa.select(sa.literal(1))
        .select_from(contactable)
        .where(
            gate.organisation_id == Contact.organisation_id,
            gate.contact_id == Contact.id,
            gate.channel == "email",
            gate.purpose == purpose,
        )
        .correlate(Contact)
    )
    is_paused = sa.exists(spoken.where(permission.paused_until > at))
    return sa.or_(allowed, sa.and_(is_paused, ~has_said_no))
