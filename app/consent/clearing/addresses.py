"""The address a no needs to travel with, where nothing else here knows it: of people who are no contacts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from app.accounts.addresses import normalise_email
from app.consent.drafts import Draft
from app.consent.precedence import NEGATIVE
from app.db import ScopedSession, array_text
from app.keyring import Keyring

KEEP = text(
    "UPDATE clearing SET address_encrypted = told.address"
    " FROM unnest(CAST(:events AS bigint[]), CAST(:addresses AS bytea[])) AS told (event_id, address)"
    " WHERE clearing.organisation_id = :house AND clearing.event_id = told.event_id AND clearing.settled_at IS NULL"
)


def keep_addresses(session: ScopedSession, keyring: Keyring, drafts: Sequence[Draft]) -> None:
    """Keep a stranger's address, encrypted, with the clearing of their no, until every system has acknowledged it.

    What was just recorded is on its way already (a trigger sees to that); what nobody waits for is not kept.
    """
    kept = [
        (draft.event_id, keyring.encrypted(address))
        for draft in drafts
        if draft.action in NEGATIVE and draft.contact_id is None and draft.event.channel == "email"
        if draft.event.address is not None and (address := normalise_email(draft.event.address)) is not None
    ]
    if kept:
        session.execute(
            KEEP,
            {
                "house": session.organisation_id,
                "events": array_text(event for event, _ in kept),
                "addresses": array_text(address for _, address in kept),
            },
        )
