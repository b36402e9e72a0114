"""The folder of a connection whose files are kept here: rows of a table, encrypted."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.audiences.files.models import AudienceFile
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from app.sync.models import Connection


class HouseFolder:
    """A ``Folder`` of one connection. Every call is a transaction of its own, so none is open between two."""

    def __init__(self, runtime: Runtime, organisation_id: int, connection_id: int) -> None:
        self._runtime, self._organisation_id, self._connection_id = runtime, organisation_id, connection_id

    def check(self) -> str:
        """The folder is always there."""
        return "CSV"

    def names(self) -> Sequence[str]:
        """Return the names of the files there."""
        with transaction(self._runtime.engine, self._organisation_id) as session:
            return [row.name for row in files_of(session, self._connection_id)]

    def read(self, name: str) -> bytes | None:
        """Return what a file holds; None where there is none of that name."""
        with transaction(self._runtime.engine, self._organisation_id) as session:
            return read_file(session, self._runtime.keyring, self._connection_id, name)

    def write(self, name: str, content: bytes) -> None:
        """Put a file in its place, whole."""
        with transaction(self._runtime.engine, self._organisation_id) as session:
            write_file(session, self._runtime.keyring, self._connection_id, name, content=content)

    def remove(self, name: str) -> None:
        """Take a file away."""
        with transaction(self._runtime.engine, self._organisation_id) as session:
            session.execute(
                delete(AudienceFile).where(AudienceFile.connection_id == self._connection_id, AudienceFile.name == name)
            )

    def close(self) -> None:
        """Nothing is held open."""
        return


def files_of(session: ScopedSession, connection_id: int) -> Sequence[AudienceFile]:
    """Return the files of a connection, by name; their content only when it is asked for."""
    row = AudienceFile
    return session.scalars(select(row).where(row.connection_id == connection_id).order_by(row.name)).all()


def read_file(session: ScopedSession, keyring: Keyring, connection_id: int, name: str) -> bytes | None:
    """Return what a file holds; None where there is none of that name."""
    held = session.get(AudienceFile, (session.organisation_id, connection_id, name), populate_existing=True)
    if held is None:
        return None
    return zlib.decompress(base64.b64decode(keyring.decrypted(held.content_encrypted)))


def write_file(session: ScopedSession, keyring: Keyring, connection_id: int, name: str, *, content: bytes) -> None:
    """Put a file in the place of another, or beside the others."""
    row = {
        "content_encrypted": keyring.encrypted(base64.b64encode(zlib.compress(content)).decode()),
        "size_bytes": len(content),
        "changed_at": clock.now(),
    }
    session.execute(
        insert(AudienceFile)
        .values(organisation_id=session.organisation_id, connection_id=connection_id, name=name, **row)
        .on_conflict_do_update(index_elements=["organisation_id", "connection_id", "name"], set_=row)
    )


def forget_removed(runtime: Runtime, organisation_id: int) -> int:
    """Take away the files of connections that were removed; returns how many."""
    gone = select(Connection.id).where(Connection.state == "removed")
    with transaction(runtime.engine, organisation_id) as session:
        taken = session.scalars(
            delete(AudienceFile).where(AudienceFile.connection_id.in_(gone)).returning(AudienceFile.name)
        ).all()
    return len(taken)
