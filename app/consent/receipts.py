"""One receipt for each opt-out from e-mail, where the country asks for it (I22).

Belgium: royal decree of 4 April 2003 on advertising by electronic mail, article 2: whoever asks not to be sent any more
is sent, within a reasonable time, a confirmation by e-mail that this was registered.

What counts is that something ended, and not by which way: the one-click button, the preference page, a mail to us, a
colleague who was told, another system that a person used. So the same opt-out that comes back from a connected system
asks for no second receipt, and neither does pressing the button again. Old news is no request: what a file or a first
look at a list brings along happened long ago, and its receipt was somebody else's to send. A complaint gets none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import any_, select

from app.accounts.letters import request_letter
from app.accounts.organisations import LANGUAGES, current_organisation
from app.consent.countries import rules_of
from app.consent.drafts import Draft
from app.consent.models import Permission
from app.consent.subjects import contact, identity, subject_keys
from app.db import ScopedSession
from app.keyring import Keyring

RECENT = timedelta(days=7)
NOBODY_ASKED = frozenset({"import"})

# What no stood before: (address, purpose), for the addresses that are about to say no.
Before = frozenset[tuple[bytes, str]]


def owed_receipts(session: ScopedSession, drafts: Sequence[Draft], *, at: datetime) -> list[Draft]:
    """Return the events that may ask for a receipt, none where the country asks for none."""
    asking = [draft for draft in drafts if _is_request(draft, at=at)]
    if not asking or not rules_of(current_organisation(session).country).wants_opt_out_receipts:
        return []
    return asking


def noes_of(session: ScopedSession, drafts: Sequence[Draft]) -> Before:
    """Return which noes stand at the addresses of these events."""
    row = Permission
    keys = {draft.subject_key for draft in drafts}
    rows = session.execute(
        select(row.subject_key, row.purpose).where(
            row.subject_key == any_(subject_keys(keys)), row.channel == "email", row.is_negative
        )
    )
    return frozenset((bytes(key), purpose) for key, purpose in rows)


def request_receipts(session: ScopedSession, keyring: Keyring, asking: Sequence[Draft], *, before: Before) -> int:
    """Ask for a receipt for each address at which these events ended something; returns how many.

    ``before`` is what ``noes_of`` said before the events were projected. Several purposes that end together are one
    opt-out. Where nobody knows the address any more, there is nothing to send it to.
    """
    if not asking:
        return 0
    ended = noes_of(session, asking) - before
    by_key: dict[bytes, list[Draft]] = {}
    for draft in asking:
        if any(key == draft.subject_key for key, _purpose in ended):
            by_key.setdefault(draft.subject_key, []).append(draft)
    holders = _holders(session, by_key) if by_key else {}
    house = current_organisation(session)
    asked = 0
    for key, drafts in by_key.items():
        held_address, contact_id, spoken = holders.get(key, (None, None, None))
        address = held_address or drafts[0].event.address
        if address is None:
            continue
        is_all = any(draft.event.purpose is None for draft in drafts)
        purposes = [] if is_all else sorted({draft.event.purpose or "" for draft in drafts})
        letter_id = request_letter(
            session,
            keyring,
            kind="unsubscribe_receipt",
            to_address=address,
            language=next(each for each in (spoken, house.language, "nl") if each in LANGUAGES),
            facts={"purposes": purposes},
            contact_id=contact_id,
            about=f"event {min(draft.event_id for draft in drafts)}",
        )
        asked += letter_id is not None
    return asked


def _is_request(draft: Draft, *, at: datetime) -> bool:
    event = draft.event
    if event.channel != "email" or event.actor in NOBODY_ASKED or event.repeats == "state":
        return False
    is_complaint = event.evidence.get("reason") == "complaint" or event.method == "complaint"
    if draft.action not in ("withdrawn", "objected") or is_complaint:
        return False
    if event.occurred_at is None:
        return event.actor in ("contact", "guardian", "staff")
    return at - event.occurred_at <= RECENT


def _holders(session: ScopedSession, keys: Collection[bytes]) -> dict[bytes, tuple[str | None, int | None, str | None]]:
    rows = session.execute(
        select(identity.c.subject_key, identity.c.value, identity.c.contact_id, contact.c.language)
        .join(contact, contact.c.id == identity.c.contact_id)
        .where(identity.c.kind == "email", identity.c.is_holder, identity.c.subject_key == any_(subject_keys(keys)))
    )
    return {bytes(key): (address, contact_id, language) for key, address, contact_id, language in rows}
