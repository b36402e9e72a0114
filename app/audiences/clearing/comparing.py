"""The nightly comparison: every list that no audience reads is read whole, once a day, and held against the ledger.

Lists of audiences are read whole by their own runs. A list nobody has said anything about brings no noes home, for
nobody knows what they would be about; but whoever said no here is taken off it.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import ColumnElement, or_, select, update

from app import clock
from app.audiences.batches import batched
from app.audiences.clearing.lists import remember_lists
from app.audiences.clearing.models import ClearingLine, KnownList
from app.audiences.destinations import lent_destination
from app.audiences.held_out import heard_of_state, note_heard
from app.audiences.models import Audience
from app.audiences.work import ListPlace
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.connections import UnknownConnection
from app.sync.models import Connection
from integrations.base import ConnectorError, Destination

log = structlog.get_logger()

LISTS_READ_EVERY = timedelta(hours=1)
READ_WHOLE_EVERY = timedelta(hours=24)
STATES_PER_COMMIT = 1_000


def compare_lists(runtime: Runtime, organisation_id: int) -> int:
    """Read what is due in a house, and return how many lists that were. Idempotent, with any number of workers."""
    with transaction(runtime.engine, organisation_id) as session:
        due = _due_connections(session)
    return sum(_compare(runtime, organisation_id, connection_id) for connection_id in due)


def _due_connections(session: ScopedSession) -> list[int]:
    now, line, known = clock.now(), ClearingLine, KnownList
    stale_lists = or_(line.lists_read_at.is_(None), line.lists_read_at <= now - LISTS_READ_EVERY)
    unread = select(known.list_ref).where(known.connection_id == Connection.id, *_unread()).exists()
    return list(
        session.scalars(
            select(Connection.id)
            .outerjoin(line, line.connection_id == Connection.id)
            .where(Connection.kind == "destination", Connection.state != "removed", or_(stale_lists, unread))
            .order_by(Connection.id)
        )
    )


def _unread() -> tuple[ColumnElement[bool], ...]:
    known = KnownList
    has_audience = (
        select(Audience.id)
        .where(Audience.connection_id == known.connection_id, Audience.list_ref == known.list_ref)
        .where(Audience.state.in_(("active", "paused")))
        .exists()
    )
    is_due = or_(known.read_whole_at.is_(None), known.read_whole_at <= clock.now() - READ_WHOLE_EVERY)
    return known.gone_at.is_(None), is_due, ~has_audience


def _compare(runtime: Runtime, organisation_id: int, connection_id: int) -> int:
    """Read one destination's lists; what it does wrong is told by whatever carries noes there, or reads it next."""
    try:
        with lent_destination(runtime, organisation_id, connection_id) as destination:
            lists = destination.lists()
            with transaction(runtime.engine, organisation_id) as session:
                remember_lists(session, connection_id, lists, at=clock.now())
                places = _places_to_read(session, connection_id)
            for place in places:
                _read_whole(runtime, organisation_id, place, destination)
    except (ConnectorError, UnknownConnection) as problem:
        log.warning("lists not compared", connection_id=connection_id, problem=type(problem).__name__)
        return 0
    return len(places)


def _places_to_read(session: ScopedSession, connection_id: int) -> list[ListPlace]:
    system = session.scalars(select(Connection.system).where(Connection.id == connection_id)).one()
    known = KnownList
    refs = session.scalars(
        select(known.list_ref).where(known.connection_id == connection_id, *_unread()).order_by(known.list_ref)
    )
    return [ListPlace(connection_id, list_ref, system) for list_ref in refs]


def _read_whole(runtime: Runtime, organisation_id: int, place: ListPlace, destination: Destination) -> None:
    began_at, is_first_look = clock.now(), _was_never_read(runtime, organisation_id, place)
    for states in batched(destination.changed_members(place.list_ref, None), STATES_PER_COMMIT):
        heard = [one for state in states if (one := heard_of_state(state, is_first_look=is_first_look)) is not None]
        with transaction(runtime.engine, organisation_id) as session:
            note_heard(session, runtime.keyring, place, heard, at=clock.now())
    with transaction(runtime.engine, organisation_id) as session:
        session.execute(
            update(KnownList)
            .where(KnownList.connection_id == place.connection_id, KnownList.list_ref == place.list_ref)
            .values(read_whole_at=began_at)
        )


def _was_never_read(runtime: Runtime, organisation_id: int, place: ListPlace) -> bool:
    with transaction(runtime.engine, organisation_id) as session:
        row = session.get(KnownList, (organisation_id, place.connection_id, place.list_ref))
        return row is None or row.read_whole_at is None
