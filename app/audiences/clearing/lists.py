"""The lists a destination has, as last read there, and what people say each is for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.accounts.audit import Actor, record
from app.audiences.clearing.models import ClearingLine, KnownList
from app.audiences.definitions import purposes_to_write_for
from app.audiences.problems import InvalidAudience
from app.db import ScopedSession
from integrations.base import DestinationList


def remember_lists(
    session: ScopedSession, connection_id: int, lists: Sequence[DestinationList], *, at: datetime
) -> None:
    """Store what lists there are now. One that is not there any more keeps its row, and what it was for."""
    known = KnownList
    if lists:
        statement = insert(known)
        changed = {"name": statement.excluded.name, "gone_at": None}
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["organisation_id", "connection_id", "list_ref"], set_=changed
            ),
            [
                {
                    "organisation_id": session.organisation_id,
                    "connection_id": connection_id,
                    "list_ref": one.external_id,
                    "name": one.name or one.external_id,
                }
                for one in sorted(lists, key=lambda one: one.external_id)
            ],
        )
    session.execute(
        update(known)
        .where(known.connection_id == connection_id, known.gone_at.is_(None))
        .where(known.list_ref.not_in([one.external_id for one in lists]))
        .values(gone_at=at)
    )
    line = insert(ClearingLine).values(
        organisation_id=session.organisation_id, connection_id=connection_id, lists_read_at=at
    )
    session.execute(
        line.on_conflict_do_update(index_elements=["organisation_id", "connection_id"], set_={"lists_read_at": at})
    )


def known_lists(session: ScopedSession) -> Sequence[KnownList]:
    """Return every list that is there now, by connection and name."""
    known = KnownList
    return session.scalars(
        select(known).where(known.gone_at.is_(None)).order_by(known.connection_id, func.lower(known.name))
    ).all()


def say_what_for(
    session: ScopedSession, connection_id: int, list_ref: str, purposes: Collection[str], *, actor: Actor
) -> None:
    """Say which purposes a list serves (none: nobody knows). Noes for them are carried out there from now on, and
    whoever opts out there says no to them here.

    Raises InvalidAudience (``list_ref``, ``purpose``) for a list or purpose there is not.
    """
    known = {purpose.code for purpose in purposes_to_write_for(session)}
    row = session.get(KnownList, (session.organisation_id, connection_id, list_ref))
    errors = {"list_ref": "unknown"} if row is None or row.gone_at is not None else {}
    errors |= {} if known.issuperset(purposes) else {"purpose": "unknown"}
    if row is None or errors:
        raise InvalidAudience(errors)
    row.purposes = sorted(set(purposes)) or None
    row.read_whole_at = None
    record(session, actor, "clearing.label", subject=("connection", connection_id), details={"purposes": row.purposes})
