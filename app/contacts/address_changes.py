"""Changing one's own address: asked for on the preference page, and nothing changes until the new mailbox answers.

The old address stays known, so that its noes go on to count, and gets no more mail. What was allowed there is taken
along to the new one with its proof and its end; a no that stands at the new address is not lifted by that.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select

from app import clock
from app.accounts.addresses import normalise_email
from app.accounts.letters import request_letter
from app.consent.drafts import NewEvent
from app.consent.ledger import record_events
from app.consent.models import Permission
from app.consent.projection import read_histories
from app.consent.requests import open_request
from app.consent.subjects import contacts_by_subject, email_subject
from app.consent.tokens import Claims, make_token
from app.contacts.editing import make_primary_address
from app.contacts.errors import IdentityConflict, UnknownContact
from app.contacts.models import AddressChange, ContactIdentity
from app.db import ScopedSession
from app.keyring import Keyring

CONFIRM_WITHIN = timedelta(days=7)
ASKED_ONCE_WITHIN = timedelta(minutes=10)
METHOD = "address_change"


class NoSuchAddress(ValueError):
    """The text is no address that can exist."""


def ask_address_change(
    session: ScopedSession, keyring: Keyring, subject_key: bytes, address: str, *, language: str
) -> AddressChange:
    """Note the wish and ask for a letter to the new address; whether anybody has it already makes no difference.

    Asking the same again within some minutes is the same wish. Raises NoSuchAddress, and UnknownContact where the house
    no longer holds the address the link is of.
    """
    normalised = normalise_email(address)
    new_key = email_subject(session, keyring, address)
    contact_id = contacts_by_subject(session, [subject_key]).get(subject_key)
    if normalised is None or new_key is None:
        raise NoSuchAddress
    if contact_id is None:
        raise UnknownContact(0)
    change = _asked_already(session, contact_id, new_key)
    if change is None:
        change = AddressChange(
            organisation_id=session.organisation_id,
            contact_id=contact_id,
            subject_key=new_key,
            address=normalised,
            asked_at=clock.now(),
        )
        session.add(change)
        session.flush()
    claims = Claims(kind="address", organisation_id=session.organisation_id, subject_key=new_key, event_id=change.id)
    request_letter(
        session,
        keyring,
        kind="address_change",
        to_address=normalised,
        language=language,
        facts={"path": f"/a/{make_token(keyring, claims)}"},
        contact_id=contact_id,
        about=f"address change {change.id}",
    )
    return change


def open_change(session: ScopedSession, subject_key: bytes, change_id: int) -> AddressChange | None:
    """Return the change a link answers: still open, or carried out; None where it is too old or none of these."""
    change = AddressChange
    found = session.scalars(
        select(change).where(change.id == change_id, change.subject_key == subject_key).with_for_update()
    ).one_or_none()
    if found is None or (found.state == "waiting" and clock.now() - found.asked_at > CONFIRM_WITHIN):
        return None
    return found


def carry_out(session: ScopedSession, keyring: Keyring, change: AddressChange) -> None:
    """Make the confirmed address the one this person is mailed at; doing it again changes nothing.

    Where somebody else of the house holds it, nothing is joined: two people may share a mailbox, and whoever lets a
    stranger confirm must not come to hold both. It goes to the request desk instead.
    """
    if change.state != "waiting" or change.address is None:
        return
    was, address = _primary_key(session, change.contact_id), change.address
    change.state, change.address, change.done_at = "done", None, clock.now()
    try:
        make_primary_address(session, keyring, change.contact_id, address, source="preference_page", at=clock.now())
    except IdentityConflict:
        change.state = "for_colleagues"
        open_request(session, "rectification", contact_id=change.contact_id, channel="page", at=clock.now())
    else:
        if was is not None and was != bytes(change.subject_key):
            record_events(session, keyring, _taken_along(session, was, change))
    session.flush()


def _taken_along(session: ScopedSession, was: bytes, change: AddressChange) -> list[NewEvent]:
    now, row, new_key = clock.now(), Permission, bytes(change.subject_key)
    rows = session.scalars(
        select(row).where(row.subject_key == was, row.is_allowed, or_(row.valid_until.is_(None), row.valid_until > now))
    ).all()
    histories = read_histories(session, {(was, each.channel) for each in rows})
    facts = {fact.id: fact for history in histories.values() for fact in history}
    events = []
    for each in rows:
        proof = facts[each.decided_by or 0]
        events.append(
            NewEvent(
                subject_key=new_key,
                contact_id=change.contact_id,
                channel=each.channel,
                purpose=each.purpose,
                action=proof.action,
                basis=proof.basis,
                occurred_at=proof.occurred_at,
                actor="contact",
                method=METHOD,
                source="zaallicht",
                external_id=f"takes {proof.id} along to {change.id}",
                notice_version_id=proof.notice_version_id,
                evidence={**proof.evidence, "taken_from": proof.id},
                valid_until=each.valid_until,
            )
        )
    return events


def _asked_already(session: ScopedSession, contact_id: int, new_key: bytes) -> AddressChange | None:
    change = AddressChange
    return session.scalars(
        select(change)
        .where(
            change.contact_id == contact_id,
            change.subject_key == new_key,
            change.state == "waiting",
            change.asked_at > clock.now() - ASKED_ONCE_WITHIN,
        )
        .order_by(change.id.desc())
        .limit(1)
    ).one_or_none()


def _primary_key(session: ScopedSession, contact_id: int) -> bytes | None:
    identity = ContactIdentity
    key = session.scalar(
        select(identity.subject_key).where(
            identity.contact_id == contact_id, identity.kind == "email", identity.is_primary
        )
    )
    return None if key is None else bytes(key)
