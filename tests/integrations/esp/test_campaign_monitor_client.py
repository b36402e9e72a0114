"""The client of Campaign Monitor: what an answer means, and that nothing leaks and nothing is led astray."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest
import requests

from integrations.base import ConnectorError, MemberPush, Permanent, PushOutcome, Transient
from integrations.esp.calls import Call
from integrations.esp.campaign_monitor import CampaignMonitor
from integrations.esp.campaign_monitor_client import Client, _judge_answer
from tests.integrations.esp.campaign_monitor_rig import CampaignMonitorRig
from tests.integrations.esp.conformance import AN
from tests.standins.campaign_monitor import CampaignMonitorStandIn, Fault

READ = Call("GET", "https://example.org")


def judged(status: int, body: Any = None, *, raw: bytes | None = None, **headers: str) -> Any:
    answer = requests.Response()
    answer.status_code = status
    answer._content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return _judge_answer(answer, READ)


@pytest.mark.parametrize(
    ("status", "number", "code"),
    [
        (400, 1, "invalid_address"),
        (400, 203, "not_on_list"),
        (400, 255, "field_taken"),
        (400, 610, "hook_failed"),
        (400, 999, "refused"),
        (400, None, "refused"),
        (401, 60, "forbidden"),
        (401, 100, "unauthorised"),
        (401, 101, "not_found"),
        (401, 102, "bad_settings"),
        (401, 120, "unauthorised"),
        (401, 121, "unauthorised"),
        (401, 122, "unauthorised"),
        (401, None, "unauthorised"),
        (401, "100", "unauthorised"),
        (403, 403, "forbidden"),
        (404, 404, "not_found"),
        (302, None, "moved"),
    ],
)
def test_a_refusal_is_known_by_its_number(status: int, number: object, code: str) -> None:
    body = None if number is None else {"Code": number, "Message": f"{AN} is not welcome"}
    error = judged(status, body).error
    assert isinstance(error, Permanent)
    assert error.code == code
    assert AN not in f"{error} {error.hint} {vars(error)}"


@pytest.mark.parametrize(
    ("headers", "wait_s"), [({"X_RateLimit_Reset": "348"}, 348), ({"Retry_After": "7"}, 7), ({}, None)]
)
def test_throttling_says_how_long_to_wait(headers: dict[str, str], wait_s: float | None) -> None:
    error = judged(429, {"Code": 429, "Message": "Rate limit exceeded"}, **headers).error
    assert isinstance(error, Transient)
    assert (error.code, error.retry_after_s) == ("rate_limited", wait_s)


@pytest.mark.parametrize("status", [200, 201])
def test_a_page_of_html_is_no_answer(status: int) -> None:
    verdict = judged(status, raw=b"<html></html>")
    assert (verdict.error.code, verdict.is_maybe_done) == ("unexpected_answer", True)


def test_a_partial_success_is_an_answer_and_any_other_400_is_none() -> None:
    assert judged(400, {"Code": 210, "Message": "", "ResultData": {"a": 1}}).data.body == {"a": 1}
    assert judged(400, {"Code": 209, "Message": "", "ResultData": {"a": 1}}).error.code == "refused"


@pytest.mark.parametrize("body", [None, [], "x", 3, {}, {"Results": 3, "TotalNumberOfRecords": 1, "NumberOfPages": 1}])
def test_json_of_another_shape_is_no_answer(
    campaign_monitor_standin: CampaignMonitorStandIn, monkeypatch: pytest.MonkeyPatch, body: Any
) -> None:
    client = Client("key", base_url=campaign_monitor_standin.base_url)
    monkeypatch.setattr(client.caller, "insist", lambda _call: judged(200, body).data)
    with pytest.raises(Transient, match="unexpected_answer"):
        client.get_page("lists", "a", "active")
    if not isinstance(body, list):
        with pytest.raises(Transient, match="unexpected_answer"):
            client.get_all("clients", "a", "lists")
    if not isinstance(body, dict):
        with pytest.raises(Transient, match="unexpected_answer"):
            client.get("clients", "a")


@pytest.mark.parametrize("hours", [-9.5, 0, 1, 5.75, 14])
def test_the_zone_is_read_from_the_vendors_two_clocks(campaign_monitor_rig: CampaignMonitorRig, hours: float) -> None:
    campaign_monitor_rig.standin.behave(hours_from_utc=hours)
    assert campaign_monitor_rig.destination._client.zone() == timezone(timedelta(hours=hours))


def test_an_id_cannot_become_another_path(campaign_monitor_rig: CampaignMonitorRig) -> None:
    with pytest.raises(Permanent):
        campaign_monitor_rig.destination.field_tags("../clients/x?y=")
    (request,) = campaign_monitor_rig.standin.requests
    assert request.request.path == "/lists/..%2Fclients%2Fx%3Fy%3D/customfields.json"
    campaign_monitor_rig.standin.violations.clear()


@pytest.mark.parametrize("key", ["", "  ", "twee woorden", "sleutel\n2", "clé"])
def test_a_key_no_header_can_carry_is_refused_before_anything_is_sent(key: str) -> None:
    with pytest.raises(Permanent) as caught:
        CampaignMonitor(key, "client")
    assert caught.value.code == "invalid_key"


def test_blanks_around_a_pasted_key_and_client_do_no_harm(campaign_monitor_standin: CampaignMonitorStandIn) -> None:
    standin = campaign_monitor_standin
    with CampaignMonitor(f" {standin.api_key}\n", f"{standin.client_id} ", base_url=standin.base_url) as held:
        assert held.check() == standin.account_name


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.SERVER_ERROR, Fault.BAD_GATEWAY, Fault.THROTTLED])
def test_an_import_may_be_said_twice(campaign_monitor_rig: CampaignMonitorRig, fault: Fault) -> None:
    campaign_monitor_rig.standin.fail_next(fault, times=2, kind="import")
    rig = campaign_monitor_rig
    results = rig.destination.upsert(rig.list_id, [MemberPush(AN)], double_opt_in=False)
    assert [result.outcome for result in results] == [PushOutcome.DONE]


def test_a_field_is_not_made_twice(campaign_monitor_rig: CampaignMonitorRig) -> None:
    campaign_monitor_rig.standin.fail_next(Fault.SERVER_ERROR_AFTER, kind="post_field")
    with pytest.raises(ConnectorError):
        campaign_monitor_rig.destination.ensure_tag(campaign_monitor_rig.list_id, "Afhakers")
    assert campaign_monitor_rig.standin.counts()["post_field"] == 1
    assert campaign_monitor_rig.destination.ensure_tag(campaign_monitor_rig.list_id, "Afhakers") == "Afhakers"
    assert len(campaign_monitor_rig.standin.fields(list_id=campaign_monitor_rig.list_id)) == 1
