"""Invented people and events for the tests of consent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app import clock
from app.consent.ledger import NewEvent
from app.consent.subjects import email_subject
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession
from app.keyring import Keyring

WORDING = "Ja, ik wil de nieuwsbrief van De Proef."


def make_contact(session: ScopedSession, keyring: Keyring, *addresses: str, **fields: Any) -> int:
    """Create a contact; the first address is the primary one."""
    contact = Contact(
        organisation_id=session.organisation_id,
        source="test",
        email=addresses[0] if addresses else None,
        created_at=clock.now(),
        updated_at=clock.now(),
        **fields,
    )
    session.add(contact)
    session.flush()
    for number, address in enumerate(addresses):
        session.add(
            ContactIdentity(
                organisation_id=session.organisation_id,
                contact_id=contact.id,
                kind="email",
                value=address,
                value_key=address,
                subject_key=email_subject(session, keyring, address),
                is_primary=number == 0,
                source="test",
                created_at=clock.now(),
            )
        )
    session.flush()
    return contact.id


def a_grant(address: str | None, **changes: Any) -> NewEvent:
    """A box ticked on a form of the house, complete with its wording."""
    return NewEvent(
        **{
            "address": address,
            "channel": "email",
            "purpose": "newsletter",
            "action": "granted",
            "basis": "consent",
            "occurred_at": clock.now(),
            "actor": "contact",
            "method": "form",
            "source": "website",
            "wording": WORDING,
            "language": "nl",
        }
        | changes
    )


def a_withdrawal(address: str | None, **changes: Any) -> NewEvent:
    """An unsubscription from all direct marketing."""
    return NewEvent(
        **{
            "address": address,
            "channel": "email",
            "purpose": None,
            "action": "withdrawn",
            "occurred_at": clock.now(),
            "actor": "contact",
            "method": "one_click",
            "source": "mail",
        }
        | changes
    )


def opt_out_arguments(at: datetime | None) -> dict[str, Any]:
    """How a destination reports opt-outs."""
    return {
        "channel": "email",
        "purpose": None,
        "source": "mailchimp",
        "method": "pull",
        "at": at,
        "reason": "unsubscribed",
    }
