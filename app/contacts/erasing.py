"""Erasing a person: suppressed first, then everything that says who they were; what they took part in stays, anonymous.

What an erasure does, in one transaction and in this order:

1. Every address is suppressed, every yes ended, and every connected system told (``consent/clearing``).
2. Rows about the person are emptied or go, as the registry of columns says (``erasure/rules``).
3. Everything else is searched for traces of them: messages as they arrived, files that wait, evidence, rules of
   segments, cursors (``erasure/sweep``).
4. The keyed hashes of what they were known by are kept, so that no source brings them back (``erasure/returning``) and
   a restore of an older backup erases them again (``erasure/journal``).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.accounts.letters import cancel_letters_to
from app.consent.clearing.erasures import announce_erasure
from app.consent.endings import end_every_yes
from app.consent.suppressions import suppress_subjects
from app.contacts.erasure.models import ErasedIdentity, Erasure
from app.contacts.erasure.returning import key_hash
from app.contacts.erasure.rules import emptied, person_condition, personal_columns, rule_of
from app.contacts.erasure.sweep import blacken_everywhere
from app.contacts.erasure.traces import Traces, traces_of
from app.contacts.erasure.waiting_files import forget_files
from app.contacts.errors import UnknownContact
from app.contacts.households import settle_mailboxes
from app.contacts.ingest import own_identities
from app.contacts.matching import EMAIL
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession, tenant_tables
from app.keyring import Keyring

ERASED_REASON = "erased"
SOURCE = "zaallicht"


def erase_contact(
    session: ScopedSession, keyring: Keyring, contact_id: int, *, at: datetime, reference: str | None = None
) -> list[int]:
    """Erase a living or merged person, and whoever was merged with them; returns the ids of the rows emptied.

    Every address they were known by is suppressed before anything else and stays so. ``reference`` names an erasure
    that is done again. Raises UnknownContact where there is nobody left to erase. Call it once per transaction, and
    alone: it takes the locks of the identities, then those of the ledger.
    """
    own_identities(session)
    ids = _everybody_merged(session, contact_id)
    if not ids:
        raise UnknownContact(contact_id)
    known_as = _identities(session, ids)
    keys = [bytes(each.subject_key) for each in known_as if each.subject_key is not None]
    traces = _traces(session, ids, known_as)
    _remember(session, keyring, ids, known_as, at=at, reference=reference)
    suppress_subjects(session, keys, channel=EMAIL, reason=ERASED_REASON, source=SOURCE, at=at)
    announce_erasure(session, keyring, ids, at=at)
    cancel_letters_to(session, keys, problem_code=ERASED_REASON)
    forget_files(session, traces, at=at)
    _empty(session, ids, _all_keys(session, keyring, ids, keys), at=at)
    settle_mailboxes(session, sorted({each.value_key for each in known_as if each.kind == EMAIL}))
    end_every_yes(session, keyring, _all_keys(session, keyring, ids, keys), method="erasure", at=at)
    blacken_everywhere(session, traces)
    return ids


def _identities(session: ScopedSession, ids: Sequence[int]) -> Sequence[Row[str, str, str, bytes | None]]:
    identity = ContactIdentity
    return session.execute(
        select(identity.kind, identity.value, identity.value_key, identity.subject_key).where(
            identity.contact_id.in_(ids)
        )
    ).all()


def _traces(session: ScopedSession, ids: Sequence[int], known_as: Sequence[Row[str, str, str, bytes | None]]) -> Traces:
    people = session.scalars(select(Contact).where(Contact.id.in_(ids))).all()
    addresses = [value for each in known_as if each.kind == EMAIL for value in (each.value, each.value_key)]
    return traces_of(
        addresses=[*addresses, *(person.email for person in people if person.email)],
        keys=[value for each in known_as if each.kind != EMAIL for value in (each.value, each.value_key)],
        phones=[person.phone for person in people if person.phone],
        names=[(person.given_name or "", person.family_name or "") for person in people],
    )


def _remember(
    session: ScopedSession,
    keyring: Keyring,
    ids: Sequence[int],
    known_as: Sequence[Row[str, str, str, bytes | None]],
    *,
    at: datetime,
    reference: str | None,
) -> None:
    hashes = sorted({key_hash(session, keyring, (each.kind, each.value_key)) for each in known_as})
    session.execute(
        insert(Erasure)
        .values(
            organisation_id=session.organisation_id,
            reference=reference or uuid.uuid4().hex,
            contact_ids=list(ids),
            subject_keys=sorted(bytes(each.subject_key) for each in known_as if each.subject_key is not None),
            identity_keys=hashes,
            erased_at=at,
        )
        .on_conflict_do_nothing(index_elements=["organisation_id", "reference"])
    )
    remember_identities(session, hashes, at=at)


def remember_identities(session: ScopedSession, hashes: Sequence[bytes], *, at: datetime) -> None:
    """Keep the keyed hashes of what erased people were known by; a later erasure moves the date."""
    if not hashes:
        return
    statement = insert(ErasedIdentity)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["organisation_id", "key_hash"],
            set_={"erased_at": func.greatest(ErasedIdentity.erased_at, statement.excluded.erased_at)},
        ),
        [{"organisation_id": session.organisation_id, "key_hash": each, "erased_at": at} for each in hashes],
    )


def _all_keys(session: ScopedSession, keyring: Keyring, ids: Sequence[int], keys: Sequence[bytes]) -> list[bytes]:
    """Return the hashes the ledger knows the person by, also where it had nothing but the number of the contact."""
    by_number = {key_hash(session, keyring, ("contact", str(each))) for each in ids}
    return sorted({*keys, *by_number})


def _empty(session: ScopedSession, ids: list[int], keys: list[bytes], *, at: datetime) -> None:
    """Empty, or take away, every row about the person, children before parents."""
    for table in reversed(tenant_tables()):
        condition = person_condition(table, ids, keys)
        rule = rule_of(table)
        if condition is None or rule == "keep":
            continue
        if rule == "delete":
            session.execute(delete(table).where(condition))
            continue
        values = {column.name: emptied(column) for column in personal_columns(table, rule)}
        if table.name == "contact":
            values |= {"state": "erased", "merged_into_id": None, "updated_at": at}
        if values:
            session.execute(update(table).where(condition).values(**values))
    session.expire_all()


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
