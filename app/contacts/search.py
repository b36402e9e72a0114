"""Finding people: by name, address or postcode, narrowed by what is known of them, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Subquery, and_, exists, func, or_, select, tuple_

from app.accounts.addresses import normalise_email
from app.consent.gate import contactable
from app.contacts.cursors import cursor_of, place_of
from app.contacts.models import Contact, ContactIdentity
from app.contacts.neighbours import GROUPS
from app.db import ScopedSession

PAGE_MAX = 200
WORDS_MAX = 5
RECENT_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for. ``text``: words that begin a name, the beginning of an address or a postcode, or a number.

    ``permission`` is a purpose for which e-mail is allowed now, as the gate says. ``segment`` is a segment's id.
    """

    text: str = ""
    email: str | None = None
    permission: str | None = None
    tag: str | None = None
    source: str | None = None
    segment: int | None = None
    is_bouncing: bool = False
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some contacts, and the cursor of the next page, if there is one."""

    contacts: Sequence[Contact]
    next: str | None


def search_contacts(
    session: ScopedSession, search: Search, *, cursor: str | None = None, limit: int = 50, newest_first: bool = True
) -> Page:
    """Return living contacts that fit, by when they last changed. Raises InvalidCursor."""
    order = tuple_(Contact.updated_at, Contact.id)
    query = select(Contact).where(Contact.state == "living", *_conditions(search))
    if cursor:
        place = tuple_(*place_of(cursor))
        query = query.where(order < place if newest_first else order > place)
    turned = (Contact.updated_at.desc(), Contact.id.desc()) if newest_first else (Contact.updated_at, Contact.id)
    found = list(session.scalars(query.order_by(*turned).limit(min(limit, PAGE_MAX) + 1)))
    contacts = found[:limit]
    is_last = len(found) <= limit
    return Page(contacts, None if is_last else cursor_of((contacts[-1].updated_at, contacts[-1].id)))


def count_contacts(session: ScopedSession) -> int:
    """Return how many people there are."""
    return session.scalar(select(func.count()).select_from(Contact).where(Contact.state == "living")) or 0


def list_tags(session: ScopedSession, *, limit: int = 200) -> list[str]:
    """Return the tags in use among the people who changed last, the most used first."""
    tag = func.unnest(_recent().c.tags).label("tag")
    used = select(tag).subquery()
    query = select(used.c.tag).group_by(used.c.tag).order_by(func.count().desc(), used.c.tag).limit(limit)
    return list(session.scalars(query))


def list_sources(session: ScopedSession) -> list[str]:
    """Return the systems that the people who changed last came from."""
    source = _recent().c.source
    return list(session.scalars(select(source).distinct().order_by(source)))


def _recent() -> Subquery:
    """The people who changed last, so that a page of a very large house need not read everybody."""
    query = select(Contact.tags, Contact.source).where(Contact.state == "living")
    return query.order_by(Contact.updated_at.desc(), Contact.id.desc()).limit(RECENT_MAX).subquery()


def _conditions(search: Search) -> list[ColumnElement[bool]]:
    conditions = [_word(word) for word in search.text.lower().split()[:WORDS_MAX]]
    if search.email is not None:
        conditions.append(_has_address(ContactIdentity.value_key == (normalise_email(search.email) or "")))
    if search.permission:
        gate = contactable.c
        allowed = select(gate.contact_id).where(gate.channel == "email", gate.purpose == search.permission)
        conditions.append(Contact.id.in_(allowed))
    if search.tag:
        conditions.append(Contact.tags.contains([search.tag]))
    if search.source:
        conditions.append(Contact.source == search.source)
    if search.is_bouncing:
        conditions.append(_has_address(ContactIdentity.deliverability.in_(("bouncing", "soft_bouncing"))))
    if search.updated_since is not None:
        conditions.append(Contact.updated_at >= search.updated_since)
    if search.segment is not None:
        conditions.append(Contact.id.in_(_members(search.segment)))
    return conditions


def _members(segment_id: int) -> Select[int]:
    groups = GROUPS.get("segment")
    return groups.members(segment_id) if groups else select(Contact.id).where(Contact.id.is_(None))


def _word(word: str) -> ColumnElement[bool]:
    begins = _escaped(word) + "%"
    if "@" in word:
        return _has_address(ContactIdentity.value_key.like(begins))
    names = [
        func.lower(Contact.given_name).like(begins),
        func.lower(Contact.family_name).like(begins),
        # "Berg" finds "van der Berg".
        func.lower(Contact.family_name).like(f"% {begins}"),
        _has_address(ContactIdentity.value_key.like(begins)),
    ]
    if any(character.isdigit() for character in word):
        names += [Contact.postcode.like(_escaped(word.upper()) + "%"), _has_number(word)]
    return or_(*names)


def _has_address(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    identity = ContactIdentity
    return exists().where(
        and_(
            identity.organisation_id == Contact.organisation_id,
            identity.contact_id == Contact.id,
            identity.kind == "email",
            condition,
        )
    )


def _has_number(number: str) -> ColumnElement[bool]:
    identity = ContactIdentity
    return Contact.id.in_(
        select(identity.contact_id).where(identity.kind != "email", identity.value_key.in_((number, number.upper())))
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
