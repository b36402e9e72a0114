"""What people do themselves on the public pages: stop, choose, confirm.

They come with a token for an address, so what they say is about that address. Somebody known by several addresses says
yes for all: otherwise an old no at another address would keep standing in the way of what they ask for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app import clock
from app.accounts.models import Organisation
from app.consent.drafts import NewEvent, Recorded
from app.consent.explain import GATED_CHANNEL
from app.consent.ledger import record_events
from app.consent.models import Permission, Purpose
from app.consent.pauses import paused_until
from app.consent.subjects import contacts_by_subject, own_keys
from app.consent.suppressions import suppressed
from app.consent.wordings import name_of, wording_for
from app.db import ScopedSession
from app.keyring import Keyring

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
    paused_until: datetime | None = None

    @property
    def version(self) -> str:
        """What the page looked like, in short: a page that is sent back with another one is an old page."""
        lines = [f"{choice.key} {choice.is_allowed} {choice.wording_sha256}" for choice in self.choices]
        told = "\n".join([*lines, str(self.paused_until), str(self.is_known)])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What came back from the page: the boxes that were ticked when it was shown, those ticked now, the sentences that
    stood beside them (by box, SHA-256 in hexadecimal), and the version of the page."""

    shown: Collection[str]
    ticked: Collection[str]
    wordings: Mapping[str, str]
    version: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of a choice: how much was recorded, and whether a yes was left out because the page was old."""

    count: int
    is_asked_again: bool


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
        paused_until=paused_until(session, subject_key),
    )


def choose(session: ScopedSession, keyring: Keyring, subject_key: bytes, *, chosen: Chosen, language: str) -> Saved:
    """Record what somebody changed on the preference page: what was ticked and was not, and the reverse.

    Lines that look as they were shown are left alone, so that a page that stayed open in another tab undoes nothing. A
    no always counts. A yes counts from a page that still shows how things are, with the sentence it was given to; from
    an older one all of them are left out, and asked again.
    """
    preferences = preferences_of(session, subject_key, language=language)
    is_asked_again = chosen.version != preferences.version
    noes: list[NewEvent] = []
    wishes: list[Choice] = []
    for choice in preferences.choices:
        was, wanted = choice.key in chosen.shown, choice.key in chosen.ticked
        if was and not wanted:
            noes.append(_withdrawal(subject_key, choice.channel, choice.purpose, method="preference_page"))
        elif wanted and not was and preferences.is_known:
            wishes.append(choice)
    is_asked_again |= any(chosen.wordings.get(wish.key) != wish.wording_sha256 for wish in wishes)
    keys = own_keys(session, subject_key) if wishes and not is_asked_again else []
    yeses = [_grant(session, key, wish, language=language) for wish in wishes for key in keys]
    return Saved(len(record_events(session, keyring, [*noes, *yeses])), bool(wishes) and is_asked_again)


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
