"""Writing letters: from what was asked for and what the database says now to a mail that lies ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app import clock
from app.accounts.letters import open_letter
from app.accounts.models import Letter
from app.consent.models import ConsentEvent, Purpose
from app.consent.tokens import Claims, make_token
from app.consent.wordings import name_of
from app.db import ScopedSession
from app.keyring import KeyringError
from app.mailings.deliveries import Reserved
from app.mailings.letter_texts import letter_content
from app.mailings.mail_settings import Sender
from app.mailings.mime import Content, Unwritable, envelope_sender, message_of
from app.mailings.outgoing import Refused, Written
from app.mailings.return_paths import delivery_number
from app.runtime import Runtime
from integrations.esp.smtp import Envelope


def write_letters(
    session: ScopedSession, runtime: Runtime, sender: Sender, reserved: Sequence[Reserved]
) -> list[Written | Refused]:
    """Write the letters of deliveries, or say of each why it cannot be written."""
    return [_write_letter(session, runtime, sender, each) for each in reserved]


def _write_letter(session: ScopedSession, runtime: Runtime, sender: Sender, reserved: Reserved) -> Written | Refused:
    letter = session.scalars(
        select(Letter).where(Letter.id == reserved.letter_id).execution_options(populate_existing=True)
    ).one()
    if letter.sealed is None:
        return Refused(reserved, "cancelled")
    try:
        contents = open_letter(runtime.keyring, letter.sealed)
        content = _content(session, runtime, sender, letter, contents.facts)
    except KeyringError:
        return Refused(reserved, "other_keyring")
    if content is None:
        return Refused(reserved, "run_out")
    number = delivery_number(runtime.keyring, session.organisation_id, reserved.id)
    try:
        message = message_of(sender, content, to_address=contents.to_address, number=number, at=clock.now())
    except Unwritable as problem:
        return Refused(reserved, problem.code)
    envelope = Envelope(envelope_sender(sender, number=number), contents.to_address, message)
    return Written(reserved, envelope, bytes(letter.address_hash), contents.facts)


def _content(
    session: ScopedSession, runtime: Runtime, sender: Sender, letter: Letter, facts: Mapping[str, Any]
) -> Content | None:
    """Return what a letter says, or None where what it is about is not there any more."""
    language, key = letter.language, bytes(letter.address_hash)
    match letter.kind:
        case "confirmation":
            key = bytes.fromhex(facts["subject_key"]) if "subject_key" in facts else key
            asked = session.scalars(
                select(ConsentEvent).where(ConsentEvent.id == facts["event_id"], ConsentEvent.subject_key == key)
            ).one_or_none()
            if asked is None:
                return None
            link = _link(runtime, sender, kind="confirm", key=key, purpose=asked.purpose, event_id=asked.id)
            codes = facts.get("purposes") or [asked.purpose]
            return letter_content(
                letter.kind, sender, language=language, link=link, purposes=_names(session, codes, language)
            )
        case "unsubscribe_receipt":
            purposes = _names(session, facts.get("purposes", ()), language)
            kind = "unsubscribe_receipt" if purposes else "unsubscribe_receipt_of_all"
            link = _link(runtime, sender, kind="preferences", key=key)
            noted_on = letter.requested_at.astimezone(ZoneInfo(sender.time_zone)).date()
            return letter_content(kind, sender, language=language, link=link, purposes=purposes, day=noted_on)
        case "preferences_link":
            link = _link(runtime, sender, kind="preferences", key=key)
            return letter_content(letter.kind, sender, language=language, link=link)
        case "journey_note":
            link, note = sender.base_url + facts["path"], str(facts["note"])
            people = int(facts["people"])
            return letter_content(letter.kind, sender, language=language, link=link, note=note, people=people)
        case _:
            until = facts.get("until")
            day = None if until is None else date.fromisoformat(until)
            link = sender.base_url + facts["path"]
            return letter_content(letter.kind, sender, language=language, link=link, day=day)


def _link(
    runtime: Runtime, sender: Sender, *, kind: Any, key: bytes, purpose: str | None = None, event_id: int = 0
) -> str:
    claims = Claims(
        kind=kind,
        organisation_id=sender.organisation_id,
        subject_key=key,
        purpose=purpose,
        event_id=event_id,
    )
    place = {"confirm": "c", "preferences": "p"}[kind]
    return f"{sender.base_url}/{place}/{make_token(runtime.keyring, claims)}"


def _names(session: ScopedSession, codes: Any, language: str) -> tuple[str, ...]:
    purposes = session.scalars(
        select(Purpose).where(Purpose.code.in_([code for code in codes if code])).order_by(Purpose.position)
    )
    return tuple(name_of(purpose, language) for purpose in purposes)
