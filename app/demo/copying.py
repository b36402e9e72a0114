"""Many rows into a table fast, inside the caller's transaction and inside the wall between organisations.

PostgreSQL refuses COPY into a table under row-level security, so rows are copied into a temporary table that ends with
the transaction and inserted from there: the policies check every row, and memory holds no more than one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import text

from app.db import ScopedSession


class Loader:
    """Collects rows for one table and stores them batch by batch; the caller calls ``flush`` at the end."""

    def __init__(self, session: ScopedSession, table: str, columns: Sequence[str]) -> None:
        """Make room for rows of ``columns`` (``organisation_id`` is filled in)."""
        self._session = session
        self._table = sql.Identifier(table)
        self._staging = sql.Identifier(f"loading_{table}")
        self._columns = sql.SQL(", ").join(map(sql.Identifier, columns))
        self._rows: list[Sequence[Any]] = []
        self.stored = 0
        self._execute(
            sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
                self._staging, self._columns, self._table
            )
        )

    def add(self, row: Sequence[Any]) -> None:
        """Take one row, its values in the order of the columns."""
        self._rows.append(row)

    def flush(self) -> None:
        """Store what was taken since the last time."""
        if not self._rows:
            return
        with _cursor(self._session) as cursor:
            into = sql.SQL("COPY {} ({}) FROM STDIN").format(self._staging, self._columns)
            with cursor.copy(into) as copy:
                for row in self._rows:
                    copy.write_row(row)
        self._execute(
            sql.SQL(
                "INSERT INTO {table} (organisation_id, {columns}) SELECT {organisation}, {columns} FROM {staging}"
            ).format(
                table=self._table,
                columns=self._columns,
                organisation=sql.Literal(self._session.organisation_id),
                staging=self._staging,
            )
        )
        self._execute(sql.SQL("TRUNCATE {}").format(self._staging))
        self.stored += len(self._rows)
        self._rows.clear()

    def _execute(self, statement: sql.Composed) -> None:
        with _cursor(self._session) as cursor:
            cursor.execute(statement)


def reserve_ids(session: ScopedSession, table: str, count: int) -> list[int]:
    """Return ``count`` fresh ids of a table, ascending; nobody else will get them."""
    rows = session.scalars(
        text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)"),
        {"table": table, "count": count},
    )
    return sorted(rows)


def _cursor(session: ScopedSession) -> psycopg.Cursor[Any]:
    connection = session.connection().connection.driver_connection
    if not isinstance(connection, psycopg.Connection):
        raise TypeError("rows are copied over a psycopg connection")
    return connection.cursor()
