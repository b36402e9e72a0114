"""Changes that people who work here make to a contact: fields, tags, the address, and an opt-out they were told of.

Nothing here can give a permission. A new address starts without one, and the no of an old address goes on to count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update

from app.accounts.addresses import normalise_email
from app.accounts.audit import Actor
from app.consent.ledger import NewEvent, Recorded, record_event
from app.consent.subjects import email_subject
from app.contacts.directory import living_contact
from app.contacts.errors import IdentityConflict
from app.contacts.ingest import PROFILE, known_contacts, share_identities
from app.contacts.matching import EMAIL
from app.contacts.models import Contact, ContactIdentity
from app.contacts.normalise import cleaned
from app.db import ScopedSession
from app.keyring import Keyring


def edit_contact(
    session: ScopedSession, contact_id: int, values: Mapping[str, Any], *, tags: Sequence[str] | None, at: datetime
) -> bool:
    """Set fields of the profile (None empties one) and, where given, all tags; returns whether anything changed.

    Raises UnknownContact, and KeyError for what is no field of the profile.
    """
    contact = living_contact(session, contact_id, for_update=True)
    wanted: dict[str, Any] = {name: _kept(name, value) for name, value in values.items()}
    if tags is not None:
        wanted["tags"] = list(dict.fromkeys(tag for each in tags if (tag := cleaned(each))))
    changed = {name: value for name, value in wanted.items() if getattr(contact, name) != value}
    for name, value in changed.items():
        setattr(contact, name, value)
    if changed:
        contact.updated_at = at
    session.flush()
    return bool(changed)


def _kept(name: str, value: Any) -> Any:
    if name not in PROFILE:
        raise KeyError(name)
    return cleaned(value) if isinstance(value, str) else value


def make_primary_address(
    session: ScopedSession, keyring: Keyring, contact_id: int, address: str, *, source: str, at: datetime
) -> bool:
    """Make an address the one this person is mailed at; the old one stays beside it. Returns whether it changed.

    Raises UnknownContact, IdentityConflict where it is somebody else's, ValueError where it is no address.
    """
    share_identities(session)
    contact = living_contact(session, contact_id, for_update=True)
    value_key = normalise_email(address)
    if value_key is None:
        raise ValueError("no address")
    holder = known_contacts(session, [(EMAIL, value_key)]).get((EMAIL, value_key))
    if holder not in (None, contact_id):
        raise IdentityConflict(contact_id)
    identity = ContactIdentity
    mine = (identity.contact_id == contact_id, identity.kind == EMAIL)
    held = session.query(identity).where(*mine, identity.value_key == value_key).one_or_none()
    if held is not None and held.is_primary:
        return False
    session.execute(update(identity).where(*mine).values(is_primary=False))
    if held is None:
        held = ContactIdentity(
            organisation_id=session.organisation_id,
            contact_id=contact_id,
            kind=EMAIL,
            value=address.strip(),
            value_key=value_key,
            subject_key=email_subject(session, keyring, value_key),
            source=source,
            created_at=at,
        )
        session.add(held)
    held.is_primary = True
    contact.email, contact.updated_at = held.value, at
    session.flush()
    return True


def note_opt_out(
    session: ScopedSession, keyring: Keyring, contact: Contact, *, purpose: str | None, note: str, by: Actor
) -> Recorded:
    """Record that somebody told us they want no (more) mail: for one purpose, or for all marketing with None."""
    return record_event(
        session,
        keyring,
        NewEvent(
            channel="email",
            purpose=purpose,
            action="withdrawn" if purpose else "objected",
            actor="staff",
            actor_id=by.id,
            method="told_us",
            source="zaallicht",
            contact_id=contact.id,
            address=contact.email,
            evidence={"note": note} if note else {},
        ),
    )
