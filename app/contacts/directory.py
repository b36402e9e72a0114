"""Looking people up by id, with everything they are known by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from app.contacts.errors import UnknownContact
from app.contacts.models import Contact, ContactIdentity, Pass
from app.db import ScopedSession


def find_contact(session: ScopedSession, contact_id: int) -> Contact | None:
    """Return a contact in whatever state, or None."""
    return session.scalars(select(Contact).where(Contact.id == contact_id)).one_or_none()


def living_contact(session: ScopedSession, contact_id: int, *, for_update: bool = False) -> Contact:
    """Return a living contact; raises UnknownContact. ``for_update`` locks it until the transaction ends."""
    query = select(Contact).where(Contact.id == contact_id, Contact.state == "living")
    if for_update:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    contact = session.scalars(query).one_or_none()
    if contact is None:
        raise UnknownContact(contact_id)
    return contact


def identities_of(session: ScopedSession, contact_ids: Iterable[int]) -> dict[int, list[ContactIdentity]]:
    """Return what each contact is known by: the primary address first, then the rest by kind."""
    identity = ContactIdentity
    found: dict[int, list[ContactIdentity]] = {contact_id: [] for contact_id in contact_ids}
    query = select(identity).where(identity.contact_id.in_(list(found)))
    for each in session.scalars(query.order_by(identity.is_primary.desc(), identity.kind, identity.id)):
        found[each.contact_id].append(each)
    return found


def passes_of(session: ScopedSession, contact_ids: Sequence[int]) -> dict[int, list[Pass]]:
    """Return the passes of these contacts, by contact, in the order of their programmes and numbers."""
    found: dict[int, list[Pass]] = {}
    query = select(Pass).where(Pass.contact_id.in_(contact_ids)).order_by(Pass.programme, Pass.number_key)
    for each in session.scalars(query.execution_options(populate_existing=True)):
        found.setdefault(each.contact_id, []).append(each)
    return found
