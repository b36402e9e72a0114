"""What people do themselves on the public pages: stop, choose, confirm.

They come with a token for an address, so what they say is about that address. Somebody known by several addresses says
yes for all: otherwise an old no at another address would keep standing in the way of what they ask for.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from app import clock
from app.accounts.models import Organisation
from app.consent.drafts import NewEvent, Recorded
from app.consent.explain import GATED_CHANNEL
from app.consent.ledger import record_event, record_events
from app.consent.models import ConsentEvent, Permission, Purpose
from app.consent.subjects import contacts_by_subject, own_keys
from app.consent.suppressions import suppressed
from app.consent.wordings import name_of, wording_for
from app.db import ScopedSession
from app.keyring import Keyring

CONFIRM_WITHIN = timedelta(days=30)
SOURCE = "zaallicht"


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the preference page: a purpose over a channel, and whether it is allowed now.

    ``key`` is the name of its box. ``wording_sha256`` pins the sentence the person sees to the yes they give.
    """

    channel: str
    purpose: str
    name: str
    wording: str
    wording_sha256: str
    is_allowed: bool

    @property
    def key(self) -> str:
        """How the form calls this line."""
        return f"{self.channel}.{self.purpose}"


@dataclass(frozen=True, slots=True)
class Preferences:
    """Everything the preference page shows. ``is_known`` is False once the house no longer holds the address."""

    choices: tuple[Choice, ...]
    is_known: bool
    is_suppressed: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """What came back from the page: the boxes that were ticked when it was shown, those ticked now, and the sentences
    that stood beside them (by box, SHA-256 in hexadecimal)."""

    shown: Collection[str]
    ticked: Collection[str]
    wordings: dict[str, str]


class WordingChanged(Exception):
    """A sentence on the page was changed between showing and sending; nothing was recorded."""


def preferences_of(session: ScopedSession, subject_key: bytes, *, language: str) -> Preferences:
    """Return what an address may choose from, in a language. Changes nothing."""
    house = session.scalars(select(Organisation).where(Organisation.id == session.organisation_id)).one()
    purposes = session.scalars(
        select(Purpose).where(Purpose.is_marketing, Purpose.is_active).order_by(Purpose.position, Purpose.code)
    ).all()
    allowed = _allowed_now(session, subject_key)
    lines = [(GATED_CHANNEL, purpose) for purpose in purposes]
    lines += [
        (channel, purpose)
        for channel in sorted({channel for channel, _ in allowed} - {GATED_CHANNEL})
        for purpose in purposes
        if (channel, purpose.code) in allowed
    ]
    choices = []
    for channel, purpose in lines:
        wording = wording_for(session, purpose, language=language, house=house.name)
        is_allowed = allowed.get((channel, purpose.code), False)
        name = name_of(purpose, language)
        choices.append(Choice(channel, purpose.code, name, wording.text, wording.sha256.hex(), is_allowed))
    return Preferences(
        choices=tuple(choices),
        is_known=subject_key in contacts_by_subject(session, [subject_key]),
        is_suppressed=bool(suppressed(session, [subject_key], channel=GATED_CHANNEL)),
    )


def choose(
    session: ScopedSession, keyring: Keyring, subject_key: bytes, *, chosen: Chosen, language: str
) -> list[Recorded]:
    """Record what somebody changed on the preference page: what was ticked and was not, and the reverse.

    Lines that look as they were shown are left alone, so that a page that stayed open in another tab undoes nothing.
    Raises WordingChanged where a yes was given to a sentence that is no longer shown.
    """
    preferences = preferences_of(session, subject_key, language=language)
    events: list[NewEvent] = []
    for choice in preferences.choices:
        was, wanted = choice.key in chosen.shown, choice.key in chosen.ticked
        if was and not wanted:
            events.append(_withdrawal(subject_key, choice.channel, choice.purpose, method="preference_page"))
        elif wanted and not was and preferences.is_known:
            if chosen.wordings.get(choice.key) != choice.wording_sha256:
                raise WordingChanged
            events += [_grant(session, key, choice, language=language) for key in own_keys(session, subject_key)]
    return record_events(session, keyring, events)


def unsubscribe(
    session: ScopedSession, keyring: Keyring, subject_key: bytes, *, purpose: str | None, method: str = "one_click"
) -> list[Recorded]:
    """Record that somebody stops a purpose, or (None) all direct marketing over every channel the ledger knows.

    Doing it again while it stands adds nothing. A purpose that no longer exists stops everything.
    """
    known = set(session.scalars(select(Purpose.code)))
    wanted = purpose if purpose in known else None
    channels = {GATED_CHANNEL}
    if wanted is None:
        channels |= set(session.scalars(select(Permission.channel).where(Permission.subject_key == subject_key)))
    events = [_withdrawal(subject_key, channel, wanted, method=method) for channel in sorted(channels)]
    return record_events(session, keyring, events)


def open_request(session: ScopedSession, subject_key: bytes, event_id: int) -> ConsentEvent | None:
    """Return the request for confirmation that a link answers, or None where there is none or it is too old."""
    event = ConsentEvent
    request = session.scalars(
        select(event).where(event.id == event_id, event.subject_key == subject_key, event.action == "requested")
    ).one_or_none()
    if request is None or clock.now() - request.recorded_at > CONFIRM_WITHIN:
        return None
    return request


def confirm(session: ScopedSession, keyring: Keyring, request: ConsentEvent) -> Recorded:
    """Record the confirmation of a request; doing it again changes nothing."""
    confirmation = NewEvent(
        subject_key=bytes(request.subject_key),
        channel=request.channel,
        purpose=request.purpose,
        action="confirmed",
        basis=request.basis or "consent",
        occurred_at=clock.now(),
        actor="contact",
        method="confirmation_page",
        source=SOURCE,
        external_id=f"confirms {request.id}",
        notice_version_id=request.notice_version_id,
        language=request.language,
        evidence={"request": request.id},
    )
    return record_event(session, keyring, confirmation)


def _allowed_now(session: ScopedSession, subject_key: bytes) -> dict[tuple[str, str], bool]:
    """Return for each channel and purpose whether the ledger allows it at this address and no other of the person
    forbids it."""
    rows = session.scalars(
        select(Permission)
        .where(Permission.subject_key.in_(own_keys(session, subject_key)))
        .execution_options(populate_existing=True)
    ).all()
    now = clock.now()
    allowed = {
        (row.channel, row.purpose): row.is_allowed and (row.valid_until is None or row.valid_until > now)
        for row in rows
        if bytes(row.subject_key) == subject_key
    }
    return allowed | {(row.channel, row.purpose): False for row in rows if row.is_negative}


def _grant(session: ScopedSession, subject_key: bytes, choice: Choice, *, language: str) -> NewEvent:
    # Whoever holds the link reads the mailbox: where a purpose asks for confirmation, this is it.
    purpose = session.scalars(select(Purpose).where(Purpose.code == choice.purpose)).one()
    return NewEvent(
        subject_key=subject_key,
        channel=choice.channel,
        purpose=choice.purpose,
        action="confirmed" if purpose.needs_confirmation else "granted",
        basis="consent",
        occurred_at=clock.now(),
        actor="contact",
        method="preference_page",
        source=SOURCE,
        wording=choice.wording,
        language=language,
    )


def _withdrawal(subject_key: bytes, channel: str, purpose: str | None, *, method: str) -> NewEvent:
    return NewEvent(
        subject_key=subject_key,
        channel=channel,
        purpose=purpose,
        action="withdrawn",
        occurred_at=clock.now(),
        actor="contact",
        method=method,
        source=SOURCE,
        repeats="opt_out",
    )
