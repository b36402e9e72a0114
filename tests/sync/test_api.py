"""Connections over the REST API."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.db import transaction
from app.runtime import Runtime
from app.sync import pull
from tests.standins.pretix import PretixStandin

WHERE = "/api/v1/connections"


@pytest.fixture
def headers(runtime: Runtime, organisation: Organisation) -> dict[str, str]:
    return key(runtime, organisation, "connections:read", "connections:write")


def key(runtime: Runtime, organisation: Organisation, *scopes: str) -> dict[str, str]:
    with transaction(runtime.engine, organisation.id) as session:
        secret = create_api_key(session, runtime.keyring, name="test", scopes=scopes)
    return {"Authorization": f"Bearer {secret}"}


def wanted(standin: PretixStandin, **changes: Any) -> dict[str, Any]:
    settings = {"base_url": standin.url, "organizer": standin.house.organizer}
    return {
        "system": "pretix",
        "kind": "source",
        "settings": settings,
        "secrets": {"token": standin.house.token},
        **changes,
    }


def test_a_system_is_connected_read_and_never_tells_its_secrets(
    client: FlaskClient,
    runtime: Runtime,
    organisation: Organisation,
    headers: dict[str, str],
    pretix_standin: PretixStandin,
) -> None:
    made = client.post(WHERE, json=wanted(pretix_standin), headers=headers)
    assert made.status_code == 201
    body = made.get_json()
    assert "/hooks/pretix/" in body["hook_url"]
    pull.pull_due(runtime, organisation.id)
    listed = client.get(WHERE, headers=headers)
    one = client.get(made.headers["Location"], headers=headers)
    assert listed.get_json() == {"items": [one.get_json()], "next": None}
    assert (one.get_json()["state"], one.get_json()["failure_code"]) == ("active", None)
    for answer in (made, listed, one):
        assert pretix_standin.house.token not in answer.text
    assert "/hooks/" not in listed.text


def test_what_is_wrong_is_named_by_field(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post(
        WHERE, json={"system": "pretix", "settings": {"base_url": "http://x.example"}}, headers=headers
    )
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert set(answer.get_json()["errors"]) == {"settings.base_url", "settings.organizer", "secrets.token"}
    assert client.post(WHERE, json={"system": "fax"}, headers=headers).get_json()["errors"].keys() == {"system"}


def test_a_kind_that_the_system_is_not_is_refused(
    client: FlaskClient, headers: dict[str, str], pretix_standin: PretixStandin
) -> None:
    answer = client.post(WHERE, json=wanted(pretix_standin, kind="destination"), headers=headers)
    assert (answer.status_code, set(answer.get_json()["errors"])) == (422, {"kind"})


def test_checking_tells_the_account_or_why_not(
    client: FlaskClient, headers: dict[str, str], pretix_standin: PretixStandin
) -> None:
    made = client.post(WHERE, json=wanted(pretix_standin), headers=headers).get_json()
    check = f"{WHERE}/{made['id']}/check"
    assert client.post(check, headers=headers).get_json() == {"account": "Stadstheater"}
    pretix_standin.fail(429, Retry_After="900")
    assert client.post(check, headers=headers).status_code == 503
    pretix_standin.house.token = "another"
    refused = client.post(check, headers=headers)
    assert refused.status_code == 422
    assert refused.get_json()["errors"] == {"code": ["unauthorised"]}


def test_a_connection_can_be_paused_resumed_run_started_over_and_removed(
    client: FlaskClient, headers: dict[str, str], pretix_standin: PretixStandin
) -> None:
    where = f"{WHERE}/{client.post(WHERE, json=wanted(pretix_standin), headers=headers).get_json()['id']}"
    assert client.post(f"{where}/pause", headers=headers).get_json()["state"] == "paused"
    assert client.post(f"{where}/resume", headers=headers).get_json()["state"] == "active"
    assert client.post(f"{where}/run", headers=headers).status_code == 200
    assert client.post(f"{where}/start-over", headers=headers).status_code == 200
    assert client.delete(where, headers=headers).status_code == 204
    assert client.get(where, headers=headers).status_code == 404
    assert client.get(WHERE, headers=headers).get_json()["items"] == []


def test_reading_needs_no_right_to_write_and_gives_none(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, pretix_standin: PretixStandin
) -> None:
    reader = key(runtime, organisation, "connections:read")
    assert client.get(WHERE, headers=reader).status_code == 200
    assert client.post(WHERE, json=wanted(pretix_standin), headers=reader).status_code == 403
    assert client.get(WHERE, headers=key(runtime, organisation, "contacts:read")).status_code == 403
