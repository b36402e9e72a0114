"""The people of a segment, for its page and for a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.models import SegmentMembership

BATCH = 2000


@dataclass(frozen=True, slots=True)
class PersonInSegment:
    """A member with what a list shows of them."""

    contact: Contact
    entered_on: date


def members_page(session: ScopedSession, segment_id: int, *, after: int, limit: int) -> list[PersonInSegment]:
    """Members with an id above ``after``, by id."""
    rows = session.execute(_members(segment_id, Contact).where(Contact.id > after).limit(limit))
    return [PersonInSegment(row[0], row[1]) for row in rows]


def members_to_export(session: ScopedSession, segment_id: int) -> Iterator[tuple[Any, ...]]:
    """Every member as a row: id, first and last name, address, language, postcode, municipality, since when."""
    columns = (
        Contact.id,
        Contact.given_name,
        Contact.family_name,
        Contact.email,
        Contact.language,
        Contact.postcode,
        Contact.municipality,
    )
    for row in session.execute(_members(segment_id, *columns).execution_options(yield_per=BATCH)):
        yield tuple(row)


def contacts_by_id(session: ScopedSession, ids: set[int]) -> dict[int, Contact]:
    """These contacts, by id."""
    return {one.id: one for one in session.scalars(sa.select(Contact).where(Contact.id.in_(ids)))}


def _members(segment_id: int, *columns: Any) -> sa.Select[Any]:
    m = SegmentMembership
    same = sa.and_(Contact.organisation_id == m.organisation_id, Contact.id == m.contact_id)
    return (
        sa.select(*columns, m.entered_on)
        .join_from(m, Contact, same)
        .where(m.segment_id == segment_id, m.left_at.is_(None))
        .order_by(Contact.id)
    )
