"""Audiences over REST, as api.md says."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.accounts.api_keys import create_api_key
from app.audiences.beat import keep_audiences
from tests.audiences.world import World
from tests.conftest import application

AN = "an@example.org"


class Caller:
    """A program with a key."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        self.client, self.headers = client, {"Authorization": f"Bearer {key}"}

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self.client.open(f"/api/v1{path}", method=method, json=body, headers=self.headers)
        return answer.status_code, answer.get_json(force=True, silent=True)


@pytest.fixture
def call(world: World) -> Caller:
    flask = application(world.runtime)
    flask.config.update(WTF_CSRF_ENABLED=True)
    with world.transaction() as session:
        key = create_api_key(session, world.runtime.keyring, name="t", scopes=["audiences:read", "audiences:write"])
    return Caller(flask.test_client(), key)


def body_of(world: World, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Lezers",
        "segment_id": changes.get("segment_id") or world.segment(),
        "purpose": "newsletter",
        "connection_id": world.connection_id,
        "list_ref": world.list_id,
    } | changes


def beat(world: World) -> None:
    keep_audiences(world.runtime, world.organisation.id)


def test_an_audience_is_made_looked_at_confirmed_and_kept_in_step(world: World, call: Caller) -> None:
    world.person(AN)
    status, made = call("POST", "/audiences", body_of(world))
    assert (status, made["state"], made["size"], made["last_run"]) == (201, "draft", 0, None)
    path = f"/audiences/{made['id']}"
    status, run = call("POST", f"{path}/sync", {})
    assert (status, run["state"]) == (202, "queued")
    beat(world)
    status, run = call("GET", f"{path}/runs/{run['id']}")
    assert (status, run["state"], run["counts"]["brake"]) == (200, "braked", "first_push")
    assert world.pushes() == 0
    status, queued = call("POST", f"{path}/runs/{run['id']}/confirm")
    assert (status, queued["state"]) == (202, "queued")
    beat(world)
    status, page = call("GET", f"{path}/runs")
    assert [one["state"] for one in page["items"]] == ["done", "braked"]
    assert page["next"] is None
    status, found = call("GET", path)
    assert (found["state"], found["size"], found["last_run"]["counts"]["added"]) == ("active", 1, 1)
    assert call("GET", "/audiences")[1]["items"] == [found]


def test_a_program_may_confirm_at_once(world: World, call: Caller) -> None:
    world.person(AN)
    made = call("POST", "/audiences", body_of(world))[1]
    call("POST", f"/audiences/{made['id']}/sync", {"confirm": True})
    beat(world)
    assert world.mailchimp.emails() == {AN}


def test_a_dry_run_only_looks(world: World, call: Caller) -> None:
    world.person(AN)
    made = call("POST", "/audiences", body_of(world))[1]
    run = call("POST", f"/audiences/{made['id']}/sync", {"dry_run": True})[1]
    beat(world)
    run = call("GET", f"/audiences/{made['id']}/runs/{run['id']}")[1]
    assert (run["state"], run["counts"]["add"], world.mailchimp.emails()) == ("planned", 1, set())
    assert world.mailchimp.tags() == {}


def test_runs_and_audiences_come_in_pages(world: World, call: Caller) -> None:
    segment_id = world.segment()
    ids = []
    for number in range(3):
        body = body_of(world, name=f"L{number}", segment_id=segment_id)
        ids.append(call("POST", "/audiences", body)[1]["id"])
    status, page = call("GET", "/audiences?limit=2")
    assert (status, [one["id"] for one in page["items"]]) == (200, ids[:2])
    status, page = call("GET", f"/audiences?limit=2&cursor={page['next']}")
    assert ([one["id"] for one in page["items"]], page["next"]) == (ids[2:], None)
    assert call("GET", "/audiences?cursor=nonsense")[0] == 422


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"segment_id": 999}, "segment_id"),
        ({"segment_id": 2**70}, "segment_id"),
        ({"purpose": "service"}, "purpose"),
        ({"purpose": "track_open"}, "purpose"),
        ({"connection_id": 999}, "connection_id"),
        ({"brake_pct": 0}, "brake_pct"),
        ({"field_mapping": {"FNAME": "password_hash"}}, "field_mapping"),
        ({"list_ref": ""}, "list_ref"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_wrong_is_said_by_field(world: World, call: Caller, changes: dict[str, Any], field: str) -> None:
    status, answer = call("POST", "/audiences", body_of(world) | changes)
    assert status == 422
    assert field in answer["errors"]
    assert call("GET", "/audiences")[1]["items"] == []


def test_the_list_and_the_tag_of_an_audience_stay(world: World, call: Caller) -> None:
    body = body_of(world)
    made = call("POST", "/audiences", body)[1]
    status, answer = call("PUT", f"/audiences/{made['id']}", body | {"list_ref": "elsewhere", "tag": "Ander"})
    assert (status, set(answer["errors"])) == (422, {"list_ref", "tag"})
    status, changed = call("PUT", f"/audiences/{made['id']}", body | {"name": "Anders", "brake_pct": 40})
    assert (status, changed["name"], changed["brake_pct"]) == (200, "Anders", 40)


def test_a_paused_audience_is_not_pushed(world: World, call: Caller) -> None:
    made = call("POST", "/audiences", body_of(world))[1]
    path = f"/audiences/{made['id']}"
    assert call("POST", f"{path}/pause")[0] == 409, "a draft is not at work yet"
    call("POST", f"{path}/sync", {"confirm": True})
    beat(world)
    assert call("POST", f"{path}/pause")[1]["state"] == "paused"
    status, answer = call("POST", f"{path}/sync", {})
    assert (status, answer["status"]) == (409, 409)
    assert call("POST", f"{path}/resume")[1]["state"] == "active"


def test_an_audience_is_removed(world: World, call: Caller) -> None:
    made = call("POST", "/audiences", body_of(world))[1]
    assert call("DELETE", f"/audiences/{made['id']}")[0] == 204
    assert call("GET", f"/audiences/{made['id']}")[0] == 404
    assert call("POST", "/audiences", body_of(world, segment_id=made["segment_id"]))[0] == 201
    assert call("GET", "/audiences/99999999999999999999")[0] == 404
