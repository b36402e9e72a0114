"""Campaign Monitor's webhooks: many events a body, unsigned, and hints only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from integrations.base import Permanent
from integrations.esp.campaign_monitor_hooks import dedupe_key, read_events
from tests.integrations.esp.campaign_monitor_rig import CampaignMonitorRig
from tests.integrations.esp.conformance import AN, BO

URL = "https://proef.example/hooks/x"
CAPTURES = Path(__file__).parents[4] / "shared" / "contracts" / "campaign-monitor" / "webhooks"


def body(*events: dict[str, Any], list_id: str = "a6b") -> bytes:
    return json.dumps({"Events": list(events), "ListID": list_id}).encode()


def event(kind: str, email: str = AN, **more: str) -> dict[str, Any]:
    return {"Type": kind, "Date": "2026-11-20 10:00:00", "EmailAddress": email, "Name": "", "CustomFields": [], **more}


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (event("Subscribe"), "subscribe"),
        (event("Deactivate", State="Unsubscribed"), "unsubscribe"),
        (event("Deactivate", State="Bounced"), "cleaned"),
        (event("Deactivate", State="Deleted"), "archived"),
        (event("Deactivate"), "unsubscribe"),
        (event("Deactivate", State="Quite new"), "unsubscribe"),
        (event("Update", State="Unsubscribed", OldEmailAddress=AN), "profile"),
    ],
)
def test_every_event_that_may_mean_an_opt_out_is_a_hint(told: dict[str, Any], kind: str) -> None:
    (hint,) = read_events(body(told))
    assert (hint.kind, hint.email, hint.list_external_id, hint.old_email) == (kind, AN, "a6b", None)


def test_a_change_of_address_names_both() -> None:
    (hint,) = read_events(body(event("Update", State="Active", OldEmailAddress=BO)))
    assert (hint.kind, hint.email, hint.old_email) == ("upemail", AN, BO)


@pytest.mark.parametrize("old", [AN, AN.upper(), ""])
def test_the_echo_of_our_own_push_is_no_hint(old: str) -> None:
    assert read_events(body(event("Update", State="Active", OldEmailAddress=old))) == []


def test_many_events_come_oldest_first() -> None:
    later = event("Deactivate", BO, Date="2026-11-20 11:00:00")
    assert [hint.email for hint in read_events(body(later, event("Subscribe")))] == [AN, BO]


@pytest.mark.parametrize(
    "told",
    [
        b"null",
        b'{"Events": 3, "ListID": "a"}',
        b'{"Events": [1, null, {}], "ListID": "a"}',
        b'{"Events": [{"Type": "Subscribe", "EmailAddress": 7}], "ListID": "a"}',
        b'{"Events": [{"Type": ["Subscribe"], "EmailAddress": "an@example.org"}], "ListID": "a"}',
        b'{"Events": [{"Type": "Subscribe", "EmailAddress": "an@example.org"}]}',
        b'{"Events": [{"Type": "Send", "EmailAddress": "an@example.org"}], "ListID": "a"}',
        b"[" * 100_000,
    ],
)
def test_a_strange_body_gives_no_hint_and_no_key(told: bytes) -> None:
    assert read_events(told) == []
    assert dedupe_key(told) is None


def test_repeats_have_one_key_that_tells_nobody() -> None:
    one, other = body(event("Deactivate", State="Unsubscribed")), body(event("Deactivate", BO, State="Unsubscribed"))
    assert dedupe_key(one) == dedupe_key(one) != dedupe_key(other)
    assert AN not in str(dedupe_key(one))


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("deactivate.unsubscribed", ["unsubscribe"]),
        ("subscribe", ["subscribe"]),
        ("subscribe.batched_manual", ["subscribe", "subscribe"]),
        ("update.email_changed", ["upemail"]),
    ],
)
def test_the_vendors_examples_are_read(name: str, kinds: list[str]) -> None:
    path = CAPTURES / f"{name}.json"
    if not path.is_file():
        pytest.skip("the vendor's examples are not beside this checkout")
    told = json.loads(path.read_text("utf-8"))["body"]
    hints = read_events(json.dumps(told).encode())
    assert [hint.kind for hint in hints] == kinds
    assert {hint.list_external_id for hint in hints} == {told["ListID"]}


def test_the_stand_ins_deliveries_are_read(campaign_monitor_rig: CampaignMonitorRig) -> None:
    rig = campaign_monitor_rig
    rig.destination.ensure_webhook(rig.list_id, URL)
    rig.standin.add_person(AN, list_id=rig.list_id)
    rig.standin.unsubscribe_by_person(AN, list_id=rig.list_id)
    (delivery,) = rig.standin.take_deliveries()
    (hint,) = rig.destination.read_hook(delivery.body)
    assert (delivery.url, hint.kind, hint.email, hint.list_external_id) == (URL, "unsubscribe", AN, rig.list_id)


# --- keeping them alive ----------------------------------------------------------------------------------------------


def hooks(rig: CampaignMonitorRig) -> list[tuple[object, object, object]]:
    return [(hook["url"], hook["format"], hook["status"]) for hook in rig.standin.webhooks(list_id=rig.list_id)]


def test_a_webhook_that_was_switched_off_is_switched_on_and_tried(campaign_monitor_rig: CampaignMonitorRig) -> None:
    rig = campaign_monitor_rig
    rig.destination.ensure_webhook(rig.list_id, URL)
    rig.standin.switch_webhooks_off(list_id=rig.list_id)
    rig.destination.ensure_webhook(rig.list_id, URL)
    assert hooks(rig) == [(URL, "json", "Active")]
    counts = rig.standin.counts()
    assert (counts["post_webhook"], counts["activate_webhook"], counts["test_webhook"]) == (1, 1, 2)


def test_a_webhook_in_order_costs_one_call(campaign_monitor_rig: CampaignMonitorRig) -> None:
    rig = campaign_monitor_rig
    rig.destination.ensure_webhook(rig.list_id, URL)
    before = rig.requests_made()
    rig.destination.ensure_webhook(rig.list_id, URL)
    assert rig.requests_made() - before == 1


def test_a_webhook_that_cannot_reach_us_is_told_in_words(campaign_monitor_rig: CampaignMonitorRig) -> None:
    campaign_monitor_rig.standin.lose_sight_of(URL)
    with pytest.raises(Permanent) as caught:
        campaign_monitor_rig.destination.ensure_webhook(campaign_monitor_rig.list_id, URL)
    assert caught.value.code == "hook_failed"


def test_a_webhook_that_announces_too_little_is_made_anew_and_those_of_others_stay(
    campaign_monitor_rig: CampaignMonitorRig,
) -> None:
    rig = campaign_monitor_rig
    client = rig.destination._client
    others = "https://x.example"
    for url, events, written in (
        (URL, ["Subscribe"], "json"),
        (URL, ["Deactivate"], "xml"),
        (others, ["Update"], "xml"),
    ):
        client.post("lists", rig.list_id, "webhooks", body={"Events": events, "Url": url, "PayloadFormat": written})
    rig.destination.ensure_webhook(rig.list_id, URL)
    assert sorted(hooks(rig)) == [(URL, "json", "Active"), (others, "xml", "Active")]
