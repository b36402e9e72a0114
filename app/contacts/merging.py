"""Two contacts who are one person become one, and can be parted again.

Identities, participations, mail events, passes and enrolments move to the remaining contact. So every no spoken at any
of the addresses counts for all of them: the gate looks at all identities of a contact. What moved is written down, and
nothing is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import or_, select, text, update

from app.contacts.directory import find_contact, living_contact
from app.contacts.errors import CannotMerge, CannotUnmerge, UnknownContact
from app.contacts.ingest import PROFILE, own_identities
from app.contacts.matching import EMAIL
from app.contacts.models import Contact, ContactIdentity, ContactMerge
from app.db import ScopedSession


def merge_contacts(session: ScopedSession, contact_id: int, *, into_id: int, at: datetime) -> ContactMerge:
    """Let a contact become part of another, who keeps their own values and takes over those they lack.

    Raises UnknownContact or CannotMerge. Waits for, and keeps out, every other change of identities.
    """
    if contact_id == into_id:
        raise CannotMerge(contact_id, "same_contact")
    own_identities(session)
    first, second = sorted((contact_id, into_id))
    locked = {each: living_contact(session, each, for_update=True) for each in (first, second)}
    contact, into = locked[contact_id], locked[into_id]
    moved = _moved_identities(session, contact, into)
    moved |= {f"{what}s": _moved(session, what, contact_id, into_id, at=at) for what in FOLLOWING}
    moved |= _taken_over(contact, into)
    contact.state, contact.merged_into_id = "merged", into_id
    contact.updated_at = into.updated_at = at
    merge = ContactMerge(
        organisation_id=session.organisation_id, contact_id=contact_id, into_id=into_id, moved=moved, merged_at=at
    )
    session.add(merge)
    session.flush()
    return merge


def unmerge_contact(session: ScopedSession, contact_id: int, *, at: datetime) -> Contact:
    """Part a contact from the one it became, with what it brought along; returns it, living again.

    What came in since stays where it is. Raises UnknownContact or CannotUnmerge.
    """
    own_identities(session)
    contact = find_contact(session, contact_id)
    if contact is None:
        raise UnknownContact(contact_id)
    merge = _standing_merge(session, contact_id)
    if contact.state != "merged" or merge is None:
        raise CannotUnmerge(contact_id, "not_merged")
    into = find_contact(session, merge.into_id)
    if into is None or into.state != "living":
        raise CannotUnmerge(contact_id, "merged_further")
    _give_back(session, contact, into, merge.moved, at=at)
    contact.state, contact.merged_into_id = "living", None
    contact.updated_at = into.updated_at = at
    merge.undone_at = at
    session.flush()
    return contact


def merged_into(session: ScopedSession, contact_id: int) -> list[Contact]:
    """Return the contacts that became part of this one and can be parted again, the last first."""
    query = select(Contact).join(ContactMerge, ContactMerge.contact_id == Contact.id)
    query = query.where(ContactMerge.into_id == contact_id, ContactMerge.undone_at.is_(None))
    return list(session.scalars(query.order_by(ContactMerge.id.desc())))


def _standing_merge(session: ScopedSession, contact_id: int) -> ContactMerge | None:
    merge = ContactMerge
    return session.scalars(select(merge).where(merge.contact_id == contact_id, merge.undone_at.is_(None))).one_or_none()


def _moved_identities(session: ScopedSession, contact: Contact, into: Contact) -> dict[str, Any]:
    identity = ContactIdentity
    _hand_over_mailboxes(session, contact.id, into.id)
    both = select(identity.value_key).where(identity.contact_id == into.id, identity.kind == EMAIL).scalar_subquery()
    # An address that both read stays with both: there is nothing to move, and nothing to give back.
    going = or_(identity.kind != EMAIL, identity.value_key.not_in(both))
    held = session.scalars(select(identity).where(identity.contact_id == contact.id, going).order_by(identity.id)).all()
    primary = next((each.id for each in held if each.kind == EMAIL and each.is_primary), None)
    keeps_primary = primary is not None and into.email is None
    session.execute(
        update(identity)
        .where(identity.id.in_([each.id for each in held]))
        .values(contact_id=into.id, is_primary=identity.is_primary & keeps_primary)
    )
    if keeps_primary:
        into.email = contact.email
    return {"identities": [each.id for each in held], "primary": primary}


def _hand_over_mailboxes(session: ScopedSession, contact_id: int, into_id: int) -> None:
    """Make the remaining contact the holder of every address that both read: the address alone stands for them now."""
    theirs = {each.value_key: each for each in _mailboxes(session, into_id)}
    handed = [each for each in _mailboxes(session, contact_id) if each.is_holder and each.value_key in theirs]
    for each in handed:
        each.is_holder = False
    session.flush()
    for each in handed:
        theirs[each.value_key].is_holder = True
    session.flush()


def _mailboxes(session: ScopedSession, *contact_ids: int) -> Sequence[ContactIdentity]:
    identity = ContactIdentity
    wanted = select(identity).where(identity.contact_id.in_(contact_ids), identity.kind == EMAIL)
    return session.scalars(wanted.order_by(identity.id).execution_options(populate_existing=True)).all()


# What belongs to a person and goes wherever they go; some of it to rooms above this one. Each with its table, the
# column that names the person, what it is stamped with, and what keeps a row where it is: nobody can have entered a
# journey twice on one occasion.
FOLLOWING = {
    "participation": ("participation", "contact_id", "updated_at", ""),
    "purchase": ("participation", "buyer_id", "updated_at", ""),
    "mail_event": ("mail_event", "contact_id", "recorded_at", ""),
    "pass": ("pass", "contact_id", "updated_at", ""),
    "enrolment": (
        "enrolment",
        "contact_id",
        "updated_at",
        " AND NOT EXISTS (SELECT FROM enrolment AS own WHERE own.organisation_id = enrolment.organisation_id"
        " AND own.contact_id = :to_id AND own.journey_id = enrolment.journey_id"
        " AND own.occurrence = enrolment.occurrence)",
    ),
    "audience_by_hand": (
        "audience_by_hand",
        "contact_id",
        "updated_at",
        " AND NOT EXISTS (SELECT FROM audience_by_hand AS own"
        " WHERE own.organisation_id = audience_by_hand.organisation_id AND own.contact_id = :to_id"
        " AND own.audience_id = audience_by_hand.audience_id)",
    ),
}


def _moved(
    session: ScopedSession, what: str, from_id: int, to_id: int, *, at: datetime, ids: list[int] | None = None
) -> list[int]:
    """Move what belongs to a contact (of ``ids`` alone, if given) to another; returns the ids of the rows."""
    table, whose, stamp, unless = FOLLOWING[what]
    only = "" if ids is None else " AND id = ANY (CAST(:ids AS bigint[]))"
    moved = session.scalars(
        text(
            f"UPDATE {table} SET {whose} = :to_id, {stamp} = :at"
            f" WHERE organisation_id = :organisation_id AND {whose} = :from_id{only}{unless} RETURNING id"
        ),
        {"organisation_id": session.organisation_id, "from_id": from_id, "to_id": to_id, "at": at}
        | ({} if ids is None else {"ids": ids}),
    )
    return sorted(moved)


def _taken_over(contact: Contact, into: Contact) -> dict[str, Any]:
    own = {name: getattr(into, name) for name in PROFILE if getattr(into, name) is not None}
    of_both = {name: into.attributes[name] for name in contact.attributes if name in into.attributes}
    fields = [name for name in PROFILE if getattr(into, name) is None and getattr(contact, name) is not None]
    for name in fields:
        setattr(into, name, getattr(contact, name))
    tags = [tag for tag in contact.tags if tag not in into.tags]
    attributes = [name for name in contact.attributes if name not in into.attributes]
    into.tags = [*into.tags, *tags]
    into.attributes = into.attributes | {name: contact.attributes[name] for name in attributes}
    # A source that goes on to tell of the one tells the other's contact: what was theirs must be found back.
    kept = {name: value.isoformat() if isinstance(value, date) else value for name, value in own.items()}
    return {"fields": fields, "tags": tags, "attributes": attributes, "own": kept, "own_attributes": of_both}


def _give_back(session: ScopedSession, contact: Contact, into: Contact, moved: dict[str, Any], *, at: datetime) -> None:
    identity = ContactIdentity
    mine = (identity.id.in_(moved["identities"]), identity.contact_id == into.id)
    session.execute(update(identity).where(*mine).values(contact_id=contact.id, is_primary=False))
    for what in FOLLOWING:
        # A merge of before some table was there moved none of its rows.
        _moved(session, what, into.id, contact.id, at=at, ids=moved.get(f"{what}s", []))
    for name in moved["fields"]:
        if getattr(into, name) == getattr(contact, name):
            setattr(into, name, None)
    for name, value in moved.get("own", {}).items():
        if getattr(into, name) == getattr(contact, name):
            setattr(into, name, date.fromisoformat(value) if name == "birth_date" else value)
    into.tags = [tag for tag in into.tags if tag not in moved["tags"]]
    into.attributes = {
        name: value
        for name, value in into.attributes.items()
        if name not in moved["attributes"] or value != contact.attributes.get(name)
    }
    said_of_other = {
        name: value
        for name, value in moved.get("own_attributes", {}).items()
        if into.attributes.get(name) == contact.attributes.get(name)
    }
    into.attributes = into.attributes | said_of_other
    contact.email = _primary_again(session, contact.id, preferred=moved["primary"])
    into.email = _primary_again(session, into.id, preferred=None)


def _primary_again(session: ScopedSession, contact_id: int, *, preferred: int | None) -> str | None:
    """Make sure that a contact with addresses has a primary one; returns its value."""
    identity = ContactIdentity
    held = session.scalars(
        select(identity)
        .where(identity.contact_id == contact_id, identity.kind == EMAIL)
        .order_by(identity.is_primary.desc(), (identity.id == (preferred or 0)).desc(), identity.id)
        .execution_options(populate_existing=True)
    ).first()
    if held is None:
        return None
    held.is_primary = True
    session.flush()
    return held.value
