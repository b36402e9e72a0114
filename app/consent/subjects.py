"""How the ledger knows a person: by the keyed hash of an address, never by the address itself.

Consent knows contacts by id only; what it asks of the identities is said here, in one place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    Integer,
    LargeBinary,
    Text,
    and_,
    any_,
    cast,
    column,
    func,
    literal,
    select,
    table,
)

from app.accounts.addresses import normalise_email
from app.accounts.models import Organisation
from app.db import ScopedSession, array_text
from app.keyring import Keyring

identity = table(
    "identity",
    column("organisation_id", Integer),
    column("id", BigInteger),
    column("contact_id", BigInteger),
    column("kind", Text),
    column("value", Text),
    column("value_key", Text),
    column("subject_key", LargeBinary),
    column("is_primary", Boolean),
    column("is_holder", Boolean),
    column("is_shared", Boolean),
    column("deliverability", Text),
)
contact = table(
    "contact",
    column("organisation_id", Integer),
    column("id", BigInteger),
    column("state", Text),
    column("is_restricted", Boolean),
    column("language", Text),
    column("country", Text),
    column("birth_date", Date),
)


def hash_key_id(session: ScopedSession) -> int:
    """Return the id of the master key this organisation's hashes are made with (read once per session)."""
    organisation_id, known = session.info.get("hash_key_id", (None, None))
    if organisation_id != session.organisation_id:
        known = session.scalars(
            select(Organisation.hash_key_id).where(Organisation.id == session.organisation_id)
        ).one()
        session.info["hash_key_id"] = (session.organisation_id, known)
    return int(known)


def email_subject(session: ScopedSession, keyring: Keyring, address: str) -> bytes | None:
    """Return the subject key of an e-mail address in any spelling, or None where no such address can exist."""
    normalised = normalise_email(address)
    if normalised is None:
        return None
    return keyring.subject_key(session.organisation_id, "email", normalised, key_id=hash_key_id(session))


def contact_subject(session: ScopedSession, keyring: Keyring, contact_id: int) -> bytes:
    """Return the subject key of a contact: of the primary e-mail address, else one made from the id alone."""
    key = session.scalars(
        select(identity.c.subject_key).where(
            identity.c.contact_id == contact_id, identity.c.kind == "email", identity.c.is_primary
        )
    ).one_or_none()
    if key is not None:
        return bytes(key)
    return keyring.subject_key(session.organisation_id, "contact", str(contact_id), key_id=hash_key_id(session))


def contacts_by_subject(session: ScopedSession, subject_keys: Iterable[bytes]) -> dict[bytes, int]:
    """Return which contact holds each address now; unknown addresses are left out.

    Of several people who read one mailbox that is the one whom the address alone stands for.
    """
    rows = session.execute(
        select(identity.c.subject_key, identity.c.contact_id).where(
            identity.c.kind == "email", identity.c.is_holder, identity.c.subject_key.in_(list(subject_keys))
        )
    )
    return {bytes(key): contact_id for key, contact_id in rows}


def ids(numbers: Iterable[int]) -> ColumnElement[Any]:
    """Return ids as one parameter, so that a statement for five hundred is prepared like one for two."""
    return literal(sorted(set(numbers)), ARRAY(BigInteger))


def subject_keys(keys: Iterable[bytes]) -> ColumnElement[Any]:
    """Return hashes as one parameter, however many there are, for ``any_``.

    In a subquery, so that PostgreSQL reads the text once: beside a column it would read it again for every row.
    """
    told = cast(literal(array_text(sorted(set(keys)))), ARRAY(LargeBinary))
    return func.array(select(func.unnest(told)).scalar_subquery(), type_=ARRAY(LargeBinary))


def subjects_of(session: ScopedSession, contact_ids: Iterable[int]) -> dict[int, list[bytes]]:
    """Return the subject keys of every e-mail address of each contact, in order."""
    found: dict[int, list[bytes]] = {}
    rows = session.execute(
        select(identity.c.contact_id, identity.c.subject_key)
        .where(identity.c.kind == "email", identity.c.contact_id == any_(ids(contact_ids)))
        .order_by(identity.c.contact_id, identity.c.subject_key)
    )
    for contact_id, key in rows:
        found.setdefault(contact_id, []).append(bytes(key))
    return found


def sharers_of(session: ScopedSession, contact_ids: Iterable[int]) -> dict[int, list[int]]:
    """Return, of each of these contacts who shares a mailbox, with whom; the others are left out."""
    one, other = identity.alias("one"), identity.alias("other")
    rows = session.execute(
        select(one.c.contact_id, other.c.contact_id)
        .join(
            other,
            and_(
                other.c.organisation_id == one.c.organisation_id,
                other.c.subject_key == one.c.subject_key,
                other.c.is_shared,
                other.c.contact_id != one.c.contact_id,
            ),
        )
        .where(one.c.kind == "email", one.c.is_shared, one.c.contact_id == any_(ids(contact_ids)))
        .distinct()
        .order_by(one.c.contact_id, other.c.contact_id)
    )
    found: dict[int, list[int]] = {}
    for contact_id, other_id in rows:
        found.setdefault(contact_id, []).append(other_id)
    return found


def subjects_that_count(session: ScopedSession, contact_ids: Iterable[int]) -> dict[int, list[bytes]]:
    """Return every address whose no stops mail to each contact: their own, and those of who reads a mailbox with them.

    In order, so that the same answer means that nothing changed in between.
    """
    wanted = sorted(set(contact_ids))
    shared = sharers_of(session, wanted)
    held = subjects_of(session, {*wanted, *(other for others in shared.values() for other in others)})
    everybody = {each: [each, *shared.get(each, ())] for each in wanted}
    counting = {each: {key for one in people for key in held.get(one, ())} for each, people in everybody.items()}
    return {each: sorted(keys) for each, keys in counting.items() if keys}


def own_keys(session: ScopedSession, subject_key: bytes) -> list[bytes]:
    """Return every address of whoever holds this one, this one first; just this one where nobody does."""
    contact_id = contacts_by_subject(session, [subject_key]).get(subject_key)
    others = [] if contact_id is None else subjects_of(session, [contact_id])[contact_id]
    return [subject_key, *(key for key in others if key != subject_key)]
