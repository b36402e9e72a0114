"""REST: what a person allows, said by the house's other systems and asked back.

It stands in this room because it must find, and for a first yes create, the person meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import g
from flask_babel import gettext as _
from flask_smorest import Blueprint, abort
from sqlalchemy import select

from app import clock
from app.accounts.access import scope
from app.accounts.addresses import normalise_email
from app.consent.conveyed import CONVEYED_ACTS, event_from_api
from app.consent.drafts import NewEvent, Recorded
from app.consent.errors import NobodyMeant, UnknownNotice, UnknownPurpose
from app.consent.explain import Explanation, explain, permissions_of
from app.consent.ledger import record_events
from app.consent.models import ConsentEvent
from app.consent.precedence import NEGATIVE
from app.consent.schemas import ConsentSchema, PermissionSchema, RecordedSchema
from app.consent.subjects import email_subject, subjects_of
from app.contacts.ingest import known_contacts, upsert_contacts
from app.contacts.matching import EMAIL, Key
from app.contacts.models import Contact
from app.contacts.normalise import identity_key
from app.ui import request_scope
from app.ui.refusals import refuse
from integrations.base import ContactRecord, IdentityRecord

blueprint = Blueprint("consents_api", __name__, description="What people allow, and what was said about it.")


@blueprint.post("/consents")
@blueprint.arguments(ConsentSchema)
@blueprint.response(201, RecordedSchema)
@scope("consents:write")
def record(body: dict[str, Any]) -> dict[str, Any]:
    """Record what a person allowed, withdrew or objected to; effective before the answer.

    Idempotent on (source, external_id). A grant for somebody unknown creates the contact; a no needs none.
    """
    _refuse_half_a_grant(body)
    address, contact_id = _person(body)
    event = event_from_api(body, address=address, contact_id=contact_id, key_id=g.get("api_key_id"))
    try:
        recorded, *_more = record_events(request_scope.session(), request_scope.runtime().keyring, _everywhere(event))
    except UnknownPurpose:
        refuse("purpose", _("This organisation has no purpose with this code."))
    except UnknownNotice:
        refuse("evidence", _("There is no notice version with this id for this purpose."))
    except NobodyMeant:
        refuse("contact.email", _("This is not a valid e-mail address. Example: name@example.org."))
    if not recorded.is_new and event.external_id is not None:
        _refuse_other_statement(event, recorded)
    return _answer(event, recorded)


def _refuse_other_statement(event: NewEvent, recorded: Recorded) -> None:
    """Refuse an external id that stands for another statement: a no must never pass for something said before."""
    session = request_scope.session()
    known = session.scalars(select(ConsentEvent).where(ConsentEvent.id == recorded.event_id)).one()
    is_same = (known.channel, known.purpose) == (event.channel, event.purpose)
    is_same = is_same and (known.action in NEGATIVE) == (event.action in NEGATIVE)
    if event.address is not None:
        subject_key = email_subject(session, request_scope.runtime().keyring, event.address)
        is_same = is_same and subject_key == bytes(known.subject_key)
    if not is_same:
        refuse("external_id", _("This source used this id for another statement. Give each statement its own."))


def _everywhere(event: NewEvent) -> list[NewEvent]:
    """Return the event, and for a no about somebody's unknown address the same for the addresses we know them by."""
    if event.action not in NEGATIVE or event.contact_id is None or event.address is None:
        return [event]
    session = request_scope.session()
    held = subjects_of(session, [event.contact_id]).get(event.contact_id, [])
    if email_subject(session, request_scope.runtime().keyring, event.address) in held:
        return [event]
    return [event, *(replace(event, address=None, subject_key=key, external_id=None) for key in held)]


def _answer(event: NewEvent, recorded: Recorded) -> dict[str, Any]:
    permission = None
    if recorded.contact_id is not None and event.purpose is not None:
        session = request_scope.session()
        permission = explain(session, recorded.contact_id, channel=event.channel, purpose=event.purpose)
    return {name: getattr(recorded, name) for name in Recorded.__dataclass_fields__} | {"permission": permission}


@blueprint.get("/contacts/<int:contact_id>/permissions")
@blueprint.response(200, PermissionSchema(many=True))
@scope("contacts:read")
def permissions(contact_id: int) -> list[Explanation]:
    """Say for every purpose whether this person may be contacted now, and why."""
    session = request_scope.session()
    known = select(Contact.id).where(Contact.id == contact_id, Contact.state != "erased")
    if session.scalars(known).one_or_none() is None:
        abort(404)
    return permissions_of(session, contact_id)


def _refuse_half_a_grant(body: Mapping[str, Any]) -> None:
    if body["action"] != "grant":
        return
    for field in ("purpose", "basis"):
        if body[field] is None:
            refuse(field, _("A grant names its purpose and the basis it rests on."))


def _is_act(body: Mapping[str, Any]) -> bool:
    """Whether the program conveys something the person did, with the words they saw."""
    evidence = body.get("evidence") or {}
    return evidence.get("method") in CONVEYED_ACTS and bool(evidence.get("wording") or body.get("wording"))


def _person(body: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """Return the address and the contact meant. A grant makes whoever is meant known by everything that was sent."""
    meant = body["contact"]
    if "id" in meant:
        return None, _existing(meant["id"])
    identities = _identities(meant)
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    keys = {_key(each) for each in identities}
    known = known_contacts(session, keys)
    if len(set(known.values())) > 1:
        refuse("contact", _("These identities belong to different people. Name one, or merge them first."))
    address = next((each.value for each in identities if each.kind == EMAIL), None)
    contact_id = next(iter(known.values()), None)
    if known.keys() == keys:
        return address, contact_id
    if body["action"] != "grant":
        if address is None and contact_id is None:
            refuse(
                "contact", _("Nobody is known by this identity. Send the e-mail address, or create the contact first.")
            )
        return address, contact_id
    person = ContactRecord(source=body["source"], identities=tuple(identities), email=address)
    acted_at = body.get("occurred_at") if _is_act(body) else None
    (stored,) = upsert_contacts(session, keyring, [person], actor="api", at=clock.now(), acted_at=[acted_at])
    return address, stored.contact_id


def _existing(contact_id: int) -> int:
    session = request_scope.session()
    living = select(Contact.id).where(Contact.id == contact_id, Contact.state == "living")
    if session.scalars(living).one_or_none() is None:
        refuse("contact.id", _("There is no contact with this id."))
    return contact_id


def _identities(meant: Mapping[str, Any]) -> list[IdentityRecord]:
    given = [IdentityRecord(EMAIL, meant["email"])] if "email" in meant else []
    given += [IdentityRecord(each["kind"], each["value"]) for each in (meant, *meant["identities"]) if "value" in each]
    if not given or ("kind" in meant) != ("value" in meant):
        refuse("contact", _('Say who: {"email": …} or {"kind": …, "value": …}.'))
    for each in given:
        if each.kind == EMAIL and normalise_email(each.value) is None:
            refuse("contact.email", _("This is not a valid e-mail address. Example: name@example.org."))
        if _key(each)[1] == "":
            refuse("contact", _("This identity is empty."))
    return given


def _key(identity: IdentityRecord) -> Key:
    make = normalise_email(identity.value) if identity.kind == EMAIL else identity_key(identity.kind, identity.value)
    return identity.kind, make or ""
