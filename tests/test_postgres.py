"""A database server that is not ours: an owner who is no superuser, with and without the right to create roles."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from app import postgres
from app.config import Settings
from app.db import make_engine, transaction
from app.keyring import Keyring
from app.postgres import DatabaseError
from app.runtime import Runtime
from tests.conftest import make_house

OWNER, APPLICATION, NAME = "house_owner", "house_application", "house_of_its_own"

MakeDatabase = Callable[[str], postgres.Database]


@pytest.fixture
def make_database(server_url: str, keyring: Keyring) -> Iterator[MakeDatabase]:
    """A function that makes an empty database whose owner has the given attributes."""

    def as_superuser(*statements: str) -> None:
        with postgres.connected(server_url) as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            for statement in statements:
                connection.execute(text(statement))

    def make(attributes: str) -> postgres.Database:
        as_superuser(
            f"CREATE ROLE {OWNER} LOGIN {attributes} PASSWORD 'eigenaar'", f"CREATE DATABASE {NAME} OWNER {OWNER}"
        )
        url = postgres.make_url(server_url).set(database=NAME, username=OWNER, password="eigenaar")
        return postgres.addresses(url.render_as_string(hide_password=False), APPLICATION, keyring)

    yield make
    as_superuser(
        f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)",
        f"DROP ROLE IF EXISTS {APPLICATION}",
        f"DROP ROLE IF EXISTS {OWNER}",
    )


def found_two_houses(database: postgres.Database, keyring: Keyring) -> tuple[int, int]:
    """Make two houses and return how many the first can see of itself and of the other."""
    engine = make_engine(database.app_url)
    held = Runtime(Settings(), keyring, engine)
    try:
        mine, other = make_house(held, "De Eerste"), make_house(held, "De Tweede")
        with transaction(engine, mine.id) as session:
            count = text("SELECT count(*) FROM organisation WHERE id = :id")
            return session.scalar(count, {"id": mine.id}) or 0, session.scalar(count, {"id": other.id}) or 0
    finally:
        engine.dispose()


def test_an_owner_who_may_create_roles_gets_an_application_role_and_keeps_it_up(
    make_database: MakeDatabase, keyring: Keyring
) -> None:
    database = make_database("CREATEROLE")
    postgres.upgrade(database, keyring)
    postgres.upgrade(database, keyring)
    assert database.app_role == APPLICATION
    assert found_two_houses(database, keyring) == (1, 0)
    with postgres.connected(database.app_url) as connection:
        rights = connection.execute(
            text(
                "SELECT current_user, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb"
                " FROM pg_roles WHERE rolname = current_user"
            )
        ).one()
    assert rights == (APPLICATION, False)


def test_an_owner_who_may_not_create_roles_is_walled_in_itself(make_database: MakeDatabase, keyring: Keyring) -> None:
    database = make_database("")
    postgres.upgrade(database, keyring)
    postgres.upgrade(database, keyring)
    assert database.app_url == database.owner_url
    assert found_two_houses(database, keyring) == (1, 0)


def test_an_owner_who_sees_through_the_wall_is_refused_as_the_application(
    make_database: MakeDatabase, keyring: Keyring
) -> None:
    database = make_database("BYPASSRLS")
    with pytest.raises(DatabaseError, match="row-level security"):
        postgres.upgrade(database, keyring)


def test_an_application_role_that_was_given_too_much_is_refused(
    make_database: MakeDatabase, keyring: Keyring, server_url: str
) -> None:
    database = make_database("CREATEROLE")
    postgres.upgrade(database, keyring)
    with postgres.connected(server_url) as connection:
        connection.execute(text(f"ALTER ROLE {APPLICATION} BYPASSRLS"))
        connection.commit()
    with pytest.raises(DatabaseError, match="bypass"):
        postgres.refuse_bypass(database)


@pytest.mark.parametrize("url", ["nothing", "mysql://user:password@localhost/database"])
def test_an_address_that_is_none_is_said_with_an_example(url: str, keyring: Keyring) -> None:
    with pytest.raises(DatabaseError, match="postgresql://user:password@host/database"):
        postgres.addresses(url, APPLICATION, keyring)


def test_a_database_that_is_not_there_is_said_without_the_password(server_url: str, keyring: Keyring) -> None:
    url = postgres.make_url(server_url).set(database="nowhere")
    with pytest.raises(DatabaseError, match='"nowhere" does not exist') as told:
        postgres.addresses(url.render_as_string(hide_password=False), APPLICATION, keyring)
    assert "://" not in str(told.value)


def test_a_database_that_compares_ascii_only_is_refused_with_what_to_do(server_url: str, keyring: Keyring) -> None:
    with postgres.connected(server_url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("CREATE DATABASE ascii_only TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'"))
    url = postgres.make_url(server_url).set(database="ascii_only").render_as_string(hide_password=False)
    with pytest.raises(DatabaseError, match="CREATE DATABASE"):
        postgres.addresses(url, APPLICATION, keyring)


def test_a_user_who_may_not_make_tables_is_told_so(
    make_database: MakeDatabase, server_url: str, keyring: Keyring
) -> None:
    database = make_database("NOCREATEROLE")
    with postgres.connected(server_url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text(f"ALTER DATABASE {NAME} OWNER TO CURRENT_USER"))
    with pytest.raises(DatabaseError, match="ALTER DATABASE"):
        postgres.upgrade(database, keyring)


def test_no_statement_of_ours_needs_a_newer_postgresql_than_we_promise() -> None:
    """PostgreSQL 15 knows no underscores in numbers; on a newer one only this test would see them."""
    folder = postgres.MIGRATIONS.parent
    for path in (*folder.glob("app/**/*.py"), *folder.glob("migrations/**/*.py")):
        for literal in (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)):
            if isinstance(literal, str) and re.search(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE)\b", literal):
                assert not re.search(r"\b\d+_\d", literal), path.name
