"""The table of systems that can be connected."""

from __future__ import annotations

import json

import pytest

from integrations.base import Permanent
from integrations.catalogue import SYSTEMS, System, system_named


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda system: system.system)
def test_every_system_opens_what_its_kind_says_and_asks_for_something_secret(system: System) -> None:
    assert (system.open_source is None) == (system.kind == "destination")
    assert (system.open_destination is None) == (system.kind == "source")
    assert system.capabilities.system == system.system
    assert any(field.is_secret for field in system.fields) or system.open_on_folder is not None
    assert all(field.label.strip() for field in system.fields)
    assert not any(field.is_secret and field.default for field in system.fields)


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda system: system.system)
def test_opening_a_system_asks_the_network_nothing(system: System) -> None:
    # Of two secrets of which one is enough, the first.
    asked = [field for field in system.fields if field.is_required or field.default or field.name == "password"]
    values = {field.name: field.default or "stadstheater-us1" for field in asked}
    opener = system.open_source or system.open_destination
    assert opener is not None
    opened = opener(values, values, False)
    assert opened.capabilities == system.capabilities


def test_a_system_nobody_knows_is_refused() -> None:
    with pytest.raises(Permanent, match="unknown_system"):
        system_named("fax")


@pytest.mark.parametrize(
    ("address", "allows_loopback", "code"),
    [
        ("https://us6.api.mailchimp.com/3.0", False, None),
        ("http://127.0.0.1:4010/3.0", True, None),
        ("http://127.0.0.1:4010/3.0", False, "private_address"),
        ("http://us6.api.mailchimp.com/3.0", True, "insecure_address"),
        ("https://mailchimp.com.evil.example/3.0", True, "bad_address"),
        ("https://evilmailchimp.com/3.0", False, "bad_address"),
        ("https://10.0.0.1/3.0", True, "private_address"),
    ],
)
def test_the_key_of_mailchimp_goes_to_mailchimp_or_where_the_operator_tests(
    address: str, allows_loopback: bool, code: str | None
) -> None:
    opener = system_named("mailchimp").open_destination
    assert opener is not None
    try:
        opener({"base_url": address}, {"api_key": "key-us6"}, allows_loopback)
        refused_for = None
    except Permanent as refusal:
        refused_for = refusal.code
    assert refused_for == code


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("https://api.createsend.com/api/v3.3", None),
        ("http://127.0.0.1:4010/api/v3.3", None),
        ("https://createsend.com.evil.example/api/v3.3", "bad_address"),
        ("https://evilcreatesend.com/api/v3.3", "bad_address"),
    ],
)
def test_the_key_of_campaign_monitor_goes_to_campaign_monitor_or_where_the_operator_tests(
    address: str, code: str | None
) -> None:
    opener = system_named("campaign_monitor").open_destination
    assert opener is not None
    try:
        opener({"base_url": address, "client_id": "c"}, {"api_key": "key"}, True)
        refused_for = None
    except Permanent as refusal:
        refused_for = refusal.code
    assert refused_for == code


def test_repeats_of_a_campaign_monitor_delivery_are_known_by_one_key() -> None:
    key_of = system_named("campaign_monitor").hook_dedupe_key
    one = {
        "Type": "Deactivate",
        "Date": "2026-11-20 10:00:00",
        "EmailAddress": "an@example.org",
        "State": "Unsubscribed",
    }
    bodies = [json.dumps({"Events": [row], "ListID": "a6b"}).encode() for row in (one, one | {"State": "Bounced"})]
    assert key_of(bodies[0]) == key_of(bodies[0]) is not None
    assert key_of(bodies[0]) != key_of(bodies[1])
    assert key_of(b"") is None


def test_repeats_of_a_mailchimp_delivery_are_known_by_one_key() -> None:
    key_of = system_named("mailchimp").hook_dedupe_key
    body = b"type=unsubscribe&fired_at=2026-11-20+09%3A00%3A00&data%5Bid%5D=8a25&data%5Blist_id%5D=a6b"
    assert key_of(body) == key_of(body) is not None
    assert key_of(b"") is None
