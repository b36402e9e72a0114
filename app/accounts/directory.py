"""Finding the organisation a key, a token or a log-in address belongs to, before anything else is known.

The directory holds keyed hashes only and is the one place that spans organisations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.accounts.models import DirectoryEntry
from app.keyring import Keyring

Kind = Literal["organisation", "login", "api_key", "connection", "link", "form", "return_hook"]


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of the directory: the organisation, and the id of what was looked up there."""

    organisation_id: int
    target_id: int


def find(session: Session, keyring: Keyring, kind: Kind, value: str) -> list[Found]:
    """Return every organisation in which this value is known as this kind; several for a shared log-in address."""
    entry = DirectoryEntry
    rows = session.execute(
        select(entry.organisation_id, entry.target_id)
        .where(entry.kind == kind, entry.lookup_hash == keyring.lookup_hash(kind, value))
        .order_by(entry.organisation_id)
    )
    return [Found(organisation_id, target_id) for organisation_id, target_id in rows]


def enter(session: Session, keyring: Keyring, kind: Kind, value: str, *, organisation_id: int, target_id: int) -> None:
    """Make a value findable; doing so twice changes nothing."""
    session.execute(
        insert(DirectoryEntry)
        .values(
            kind=kind,
            lookup_hash=keyring.lookup_hash(kind, value),
            organisation_id=organisation_id,
            target_id=target_id,
        )
        .on_conflict_do_nothing()
    )


def remove(session: Session, kind: Kind, *, organisation_id: int, target_id: int) -> None:
    """Make something unfindable, under whatever values it was entered."""
    entry = DirectoryEntry
    session.execute(
        delete(entry).where(entry.organisation_id == organisation_id, entry.kind == kind, entry.target_id == target_id)
    )


def organisation_ids(session: Session) -> list[int]:
    """Return the ids of all organisations, for the worker's rounds."""
    entry = DirectoryEntry
    return list(
        session.scalars(
            select(entry.organisation_id).where(entry.kind == "organisation").order_by(entry.organisation_id)
        )
    )
