"""Promises about the shape of the database itself."""

from __future__ import annotations

import pytest
from alembic import command
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app import models, postgres
from app.accounts.models import Organisation
from app.db import GLOBAL_TABLES, ScopedSession, tenant_tables, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from tests.conftest import make_house
from tests.structure.furnishing import furnish


def test_models_and_migrations_agree(database: postgres.Database) -> None:
    with postgres.connected(database.owner_url) as connection:
        command.check(postgres.alembic_config(connection))


def test_migrations_go_down_and_up_with_rows_in_the_tables(
    database: postgres.Database, runtime: Runtime, keyring: Keyring
) -> None:
    house = make_house(runtime, "Het Pand")
    marks = furnish(runtime, house.id)
    with postgres.connected(database.owner_url) as connection:
        # Down to the first and up again, with a row in every table it made: none may be in the way, none may be lost.
        command.downgrade(postgres.alembic_config(connection), "0001")
        connection.commit()
    postgres.upgrade(database, keyring)
    with transaction(runtime.engine, house.id) as session:
        kept = {table.name for table in tenant_tables() if session.scalar(select(func.count()).select_from(table))}
    assert {"contact", "identity", "participation", "consent_event", "permission", "segment", "audience"} <= kept
    assert kept <= set(marks.counts) | {"audit_event"}
    with postgres.connected(database.owner_url) as connection:
        command.downgrade(postgres.alembic_config(connection), "base")
        connection.commit()
        left = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    assert set(left) <= {"alembic_version"}
    postgres.upgrade(database, keyring)
    make_house(runtime, "Het Pand")


def test_there_is_one_line_of_migrations() -> None:
    assert len(postgres.ScriptDirectory(str(postgres.MIGRATIONS)).get_heads()) == 1


def test_every_table_of_an_organisation_is_walled(database: postgres.Database) -> None:
    with postgres.connected(database.owner_url) as connection:
        rows = connection.execute(
            text(
                "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,"
                " EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)"
                " FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
            )
        ).all()
    unwalled = {name for name, is_forced, has_policy in rows if not (is_forced and has_policy)}
    assert unwalled == set(GLOBAL_TABLES)


def test_keys_begin_with_the_organisation() -> None:
    for table in tenant_tables():
        if table.name == "organisation":
            continue
        assert next(iter(table.primary_key.columns)).name == "organisation_id", table.name
        for constraint in table.foreign_key_constraints:
            first = constraint.column_keys[0]
            assert first == "organisation_id", f"{table.name}.{constraint.name}"
        for index in table.indexes:
            if index.unique:
                assert next(iter(index.columns)).name == "organisation_id", index.name


def test_every_column_says_what_it_may_hold_about_a_person() -> None:
    unclassified = [
        f"{table.name}.{column.name}"
        for table in models.metadata.sorted_tables
        for column in table.columns
        if column.info.get("pii") not in {"none", "pseudonym", "contact", "content", "staff", "secret"}
    ]
    assert unclassified == []


def test_the_application_role_cannot_bypass_the_wall(session: ScopedSession) -> None:
    row = session.execute(
        text("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
    ).one()
    assert row == (False, False, False)
    with pytest.raises(DBAPIError, match="owner"):
        session.execute(text("ALTER TABLE contact DISABLE ROW LEVEL SECURITY"))
    session.rollback()


def test_without_an_organisation_nothing_is_seen(runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, None) as nobody:
        for table in tenant_tables():
            assert nobody.scalar(text(f"SELECT count(*) FROM {table.name}")) == 0, table.name


@pytest.mark.parametrize("table", postgres.APPEND_ONLY)
def test_facts_cannot_be_changed_even_by_the_owner(database: postgres.Database, table: str) -> None:
    with postgres.connected(database.owner_url) as connection, pytest.raises(DBAPIError, match="facts"):
        connection.execute(text(f"TRUNCATE {table} CASCADE"))
