"""One database for test after test, emptied in between, as long as nobody changed more than rows.

Making a database and opening connections to it costs more than most tests do: every new server process reads the
whole catalogue again. So each test gets the last one's database without its rows, and the same connections. Where
anything else changed (a table, a function, a right, a database that a restore replaced), it gets a new one.
"""

from __future__ import annotations

import os

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from app import postgres
from app.db import make_engine
from app.keyring import Keyring

TEMPLATE = "zaallicht_template"
ROLE = "zaallicht_app"

# What a test may not leave behind in the schema. Statistics do not count, nor tables that live as long as a connection.
_SHAPE = text("""
    WITH ours AS (
        SELECT oid, relname, relacl, reloptions, relkind, relrowsecurity, relforcerowsecurity FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
    )
    SELECT md5(concat_ws('|',
        (SELECT string_agg(concat_ws(',', relname, relacl, reloptions, relkind, relrowsecurity, relforcerowsecurity),
                           ';' ORDER BY relname) FROM ours),
        (SELECT count(*) || ':' || max(a.xmin::text::bigint) FROM pg_attribute a JOIN ours ON ours.oid = a.attrelid),
        (SELECT count(*) || ':' || max(xmin::text::bigint) FROM pg_proc),
        (SELECT count(*) || ':' || max(xmin::text::bigint) FROM pg_trigger),
        (SELECT count(*) || ':' || max(xmin::text::bigint) FROM pg_constraint),
        (SELECT count(*) || ':' || max(xmin::text::bigint) FROM pg_policy),
        (SELECT count(*) || ':' || max(xmin::text::bigint) FROM pg_rewrite),
        (SELECT string_agg(version_num, ',') FROM alembic_version),
        (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_'),
        (SELECT string_agg(setconfig::text, ';') FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
         WHERE d.datname = current_database())))
""")

# Whoever is not one of the kept connections at rest goes: a worker left behind, a lock that outlives its transaction.
_SEND_OTHERS_AWAY = text("""
    SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
      AND (application_name <> :kept OR state <> 'idle'
           OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))
""")

# Triggers and keys rest meanwhile, so that the order does not matter and nothing is noted about what goes. A large
# table is cut off, because its dead rows would slow whoever comes next, and with it what refers to it: that goes too.
_EMPTY = text("""
    DO $$
    DECLARE
        each record;
        large text;
    BEGIN
        SET LOCAL session_replication_role = replica;
        SELECT string_agg(oid::regclass::text, ', ') INTO large FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
          AND pg_relation_size(oid) > 400000;
        IF large IS NOT NULL THEN EXECUTE 'TRUNCATE ' || large || ' CASCADE'; END IF;
        FOR each IN SELECT oid::regclass AS name FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
              AND pg_relation_size(oid) > 0
        LOOP
            EXECUTE format('DELETE FROM %s', each.name);
        END LOOP;
        PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
        FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
    END $$
""")


class KeptDatabase:
    """The database of one test process, and the connections of the application to it.

    ``template`` is what it is a copy of: whatever changes there before the first test, every test finds.
    """

    def __init__(self, server_url: str, keyring: Keyring) -> None:
        self._server_url = server_url
        self._keyring = keyring
        self._administrator = make_engine(server_url, pool_size=1).connect()
        self._administrator.execution_options(isolation_level="AUTOCOMMIT")
        self._name = f"zaallicht_test_{os.getpid()}"
        self._inside: Connection | None = None
        self._engine: Engine | None = None
        self._shape: str | None = None
        self._database: postgres.Database | None = None
        self._recreate(TEMPLATE, "")
        self.template = postgres.addresses(self._url(TEMPLATE), ROLE, keyring)
        postgres.upgrade(self.template, keyring)

    def emptied(self) -> postgres.Database:
        """Return the addresses of a database as the migrations leave one."""
        if not self._is_empty_again():
            self._anew()
        assert self._database is not None
        return self._database

    def engine(self) -> Engine:
        """Return the application's engine: its connections are kept, listeners of a test are not."""
        assert self._engine is not None
        return self._engine.execution_options()

    def close(self) -> None:
        """Close every connection."""
        self._let_go()
        self._administrator.close()
        self._administrator.engine.dispose()

    def _anew(self) -> None:
        self._let_go()
        self._recreate(self._name, f" TEMPLATE {TEMPLATE}")
        self._database = postgres.addresses(self._url(self._name), ROLE, self._keyring)
        kept = make_url(self._database.app_url).update_query_dict({"application_name": self._name})
        self._engine = make_engine(kept.render_as_string(hide_password=False))
        self._inside = make_engine(self._database.owner_url, pool_size=1).connect()
        self._inside.execution_options(isolation_level="AUTOCOMMIT")
        self._shape = self._inside.scalar(_SHAPE)

    def _is_empty_again(self) -> bool:
        if self._inside is None or self._engine is None or self._engine.pool.checkedout():  # type: ignore[attr-defined]
            return False
        try:
            self._inside.execute(_SEND_OTHERS_AWAY, {"kept": self._name})
            if self._inside.scalar(_SHAPE) != self._shape:
                return False
            self._inside.execute(_EMPTY)
        except DBAPIError:
            return False
        return True

    def _let_go(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        if self._inside is not None:
            engine = self._inside.engine
            self._inside.close()
            engine.dispose()
        self._inside = self._engine = None

    def _recreate(self, name: str, options: str) -> None:
        self._administrator.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        self._administrator.execute(text(f"CREATE DATABASE {name}{options}"))

    def _url(self, name: str) -> str:
        return make_url(self._server_url).set(database=name).render_as_string(hide_password=False)
