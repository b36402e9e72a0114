"""Mailings over REST, as api.md says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.api_keys import create_api_key
from app.mailings.models import Delivery
from tests.conftest import NOW, application, make_user
from tests.mailings.campaigns import a_segment, words
from tests.mailings.house_with_post import HouseWithPost
from tests.mailings.test_campaigns import HELLO, beat


class Caller:
    """A program with a key."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        self.client, self.headers = client, {"Authorization": f"Bearer {key}"}

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self.client.open(f"/api/v1{path}", method=method, json=body, headers=self.headers)
        return answer.status_code, answer.get_json(force=True, silent=True)


def a_caller(house: HouseWithPost, scopes: Sequence[str]) -> Caller:
    flask = application(house.runtime)
    flask.config.update(WTF_CSRF_ENABLED=True)
    with house.transaction() as session:
        key = create_api_key(session, house.runtime.keyring, name="t", scopes=list(scopes))
    return Caller(flask.test_client(), key)


@pytest.fixture
def call(house: HouseWithPost) -> Caller:
    return a_caller(house, ["mailings:read", "mailings:write"])


def body(house: HouseWithPost, **changes: Any) -> dict[str, Any]:
    with house.transaction() as session:
        to = [a_segment(session, f"Iedereen {changes.get('name', '')}").id]
    return {"name": "Novembernieuws", "to": to, "content": words("nl", blocks=[HELLO])} | changes


def made(house: HouseWithPost, call: Caller, **changes: Any) -> int:
    status, mailing = call("POST", "/mailings", body(house, **changes))
    assert status == 201, mailing
    return int(mailing["id"])


def test_a_mailing_is_made_counted_sent_and_followed(house: HouseWithPost, call: Caller) -> None:
    house.person("an@example.org")
    house.person("bo@example.org", says_yes=False)
    mailing_id = made(house, call)
    status, people = call("GET", f"/mailings/{mailing_id}/people")
    assert (status, people["meant"], people["gets"], people["left_out"]["no_permission"]) == (200, 2, 1, 1)
    status, sent = call("POST", f"/mailings/{mailing_id}/send", {"people": 1})
    assert (status, sent["state"]) == (202, "scheduled")
    beat(house)
    status, going = call("GET", f"/mailings/{mailing_id}/progress")
    assert (status, going["state"], going["accepted"], going["left"]) == (200, "sent", 1, 0)
    assert house.recipients() == ["an@example.org"]
    assert call("POST", f"/mailings/{mailing_id}/send", {})[0] == 202
    beat(house)
    assert house.recipients() == ["an@example.org"], "asking twice sends once"


def test_a_list_is_read_page_by_page(house: HouseWithPost, call: Caller) -> None:
    ids = [made(house, call, name=f"Nieuws {number}") for number in range(3)]
    status, first = call("GET", "/mailings?limit=2")
    assert (status, [each["id"] for each in first["items"]]) == (200, ids[:0:-1])
    status, second = call("GET", f"/mailings?limit=2&cursor={first['next']}")
    assert ([each["id"] for each in second["items"]], second["next"]) == (ids[:1], None)
    assert "content" not in first["items"][0]


def test_nobody_writes_over_what_they_did_not_read(house: HouseWithPost, call: Caller) -> None:
    mailing_id = made(house, call)
    change = body(house, name="Ander nieuws") | {"edition": 1}
    assert call("PUT", f"/mailings/{mailing_id}", change)[0] == 200
    status, refused = call("PUT", f"/mailings/{mailing_id}", change)
    assert status == 409
    assert "2" in refused["detail"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"to": [4711]}, "to"),
        ({"purpose": "gossip"}, "purpose"),
        ({"holdout_percent": 60}, "holdout_percent"),
        ({"ab_test": {"share_percent": 0}}, "ab_test.share_percent"),
        ({"content": {"variants": []}}, "content.variants"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(
    house: HouseWithPost, call: Caller, changes: dict[str, Any], field: str
) -> None:
    status, refused = call("POST", "/mailings", body(house) | changes)
    assert status == 422
    assert field in refused["errors"]
    assert call("GET", "/mailings")[1]["items"] == []


def test_a_subject_of_two_lines_becomes_one_and_begins_no_header(house: HouseWithPost, call: Caller) -> None:
    house.person("an@example.org")
    content = words("nl", subject="Nieuws\r\nBcc: bo@example.org\r\n", blocks=[HELLO])
    mailing_id = made(house, call, content=content)
    call("POST", f"/mailings/{mailing_id}/send", {})
    beat(house)
    (mail,) = house.relay.delivered
    assert (mail.message["Bcc"], mail.message["Subject"]) == (None, "Nieuws Bcc: bo@example.org nl")


def test_a_draft_that_cannot_be_sent_says_why(house: HouseWithPost, call: Caller) -> None:
    nobody = made(house, call, name="Niemand", to=[])
    status, refused = call("POST", f"/mailings/{nobody}/send", {})
    assert status == 409
    assert refused["detail"]
    late = made(house, call)
    status, refused = call("POST", f"/mailings/{late}/schedule", {"send_at": (NOW - timedelta(days=1)).isoformat()})
    assert (status, list(refused["errors"])) == (422, ["send_at"])
    assert call("POST", f"/mailings/{late}/schedule", {})[0] == 422


def test_a_mailing_is_scheduled_paused_resumed_and_cancelled(house: HouseWithPost, call: Caller) -> None:
    house.person("an@example.org")
    mailing_id = made(house, call)
    moment = (NOW + timedelta(hours=3)).isoformat()
    status, mailing = call("POST", f"/mailings/{mailing_id}/schedule", {"send_at": moment})
    assert (status, mailing["state"]) == (202, "scheduled")
    states = [call("POST", f"/mailings/{mailing_id}/{verb}")[1]["state"] for verb in ("pause", "resume", "cancel")]
    assert states == ["paused", "scheduled", "cancelled"]
    assert call("POST", f"/mailings/{mailing_id}/resume")[0] == 409
    assert call("DELETE", f"/mailings/{mailing_id}")[0] == 204
    assert call("GET", f"/mailings/{mailing_id}")[0] == 404


def test_a_test_goes_to_colleagues_and_to_nobody_else(house: HouseWithPost, call: Caller) -> None:
    contact_id = house.person("an@example.org")
    colleague = make_user(house.runtime, house.organisation, "marketer").email
    mailing_id = made(house, call)
    given = {"addresses": [colleague], "contact_id": contact_id}
    assert call("POST", f"/mailings/{mailing_id}/test", given) == (200, {"sent": 1})
    (mail,) = house.relay.delivered
    assert (mail.recipient, mail.message["Subject"]) == (colleague, "[Test] Nieuws nl")
    with house.transaction() as session:
        assert session.scalars(select(Delivery)).all() == []
    status, refused = call("POST", f"/mailings/{mailing_id}/test", {"addresses": [colleague, "an@example.org"]})
    assert (status, list(refused["errors"])) == (422, ["addresses"])
    assert len(house.relay.delivered) == 1


def test_a_key_that_may_only_read_sends_nothing(house: HouseWithPost, call: Caller) -> None:
    mailing_id = made(house, call)
    reader = a_caller(house, ["mailings:read"])
    assert reader("GET", f"/mailings/{mailing_id}")[0] == 200
    assert {reader("POST", f"/mailings/{mailing_id}/{verb}", {})[0] for verb in ("send", "schedule", "test")} == {403}
