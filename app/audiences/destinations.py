"""From a connection to the destination it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.audiences.files.folder import HouseFolder
from app.audiences.models import Audience
from app.audiences.work import ListPlace
from app.db import transaction
from app.runtime import Runtime
from app.sync.connections import close, get_connection, open_destination, open_taker
from app.sync.models import Connection
from integrations.base import Destination, DestinationList, OptOutTaker
from integrations.catalogue import system_named


@contextmanager
def lent_destination(runtime: Runtime, organisation_id: int, connection_id: int) -> Iterator[Destination]:
    """Open a destination for the length of the block, with no transaction left open.

    Raises UnknownConnection, or Permanent where the connection is no destination.
    """
    with transaction(runtime.engine, organisation_id) as session:
        connection = get_connection(session, connection_id)
    destination = _on_own_folder(runtime, connection) or open_destination(
        runtime.keyring, connection, allows_loopback=runtime.settings.allow_loopback_connections
    )
    try:
        yield destination
    finally:
        close(destination)


@contextmanager
def lent_taker(runtime: Runtime, organisation_id: int, connection_id: int) -> Iterator[OptOutTaker]:
    """Open whatever opt-outs are carried to, as ``lent_destination`` does.

    Raises UnknownConnection, or Permanent where the connection takes none.
    """
    with transaction(runtime.engine, organisation_id) as session:
        connection = get_connection(session, connection_id)
    taker = _on_own_folder(runtime, connection) or open_taker(
        runtime.keyring, connection, allows_loopback=runtime.settings.allow_loopback_connections
    )
    try:
        yield taker
    finally:
        close(taker)


def _on_own_folder(runtime: Runtime, connection: Connection) -> Destination | None:
    """The destination whose files are kept here, for people to fetch; None for every other system."""
    system = system_named(connection.system)
    if system.open_on_folder is None:
        return None
    folder = HouseFolder(runtime, connection.organisation_id, connection.id)
    return system.open_on_folder(folder, connection.settings)


def place_of(runtime: Runtime, audience: Audience) -> ListPlace:
    """Return the list an audience is on. Raises UnknownConnection."""
    with transaction(runtime.engine, audience.organisation_id) as session:
        connection = get_connection(session, audience.connection_id)
        return ListPlace(connection.id, audience.list_ref, connection.system)


def read_lists(runtime: Runtime, organisation_id: int, connection_id: int) -> Sequence[DestinationList]:
    """Return the lists a connection offers, asked of the system itself: never inside a transaction.

    Raises ConnectorError or UnknownConnection.
    """
    with lent_destination(runtime, organisation_id, connection_id) as destination:
        return sorted(destination.lists(), key=lambda one: one.name.lower())


def read_fields(runtime: Runtime, organisation_id: int, connection_id: int, *, list_ref: str) -> Sequence[str]:
    """Return the tags of a list's fields, asked of the system itself. Raises as ``read_lists``."""
    with lent_destination(runtime, organisation_id, connection_id) as destination:
        return sorted(destination.field_tags(list_ref))
