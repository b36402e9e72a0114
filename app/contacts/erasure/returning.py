"""Who was erased does not creep back in from a source or a file, and may come back by an act of their own.

A record is known again by the keyed hash of any of its identities. What a system goes on to hold is left out; what the
person did after the erasure (a booking, a form) makes them somebody new, whose address still gets no marketing until
they confirm that they want it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import exists, select

from app.consent.subjects import hash_key_id
from app.contacts.erasure.models import ErasedIdentity
from app.contacts.matching import Key, KnownAs
from app.db import ScopedSession
from app.keyring import Keyring

REFUSED = "erased"
Usable = tuple[list[KnownAs], str | None]


def key_hash(session: ScopedSession, keyring: Keyring, key: Key) -> bytes:
    """Return the keyed hash of an identity; for an address the one by which the ledger knows it."""
    kind, value_key = key
    return keyring.subject_key(session.organisation_id, kind, value_key, key_id=hash_key_id(session))


def without_erased(
    session: ScopedSession,
    keyring: Keyring,
    usable: Sequence[Usable],
    known: Mapping[Key, int],
    *,
    acted_at: Sequence[datetime | None],
) -> list[Usable]:
    """Return what each record is known by, without the identities of erased people.

    ``acted_at`` is when the person of each record last did something themselves, where that is known: not before the
    erasure, they are welcome. A record that names an erased person and nobody who is known is refused as ``erased``.
    """
    new = {each.key for identities, _ in usable for each in identities if each.key not in known}
    erased = _erased(session, keyring, new)
    if not erased:
        return list(usable)
    return [_sifted(each, known, erased, acted) for each, acted in zip(usable, acted_at, strict=True)]


def _sifted(usable: Usable, known: Mapping[Key, int], erased: Mapping[Key, datetime], acted: datetime | None) -> Usable:
    identities, error = usable
    gone = [each for each in identities if each.key in erased and not (acted and acted >= erased[each.key])]
    if error is not None or not gone:
        return usable
    left = [each for each in identities if each not in gone]
    # A new address beside an erased number is the same person as far as the system that sends it knows.
    return (left, None) if any(each.key in known for each in left) else ([], REFUSED)


def _erased(session: ScopedSession, keyring: Keyring, keys: Iterable[Key]) -> dict[Key, datetime]:
    if not session.scalar(select(exists().select_from(ErasedIdentity))):
        return {}
    hashes = {key_hash(session, keyring, key): key for key in keys}
    rows = session.execute(
        select(ErasedIdentity.key_hash, ErasedIdentity.erased_at).where(ErasedIdentity.key_hash.in_(list(hashes)))
    )
    return {hashes[bytes(found)]: erased_at for found, erased_at in rows}
