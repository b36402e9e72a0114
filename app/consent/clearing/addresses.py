"""The address a no needs to travel with, where nothing else here knows it: of people who are no contacts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, update

from app.consent.addresses import normalise_email
from app.consent.clearing.models import Clearing
from app.consent.drafts import Draft
from app.consent.precedence import NEGATIVE
from app.db import ScopedSession
from app.keyring import Keyring


def keep_addresses(session: ScopedSession, keyring: Keyring, drafts: Sequence[Draft]) -> None:
    """Keep a stranger's address, encrypted, with the clearing of their no, until every system has acknowledged it.

    What was just recorded is on its way already (a trigger sees to that); what nobody waits for is not kept.
    """
    kept = [
        {"event": draft.event_id, "address": keyring.encrypted(address)}
        for draft in drafts
        if draft.action in NEGATIVE and draft.contact_id is None and draft.event.channel == "email"
        if draft.event.address is not None and (address := normalise_email(draft.event.address)) is not None
    ]
    if kept:
        row = Clearing
        # On the connection itself: a session takes an UPDATE with many rows for one by primary key.
        session.connection().execute(
            update(row)
            .where(row.organisation_id == session.organisation_id, row.event_id == bindparam("event"))
            .where(row.settled_at.is_(None))
            .values(address_encrypted=bindparam("address")),
            kept,
        )
