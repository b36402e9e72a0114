"""Letters: mails that one person asked for or must get, requested here by any room and sent by ``app/mailings``.

Rooms below mailings cannot send, and need not: a letter is a row, written in the transaction of what it is about, so
that it is there exactly when that is. It waits, however long, until the house can send. A letter is never marketing.

==================== ================================== ===============================================================
kind                 facts                              what it says
==================== ================================== ===============================================================
confirmation         ``event_id``, of the request       please confirm, by one button (double opt-in);
                     and ``subject_key`` (hex) where it
                     is about somebody else: a child
unsubscribe_receipt  ``purposes``: codes, empty for all we noted that you stop (asked for by the ledger itself)
address_change       ``path``                           confirm that this is your address
data_ready           ``path``, ``until`` (ISO date)     what we hold about you is ready to be fetched
preferences_link     none                               here is the page where you choose
invitation           ``path``, ``link_id``              come and work with us here
password_reset       ``path``, ``link_id``              choose a new password
journey_note         ``path``, ``note``, ``people``     to a colleague: people came to a step of a journey
==================== ================================== ===============================================================

``path`` begins with a slash and is put behind the address of the installation. Facts are kept encrypted, and erased
together with the address once the letter is sent, given up or cancelled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, get_args

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.addresses import normalise_email
from app.accounts.models import Letter, Organisation
from app.db import ScopedSession
from app.keyring import Keyring

LetterKind = Literal[
    "confirmation",
    "unsubscribe_receipt",
    "address_change",
    "data_ready",
    "preferences_link",
    "invitation",
    "password_reset",
    "journey_note",
]
KINDS: tuple[str, ...] = get_args(LetterKind)

# Anybody can type somebody else's address into a form. So many letters of a kind an address gets, within so long.
LIMITS: Mapping[str, tuple[int, timedelta]] = {
    "confirmation": (3, timedelta(days=1)),
    "preferences_link": (3, timedelta(hours=1)),
    "address_change": (3, timedelta(days=1)),
    "password_reset": (5, timedelta(hours=1)),
}
PENDING = ("waiting", "taken")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a letter holds until it is done: where it goes, and the facts its text is made of."""

    to_address: str
    facts: Mapping[str, Any]


def request_letter(
    session: ScopedSession,
    keyring: Keyring,
    *,
    kind: LetterKind,
    to_address: str,
    language: str,
    facts: Mapping[str, Any],
    contact_id: int | None = None,
    about: str | None = None,
) -> int | None:
    """Ask for a letter to be sent; returns its id. It goes out some seconds after the caller's commit.

    With ``about``, a letter of this kind about the same thing is sent once: asking again returns the first, whatever
    became of it. Returns None, and sends nothing, for an address that cannot exist and for one that got too many of
    this kind lately (``LIMITS``); tell the person the same either way. Raises ValueError for an unknown kind or
    language, or a path that leads elsewhere. Call it after what takes locks on permission, never before.
    """
    _check(kind, language, facts)
    normalised = normalise_email(to_address)
    if normalised is None:
        return None
    address_hash = _address_hash(session, keyring, normalised)
    if about is not None and (known := _letter_about(session, kind, about)) is not None:
        return known
    if kind in LIMITS and _had_enough(session, kind, address_hash):
        return None
    sealed = keyring.encrypted(json.dumps({"to": normalised, "facts": dict(facts)}))
    inserted = session.scalar(
        insert(Letter)
        .values(
            organisation_id=session.organisation_id,
            kind=kind,
            about=about,
            language=language,
            contact_id=contact_id,
            address_hash=address_hash,
            sealed=sealed,
            requested_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(Letter.id)
    )
    # Two who ask about the same thing at the same moment: the second waited for the first, and finds it now.
    return inserted if inserted is not None or about is None else _letter_about(session, kind, about)


def open_letter(keyring: Keyring, sealed: bytes) -> Contents:
    """Return what a pending letter holds; raises KeyringError where it was sealed with another keyring."""
    held = json.loads(keyring.decrypted(sealed))
    return Contents(held["to"], held["facts"])


def cancel_letters_to(session: ScopedSession, address_hashes: Iterable[bytes], *, problem_code: str) -> int:
    """Cancel every pending letter to addresses, known by their hash (the ledger's subject key); returns how many.

    A letter that is being handed over this very moment still arrives.
    """
    cancelled = session.execute(
        update(Letter)
        .where(Letter.address_hash.in_(list(address_hashes)), Letter.state.in_(PENDING))
        .values(state="cancelled", sealed=None, problem_code=problem_code, done_at=clock.now())
        .returning(Letter.id)
    )
    return len(cancelled.all())


def _check(kind: str, language: str, facts: Mapping[str, Any]) -> None:
    if kind not in KINDS:
        raise ValueError(f"no such letter: {kind}")
    if language not in ("nl", "fr", "en"):
        raise ValueError("letters are written in nl, fr and en")
    path = facts.get("path", "/")
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):
        raise ValueError("the path of a letter begins with one slash")


def _letter_about(session: ScopedSession, kind: str, about: str) -> int | None:
    return session.scalar(select(Letter.id).where(Letter.kind == kind, Letter.about == about))


def _had_enough(session: ScopedSession, kind: str, address_hash: bytes) -> bool:
    """Whether an address got its share; until the commit nobody else counts for the same address."""
    number = int.from_bytes(address_hash[:8], "big", signed=True)
    session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
    most, within = LIMITS[kind]
    count = session.scalar(
        select(func.count())
        .select_from(Letter)
        .where(Letter.address_hash == address_hash, Letter.kind == kind, Letter.requested_at > clock.now() - within)
    )
    return (count or 0) >= most


def _address_hash(session: ScopedSession, keyring: Keyring, normalised: str) -> bytes:
    key_id = session.scalars(select(Organisation.hash_key_id)).one()
    return keyring.subject_key(session.organisation_id, "email", normalised, key_id=key_id)
