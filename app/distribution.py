"""Spreading the tables of all houses over several machines, with Citus.

Every row belongs to an organisation, and its number is the first column of every key (decision 2), so it is what tables
are spread by: all rows of one house lie on one machine, and every statement of a house runs there. The few tables
without an organisation are copied to all.

Not tried on a cluster yet: the plan is tested, Citus itself is not at hand in the tests. Citus calls triggers on spread
tables unsafe because they may reach rows elsewhere; ours reach rows of the same organisation only.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from app import models as _models  # noqa: F401  every table is known
from app.db import GLOBAL_TABLES, Base, tenant_tables
from app.postgres import Database, DatabaseError, connected

FIRST = "organisation"


def plan() -> Iterator[tuple[str, str]]:
    """Yield (table, statement) for every table, those without an organisation first, then parents before children."""
    for table in Base.metadata.sorted_tables:
        if table.name in GLOBAL_TABLES:
            yield table.name, f"SELECT create_reference_table('{table.name}')"
    yield FIRST, f"SELECT create_distributed_table('{FIRST}', 'id')"
    for table in tenant_tables():
        if table.name != FIRST:
            how = f"'{table.name}', 'organisation_id', colocate_with => '{FIRST}'"
            yield table.name, f"SELECT create_distributed_table({how})"


def distribute(database: Database) -> int:
    """Spread every table that is not spread yet; returns how many were. All of them, or none.

    Raises DatabaseError where the server has no Citus.
    """
    with connected(database.owner_url) as connection:
        if not connection.scalar(text("SELECT count(*) FROM pg_available_extensions WHERE name = 'citus'")):
            raise DatabaseError(
                "This server has no Citus, so its tables stay on one machine, which carries a million contacts. To"
                " spread them, point DATABASE_URL at the coordinator of a Citus cluster and run this again."
            )
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS citus"))
        connection.execute(text("SET LOCAL citus.enable_unsafe_triggers = on"))
        spread = _spread_already(connection)
        waiting = [statement for table, statement in plan() if table not in spread]
        for statement in waiting:
            connection.execute(text(statement))
        connection.commit()
    return len(waiting)


def _spread_already(connection: Connection) -> set[str]:
    return set(connection.scalars(text("SELECT logicalrelid::regclass::text FROM pg_dist_partition")))
