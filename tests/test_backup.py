"""A backup holds everything but the keys, and comes back whole or not at all."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from app import backup, postgres
from app.accounts.models import Organisation
from app.cli import cli
from app.db import transaction
from app.keyring import Keyring, load_keyring
from app.mailings.mail_settings import setting_of
from app.mailings.places import here
from app.postgres import Database, DatabaseError
from app.runtime import Runtime
from tests.conftest import make_house, make_user


@pytest.fixture
def elsewhere(server_url: str, keyring: Keyring) -> Iterator[Database]:
    """An empty database on the same server."""
    name = "zaallicht_elsewhere"
    with postgres.connected(server_url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = postgres.make_url(server_url).set(database=name).render_as_string(hide_password=False)
    yield postgres.addresses(url, "zaallicht_app", keyring)
    with postgres.connected(server_url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def rows(database: Database) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    with postgres.connected(database.owner_url) as connection:
        tables = connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        ).all()
        return {table: sorted(connection.scalars(text(f"SELECT t::text FROM {table} AS t")).all()) for table in tables}


def test_everything_comes_back_in_another_database(
    runtime: Runtime, database: Database, elsewhere: Database, keyring: Keyring, tmp_path: Path
) -> None:
    make_user(runtime, make_house(runtime, "De Eerste"))
    make_house(runtime, "De Tweede")
    file = tmp_path / "house.backup"
    size = backup.back_up(database, file)
    assert size == file.stat().st_size > 1000
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if "unfinished" in each.name] == []

    restored = backup.restore(elsewhere, keyring, file)

    assert restored == backup.Restored(organisations=2, is_keyring_right=True)
    assert rows(elsewhere) == rows(database)
    with postgres.connected(elsewhere.app_url) as connection:
        assert connection.scalar(text("SELECT count(*) FROM organisation")) == 0, "the wall is up again"


def test_a_backup_never_overwrites_a_file(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "house.backup"
    file.write_text("something else")
    with pytest.raises(DatabaseError, match="exists already"):
        backup.back_up(database, file)
    assert file.read_text() == "something else"
    with pytest.raises(DatabaseError, match="no folder"):
        backup.back_up(database, tmp_path / "nowhere" / "house.backup")


def test_a_restore_loses_no_organisation_unless_told_to(
    runtime: Runtime, database: Database, keyring: Keyring, tmp_path: Path
) -> None:
    make_house(runtime, "De Eerste")
    file = tmp_path / "house.backup"
    backup.back_up(database, file)
    make_house(runtime, "De Tweede")
    runtime.engine.dispose()
    before = rows(database)
    with pytest.raises(DatabaseError, match="--replace"):
        backup.restore(database, keyring, file)
    assert rows(database) == before
    assert backup.restore(database, keyring, file, may_replace=True).organisations == 1


def test_a_restore_that_fails_leaves_the_database_as_it_was(
    runtime: Runtime, database: Database, keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_house(runtime, "De Eerste")
    file = tmp_path / "house.backup"
    backup.back_up(database, file)
    make_house(runtime, "De Tweede")
    before = rows(database)
    torn = tmp_path / "torn.backup"
    torn.write_bytes(file.read_bytes()[:-400])
    with pytest.raises(DatabaseError, match="pg_restore failed"):
        backup.restore(database, keyring, torn, may_replace=True)
    assert rows(database) == before

    monkeypatch.setattr(backup, "LOCK_WAIT_MS", 200)
    with transaction(runtime.engine, None) as session:
        session.execute(text("SELECT count(*) FROM contact"))
        with pytest.raises(DatabaseError, match="in use"):
            backup.restore(database, keyring, file, may_replace=True)
    assert rows(database) == before


def test_what_is_no_backup_or_too_new_is_refused_before_anything_happens(
    runtime: Runtime, database: Database, elsewhere: Database, keyring: Keyring, tmp_path: Path
) -> None:
    with pytest.raises(DatabaseError, match="There is no file"):
        backup.restore(elsewhere, keyring, tmp_path / "missing")
    (tmp_path / "letter.txt").write_text("Beste,")
    with pytest.raises(DatabaseError, match="pg_restore failed"):
        backup.restore(elsewhere, keyring, tmp_path / "letter.txt")
    with postgres.connected(database.owner_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.commit()
    backup.back_up(database, tmp_path / "newer.backup")
    with pytest.raises(DatabaseError, match="newer version"):
        backup.restore(elsewhere, keyring, tmp_path / "newer.backup")
    assert rows(elsewhere) == {}


def test_another_keyring_is_noticed(
    runtime: Runtime, organisation: Organisation, database: Database, elsewhere: Database, tmp_path: Path
) -> None:
    file = tmp_path / "house.backup"
    backup.back_up(database, file)
    with postgres.connected(elsewhere.owner_url) as connection:
        connection.execute(text("CREATE ROLE zaallicht_other"))
        connection.commit()
    try:
        stranger = load_keyring(tmp_path / "another.json")
        other = postgres.addresses(elsewhere.owner_url, "zaallicht_other", stranger)
        assert not backup.restore(other, stranger, file).is_keyring_right
    finally:
        with postgres.connected(elsewhere.owner_url) as connection:
            connection.execute(text("DROP OWNED BY zaallicht_other"))
            connection.execute(text("DROP ROLE zaallicht_other"))
            connection.commit()


def test_a_user_who_does_not_see_everything_makes_no_backup(database: Database, tmp_path: Path) -> None:
    """A dump that row-level security had thinned out would look like a backup and be none."""
    as_application = Database(database.app_url, database.app_url, database.app_role)
    with pytest.raises(DatabaseError, match="BYPASSRLS"):
        backup.back_up(as_application, tmp_path / "house.backup")
    assert list(tmp_path.glob("house*")) == []


def test_no_password_is_on_the_command_line(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def run(command: list[str], **more: object) -> object:
        seen.append(command)
        return ran(command, **more)  # type: ignore[call-overload]

    ran = backup.subprocess.run
    monkeypatch.setattr(backup.subprocess, "run", run)
    url = postgres.make_url(database.owner_url).set(password="geheim woord")
    backup.back_up(Database(url.render_as_string(hide_password=False), database.app_url, "x"), tmp_path / "a.backup")
    assert len(seen) == 2
    assert "geheim" not in repr(seen)


def test_the_commands_say_what_they_did_and_where_the_keys_are(
    runtime: Runtime, database: Database, tmp_path: Path
) -> None:
    make_house(runtime, "De Eerste")
    runtime.engine.dispose()
    environment = {
        "DATABASE_URL": database.owner_url,
        "ZAALLICHT_STATE_DIR": str(tmp_path),
        "ZAALLICHT_KEYRING": str(tmp_path / "keys.json"),
    }
    file = tmp_path / "house.backup"
    made = CliRunner().invoke(cli, ["db", "backup", str(file)], env=environment)
    assert made.exit_code == 0, made.output
    assert "keys.json" in made.output
    assert str(file) in made.output
    refused = CliRunner().invoke(cli, ["db", "restore", str(file)], env=environment)
    assert isinstance(refused.exception, DatabaseError)
    assert "--replace" in str(refused.exception)


def test_after_a_restore_no_house_mails_until_somebody_confirms(
    runtime: Runtime, database: Database, keyring: Keyring, tmp_path: Path
) -> None:
    house = make_house(runtime, "De Eerste")
    with transaction(runtime.engine, house.id) as session:
        assert setting_of(session, runtime.settings).confirmed_place == here(session, runtime.settings)
    file = tmp_path / "house.backup"
    backup.back_up(database, file)
    runtime.engine.dispose()
    backup.restore(database, keyring, file, may_replace=True)
    with transaction(runtime.engine, house.id) as session:
        assert setting_of(session, runtime.settings).confirmed_place is None
