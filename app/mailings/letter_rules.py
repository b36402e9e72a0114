"""Whether a letter may still go, asked in the claim: letters follow the thing they are about, not permission.

A suppression never stops what somebody asked for (I15). Two letters are different: a confirmation to an address that is
never to be written to could lead to nothing (but for somebody who was erased, it is the way back), and a receipt must
not go to somebody who complained, was erased, or whose mailbox does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import or_, select

from app import clock
from app.accounts.models import Letter
from app.accounts.one_time_links import find_recipient
from app.accounts.organisations import current_organisation
from app.consent.confirmations import open_request
from app.consent.models import ConsentEvent
from app.consent.precedence import NEGATIVE
from app.consent.subjects import identity
from app.consent.suppressions import ERASED, suppressed
from app.db import ScopedSession

RULES_VERSION = "letters 1"

# How long a letter without an end of its own makes sense, counted from when it was asked for.
KEPT_FOR: Mapping[str, timedelta] = {
    "unsubscribe_receipt": timedelta(days=30),
    "preferences_link": timedelta(days=2),
    "address_change": timedelta(days=7),
}


def why_not(session: ScopedSession, letter_id: int | None, facts: Mapping[str, Any]) -> str | None:
    """Return why a letter may not go, as a code, or None where it may."""
    letter = session.scalars(
        select(Letter).where(Letter.id == letter_id).execution_options(populate_existing=True)
    ).one_or_none()
    if letter is None or letter.state != "taken":
        return "cancelled"
    if letter.kind in KEPT_FOR and clock.now() - letter.requested_at > KEPT_FOR[letter.kind]:
        return "run_out"
    until = facts.get("until")
    if until is not None and date.fromisoformat(until) < clock.today(current_organisation(session).time_zone):
        return "run_out"
    return RULES.get(letter.kind, _nothing)(session, letter, facts)


def _confirmation(session: ScopedSession, letter: Letter, facts: Mapping[str, Any]) -> str | None:
    # A guardian is asked about somebody else: then the facts say about whom.
    about = facts.get("subject_key")
    key, event = bytes.fromhex(about) if about else bytes(letter.address_hash), ConsentEvent
    asked = open_request(session, key, int(facts["event_id"]))
    if asked is None:
        return "run_out"
    since = session.scalars(
        select(event.action)
        .where(event.subject_key == key, event.channel == asked.channel, event.id > asked.id)
        .where(or_(event.purpose == asked.purpose, event.purpose.is_(None)))
        .where(event.action.in_([*NEGATIVE, "confirmed"]))
    ).all()
    if since:
        return "already_answered"
    blocks = suppressed(session, [key, bytes(letter.address_hash)], channel="email").values()
    # Whoever was erased may come back by proving that the address is theirs, and this mail is how.
    return "suppressed" if any(block.reason != ERASED for block in blocks) else None


def _receipt(session: ScopedSession, letter: Letter, _facts: Mapping[str, Any]) -> str | None:
    key, event = bytes(letter.address_hash), ConsentEvent
    if suppressed(session, [key], channel="email"):
        return "suppressed"
    complained = session.scalars(
        select(event.id)
        .where(event.subject_key == key, event.channel == "email", event.action == "objected")
        .where(event.actor == "system")
        .limit(1)
    ).one_or_none()
    if complained is not None:
        return "complained"
    bounces = session.scalar(
        select(identity.c.id).where(identity.c.subject_key == key, identity.c.deliverability == "bouncing").limit(1)
    )
    return None if bounces is None else "bouncing"


def _link(session: ScopedSession, _letter: Letter, facts: Mapping[str, Any]) -> str | None:
    return None if find_recipient(session, int(facts["link_id"])) is not None else "run_out"


def _nothing(_session: ScopedSession, _letter: Letter, _facts: Mapping[str, Any]) -> str | None:
    return None


RULES: Mapping[str, Callable[[ScopedSession, Letter, Mapping[str, Any]], str | None]] = {
    "confirmation": _confirmation,
    "unsubscribe_receipt": _receipt,
    "invitation": _link,
    "password_reset": _link,
}
