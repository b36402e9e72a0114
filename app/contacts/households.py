"""Mailboxes that several people read: who they are, how they came to share it, and what they are called together.

One of them holds the address: whom it stands for where nothing else is known. The others are its guests. All of them
are mailed at it, one mail at a time, and the gate stops it for a no of any of them (decision 0010).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import text

from app.contacts.matching import EMAIL, Key, Reader
from app.db import ScopedSession, array_text


@dataclass(frozen=True, slots=True)
class Sharer:
    """Somebody who reads the same mailbox as somebody else."""

    contact_id: int
    given_name: str | None
    family_name: str | None
    email: str


def readers_of(session: ScopedSession, mailboxes: Collection[Key]) -> dict[Key, list[Reader]]:
    """Return everybody who reads each of these addresses, the holder first, with what tells them apart."""
    found: dict[Key, list[Reader]] = {}
    for row in session.execute(text(_READERS), _parameters(session, mailboxes)) if mailboxes else ():
        numbers: dict[str, set[str]] = {}
        for kind, value_key in zip(row.kinds, row.value_keys, strict=True):
            numbers.setdefault(kind, set()).add(value_key)
        told = {kind: frozenset(values) for kind, values in numbers.items()}
        found.setdefault((EMAIL, row.value_key), []).append(Reader(row.contact_id, row.given_name, told))
    return found


def share_mailboxes(session: ScopedSession, mailboxes: Collection[Key]) -> None:
    """Keep these addresses' readers as they are until the transaction ends, and note of each that it is shared.

    A claim that is being decided for one of them is waited for: whoever comes to share a mailbox may bring a no.
    """
    if mailboxes:
        session.execute(text(_HELD_STILL), _parameters(session, mailboxes))
        session.execute(text(_SHARED), _parameters(session, mailboxes))


def settle_mailboxes(session: ScopedSession, value_keys: Collection[str]) -> None:
    """Give each of these addresses a holder where it lost one, and note whether several people still read it."""
    if value_keys:
        mailboxes = [(EMAIL, each) for each in value_keys]
        session.execute(text(_HEIRS), _parameters(session, mailboxes))
        session.execute(text(_STILL_SHARED), _parameters(session, mailboxes))


def sharers_with(session: ScopedSession, contact_id: int) -> list[Sharer]:
    """Return the living people who read an address of this contact too."""
    rows = session.execute(
        text(_SHARERS), {"organisation_id": session.organisation_id, "contact_ids": array_text([contact_id])}
    )
    return [Sharer(row.other_id, row.given_name, row.family_name, row.value) for row in rows]


def names_at(session: ScopedSession, contact_ids: Iterable[int]) -> dict[int, list[Sharer]]:
    """Return, of each of these who is mailed at a shared address, everybody who is mailed there: themselves too."""
    rows = session.execute(
        text(_MAILED_TOGETHER), {"organisation_id": session.organisation_id, "contact_ids": array_text(contact_ids)}
    )
    found: dict[int, list[Sharer]] = {}
    for row in rows:
        found.setdefault(row.contact_id, []).append(Sharer(row.other_id, row.given_name, row.family_name, row.value))
    return found


def _parameters(session: ScopedSession, mailboxes: Collection[Key]) -> dict[str, object]:
    value_keys: Sequence[str] = sorted(value_key for _kind, value_key in mailboxes)
    return {"organisation_id": session.organisation_id, "value_keys": array_text(value_keys)}


_AT = "identity.organisation_id = :organisation_id AND identity.kind = 'email'"
_OF_THESE = f"{_AT} AND identity.value_key = ANY (CAST(:value_keys AS text[]))"

_READERS = f"""
SELECT identity.value_key, identity.contact_id, contact.given_name, numbers.kinds, numbers.value_keys
  FROM identity
  JOIN contact ON contact.organisation_id = identity.organisation_id AND contact.id = identity.contact_id
 CROSS JOIN LATERAL (
       SELECT COALESCE(array_agg(number.kind), '{{}}') AS kinds,
              COALESCE(array_agg(number.value_key), '{{}}') AS value_keys
         FROM identity AS number
        WHERE number.organisation_id = identity.organisation_id AND number.contact_id = identity.contact_id
          AND number.kind <> 'email') AS numbers
 WHERE {_OF_THESE} AND contact.state = 'living'
 ORDER BY identity.value_key, identity.is_holder DESC, identity.id
"""

_HELD_STILL = f"""
SELECT contact.id FROM contact
 WHERE contact.organisation_id = :organisation_id
   AND contact.id IN (SELECT identity.contact_id FROM identity WHERE {_OF_THESE})
 ORDER BY contact.id
   FOR NO KEY UPDATE
"""

_SHARED = f"UPDATE identity SET is_shared = true WHERE {_OF_THESE} AND NOT identity.is_shared"

_HEIRS = f"""
UPDATE identity SET is_holder = true
 WHERE {_OF_THESE} AND identity.id IN (
       SELECT min(heir.id) FROM identity AS heir
        WHERE heir.organisation_id = :organisation_id AND heir.kind = 'email'
          AND heir.value_key = ANY (CAST(:value_keys AS text[]))
        GROUP BY heir.value_key HAVING NOT bool_or(heir.is_holder))
"""

_STILL_SHARED = f"""
UPDATE identity SET is_shared = others.is_shared
  FROM (SELECT value_key, count(*) > 1 AS is_shared FROM identity WHERE {_OF_THESE} GROUP BY value_key) AS others
 WHERE {_OF_THESE} AND others.value_key = identity.value_key AND identity.is_shared <> others.is_shared
"""

_SHARERS = """
SELECT DISTINCT other.contact_id AS other_id, contact.given_name, contact.family_name, other.value
  FROM identity AS one
  JOIN identity AS other
    ON other.organisation_id = one.organisation_id AND other.subject_key = one.subject_key AND other.is_shared
   AND other.contact_id <> one.contact_id
  JOIN contact ON contact.organisation_id = other.organisation_id AND contact.id = other.contact_id
 WHERE one.organisation_id = :organisation_id AND one.contact_id = ANY (CAST(:contact_ids AS bigint[]))
   AND one.kind = 'email' AND one.is_shared AND contact.state = 'living'
 ORDER BY other.contact_id
"""

_MAILED_TOGETHER = """
SELECT one.contact_id, other.contact_id AS other_id, contact.given_name, contact.family_name, other.value
  FROM identity AS one
  JOIN identity AS other
    ON other.organisation_id = one.organisation_id AND other.subject_key = one.subject_key AND other.is_shared
   AND other.is_primary
  JOIN contact ON contact.organisation_id = other.organisation_id AND contact.id = other.contact_id
 WHERE one.organisation_id = :organisation_id AND one.contact_id = ANY (CAST(:contact_ids AS bigint[]))
   AND one.kind = 'email' AND one.is_shared AND one.is_primary AND contact.state = 'living'
 ORDER BY one.contact_id, other.is_holder DESC, other.contact_id
"""
