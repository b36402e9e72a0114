"""The address where other systems knock."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.db import transaction
from app.runtime import Runtime
from app.sync import connections, hooks
from app.sync.models import Connection, InboxItem
from tests.conftest import make_house
from tests.standins.pretix import PretixStandin
from tests.sync.conftest import Connect

BODY = (
    b'{"notification_id": 49, "organizer": "stadstheater", "action": "pretix.customer.created", "customer": "C00001"}'
)


@pytest.fixture
def connection(connect: Connect, pretix_standin: PretixStandin) -> Connection:
    return connect(pretix_standin)


@pytest.fixture
def path(connection: Connection, hook_path: Callable[[Connection], str]) -> str:
    return hook_path(connection)


def stored(runtime: Runtime, organisation: Organisation) -> list[InboxItem]:
    with transaction(runtime.engine, organisation.id) as session:
        return list(session.scalars(select(InboxItem).order_by(InboxItem.id)))


def test_a_webhook_is_stored_as_it_came_and_answered_at_once(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, pretix_standin: PretixStandin, path: str
) -> None:
    answer = client.post(path, data=BODY, content_type="application/json")
    assert answer.status_code == 202
    (item,) = stored(runtime, organisation)
    assert (item.body, item.state, item.attempts, item.headers) == (BODY, "waiting", 0, {})
    assert pretix_standin.requests == [], "nothing is asked while the system waits for its answer"


def test_the_same_webhook_twenty_times_is_one(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str
) -> None:
    assert {client.post(path, data=BODY).status_code for _ in range(20)} == {202}
    assert len(stored(runtime, organisation)) == 1


@pytest.mark.parametrize("body", [b"no json at all", b"\x00\xff\xfe", b"[" * 50_000, b"{}", b"null"])
def test_whatever_it_says_it_is_kept(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str, body: bytes
) -> None:
    assert client.post(path, data=body).status_code == 202
    assert [item.body for item in stored(runtime, organisation)] == [body]


def test_a_system_that_looks_first_finds_somebody_and_stores_nothing(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str
) -> None:
    assert client.get(path).status_code == 200
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 200
    assert stored(runtime, organisation) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_an_unknown_token_is_no_address(client: FlaskClient, path: str, method: str) -> None:
    for wrong in (path[:-1], path + "x", "/hooks/pretix/x", path.replace("pretix", "mailchimp")):
        assert client.open(wrong, method=method, data=BODY).status_code == 404


def test_a_body_without_end_is_refused(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str
) -> None:
    assert client.post(path, data=b"x" * (hooks.HOOK_BYTES_MAX + 1)).status_code == 413
    assert stored(runtime, organisation) == []


def test_a_removed_connection_has_no_address(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, connection: Connection, path: str
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        connections.remove_connection(session, connection.id, actor=SYSTEM)
    assert client.post(path, data=BODY).status_code == 404


def test_a_webhook_lands_in_the_house_its_token_names(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str
) -> None:
    other = make_house(runtime, "De Buren")
    client.post(path, data=BODY)
    with transaction(runtime.engine, other.id) as session:
        assert session.scalar(select(func.count()).select_from(InboxItem)) == 0
    assert len(stored(runtime, organisation)) == 1


def test_only_headers_that_a_signature_needs_are_kept(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str
) -> None:
    client.post(path, data=BODY, headers={"Authorization": "Basic c2VjcmV0", "X-Forwarded-For": "192.0.2.7"})
    (item,) = stored(runtime, organisation)
    assert "c2VjcmV0" not in json.dumps(item.headers)
    assert "192.0.2.7" not in json.dumps(item.headers)
