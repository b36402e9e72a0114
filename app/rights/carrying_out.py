"""Doing what somebody asked for, by one button: each kind of request, what it takes, and what is noted of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.accounts.audit import Actor
from app.consent import requests
from app.consent.ledger import NewEvent, record_events
from app.consent.models import RightsRequest
from app.consent.subjects import subjects_of
from app.contacts.erasing import erase_contact
from app.contacts.errors import UnknownContact
from app.contacts.restricting import restrict_contact
from app.db import ScopedSession
from app.keyring import Keyring

# What is done for good, or hands over what we know, is done for nobody but the person.
NEEDS_IDENTITY = frozenset({"access", "portability", "erasure", "rectification"})
# What a colleague does elsewhere and notes here.
OUTCOMES = {
    "access": "handed_over",
    "portability": "handed_over",
    "rectification": "corrected",
    "erasure": "erased",
    "restriction": "restricted",
    "objection": "objected",
}
PROFILING = ("recommendations", "track_open", "track_click")


class NotYet(Exception):
    """The request cannot be carried out yet: ``identity`` is not checked, or there is ``nobody`` to do it for."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def carry_out(
    session: ScopedSession, keyring: Keyring, request_id: int, *, by: Actor, at: datetime, scope: str = "all"
) -> RightsRequest:
    """Carry a request out and note when; what remains is the answer. Returns the request.

    ``scope`` is for objections: ``all`` direct marketing, or ``profiling`` only. Raises NotYet, UnknownRequest and
    RequestClosed; then nothing was done.
    """
    request = requests.find_request(session, request_id, for_update=True)
    if request.state != "open":
        raise requests.RequestClosed(request_id)
    if request.kind in NEEDS_IDENTITY and request.identity_check is None:
        raise NotYet("identity")
    try:
        _do(session, keyring, request, by=by, at=at, scope=scope)
    except UnknownContact:
        raise NotYet("nobody") from None
    session.refresh(request)
    return requests.mark_carried_out(session, request_id, at=at)


def _do(
    session: ScopedSession, keyring: Keyring, request: RightsRequest, *, by: Actor, at: datetime, scope: str
) -> None:
    match request.kind:
        case "erasure":
            erase_contact(session, keyring, _contact_of(request), at=at)
        case "restriction":
            restrict_contact(session, _contact_of(request), at=at)
        case "objection":
            object_to(session, keyring, request, scope=scope, by=by, at=at)
        case _:
            _contact_of(request)


def object_to(
    session: ScopedSession, keyring: Keyring, request: RightsRequest, *, scope: str, by: Actor, at: datetime
) -> None:
    """Record an objection at every address of the person: to all direct marketing, or to profiling only."""
    keys = subjects_of(session, [request.contact_id]).get(request.contact_id, []) if request.contact_id else []
    known = sorted({*keys, *([bytes(request.subject_key)] if request.subject_key else [])})
    is_own_act = request.channel == "page"
    said = NewEvent(
        contact_id=request.contact_id,
        channel="email",
        purpose=None,
        action="objected",
        occurred_at=min(request.received_at, at),
        actor="contact" if is_own_act else "staff",
        actor_id=None if is_own_act else by.id,
        method="preference_page" if is_own_act else "told_us",
        source="zaallicht",
    )
    # Somebody without an address is known to the ledger by the number of their contact.
    wanted = [replace(said, subject_key=key) for key in known] or [said]
    purposes = PROFILING if scope == "profiling" else (None,)
    record_events(session, keyring, [replace(one, purpose=purpose) for one in wanted for purpose in purposes])


def _contact_of(request: RightsRequest) -> int:
    if request.contact_id is None:
        raise NotYet("nobody")
    return request.contact_id
