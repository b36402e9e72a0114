"""The stand-in is only worth something when it is as strict, and as treacherous, as Campaign Monitor."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.standins.campaign_monitor import CampaignMonitorStandIn
from tests.standins.campaign_monitor_contract import CALLS, FIXTURES, faults_of_answer, shape_of

AN = "an@example.org"
RESUBSCRIBE = {"Resubscribe": True, "RestartSubscriptionBasedAutoresponders": False}


@pytest.fixture
def list_id(campaign_monitor_standin: CampaignMonitorStandIn) -> str:
    return campaign_monitor_standin.add_list()


def ask(standin: CampaignMonitorStandIn, method: str, path: str, body: Any = None, **query: str) -> requests.Response:
    address = f"{standin.base_url}{path}.json"
    return requests.request(method, address, json=body, params=query, auth=(standin.api_key, "x"), timeout=5)


def person(**more: Any) -> dict[str, Any]:
    return {"EmailAddress": AN, "ConsentToTrack": "Unchanged", **more}


@pytest.mark.parametrize("state", ["Unsubscribed", "Bounced", "Deleted", "Unconfirmed"])
@pytest.mark.parametrize("call", ["import", "add", "update"])
def test_resubscribing_brings_everybody_back_and_is_a_violation(
    campaign_monitor_standin: CampaignMonitorStandIn, list_id: str, state: str, call: str
) -> None:
    """The vendor guards nobody: that is why the word may not be said."""
    standin = campaign_monitor_standin
    standin.add_person(AN, state)
    if call == "import":
        told = {"Subscribers": [person()], **RESUBSCRIBE, "QueueSubscriptionBasedAutoResponders": False}
        answer = ask(standin, "POST", f"/subscribers/{list_id}/import", told)
    elif call == "add":
        answer = ask(standin, "POST", f"/subscribers/{list_id}", person(**RESUBSCRIBE))
    else:
        answer = ask(standin, "PUT", f"/subscribers/{list_id}", person(**RESUBSCRIBE), email=AN)
    assert answer.ok
    assert standin.state(AN) == "Active"
    assert any("Resubscribe" in violation for violation in standin.violations)
    standin.violations.clear()


@pytest.mark.parametrize(
    ("method", "path", "body", "query"),
    [
        ("GET", "/lists/a/active", None, {"since": "2026-11-20"}),
        ("GET", "/lists/a/everybody", None, {}),
        ("DELETE", "/subscribers/a/unsubscribe", None, {"email": AN}),
        ("POST", "/subscribers/a", {"EmailAddress": AN, "Resubscribe": False}, {}),
        ("POST", "/subscribers/a", person(Resubscribe=False, Tags=["x"]), {}),
        ("PUT", "/clients/a/unsuppress", {}, {"email": AN}),
    ],
)
def test_what_the_vendors_client_never_says_is_a_violation(
    campaign_monitor_standin: CampaignMonitorStandIn, method: str, path: str, body: Any, query: dict[str, str]
) -> None:
    ask(campaign_monitor_standin, method, path, body, **query)
    assert campaign_monitor_standin.violations
    campaign_monitor_standin.violations.clear()


@pytest.mark.parametrize("example", sorted({call.example for call in CALLS if call.example}))
def test_the_vendors_own_examples_have_their_own_shape(example: str) -> None:
    told = json.loads((FIXTURES / f"{example}.json").read_text("utf-8"))
    assert list(Draft202012Validator(shape_of(told)).iter_errors(told)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"SystemDate": "2026-11-20T10:00:00Z"},
        {"SystemDate": 3},
        {"systemDate": "2026-11-20 10:00:00"},
        {"SystemDate": "2026-11-20 10:00:00", "Zone": "CET"},
        [],
    ],
)
def test_an_answer_of_another_shape_is_found(wrong: Any) -> None:
    assert faults_of_answer("GET", "/systemdate.json", 200, wrong)
    assert not faults_of_answer("GET", "/systemdate.json", 200, {"SystemDate": "2026-11-20 10:00:00"})


def test_whom_they_know_nothing_about_is_assumed_to_agree_to_be_followed(
    campaign_monitor_standin: CampaignMonitorStandIn, list_id: str
) -> None:
    told = {
        "Subscribers": [person()],
        "Resubscribe": False,
        "RestartSubscriptionBasedAutoresponders": False,
        "QueueSubscriptionBasedAutoResponders": False,
    }
    ask(campaign_monitor_standin, "POST", f"/subscribers/{list_id}/import", told)
    held = campaign_monitor_standin.person(AN)
    assert held is not None
    assert held.consent == "Yes"


def test_a_wrong_key_and_a_list_of_somebody_else_are_both_401(campaign_monitor_standin: CampaignMonitorStandIn) -> None:
    standin = campaign_monitor_standin
    wrong = requests.get(f"{standin.base_url}/systemdate.json", auth=("wrong", "x"), timeout=5)
    strange = ask(standin, "GET", "/lists/nolist")
    assert [(one.status_code, one.json()["Code"]) for one in (wrong, strange)] == [(401, 100), (401, 101)]
