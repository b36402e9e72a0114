"""Journeys over REST, as another program sees them."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.journeys.published import journey_components
from app.runtime import Runtime
from tests.journeys.moving.house import API, Walks, tag, wait, when

Json = dict[str, Any]


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> Walks:
    return Walks(runtime, organisation)


class Api:
    """Another program with a key."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        self.client, self.headers = client, {"Authorization": f"Bearer {key}"}

    def __call__(self, method: str, path: str, body: Json | None = None, *, expect: int = 200) -> Json:
        answer = self.client.open(f"/api/v1{path}", method=method, json=body, headers=self.headers)
        assert answer.status_code == expect, answer.get_data(as_text=True)
        return dict(answer.get_json() or {})


@pytest.fixture
def api(client: FlaskClient, house: Walks) -> Api:
    return Api(client, house.do(lambda s: create_api_key(s, house.runtime.keyring, name="all", scopes=["*"])))


def definition(*steps: Json, **more: Any) -> Json:
    return {"trigger": API, "purpose": "newsletter", "steps": list(steps), **more}


def test_a_journey_is_made_published_entered_paused_resumed_and_archived(api: Api, house: Walks) -> None:
    contact_id = house.friend("an")
    made = api("POST", "/journeys", {"name": "Welkom", "definition": definition(wait("w"), tag("x"))}, expect=201)
    path = f"/journeys/{made['id']}"
    assert (made["state"], made["version"]) == ("draft", None)
    assert api("GET", f"{path}/publish")["can_publish"] is True
    assert api("POST", f"{path}/publish", {}) == {"version": 1, "moved": 0, "ended": 0}
    entered = api("POST", f"{path}/enrolments", {"contact_id": contact_id, "external_id": "o1"}, expect=201)
    assert entered["outcome"] == "entered"
    again = api("POST", f"{path}/enrolments", {"contact_id": contact_id, "external_id": "o1"}, expect=201)
    assert again == {"outcome": "entered_before", "enrolment_id": entered["enrolment_id"]}
    house.move()
    [way] = api("GET", f"{path}/enrolments?state=active")["items"]
    assert (way["contact_id"], way["step"], way["state"]) == (contact_id, "w", "active")
    assert api("POST", f"{path}/pause")["state"] == "paused"
    assert "paused" in api("POST", f"{path}/pause", expect=409)["detail"]
    assert api("POST", f"{path}/resume", {"overdue": "skip"})["state"] == "published"
    assert api("POST", f"{path}/archive")["state"] == "archived"
    assert api("GET", f"{path}/enrolments?state=exited")["items"][0]["left_because"] == "archived"


def test_an_unfinished_draft_is_kept_and_publishing_says_what_is_missing_at_its_place(api: Api) -> None:
    unfinished = definition({"id": "s", "type": "send"}, {"id": "w", "type": "wait", "for": "-P1D"})
    made = api("POST", "/journeys", {"name": "Half", "definition": unfinished}, expect=201)
    refused = api("POST", f"/journeys/{made['id']}/publish", {}, expect=409)
    assert set(refused["errors"]) == {"definition.steps.0.mailing", "definition.steps.1.for"}
    seen = api("GET", f"/journeys/{made['id']}/publish")
    assert [(one["step"], one["severity"]) for one in seen["problems"]] == [("s", "stops"), ("w", "stops")]
    assert api("GET", f"/journeys/{made['id']}")["state"] == "draft"


def test_two_who_save_one_draft_do_not_write_over_each_other(api: Api) -> None:
    made = api("POST", "/journeys", {"name": "Samen", "definition": definition()}, expect=201)
    path = f"/journeys/{made['id']}"
    saved = api("PUT", path, {"definition": definition(tag("x")), "edition": 1})
    assert saved["edition"] == 2
    api("PUT", path, {"definition": definition(tag("y")), "edition": 1}, expect=409)
    assert api("GET", path)["definition"] == definition(tag("x"))


def test_what_is_wrong_with_a_request_is_answered_in_words(api: Api, house: Walks) -> None:
    api("GET", "/journeys/404", expect=404)
    api("POST", "/journeys", {"name": " ", "definition": {}}, expect=422)
    api("POST", "/journeys", {"name": "A", "definition": "x"}, expect=422)
    api("GET", "/journeys?cursor=nonsense", expect=422)
    api("GET", "/journeys/404/enrolments?state=asleep", expect=422)
    made = api("POST", "/journeys", {"name": "A", "definition": definition()}, expect=201)
    assert api("POST", "/journeys", {"name": "a", "definition": {}}, expect=409)["errors"]["name"]
    path = f"/journeys/{made['id']}"
    api("POST", f"{path}/publish", {"inside": {"x": "burn"}}, expect=422)
    api("POST", f"{path}/enrolments", {"contact_id": 1}, expect=409)
    segment = house.segment({"type": "tag", "tag": "x"})
    api("PUT", path, {"definition": definition(tag("x"), trigger={"type": "segment", "segment": segment})})
    api("POST", f"{path}/publish", {})
    assert "niet via de API" in api("POST", f"{path}/enrolments", {"contact_id": 1}, expect=409)["detail"]
    api("DELETE", path, expect=409)


def test_a_page_of_journeys_leads_to_the_next(api: Api) -> None:
    names = [f"Reis {number}" for number in range(5)]
    for name in names:
        api("POST", "/journeys", {"name": name, "definition": {}}, expect=201)
    first = api("GET", "/journeys?limit=3")
    second = api("GET", f"/journeys?limit=3&cursor={first['next']}")
    assert [one["name"] for one in first["items"] + second["items"]] == names
    assert second["next"] is None


def test_every_kind_of_trigger_and_step_is_described(client: FlaskClient, api: Api) -> None:
    described = client.get("/api/openapi.json", headers=api.headers).get_json()["components"]["schemas"]
    assert set(journey_components()) <= set(described)
    until = described["JourneyStepWaitUntil"]
    assert until["properties"]["type"] == {"const": "wait_until"}
    assert set(until["required"]) == {"type", "id", "offset"}


def test_a_contact_or_somebody_invented_is_walked_through_without_side_effects(api: Api, house: Walks) -> None:
    contact_id = house.friend("an", tags=["vriend"])
    steps = definition(
        wait("w", "P2D", at="10:00"), when("c", {"type": "tag", "tag": "vriend"}, [tag("y")], [tag("n")])
    )
    path = f"/journeys/{api('POST', '/journeys', {'name': 'Welkom', 'definition': steps}, expect=201)['id']}/simulate"
    walked = api("POST", path, {"contact_id": contact_id, "at": "2027-03-26T09:00:00+01:00"})
    assert [one["step"] for one in walked["steps"]] == ["w", "c", "y"]
    assert walked["steps"][0]["until"] == "2027-03-28T08:00:00+00:00"  # ten o'clock, on the day the clocks change
    assert walked["steps"][1]["answers"][0]["conditions"][0]["holds"] is True
    invented = api("POST", path, {"contact": {"language": "fr", "tags": ["pers"]}})
    assert [one["step"] for one in invented["steps"]] == ["w", "c", "n"]
    assert house.tags("an") == ["vriend"]


@pytest.mark.parametrize(
    "body",
    [{}, {"contact_id": 1, "contact": {}}, {"contact_id": 999999}, {"contact_id": 0}, {"contact_id": 1, "at": "soon"}],
)
def test_whom_to_walk_through_is_asked_for_in_words(api: Api, house: Walks, body: Json) -> None:
    made = api("POST", "/journeys", {"name": "Welkom", "definition": definition(wait("w"))}, expect=201)
    refused = api("POST", f"/journeys/{made['id']}/simulate", body, expect=422)
    assert refused["errors"]


def test_what_a_journey_brought_about_is_told_by_side_version_and_mail(api: Api, house: Walks) -> None:
    contact_id = house.friend("an")
    goal = {"rule": {"type": "tag", "tag": "x"}, "within": "P30D"}
    made = api("POST", "/journeys", {"name": "Doel", "definition": definition(tag("x"), goal=goal)}, expect=201)
    path = f"/journeys/{made['id']}"
    assert api("GET", f"{path}/effect")["goal"] is None, "nothing is published yet"
    api("POST", f"{path}/publish", {})
    api("POST", f"{path}/enrolments", {"contact_id": contact_id}, expect=201)
    house.move()
    house.beat()
    told = api("GET", f"{path}/effect?version=1&days=20")
    assert (told["version"], told["days"], told["steps"]) == (1, 20, [])
    assert told["versions"] == [{"version": 1, "people": 1, "held_out": 0, "reached": 1}]
    assert told["goal"]["treated"] | {"amount_each": 0.0} == {
        "people": 1, "households": 1, "booked": 1, "rate": 1.0, "amount_each": 0.0,
    }  # fmt: skip
    assert told["goal"]["rate"]["verdict"] == told["bookings"]["rate"]["verdict"] == "no_control"
    for nonsense, code in (("version=2", 404), ("version=0", 422), ("days=x", 422), ("days=1000", 422)):
        api("GET", f"{path}/effect?{nonsense}", expect=code)
    api("GET", "/journeys/999/effect", expect=404)
