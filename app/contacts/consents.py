"""What sources say about permission, handed to the ledger as what it is worth: evidence, a no, or a yes with proof.

No statement of a system can lift a no; the ledger sees to that. A yes without its date, wording, method and source is
kept there as ``noted`` and allows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from app.consent.ledger import NewEvent, record_events
from app.consent.models import Purpose
from app.consent.statements import event_from_statement
from app.contacts.json_data import storable
from app.contacts.matching import EMAIL, Assignment, Person
from app.db import ScopedSession
from app.keyring import Keyring
from integrations.base import ConsentRecord, ConsentState, ContactRecord


def record_consents(
    session: ScopedSession, keyring: Keyring, records: Sequence[ContactRecord], assignment: Assignment, *, actor: str
) -> int:
    """Record the statements of every record that was stored; returns how many were new.

    A statement with an ``external_id`` is recorded once; one without is a state, recorded when it changes. A no for a
    purpose this house does not have counts for all direct marketing, a yes or an unknown for it is left out.
    """
    if not any(record.consents for record in records):
        return 0
    purposes = set(session.scalars(select(Purpose.code)))
    events = [
        replace(event, address=_address(record, person), contact_id=person.contact_id)
        for record, person in zip(records, assignment.person_of, strict=True)
        if person is not None
        for consent in record.consents
        if (event := _event(record, consent, purposes=purposes, actor=actor)) is not None
    ]
    return sum(recorded.is_new for recorded in record_events(session, keyring, events))


def record_noes(session: ScopedSession, keyring: Keyring, records: Sequence[ContactRecord], *, actor: str) -> int:
    """Record what the records say against mail, by address alone; returns how many were new.

    A no needs no contact: it counts whether or not the rest of the record can be stored. Recording it again with the
    contact (``record_consents``) is a replay where it has an ``external_id``.
    """
    purposes = set(session.scalars(select(Purpose.code)))
    events = [
        replace(event, address=record.email)
        for record in records
        for consent in record.consents
        if consent.state == ConsentState.OUT and record.email
        if (event := _event(record, consent, purposes=purposes, actor=actor)) is not None
    ]
    return sum(recorded.is_new for recorded in record_events(session, keyring, events)) if events else 0


def _event(record: ContactRecord, consent: ConsentRecord, *, purposes: set[str], actor: str) -> NewEvent | None:
    raw = dict(storable(dict(consent.raw)))
    if consent.purpose is not None and consent.purpose not in purposes:
        raw["stated_purpose"] = consent.purpose
        consent = replace(consent, purpose=None)
    if consent.purpose is None and consent.state != ConsentState.OUT:
        return None
    return event_from_statement(replace(consent, raw=raw), address="", source=record.source, actor=actor)


def _address(record: ContactRecord, person: Person) -> str | None:
    """The address the statement was made about: the record's own, where it is one that can exist."""
    given = [record.email, *(each.value for each in record.identities if each.kind == EMAIL)]
    held = {each.value for key, each in person.identities.items() if key[0] == EMAIL}
    return next((address for address in given if address is not None and address.strip() in held), None)
