"""Backing up the database into one file and bringing it back, whole or not at all.

A backup is PostgreSQL's own archive (``pg_dump``, one consistent moment, taken while everything runs). The keyring is
never in it: without the keyring, addresses cannot be matched and secrets cannot be read, so it is kept apart and both
are needed. Both commands work as the owner of the database, who must be able to see past the wall between
organisations (the embedded server's owner can).

Who was erased since the backup was made comes back with it, and is erased again before anybody can log in: the list of
erasures is read from the database that is replaced, and from the file outside it (``contacts/erasure/journal``).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from alembic.script import ScriptDirectory
from sqlalchemy import make_url, select, text
from sqlalchemy.orm import Session

from app import models as _models  # noqa: F401  an erasure walks every table
from app import postgres
from app.accounts.directory import organisation_ids
from app.accounts.models import DirectoryEntry
from app.contacts.erasure import journal
from app.contacts.erasure.models import Erasure
from app.db import make_engine, open_session, transaction
from app.keyring import Keyring
from app.mailings.places import unconfirm_everywhere
from app.postgres import Database, DatabaseError

LOCK_WAIT_MS = 10_000
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: how many organisations, whether this keyring is the one their hashes were made with, and how many
    people had to be erased again."""

    organisations: int
    is_keyring_right: bool
    erased_again: int = 0


def back_up(database: Database, file: Path) -> int:
    """Write everything in the database, as of one moment, to a new file; returns its size in bytes.

    The file appears under its name only when it is complete, readable by its owner alone. Raises DatabaseError where
    the file exists, where the database's user cannot see every row, or where PostgreSQL's tools fail.
    """
    if file.exists():
        raise DatabaseError(f"{file} exists already. Choose another name: a backup never overwrites one.")
    if not file.resolve().parent.is_dir():
        raise DatabaseError(f"There is no folder {file.resolve().parent}. Make it first.")
    _refuse_partial_sight(database)
    with _unfinished(file) as partial:
        _run("pg_dump", database, "--format=custom", "--no-owner", "--no-privileges", f"--file={partial}")
    return file.stat().st_size


def restore(
    database: Database, keyring: Keyring, file: Path, *, may_replace: bool = False, erasures: Path | None = None
) -> Restored:
    """Bring a backup back in one transaction, run the migrations this version adds, and erase again who was erased.

    ``erasures`` is the list outside the database; what the database that is replaced knows is added to it first. With
    another keyring nobody can be recognised, so that nobody is erased; the answer says so.

    Refuses (DatabaseError) a database in which there is an organisation, unless ``may_replace``; then everything in it
    is lost. Refuses a backup of a newer version, and waits at most ten seconds for processes that use the database.
    Where anything fails the database is as it was.
    """
    if not file.is_file():
        raise DatabaseError(f"There is no file {file}.")
    if not may_replace and _organisations(database):
        raise DatabaseError(
            "There are organisations in this database, and a restore would lose them. Restore into an empty one, or "
            "add --replace if that is what you want."
        )
    _refuse_newer(database, file)
    known = [*_erasures_in(database), *(journal.read_list(erasures) if erasures is not None else [])]
    if erasures is not None:
        journal.add_missing(erasures, known)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "restore.sql"
        with script.open("wb") as written:
            written.write(b"SET lock_timeout = %d; DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n" % LOCK_WAIT_MS)
            written.flush()  # pg_restore writes behind it, past this program's buffer
            _run("pg_restore", database, "--no-owner", "--no-privileges", "--file=-", str(file), into=written)
        _run("psql", database, "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1",
             f"--file={script}")  # fmt: skip
    postgres.upgrade(database, keyring)
    with postgres.connected(database.owner_url) as connection:
        # What was queued then may have been sent since: nothing leaves until somebody says that it may.
        unconfirm_everywhere(connection)
        connection.commit()
    if not _is_keyring_right(database, keyring):
        return Restored(_organisations(database), is_keyring_right=False)
    return Restored(
        _organisations(database), is_keyring_right=True, erased_again=_erase_again(database, keyring, known)
    )


def _erasures_in(database: Database) -> list[journal.Entry]:
    """Return the erasures of every organisation in a database that may be empty or older than this version."""
    with postgres.connected(database.owner_url) as connection:
        if connection.scalar(text("SELECT to_regclass('public.erasure')")) is None:
            return []
        with Session(connection) as session:
            return journal.entries_of(session.scalars(select(Erasure).order_by(Erasure.id)))


def _erase_again(database: Database, keyring: Keyring, entries: Sequence[journal.Entry]) -> int:
    """Carry out every erasure again, one transaction each; returns how many people that took."""
    engine = make_engine(database.app_url, pool_size=1)
    erased = 0
    try:
        with transaction(engine, None) as session:
            houses = set(organisation_ids(session))
        for entry in {(entry.organisation_id, entry.reference): entry for entry in entries}.values():
            if entry.organisation_id in houses:
                with transaction(engine, entry.organisation_id) as session:
                    erased += journal.erase_again(session, keyring, entry)
    finally:
        engine.dispose()
    return erased


def _refuse_partial_sight(database: Database) -> None:
    with postgres.connected(database.owner_url) as connection:
        sees_all = connection.scalar(text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"))
    if not sees_all:
        raise DatabaseError(
            "The database's user cannot see every organisation's rows, so that a backup would be incomplete. Set "
            "DATABASE_URL, for this command only, to a user that is superuser or has BYPASSRLS."
        )


def _refuse_newer(database: Database, file: Path) -> None:
    """Read the revision out of the backup without touching the database."""
    with tempfile.TemporaryFile() as written:
        _run("pg_restore", database, "--data-only", "--table=alembic_version", "--file=-", str(file), into=written)
        written.seek(0)
        found = re.search(rb"^COPY [^\n]*alembic_version[^\n]*\n([^\n\\]+)\n", written.read(), re.MULTILINE)
    if found is None:
        raise DatabaseError(f"{file} is no backup of Zaallicht.")
    revision = found[1].decode()
    known = {each.revision for each in ScriptDirectory(str(postgres.MIGRATIONS)).walk_revisions()}
    if revision not in known:
        raise DatabaseError(
            f"The backup was made by a newer version (its database is at {revision}). Install that version first."
        )


def _organisations(database: Database) -> int:
    with postgres.connected(database.owner_url) as connection:
        if connection.scalar(text("SELECT to_regclass('public.directory')")) is None:
            return 0
        counted = connection.scalar(text("SELECT count(*) FROM directory WHERE kind = 'organisation'"))
        return int(counted or 0)


def _is_keyring_right(database: Database, keyring: Keyring) -> bool:
    """Whether the directory's hashes are what this keyring makes of the organisations' ids."""
    engine = make_engine(database.app_url, pool_size=1)
    try:
        with open_session(engine, None) as session:
            entries = session.query(DirectoryEntry).filter(DirectoryEntry.kind == "organisation").all()
    finally:
        engine.dispose()
    return all(
        bytes(entry.lookup_hash) == keyring.lookup_hash("organisation", str(entry.organisation_id)) for entry in entries
    )


@contextmanager
def _unfinished(file: Path) -> Iterator[Path]:
    """Yield a name to write to, readable by its owner alone, that becomes the file when all went well."""
    partial = file.with_name(f"{file.name}.unfinished")
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        yield partial
        os.link(partial, file)
    except FileExistsError:
        raise DatabaseError(f"{file} exists already. Choose another name: a backup never overwrites one.") from None
    finally:
        partial.unlink()


def _run(tool: str, database: Database, *arguments: str, into: IO[bytes] | int = subprocess.DEVNULL) -> None:
    """Run one of PostgreSQL's tools on the database; raises DatabaseError with the first thing it said."""
    done = subprocess.run(  # noqa: S603  the tool is found by us, its arguments are a list
        [_find(tool, database), *arguments],
        env=os.environ | _connection_variables(database.owner_url),
        stdin=subprocess.DEVNULL,
        stdout=into,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        if any("lock timeout" in line for line in said):
            raise DatabaseError("The database is in use. Stop Zaallicht (web and workers) and try again.")
        raise DatabaseError(f"{tool} failed: {said[0] if said else 'it said nothing'}")


def _connection_variables(url: str) -> dict[str, str]:
    """Return how to connect as environment variables, so that no password shows in the list of processes."""
    parsed = make_url(url)
    given: dict[str, object] = {
        "host": parsed.host,
        "port": parsed.port,
        "user": parsed.username,
        "password": parsed.password,
        "dbname": parsed.database,
        **parsed.query,
    }
    return {variable: str(given[name]) for name, variable in _VARIABLES.items() if given.get(name)}


def _find(tool: str, database: Database) -> str:
    """Return the path of a tool that is at least as new as the server: the embedded server's own, or the system's."""
    with postgres.connected(database.owner_url) as connection:
        server = int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
    bundled = shutil.which(tool, path=str(postgres.embedded_tools()))
    for found in (bundled, shutil.which(tool)):
        if found is not None and _major(found) >= server:
            return found
    raise DatabaseError(f"{tool} of PostgreSQL {server} or newer is needed. Install your system's PostgreSQL client.")


def _major(tool: str) -> int:
    said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603  ours
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0
