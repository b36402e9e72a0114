"""Engine, sessions and the organisation scope.

Every row belongs to an organisation, and row-level security is forced: a transaction sees exactly the organisation it
was opened for, and without one it sees nothing. The application's role can neither bypass nor switch that off.
Verbs take a session and never commit; the entry point (request, heartbeat, command) opens and commits one transaction.

Tables without an organisation are few and listed in ``GLOBAL_TABLES``; they hold hashes and bookkeeping, no people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    DateTime,
    Engine,
    Insert,
    MetaData,
    Table,
    create_engine,
    event,
    literal_column,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction, mapped_column

from app import clock

Pii = Literal["none", "pseudonym", "contact", "content", "staff", "secret"]

GLOBAL_TABLES = frozenset({"directory", "login_attempt", "rate_count", "heartbeat", "alembic_version"})

INSTANT = DateTime(timezone=True)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The parent of every table."""

    metadata = MetaData(naming_convention=NAMING)


def column(*args: Any, pii: Pii, **kwargs: Any) -> Any:
    """Declare a column and what it may hold about a person.

    ``none``: nothing. ``pseudonym``: a key or hash that singles somebody out. ``contact``: data about a contact.
    ``content``: free text or payload that may hold such data. ``staff``: about people who log in. ``secret``: a
    credential. The access export and the erasure walk this registry; a column without it fails a test (I26).
    """
    return mapped_column(*args, info={"pii": pii}, **kwargs)


def make_engine(url: str, *, pool_size: int = 8, **options: Any) -> Engine:
    """Return an engine for a PostgreSQL URL; sessions work in UTC."""
    if url.startswith(("postgres://", "postgresql://")):
        url = "postgresql+psycopg://" + url.partition("://")[2]
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        # What a statement was given is about people, and must not travel with an exception into a log.
        hide_parameters=True,
        connect_args={"options": "-c timezone=UTC -c jit=off"},
        **options,
    )


def array_text(values: Iterable[object]) -> str:
    """Return values as the text of a PostgreSQL array of one dimension, for ``CAST(:name AS text[])`` and its like.

    psycopg walks a list element by element in Python; for thousands of rows this is ten times faster. None is NULL,
    bytes are hexadecimal, and everything else is quoted as its text, so that any element is only ever data.
    """
    return f"{{{','.join(map(_array_element, values))}}}"


def _array_element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    text = value if isinstance(value, str) else str(value)
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def insert_many(session: Session, statement: Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows by a thousand a statement, and so fire the table's triggers once for each thousand.

    A statement that updates on conflict must not meet one row twice among ``rows``. Without a RETURNING, SQLAlchemy
    would send every row by itself.
    """
    session.flush()
    session.connection().execute(statement.returning(literal_column("1")), list(rows)).all()


class ScopedSession(Session):
    """A session that tells PostgreSQL, at the start of every transaction, whose rows it may see."""

    @property
    def organisation_id(self) -> int:
        """The organisation this session works for; raises RuntimeError on a session without one."""
        scope = self.info.get("organisation_id")
        if scope is None:
            raise RuntimeError("this session was opened without an organisation")
        return int(scope)


@event.listens_for(ScopedSession, "after_begin")
def _enter_scope(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    scope = session.info.get("organisation_id")
    at = clock.now().isoformat() if clock.is_set() else ""
    connection.execute(
        text("SELECT set_config('zaallicht.organisation_id', :scope, true), set_config('zaallicht.now', :at, true)"),
        {"scope": "" if scope is None else str(scope), "at": at},
    )


def open_session(engine: Engine, organisation_id: int | None) -> ScopedSession:
    """Return a session that sees one organisation, or, with None, only the global tables. The caller closes it."""
    session = ScopedSession(engine, expire_on_commit=False)
    session.info["organisation_id"] = organisation_id
    return session


@contextmanager
def transaction(engine: Engine, organisation_id: int | None) -> Iterator[ScopedSession]:
    """Open one transaction for an organisation; commits at the end of the block, rolls back on any exception."""
    with open_session(engine, organisation_id) as session, session.begin():
        yield session


def enter_organisation(session: ScopedSession, organisation_id: int) -> None:
    """Scope a session, and the transaction it is in, to an organisation; for entry points that learn it on the way."""
    session.info["organisation_id"] = organisation_id
    if session.in_transaction():
        session.execute(
            text("SELECT set_config('zaallicht.organisation_id', :scope, true)"), {"scope": str(organisation_id)}
        )


def tenant_tables() -> list[Table]:
    """Return every table whose rows belong to an organisation, parents first."""
    return [table for table in Base.metadata.sorted_tables if table.name not in GLOBAL_TABLES]
