"""Erasing a person: suppressed first, then everything that says who they were; what they took part in stays, anonymous.

Still to be erased elsewhere (the issue "Consent that cannot be broken" completes it): evidence in the ledger, payloads
in the inbox, and what connected systems hold.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, null, or_, select, text, update

from app.consent.suppressions import suppress_subjects
from app.contacts.errors import UnknownContact
from app.contacts.ingest import PROFILE, own_identities
from app.contacts.models import Contact, ContactIdentity, ContactMerge
from app.db import ScopedSession

ERASED_REASON = "erased"


def erase_contact(session: ScopedSession, contact_id: int, *, at: datetime) -> list[int]:
    """Erase a living or merged person, and whoever was merged with them; returns the ids of the rows emptied.

    Every address they were known by is suppressed before anything else and stays so. Raises UnknownContact where there
    is nobody left to erase.
    """
    own_identities(session)
    ids = _everybody_merged(session, contact_id)
    if not ids:
        raise UnknownContact(contact_id)
    identity = ContactIdentity
    keys = session.scalars(
        select(identity.subject_key).where(identity.contact_id.in_(ids), identity.subject_key.is_not(None))
    ).all()
    suppress_subjects(
        session, [bytes(key) for key in keys if key], channel="email", reason=ERASED_REASON, source="zaallicht", at=at
    )
    session.execute(delete(identity).where(identity.contact_id.in_(ids)))
    merge = ContactMerge
    session.execute(delete(merge).where(or_(merge.contact_id.in_(ids), merge.into_id.in_(ids))))
    session.execute(
        update(Contact)
        .where(Contact.id.in_(ids))
        .values(
            state="erased", merged_into_id=None, email=None, tags=[], attributes={}, updated_at=at,
            **dict.fromkeys(PROFILE, null()),
        )
    )  # fmt: skip
    # A dry run shows names, and a file may hold anybody; one that still waits goes when it is done, or after a month.
    session.execute(text("UPDATE import_job SET preview = NULL WHERE preview IS NOT NULL"))
    finished = "content IS NOT NULL AND state IN ('done', 'failed', 'cancelled')"
    session.execute(text(f"UPDATE import_job SET content = NULL WHERE {finished}"))
    return ids


def _everybody_merged(session: ScopedSession, contact_id: int) -> list[int]:
    """Return the contact at the end of the chain of merges that this one is part of, and all who became part of it."""
    row = session.execute(
        text(
            "WITH RECURSIVE up AS ("
            "  SELECT id, merged_into_id FROM contact WHERE organisation_id = :organisation_id AND id = :contact_id"
            "   UNION SELECT c.id, c.merged_into_id FROM contact c JOIN up ON c.id = up.merged_into_id"
            "   WHERE c.organisation_id = :organisation_id),"
            " down AS (SELECT id FROM up WHERE merged_into_id IS NULL"
            "   UNION SELECT c.id FROM contact c JOIN down ON c.merged_into_id = down.id"
            "   WHERE c.organisation_id = :organisation_id)"
            " SELECT array_agg(down.id ORDER BY down.id) FROM down JOIN contact c ON c.id = down.id"
            " WHERE c.organisation_id = :organisation_id AND c.state <> 'erased'"
        ),
        {"organisation_id": session.organisation_id, "contact_id": contact_id},
    ).scalar_one()
    return list(row or [])
