"""What every test may ask for: a database of its own with real commits, a house in it, and a browser-less client."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import text

from app import clock, create_app, postgres
from app.accounts import users
from app.accounts.models import Organisation, User
from app.accounts.users import create_user
from app.config import Settings
from app.db import ScopedSession, transaction
from app.insights.founding import found_house
from app.keyring import Keyring, load_keyring
from app.runtime import Runtime
from tests import needs
from tests.kept_database import KeptDatabase

pytest_plugins = ["tests.standins.fixtures"]

# Three weeks before Christmas: a Friday, with a season half-way and daylight saving time behind us.
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PASSWORD = "een lang wachtwoord"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with clock.set_to(NOW):
        yield


@pytest.fixture(scope="session", autouse=True)
def _passwords_in_no_time() -> Iterator[None]:
    """A log-in as slow to try as ours would cost the suite minutes; ``tests/accounts`` holds the real strength."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(users, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return load_keyring(tmp_path_factory.mktemp("keys") / "keyring.json")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL server for the whole run: TEST_DATABASE_URL where set, else an embedded one of its own."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="zaallicht-test-"))
    server = postgres.start_embedded(folder)
    with postgres.connected(server.get_uri()) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        # Nothing here has to survive a power cut, and everything has to be fast.
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "max_connections = 200"):
            connection.execute(text(f"ALTER SYSTEM SET {setting.replace(' = ', ' TO ')}"))
        connection.execute(text("SELECT pg_reload_conf()"))
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kept_database(server_url: str, keyring: Keyring) -> Iterator[KeptDatabase]:
    """The database that tests have by turns."""
    database = KeptDatabase(server_url, keyring)
    yield database
    database.close()


@pytest.fixture
def database(kept_database: KeptDatabase) -> postgres.Database:
    """An empty database, so that a test may commit for real."""
    return kept_database.emptied()


@pytest.fixture
def runtime(database: postgres.Database, kept_database: KeptDatabase, keyring: Keyring, tmp_path: Path) -> Runtime:
    settings = Settings(state_dir=tmp_path, database_url=database.owner_url, allow_loopback_connections=True)
    return Runtime(settings, keyring, kept_database.engine())


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A state folder for an installation with an embedded server of its own.

    It is not below pytest's folder: when root runs the tests, the server's own user may not enter that.
    """
    folder = Path(tempfile.mkdtemp(prefix="zaallicht-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the whole run; each test opens a window of its own."""
    path = needs.chromium()
    needs.front_end()
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


@pytest.fixture
def organisation(runtime: Runtime) -> Organisation:
    """A house: De Proef, in Ghent."""
    return make_house(runtime, "De Proef")


@pytest.fixture
def session(runtime: Runtime, organisation: Organisation) -> Iterator[ScopedSession]:
    """A transaction in the house, committed at the end of the test."""
    with transaction(runtime.engine, organisation.id) as opened:
        yield opened


_APPLICATIONS: dict[bytes, Flask] = {}


def application(runtime: Runtime) -> Flask:
    """The web application of a runtime.

    Putting it together and reading its templates takes longer than most tests do, so one serves them all by turns. A
    test that needs other settings than its neighbours makes one of its own with ``create_app``.
    """
    master = runtime.keyring.keys[0][1]
    if master not in _APPLICATIONS:
        _APPLICATIONS[master] = create_app(runtime)
    flask = _APPLICATIONS[master]
    flask.extensions["zaallicht"] = runtime
    flask.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    return flask


@pytest.fixture
def app(runtime: Runtime) -> Flask:
    return application(runtime)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser nobody is signed in with."""
    return app.test_client()


def make_house(runtime: Runtime, name: str, *, language: str = "nl") -> Organisation:
    """Found a house and return it."""
    with transaction(runtime.engine, None) as opened:
        return found_house(opened, runtime.keyring, name=name, time_zone="Europe/Brussels", language=language)


def make_user(runtime: Runtime, organisation: Organisation, role: str = "admin") -> User:
    """Create somebody who can log in with PASSWORD."""
    with transaction(runtime.engine, organisation.id) as opened:
        return create_user(
            opened,
            runtime.keyring,
            email=f"{role}@house-{organisation.id}.example",
            name=f"Robin {role}",
            role=role,
            language=organisation.language,
            password=PASSWORD,
        )


def signed_in(client: FlaskClient, user: User) -> FlaskClient:
    """Sign somebody in without going through the page."""
    with client.session_transaction() as cookie:
        cookie["organisation_id"] = user.organisation_id
        cookie["user_id"] = user.id
        cookie["session_version"] = user.session_version
    return client
