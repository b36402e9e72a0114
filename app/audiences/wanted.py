"""Who belongs in an audience, who is there, and what keeps the others back: the questions a plan is made of.

Wanted is: in the segment, permitted by the gate for the purpose, at an address where mail arrives, not held out by the
list itself, and one person an address. Nobody is pushed because of this answer: the gate is asked again at the claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import (
    CTE,
    ColumnElement,
    Delete,
    Row,
    Select,
    SQLColumnExpression,
    Subquery,
    and_,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    true,
    union,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased

from app.audiences.models import Audience, AudienceByHand, AudienceMember, ListHeldOut
from app.audiences.payload import payload, payload_columns
from app.audiences.plan import Funnel, Leaver, Plan, Push, needs_push, payload_sha256
from app.audiences.problems import RunStopped
from app.audiences.tracking import keeps_tracking_choice, tracking_choice
from app.audiences.work import CHANNEL
from app.consent.gate import contactable
from app.consent.models import Permission, Suppression
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession
from app.segments.current import select_current_members
from app.segments.problems import SegmentError
from integrations.base import MemberPush

ROWS_PER_FETCH = 2_000
THERE = ("in", "claimed", "uncertain")


@dataclass(frozen=True, slots=True)
class Aim:
    """Which people, for which purpose, on which list, told what. An audience has one; so has a wizard before it.

    With ``audience_id``, whom a journey put in that audience or keeps out of it counts too.
    """

    segment_id: int
    purpose: str
    connection_id: int
    list_ref: str
    mapping: Mapping[str, str]
    audience_id: int | None = None


def aim_of(audience: Audience) -> Aim | None:
    """Return what an audience aims at; None for one that is being taken off."""
    if audience.segment_id is None or audience.state == "removed":
        return None
    return Aim(
        audience.segment_id,
        audience.purpose,
        audience.connection_id,
        audience.list_ref,
        audience.field_mapping,
        audience.id,
    )


def segment_members(session: ScopedSession, segment_id: int, *, audience_id: int | None = None) -> CTE:
    """Return the segment's members at this moment as a table of ``contact_id``. Raises RunStopped.

    They are those that are stored, exact to the moment; of a segment that is broken, the last good ones. With
    ``audience_id``: and whom a journey put in that audience, without whom it keeps out.
    """
    try:
        members = select_current_members(session, segment_id)
    except SegmentError as problem:
        raise RunStopped(problem.code) from problem
    if audience_id is None:
        return members.cte("members").prefix_with("MATERIALIZED")
    by_hand = AudienceByHand
    word = select(by_hand.contact_id).where(by_hand.audience_id == audience_id)
    put_in = word.join(Contact, Contact.id == by_hand.contact_id).where(by_hand.is_in, Contact.state == "living")
    with_put_in = union(members, put_in).subquery("with_put_in")
    kept = select(with_put_in.c.contact_id).where(with_put_in.c.contact_id.not_in(word.where(~by_hand.is_in)))
    return kept.cte("members").prefix_with("MATERIALIZED")


def count_funnel(session: ScopedSession, aim: Aim) -> Funnel:
    """Count, from the segment down to those who would be pushed. Each person is counted at the first thing missing."""
    members = segment_members(session, aim.segment_id, audience_id=aim.audience_id)
    contact_id = members.c.contact_id
    address = aliased(ContactIdentity)
    may = contactable.alias("may")
    held = _held_out(aim, may.c.subject_key)
    is_first = func.row_number().over(partition_by=may.c.subject_key, order_by=contact_id) == 1
    steps = (
        select(
            address.id.is_not(None).label("has_address"),
            may.c.contact_id.is_not(None).label("is_permitted"),
            may.c.is_deliverable.label("is_deliverable"),
            held.label("is_held_out"),
            is_first.label("is_first"),
        )
        .select_from(members)
        .outerjoin(address, and_(address.contact_id == contact_id, address.kind == "email", address.is_primary))
        .outerjoin(may, and_(may.c.contact_id == contact_id, *_allowed(may, aim)))
        .subquery()
    )
    row = session.execute(_funnel_counts(steps)).one()
    of = session.scalar(select(func.count()).select_from(Contact).where(Contact.state == "living"))
    return Funnel(of=of or 0, **row._mapping)


def _funnel_counts(steps: Subquery) -> Select[Any]:
    column = steps.c
    mailable = and_(column.is_permitted, column.is_deliverable)
    outcomes = {
        "no_address": ~column.has_address,
        "not_permitted": and_(column.has_address, ~column.is_permitted),
        "bouncing": and_(column.is_permitted, ~column.is_deliverable),
        "held_out": and_(mailable, column.is_held_out),
        "shared": and_(mailable, ~column.is_held_out, ~column.is_first),
        "wanted": and_(mailable, ~column.is_held_out, column.is_first),
    }
    counts = [func.count().filter(condition).label(name) for name, condition in outcomes.items()]
    return cast("Select[Any]", select(func.count().label("segment"), *counts).select_from(steps))


def make_plan(session: ScopedSession, audience: Audience) -> Plan:
    """Return the difference between who is wanted and who is there, both seen by one statement.

    The session should be in a REPEATABLE READ transaction, so that the funnel's counts are of the same moment.
    """
    aim = aim_of(audience)
    plan = Plan(count_funnel(session, aim) if aim else Funnel(0, 0, 0, 0, 0, 0, 0, 0))
    for row in session.execute(_difference(session, aim, audience), execution_options={"yield_per": ROWS_PER_FETCH}):
        if aim is not None and row.wanted_key is not None:
            _plan_push(plan, row._asdict(), aim)
        elif row.state == "refused":
            plan.dropped.append(bytes(row.there_key))
        else:
            plan.leavers.append(_leaver(row))
    plan.current = count_there(session, [audience.id]).get(audience.id, 0)
    return plan


def _leaver(row: Row[Any]) -> Leaver:
    return Leaver(
        subject_key=bytes(row.there_key),
        address=row.there_address,
        contact_id=row.there_contact_id,
        is_out=row.is_held_out or row.has_said_no,
        is_held_out=row.is_held_out,
    )


def _plan_push(plan: Plan, row: Mapping[str, Any], aim: Aim) -> None:
    wanted = payload_sha256(payload(row["address"], row, aim.mapping))
    state = row["state"]
    if needs_push(state, row["pushed_sha256"], row["refusal_code"], wanted=wanted):
        is_there = state == "in"
        needs_tag = not is_there or row["pushed_sha256"] is None
        plan.pushes.append(Push(row["contact_id"], bytes(row["wanted_key"]), not is_there, needs_tag))
    elif state == "refused":
        plan.refused += 1
    else:
        plan.unchanged += 1


def _difference(session: ScopedSession, aim: Aim | None, audience: Audience) -> Select[Any]:
    """One row for everybody who is wanted or there: ``wanted_key`` NULL for who should leave."""
    there = _there(audience).subquery("there")
    if aim is None:
        return select(null().label("wanted_key"), there)
    people = _people(session, aim).subquery("people")
    return select(people, there).select_from(people.join(there, people.c.wanted_key == there.c.there_key, full=True))


def _there(audience: Audience) -> Select[Any]:
    """Everybody who is there or was refused; those whose push got no answer are read back before any plan."""
    seat = AudienceMember
    key = seat.subject_key
    columns: list[SQLColumnExpression[Any]] = [
        key.label("there_key"),
        seat.address.label("there_address"),
        seat.contact_id.label("there_contact_id"),
        seat.state,
        seat.pushed_sha256,
        seat.refusal_code,
        _is_held_out(audience.connection_id, audience.list_ref, key).label("is_held_out"),
        or_(*_noes(key, audience.purpose)).label("has_said_no"),
    ]
    return select(*columns).where(seat.audience_id == audience.id, seat.state != "out")


def _people(session: ScopedSession, aim: Aim) -> Select[Any]:
    members = segment_members(session, aim.segment_id, audience_id=aim.audience_id)
    return _payloads(aim).where(contactable.c.contact_id.in_(select(members.c.contact_id)))


def _payloads(aim: Aim) -> Select[Any]:
    """Whoever may be pushed to this list for this purpose, one row an address, with what would be told."""
    return (
        select(
            contactable.c.contact_id.label("contact_id"),
            contactable.c.subject_key.label("wanted_key"),
            ContactIdentity.value.label("address"),
            *payload_columns(aim.mapping),
            tracking_choice(
                contactable.c.contact_id, contactable.c.subject_key, keeps_tracking_choice(aim.connection_id)
            ).label("may_track"),
        )
        .ext(distinct_on(contactable.c.subject_key))
        .join(ContactIdentity, ContactIdentity.id == contactable.c.identity_id)
        .join(Contact, Contact.id == contactable.c.contact_id)
        .where(*_allowed(contactable, aim), contactable.c.is_deliverable, ~_held_out(aim, contactable.c.subject_key))
        .order_by(contactable.c.subject_key, contactable.c.contact_id)
    )


def load_payloads(session: ScopedSession, aim: Aim, contact_ids: Iterable[int]) -> dict[bytes, MemberPush]:
    """Return what would be told now about these contacts, by the address they would be pushed under."""
    rows = session.execute(_payloads(aim).where(contactable.c.contact_id.in_(list(contact_ids))))
    return {bytes(row.wanted_key): payload(row.address, row._asdict(), aim.mapping) for row in rows}


def refusers(audience: Audience, *, limit: int) -> Select[Any]:
    """Whoever we made known there and has said no here: they are opted out there too, also after they left the segment.

    A no is a withdrawal or objection for the purpose, or a suppression, at any address of the person; a permission that
    merely ended is no no, and only costs our tag. Nobody is opted out of a list that another audience of ours may use
    for them; nor whom the list holds out already.
    """
    there = AudienceMember
    key = there.subject_key
    columns: list[SQLColumnExpression[Any]] = [key, there.address, there.contact_id]
    return (
        select(*columns)
        .where(there.audience_id == audience.id, there.state.in_(("in", "out")), there.address.is_not(None))
        .where(or_(*_noes(key, audience.purpose)))
        .where(~_is_held_out(audience.connection_id, audience.list_ref, key))
        .where(~_is_used_elsewhere(audience, key))
        .order_by(key)
        .limit(limit)
    )


def stale_intents(audience: Audience) -> Delete:
    """Forget our intent to opt out whoever has said yes again since, before it was carried out."""
    intent = ListHeldOut
    return delete(intent).where(
        intent.connection_id == audience.connection_id,
        intent.list_ref == audience.list_ref,
        intent.status == "unsubscribing",
        ~or_(*_noes(intent.subject_key, audience.purpose)),
    )


def _noes(key: SQLColumnExpression[Any], purpose: str) -> tuple[ColumnElement[bool], ...]:
    one, other, spoken = aliased(ContactIdentity), aliased(ContactIdentity), aliased(Permission)
    is_no = (Permission.channel == CHANNEL, Permission.purpose == purpose, Permission.is_negative)
    return (
        exists().where(Permission.subject_key == key, *is_no),
        exists().where(Suppression.address_hash == key, Suppression.channel == CHANNEL),
        exists()
        .where(one.subject_key == key, one.kind == "email", other.contact_id == one.contact_id, other.kind == "email")
        .where(Suppression.address_hash == other.subject_key, Suppression.channel == CHANNEL),
        exists()
        .where(one.subject_key == key, one.kind == "email", other.contact_id == one.contact_id, other.kind == "email")
        .where(spoken.subject_key == other.subject_key, spoken.channel == CHANNEL)
        .where(spoken.purpose == purpose, spoken.is_negative),
    )


def _is_used_elsewhere(audience: Audience, key: SQLColumnExpression[Any]) -> ColumnElement[bool]:
    other, seat, may = aliased(Audience), aliased(AudienceMember), contactable.alias("elsewhere")
    return (
        exists()
        .where(other.connection_id == audience.connection_id, other.list_ref == audience.list_ref)
        .where(other.id != audience.id, other.state != "removed")
        .where(seat.audience_id == other.id, seat.subject_key == key, seat.state.in_(THERE))
        .where(may.c.subject_key == key, may.c.channel == CHANNEL, may.c.purpose == other.purpose)
    )


def count_there(session: ScopedSession, audience_ids: Iterable[int]) -> dict[int, int]:
    """Return how many people of ours are at the destination, by audience."""
    rows = session.execute(
        select(AudienceMember.audience_id, func.count().label("there"))
        .where(AudienceMember.audience_id.in_(list(audience_ids)), AudienceMember.state.in_(THERE))
        .group_by(AudienceMember.audience_id)
    )
    return {row.audience_id: row.there for row in rows}


def people_wanted(session: ScopedSession, aim: Aim) -> Iterator[bytes]:
    """Yield the addresses (their keys) a plan would want, for whoever checks the plan against the gate."""
    for row in session.execute(_people(session, aim)):
        yield bytes(row.wanted_key)


def _allowed(may: Any, aim: Aim) -> tuple[ColumnElement[bool], ...]:
    return may.c.channel == CHANNEL, may.c.purpose == aim.purpose


def _held_out(aim: Aim, key: SQLColumnExpression[Any]) -> ColumnElement[bool]:
    return _is_held_out(aim.connection_id, aim.list_ref, key, also_ours=True)


def _is_held_out(
    connection_id: int, list_ref: str, key: SQLColumnExpression[Any], *, also_ours: bool = False
) -> ColumnElement[bool]:
    """``also_ours``: our opt-out that is still on its way counts too."""
    return exists().where(
        ListHeldOut.connection_id == connection_id,
        ListHeldOut.list_ref == list_ref,
        ListHeldOut.subject_key == key,
        true() if also_ours else ListHeldOut.status != "unsubscribing",
    )
