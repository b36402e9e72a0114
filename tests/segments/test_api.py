"""Segments over REST."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.db import transaction
from app.runtime import Runtime
from tests.segments.filling import Filled
from tests.segments.people import move_in, person, visits

TAGGED = {"type": "tag", "tag": "vip"}
CAME = {"type": "participation", "at_least": 1, "between": ["-P30D", "P1D"]}


class Api:
    """The REST API of one house, with a key for all of it."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {key}"}

    def ask(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        answer = self.client.open(
            f"/api/v1{path}", method=method, headers=self.headers, json=body or None if method != "GET" else None
        )
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.get_json(force=True) if answer.data else None


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> Filled:
    with transaction(runtime.engine, organisation.id) as session:
        return move_in(session, *(person(number, *visits(5)) for number in range(3)), person(9, *visits(90)))


@pytest.fixture
def api(client: FlaskClient, runtime: Runtime, organisation: Organisation, house: Filled) -> Api:
    with transaction(runtime.engine, organisation.id) as session:
        return Api(client, create_api_key(session, runtime.keyring, name="all", scopes=["*"]))


def test_a_segment_lives_from_post_to_delete(api: Api) -> None:
    made = api.ask("POST", "/segments", 201, name="Pas geweest", rule=CAME)
    assert (made["member_count"], made["version"]) == (3, 1)
    assert api.ask("GET", f"/segments/{made['id']}")["rule"] == CAME
    assert [one["id"] for one in api.ask("GET", "/segments")["items"]] == [made["id"]]
    changed = api.ask("PUT", f"/segments/{made['id']}", name="Vip", rule=TAGGED)
    assert (changed["member_count"], changed["version"]) == (0, 2)
    api.ask("DELETE", f"/segments/{made['id']}", 204)
    api.ask("GET", f"/segments/{made['id']}", 404)


def test_a_preview_says_how_many_of_how_many_and_whom(api: Api) -> None:
    shown = api.ask("POST", "/segments/preview", rule=CAME)
    assert (shown["count"], shown["of"], len(shown["sample"])) == (3, 4, 3)
    assert shown["funnel"] == {"holds": 3, "has_address": 3, "permitted": 3, "mailable": 3}
    assert shown["told"].startswith("Iedereen in dit segment kwam minstens 1 keer van 21 oktober 2026")
    assert set(shown["sample"][0]) >= {"id", "given_name", "email"}
    assert api.ask("POST", "/segments/preview", rule=CAME, at="2026-09-01")["count"] == 1
    assert "20 November 2026" in api.ask("POST", "/segments/preview", rule=CAME, language="en")["told"]


def test_a_wrong_rule_is_answered_with_its_paths(api: Api) -> None:
    wrong = {"type": "all", "rules": [CAME, {"type": "participation"}]}
    for method, path in (("POST", "/segments"), ("POST", "/segments/preview")):
        answer = api.ask(method, path, 422, rule=wrong, **({"name": "X"} if path == "/segments" else {}))
        assert list(answer["errors"]) == ["rule.rules.1.at_least"]
    assert api.ask("GET", "/segments")["items"] == []


def test_a_missing_name_or_rule_is_answered_by_field(api: Api) -> None:
    assert set(api.ask("POST", "/segments", 422, description="x")["errors"]) == {"name", "rule"}


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"rule": CAME, "purpose": "gossip"}, "purpose"),
        ({"rule": CAME, "at": "9999-12-31"}, "at"),
        ({"rule": CAME, "at": "2026-02-30"}, "at"),
        ({"rule": 5}, "rule"),
        ({"rule": {"type": "segment", "segment": 10**17}}, "rule.segment"),
    ],
)
def test_a_preview_of_nonsense_is_answered_by_field(api: Api, sent: dict[str, Any], field: str) -> None:
    assert list(api.ask("POST", "/segments/preview", 422, **sent)["errors"]) == [field]


def test_a_blank_name_is_no_name(api: Api) -> None:
    assert api.ask("POST", "/segments", 422, name="  ", rule=CAME)["errors"] == {"name": ["Vul dit in."]}


def test_a_name_that_is_taken_is_a_conflict(api: Api) -> None:
    api.ask("POST", "/segments", 201, name="Vip", rule=TAGGED)
    assert list(api.ask("POST", "/segments", 409, name="vip", rule=TAGGED)["errors"]) == ["name"]


def test_a_used_segment_is_not_removed(api: Api) -> None:
    made = api.ask("POST", "/segments", 201, name="Vip", rule=TAGGED)
    api.ask(
        "POST", "/segments", 201, name="Niet vip", rule={"type": "segment", "segment": made["id"], "is": "not_member"}
    )
    assert api.ask("DELETE", f"/segments/{made['id']}", 409)["detail"]


def test_members_come_in_pages(api: Api, house: Filled) -> None:
    made = api.ask("POST", "/segments", 201, name="Pas geweest", rule=CAME)
    first = api.ask("GET", f"/segments/{made['id']}/members?limit=2")
    rest = api.ask("GET", f"/segments/{made['id']}/members?limit=2&cursor={first['next']}")
    assert rest["next"] is None
    found = [*first["items"], *rest["items"]]
    assert [one["contact_id"] for one in found] == sorted(one.id for one in house.world.contacts[:3])
    assert {one["entered_on"] for one in found} == {"2026-11-20"}
    earlier = api.ask("GET", f"/segments/{made['id']}/members?at=2026-09-01")
    assert earlier["basis"] == "evaluated"
    assert [one["contact_id"] for one in earlier["items"]] == [house.world.contacts[3].id]


def test_changes_come_in_pages_and_say_why(api: Api) -> None:
    made = api.ask("POST", "/segments", 201, name="Pas geweest", rule=CAME)
    api.ask("PUT", f"/segments/{made['id']}", name="Vip", rule=TAGGED)
    first = api.ask("GET", f"/segments/{made['id']}/changes?limit=4")
    rest = api.ask("GET", f"/segments/{made['id']}/changes?limit=4&cursor={first['next']}")
    found = [(one["change"], one["because"]) for one in (*first["items"], *rest["items"])]
    assert sorted(found) == [("entered", "rule")] * 3 + [("left", "rule")] * 3
    assert api.ask("GET", f"/segments/{made['id']}/changes?since=2026-11-21T00:00:00%2B00:00")["items"] == []


def test_a_cursor_of_somebody_else_is_refused(api: Api) -> None:
    made = api.ask("POST", "/segments", 201, name="Vip", rule=TAGGED)
    for cursor in ("x", "e30=", "WzEsMl0=", "WyJhIl0="):
        for path in ("", f"/{made['id']}/members", f"/{made['id']}/changes"):
            assert list(api.ask("GET", f"/segments{path}?cursor={cursor}", 422)["errors"]) == ["cursor"]


def test_a_person_can_be_checked(api: Api, house: Filled) -> None:
    one = house.world.contacts[0].id
    answer = api.ask("POST", "/segments/check", rule={"type": "any", "rules": [CAME, TAGGED]}, contact_id=one)
    assert (answer["holds"], [each["holds"] for each in answer["conditions"]]) == (True, [True, False])
    assert list(api.ask("POST", "/segments/check", 422, rule=CAME, contact_id=10**9)["errors"]) == ["contact_id"]


def test_the_description_of_the_api_holds_the_segments(client: FlaskClient) -> None:
    paths = client.get("/api/openapi.json").get_json()["paths"]
    assert {"/api/v1/segments", "/api/v1/segments/preview", "/api/v1/segments/{segment_id}/members"} <= set(paths)


def test_two_segments_are_compared(api: Api) -> None:
    a = api.ask("POST", "/segments", 201, name="Pas geweest", rule=CAME)["id"]
    b = api.ask("POST", "/segments", 201, name="Vip", rule=TAGGED)["id"]
    assert api.ask("GET", f"/segments/{a}/overlap?other={b}") == {"both": 0, "only_a": 3, "only_b": 0, "neither": 1}
    api.ask("GET", f"/segments/{a}/overlap?other=999999", 404)
    assert list(api.ask("GET", f"/segments/{a}/overlap?other=x", 422)["errors"]) == ["other"]


def test_a_rule_is_proposed_for_an_activity_or_refused_in_words(api: Api) -> None:
    sent = {"source": "test", "external_id": "c", "title": "Circus", "kind": "performance"}
    plain = api.ask("PUT", "/activities", 201, **sent)["id"]
    assert list(api.ask("GET", f"/segments/not-yet?activity={plain}", 422)["errors"]) == ["activity"]
    activity = api.ask("PUT", "/activities", **sent, genres=["circus"])["id"]
    rule = api.ask("GET", f"/segments/not-yet?activity={activity}")["rule"]
    assert api.ask("POST", "/segments/preview", rule=rule)["count"] == 0
    api.ask("GET", "/segments/not-yet?activity=999999", 404)


def test_a_preview_says_whom_the_exclusions_leave_out_and_why(api: Api) -> None:
    rule = {"type": "all", "rules": [CAME, {"type": "not", "rule": {"type": "tag", "tag": "vip"}}]}
    assert api.ask("POST", "/segments/preview", rule=CAME)["left_out"] == []
    (reason,) = api.ask("POST", "/segments/preview", rule=rule, language="en")["left_out"]
    assert (reason["path"], reason["told"], reason["count"]) == ("rules.1.rule", "carries the tag “vip”", 0)
    assert api.ask("POST", "/segments/preview", rule=reason["rule"])["count"] == 0


def test_each_condition_is_counted_by_itself_and_step_by_step(api: Api) -> None:
    rule = {"type": "all", "rules": [CAME, TAGGED]}
    counted = api.ask("POST", "/segments/counts", rule=rule)
    assert counted == {
        "of": 4,
        "steps": [{"path": "rules.0", "alone": 3, "left": 3}, {"path": "rules.1", "alone": 0, "left": 0}],
    }
    refused = api.ask("POST", "/segments/counts", 422, rule={"type": "all", "rules": [{"type": "tag"}]})
    assert "rule.rules.0.tag" in refused["errors"]
