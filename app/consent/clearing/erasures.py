"""Telling every connected system that somebody is erased, and how far that is. For whoever erases people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Integer, Text, any_, column, select, table, text
from sqlalchemy.dialects.postgresql import insert

from app.consent.clearing.models import Clearance, Clearing
from app.consent.subjects import identity, ids
from app.db import ScopedSession
from app.keyring import Keyring

connection = table(
    "connection",
    column("organisation_id", Integer),
    column("id", BigInteger),
    column("name", Text),
    column("system", Text),
    column("kind", Text),
)


@dataclass(frozen=True, slots=True)
class SystemProgress:
    """How far one no or erasure is at one connected system.

    ``state`` is ``pending``, ``acknowledged``, ``failing`` or ``not_possible``; ``outcome`` and ``failure_code`` are
    codes. ``name`` is what the house calls the connection, also where it was removed since.
    """

    clearing_id: int
    connection_id: int
    system: str
    name: str
    state: str
    outcome: str | None
    failure_code: str | None
    recorded_at: datetime
    failing_since: datetime | None
    acknowledged_at: datetime | None
    lists: int


def announce_erasure(
    session: ScopedSession, keyring: Keyring, contact_ids: Iterable[int], *, at: datetime
) -> list[int]:
    """Have people deleted at every connected system, and return the ids of what travels for it: one an address.

    Call it in the transaction that erases them, before their addresses are taken away: each is kept encrypted until
    the last system has acknowledged, and no longer. Calling it again while it travels changes nothing.
    """
    addresses = session.execute(
        select(identity.c.contact_id, identity.c.subject_key, identity.c.value)
        .where(identity.c.contact_id == any_(ids(contact_ids)), identity.c.kind == "email")
        .order_by(identity.c.subject_key)
    ).all()
    if not addresses:
        return []
    statement = insert(Clearing)
    kept = {
        "address_encrypted": statement.excluded.address_encrypted,
        "contact_id": statement.excluded.contact_id,
    }
    statement = statement.on_conflict_do_update(
        index_elements=["organisation_id", "subject_key"],
        index_where=text("kind = 'erasure' AND settled_at IS NULL"),
        set_=kept,
    )
    rows = [
        {
            "organisation_id": session.organisation_id,
            "kind": "erasure",
            "subject_key": row.subject_key,
            "contact_id": row.contact_id,
            "source": "zaallicht",
            "address_encrypted": keyring.encrypted(row.value),
            "recorded_at": at,
        }
        for row in addresses
    ]
    return sorted(session.scalars(statement.returning(Clearing.id), rows))


def erasure_progress(session: ScopedSession, contact_ids: Iterable[int]) -> list[SystemProgress]:
    """Return how far the erasure of these people is at each connected system, the latest first."""
    chosen = select(Clearing.id).where(Clearing.kind == "erasure", Clearing.contact_id == any_(ids(contact_ids)))
    return progress_of(session, session.scalars(chosen).all())


def progress_of(session: ScopedSession, clearing_ids: Sequence[int]) -> list[SystemProgress]:
    """Return how far each of these is at each connected system, the latest first and systems by name."""
    row = Clearance
    found = session.execute(
        select(row, Clearing.recorded_at, connection.c.system, connection.c.name)
        .join(Clearing, Clearing.id == row.clearing_id)
        .join(connection, connection.c.id == row.connection_id)
        .where(row.clearing_id == any_(ids(clearing_ids)))
        .order_by(row.clearing_id.desc(), connection.c.name, row.connection_id)
        .execution_options(populate_existing=True)
    )
    return [
        SystemProgress(
            clearing_id=one.clearing_id,
            connection_id=one.connection_id,
            system=system,
            name=name,
            state=one.state,
            outcome=one.outcome,
            failure_code=one.failure_code,
            recorded_at=recorded_at,
            failing_since=one.failing_since,
            acknowledged_at=one.acknowledged_at,
            lists=one.lists,
        )
        for one, recorded_at, system, name in found
    ]
