"""Making, mending, pausing and removing connections."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select, text

from app.accounts import directory
from app.accounts.audit import SYSTEM
from app.accounts.models import AuditEvent, Organisation
from app.activities.models import Participation
from app.consent.models import ConsentEvent
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync import connections, inbox, pull
from app.sync.connections import InvalidSettings, UnknownConnection, read_settings
from app.sync.models import InboxItem
from integrations.base import Permanent, Transient
from tests.conftest import make_house
from tests.standins.pretix import PretixStandin
from tests.sync.conftest import Connect

GOOD = {"base_url": "https://pretix.example", "organizer": "stadstheater"}
TOKEN = {"token": "geheim-geheim"}


def refused(settings: dict[str, Any], secrets: dict[str, Any], *, system: str = "pretix") -> dict[str, str]:
    with pytest.raises(InvalidSettings) as caught:
        read_settings(system, settings, secrets, allows_loopback=False)
    return caught.value.errors


def test_every_field_that_is_wrong_is_named_at_once() -> None:
    assert refused({"base_url": "http://pretix.example"}, {}) == {
        "base_url": "insecure_address",
        "organizer": "required",
        "token": "required",
    }


@pytest.mark.parametrize("address", ["https://127.0.0.1", "http://localhost:8345", "https://169.254.169.254/latest"])
def test_an_address_inside_the_house_is_refused(address: str) -> None:
    assert refused({**GOOD, "base_url": address}, TOKEN) == {"base_url": "private_address"}


def test_what_a_system_does_not_ask_is_refused() -> None:
    assert refused({**GOOD, "shoe_size": "42"}, TOKEN) == {"shoe_size": "unknown_field"}
    assert refused({}, {}, system="fax") == {"system": "unknown_system"}


def test_a_secret_given_as_a_setting_is_not_taken() -> None:
    assert "token" in refused({**GOOD, **TOKEN}, {})


def test_values_no_header_or_path_can_carry_are_refused() -> None:
    assert refused({**GOOD, "organizer": "../admin"}, TOKEN) == {"organizer": "bad_settings"}
    assert refused(GOOD, {"token": "a\r\nX-Evil: 1"}) == {"token": "unreadable"}
    assert refused({**GOOD, "organizer": "x" * 501}, TOKEN) == {"organizer": "too_long"}


def test_secrets_are_stored_encrypted_and_shown_to_nobody(
    runtime: Runtime, organisation: Organisation, connect: Connect, pretix_standin: PretixStandin
) -> None:
    connection = connect(pretix_standin)
    with transaction(runtime.engine, organisation.id) as session:
        row = str(session.execute(text("SELECT * FROM connection")).mappings().one())
        trail = str([(event.action, event.details) for event in session.scalars(select(AuditEvent))])
        held = connections.get_connection(session, connection.id)
        assert connections.read_secrets(runtime.keyring, held) == {"token": pretix_standin.house.token}
    for secret in (
        pretix_standin.house.token,
        connections.hook_url(runtime.keyring, connection, base_url="").split("/")[-1],
    ):
        assert secret not in row
        assert secret not in trail
    assert "connections.create" in trail


def test_probing_tells_the_account_or_what_is_wrong(pretix_standin: PretixStandin) -> None:
    settings = {"base_url": pretix_standin.url, "organizer": pretix_standin.house.organizer}

    def probed(token: str, **changes: str) -> str:
        filled = read_settings("pretix", {**settings, **changes}, {"token": token}, allows_loopback=True)
        return connections.probe(filled, allows_loopback=True)

    right = pretix_standin.house.token
    assert probed(right) == "Stadstheater"
    with pytest.raises(Permanent, match="unauthorised"):
        probed("wrong")
    with pytest.raises(Permanent, match="forbidden"):
        probed(right, organizer="nope")
    pretix_standin.fail(429, Retry_After="600")
    with pytest.raises(Transient, match="rate_limited"):
        probed(right)


def test_the_same_account_is_not_connected_twice_and_another_keeps_apart(
    connect: Connect, pretix_standin: PretixStandin
) -> None:
    assert connect(pretix_standin).settings["source"] == "pretix"
    with pytest.raises(InvalidSettings) as caught:
        connect(pretix_standin)
    assert caught.value.errors == {"base_url": "already_connected"}
    assert connect(pretix_standin, organizer="museum").settings["source"] == "pretix-2"


def test_two_people_who_connect_the_same_account_at_once_make_one_connection(
    runtime: Runtime, organisation: Organisation, pretix_standin: PretixStandin
) -> None:
    settings = {"base_url": pretix_standin.url, "organizer": pretix_standin.house.organizer}
    filled = read_settings("pretix", settings, TOKEN, allows_loopback=True)
    outcomes: list[str] = []

    def second() -> None:
        try:
            with transaction(runtime.engine, organisation.id) as session:
                connections.create_connection(session, runtime.keyring, filled, name="B", actor=SYSTEM)
        except InvalidSettings as error:
            outcomes.append(error.errors["base_url"])

    with transaction(runtime.engine, organisation.id) as session:
        connections.create_connection(session, runtime.keyring, filled, name="A", actor=SYSTEM)
        thread = Thread(target=second)
        thread.start()
        with transaction(runtime.engine, None) as watching:
            while not watching.scalar(
                text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
            ):
                assert thread.is_alive(), "the second must wait for the first"
    thread.join()
    assert outcomes == ["already_connected"]


def test_an_account_that_comes_back_finds_its_people_and_visits(
    runtime: Runtime, organisation: Organisation, connect: Connect, pretix_standin: PretixStandin
) -> None:
    first = connect(pretix_standin)
    connect(pretix_standin, organizer="museum")
    pull.pull_connection(runtime, organisation.id, first.id)
    with transaction(runtime.engine, organisation.id) as session:
        before = session.scalars(select(Participation.id).order_by(Participation.id)).all()
        connections.remove_connection(session, first.id, actor=SYSTEM)
    again = connect(pretix_standin)
    pull.pull_connection(runtime, organisation.id, again.id)
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(Participation.id).order_by(Participation.id)).all() == before


def test_removing_forgets_how_to_get_in_and_keeps_every_fact(
    runtime: Runtime, organisation: Organisation, connect: Connect, pretix_standin: PretixStandin
) -> None:
    connection = connect(pretix_standin)
    pull.pull_due(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        inbox.receive(session, connection, headers={}, body=b'{"notification_id": 1}')
        facts = session.scalars(select(ConsentEvent.id)).all()
        connections.remove_connection(session, connection.id, actor=SYSTEM)
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(ConsentEvent.id)).all() == facts != []
        assert session.scalars(select(InboxItem.body)).all() == [b""]
        assert session.execute(text("SELECT 1 FROM connection WHERE secrets_encrypted IS NOT NULL")).all() == []
        with pytest.raises(UnknownConnection):
            connections.get_connection(session, connection.id)
    with transaction(runtime.engine, None) as session:
        token = runtime.keyring.decrypted(connection.token_encrypted or b"")
        assert directory.find(session, runtime.keyring, "connection", token) == []
    assert pull.pull_due(runtime, organisation.id) == 0


def test_mending_a_token_keeps_the_rest_and_tries_again(
    runtime: Runtime, organisation: Organisation, connect: Connect, pretix_standin: PretixStandin
) -> None:
    connection = connect(pretix_standin)
    house = pretix_standin.house
    house.token = "a-new-token"
    pull.pull_due(runtime, organisation.id)
    settings = {"base_url": pretix_standin.url, "organizer": house.organizer}
    filled = read_settings("pretix", settings, {"token": house.token}, allows_loopback=True)
    with transaction(runtime.engine, organisation.id) as session:
        held = connections.get_connection(session, connection.id)
        assert held.state == "failing"
        connections.change_connection(
            session, runtime.keyring, connection.id, filled=filled, name="Kassa", actor=SYSTEM
        )
    assert pull.pull_due(runtime, organisation.id) > 0
    kept = read_settings("pretix", settings, {"token": ""}, allows_loopback=True, known_secrets=filled.secrets)
    assert kept.secrets == {"token": "a-new-token"}


def test_a_connection_cannot_be_turned_into_another_account(
    runtime: Runtime, session: ScopedSession, connect: Connect, pretix_standin: PretixStandin
) -> None:
    connection = connect(pretix_standin)
    filled = read_settings("pretix", GOOD, TOKEN, allows_loopback=False)
    with pytest.raises(InvalidSettings) as caught:
        connections.change_connection(session, runtime.keyring, connection.id, filled=filled, name="", actor=SYSTEM)
    assert caught.value.errors == {"base_url": "another_account"}


def test_a_connection_of_another_house_does_not_exist(
    runtime: Runtime, connect: Connect, pretix_standin: PretixStandin
) -> None:
    connection = connect(pretix_standin)
    other = make_house(runtime, "De Buren")
    with transaction(runtime.engine, other.id) as session:
        assert connections.list_connections(session) == []
        for verb in (connections.pause_connection, connections.resume_connection, connections.remove_connection):
            with pytest.raises(UnknownConnection):
                verb(session, connection.id, actor=SYSTEM)
