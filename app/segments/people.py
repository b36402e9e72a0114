"""The people of a segment, for its page and for a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.consent.gate import contactable
from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.building.preview import PREVIEW_S
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import scope_of
from app.segments.compiling.time_limit import within
from app.segments.definitions import complete_rule, read_rule
from app.segments.membership import members_on
from app.segments.models import Segment, SegmentMembership

BATCH = 2000


@dataclass(frozen=True, slots=True)
class PersonInSegment:
    """A member with what a list shows of them."""

    contact: Contact
    entered_on: date | None


def members_page(session: ScopedSession, segment_id: int, *, after: int, limit: int) -> list[PersonInSegment]:
    """Members with an id above ``after``, by id."""
    rows = session.execute(_members(segment_id, Contact).where(Contact.id > after).limit(limit))
    return [PersonInSegment(row[0], row[1]) for row in rows]


def people_on(
    session: ScopedSession, segment: Segment, day: date, *, after: int, limit: int
) -> tuple[list[PersonInSegment], bool]:
    """The members on a day with an id above ``after``, by id, and whether they are remembered (or worked out).

    Raises TooSlowError. Who was erased or merged away since is left out.
    """
    members, is_remembered = members_on(session, segment, day, after=after, limit=limit)
    known = contacts_by_id(session, {member.contact_id for member in members})
    found = [PersonInSegment(known[one.contact_id], one.entered_on) for one in members if one.contact_id in known]
    return found, is_remembered


def members_by_rule(session: ScopedSession, rule: object, *, after: int, limit: int) -> list[Contact]:
    """The people for whom a rule (JSON) holds today with an id above ``after``, by id.

    Raises InvalidRuleError, or TooSlowError after PREVIEW_S.
    """
    found = select_members(complete_rule(session, read_rule(session, rule)), scope_of(session)).subquery("found")
    ids = sa.select(found.c.contact_id).where(found.c.contact_id > after).order_by(found.c.contact_id).limit(limit)
    with within(session, PREVIEW_S):
        known = contacts_by_id(session, set(session.scalars(ids)))
    return [known[number] for number in sorted(known)]


@dataclass(frozen=True, slots=True)
class SegmentWithOrWithout:
    """A segment, and since when somebody is in it; None for somebody who is not."""

    segment: Segment
    since: date | None


def segments_with(session: ScopedSession, contact_id: int) -> list[SegmentWithOrWithout]:
    """Every segment by name, those with this person first."""
    m = SegmentMembership
    is_in = sa.and_(m.segment_id == Segment.id, m.contact_id == contact_id, m.left_at.is_(None))
    rows = session.execute(
        sa.select(Segment, m.entered_on)
        .outerjoin(m, is_in)
        .order_by(m.entered_on.is_(None), sa.func.lower(Segment.name))
    )
    return [SegmentWithOrWithout(row[0], row[1]) for row in rows]


def members_to_export(
    session: ScopedSession, segment_id: int, *, purpose: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """Every member as a row: id, first and last name, address, language, postcode, municipality, since when.

    With ``purpose`` (a code), only those whom the gate lets through for it by e-mail now, and whose mail arrives.
    """
    columns = (
        Contact.id,
        Contact.given_name,
        Contact.family_name,
        Contact.email,
        Contact.language,
        Contact.postcode,
        Contact.municipality,
    )
    query = _members(segment_id, *columns)
    if purpose is not None:
        query = query.where(Contact.id.in_(_mailable(session.organisation_id, purpose)))
    for row in session.execute(query.execution_options(yield_per=BATCH)):
        yield tuple(row)


def contacts_by_id(session: ScopedSession, ids: set[int]) -> dict[int, Contact]:
    """These contacts, by id."""
    return {one.id: one for one in session.scalars(sa.select(Contact).where(Contact.id.in_(ids)))}


def _mailable(organisation_id: int, purpose: str) -> sa.Select[int]:
    return sa.select(contactable.c.contact_id).where(
        contactable.c.organisation_id == organisation_id,
        contactable.c.channel == "email",
        contactable.c.purpose == purpose,
        contactable.c.is_deliverable,
    )


def _members(segment_id: int, *columns: Any) -> sa.Select[Any]:
    m = SegmentMembership
    same = sa.and_(Contact.organisation_id == m.organisation_id, Contact.id == m.contact_id)
    return (
        sa.select(*columns, m.entered_on)
        .join_from(m, Contact, same)
        .where(m.segment_id == segment_id, m.left_at.is_(None))
        .order_by(Contact.id)
    )
