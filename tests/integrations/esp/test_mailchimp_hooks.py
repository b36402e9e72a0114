"""Webhooks: who sent them, what they hint at, and how they are asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.base import MemberStatus
from integrations.esp.mailchimp_hooks import decode_form, is_signed, read_event, signature
from tests import needs
from tests.integrations.esp.conformance import AN, BO
from tests.integrations.esp.mailchimp_rig import MailChimpRig
from tests.standins.mailchimp import Delivery

SIGNED_AT = datetime.fromtimestamp(1_718_000_000, UTC)
BODY = b"type=unsubscribe&data%5Bemail%5D=an%40example.org"
# Made with OpenSSL: printf '1718000000.<body>' | openssl dgst -sha256 -hmac geheim
OPENSSL = "8dc406f6f6bc08c138665f68c71be7f5a69ebef07df7bb5a1f5a7f9609f7c330"
URL = "https://proef.example/hooks/mailchimp/token"


def sample(event: str) -> dict[str, Any]:
    samples = needs.contracts("mailchimp-marketing") / "webhooks"
    return dict(json.loads((samples / f"{event}.json").read_text("utf-8")))


EVENTS = ["subscribe", "unsubscribe", "unsubscribe.without_action", "profile", "upemail", "cleaned", "campaign"]


# --- signatures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS)
def test_the_vendors_vectors_are_verified(event: str) -> None:
    vectors, body = sample("signature_vectors"), sample(event)["raw_body"].encode()
    (headers,) = [vector["header"] for vector in vectors["vectors"] if vector["event"] == event]
    assert is_signed(headers, body, secret=vectors["signing_secret"], now=SIGNED_AT)
    assert not is_signed(headers, body + b"&", secret=vectors["signing_secret"], now=SIGNED_AT)


def test_a_signature_made_by_another_program_is_verified() -> None:
    assert signature(BODY, secret="geheim", stamp=1_718_000_000) == OPENSSL
    assert is_signed({"X-Mailchimp-Signature": f"t=1718000000,v1={OPENSSL}"}, BODY, secret="geheim", now=SIGNED_AT)


@pytest.mark.parametrize(
    ("later_s", "is_in_time"), [(0, True), (300, True), (-300, True), (301, False), (-301, False), (86_400, False)]
)
def test_a_signature_counts_for_five_minutes_either_way(later_s: int, is_in_time: bool) -> None:
    headers = {"X-Mailchimp-Signature": f"t=1718000000,v1={OPENSSL}"}
    now = SIGNED_AT + timedelta(seconds=later_s)
    assert is_signed(headers, BODY, secret="geheim", now=now) is is_in_time


@pytest.mark.parametrize(
    "header",
    [
        "",
        "v1=@",
        "t=1718000000",
        "t=1718000000,v1=",
        "t=1718000000,v2=@",
        "t=1718000001,v1=@",
        "t=1718000000,t=1718000000,v1=@",
        "t=99999999999999999999,v1=@",
        "t=-1,v1=@",
        "t=١٧١٨,v1=@",
        "t=1718000000,v1=é",
        "t=1718000000;v1=@",
    ],
)
def test_anything_else_in_the_header_is_refused(header: str) -> None:
    headers = {"X-Mailchimp-Signature": header.replace("@", OPENSSL)}
    assert not is_signed(headers, BODY, secret="geheim", now=SIGNED_AT)


def test_the_header_counts_in_any_case_and_one_of_two_signatures_is_enough() -> None:
    headers = {"x-mailchimp-SIGNATURE": f"t=1718000000, v1={'0' * 64}, v1={OPENSSL}"}
    assert is_signed(headers, BODY, secret="geheim", now=SIGNED_AT)
    assert not is_signed(headers, BODY, secret="other", now=SIGNED_AT)
    assert not is_signed({}, BODY, secret="geheim", now=SIGNED_AT)


def test_without_a_secret_the_address_is_the_secret(mailchimp_rig: MailChimpRig) -> None:
    assert mailchimp_rig.destination.verify_hook({}, BODY, secret=None, now=SIGNED_AT)
    assert not mailchimp_rig.destination.verify_hook({}, BODY, secret="geheim", now=SIGNED_AT)


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS)
def test_the_vendors_forms_are_decoded_whole(event: str) -> None:
    given = sample(event)
    assert decode_form(given["raw_body"].encode()) == given["decoded"]


@pytest.mark.parametrize("event", EVENTS)
def test_the_vendors_deliveries_become_hints(event: str) -> None:
    given = sample(event)
    hint = read_event(given["raw_body"].encode())
    data = given["decoded"]["data"]
    assert hint is not None
    assert hint.kind == event.partition(".")[0]
    assert hint.list_external_id == data["list_id"]
    assert hint.email == data.get("email", data.get("new_email"))
    assert (hint.old_email, hint.reason) == (data.get("old_email"), data.get("reason") or None)
    assert f"{hint.occurred_at:%Y-%m-%d %H:%M:%S}" == given["decoded"]["fired_at"]


def form(**changed: str) -> bytes:
    fields = {
        "type": "unsubscribe",
        "fired_at": "2026-11-20 09:00:00",
        "data[id]": "8a25ff1d98",
        "data[list_id]": "a6b",
    }
    return "&".join(f"{name}={value}" for name, value in {**fields, **changed}.items()).encode()


def test_a_delivery_made_twice_has_one_key_and_another_event_another() -> None:
    keys = [
        form(),
        form(**{"data[merges][FNAME]": "An", "data[action]": "unsub"}),
        form(type="profile"),
        form(fired_at="2026-11-20 09:00:01"),
        form(**{"data[id]": "other"}),
        form(**{"data[list_id]": "other"}),
    ]
    found = [hint.dedupe_key for body in keys if (hint := read_event(body))]
    assert len(found) == 6
    assert found[0] == found[1]
    assert len(set(found)) == 5


def test_the_key_tells_two_addresses_apart_where_there_is_no_id_and_holds_neither() -> None:
    first, second = (read_event(form(type="cleaned", **{"data[id]": "", "data[email]": who})) for who in (AN, BO))
    assert first is not None
    assert second is not None
    assert first.dedupe_key != second.dedupe_key
    assert "example" not in first.dedupe_key


def test_a_time_that_cannot_be_read_leaves_the_hint() -> None:
    hint = read_event(form(fired_at="gisteren"))
    assert hint is not None
    assert hint.occurred_at is None


@given(st.binary(max_size=200) | st.text(alphabet="abtype[]=&%5B0dt.", max_size=60).map(str.encode))
def test_no_body_breaks_the_reading(body: bytes) -> None:
    decode_form(body)
    read_event(body)


def test_keys_that_contradict_each_other_do_no_harm() -> None:
    assert decode_form(b"a=1&a[b]=2&c[d]=3&c=4&e[]=5&e[]=6&f[g][]=7") == {
        "a": "1",
        "c": "4",
        "e": {"0": "5", "1": "6"},
        "f": {"g": {"0": "7"}},
    }
    assert decode_form(b"&".join(b"x%d=1" % number for number in range(2_000))) == {}
    assert decode_form(b"a" + b"[b]" * 50 + b"=1") == {}


# --- asking for them, and the whole way round ------------------------------------------------------------------------


def test_every_source_is_named_and_programs_are_not_listened_to(mailchimp_rig: MailChimpRig) -> None:
    secret = mailchimp_rig.destination.ensure_webhook(mailchimp_rig.list_id, URL)
    (hook,) = mailchimp_rig.standin.webhooks(list_id=mailchimp_rig.list_id)
    assert hook["secret"] == secret
    assert hook["sources"] == {"user": True, "admin": True, "api": False}
    assert {kind for kind, is_wanted in hook["events"].items() if not is_wanted} == {"campaign"}


def test_a_webhook_with_other_flags_is_mended_in_place(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.destination.ensure_webhook(mailchimp_rig.list_id, URL)
    mailchimp_rig.standin.spoil_webhook(URL, list_id=mailchimp_rig.list_id)
    assert mailchimp_rig.destination.ensure_webhook(mailchimp_rig.list_id, URL) is None
    (hook,) = mailchimp_rig.standin.webhooks(list_id=mailchimp_rig.list_id)
    assert hook["sources"] == {"user": True, "admin": True, "api": False}
    assert hook["events"]["unsubscribe"] is True


def test_the_webhooks_of_others_are_left_alone(mailchimp_rig: MailChimpRig) -> None:
    other = "https://other.example/hook"
    mailchimp_rig.destination.ensure_webhook(mailchimp_rig.list_id, other)
    mailchimp_rig.destination.ensure_webhook(mailchimp_rig.list_id, URL, renew=True)
    mailchimp_rig.destination.ensure_webhook(mailchimp_rig.list_id, URL, renew=True)
    hooks = mailchimp_rig.standin.webhooks(list_id=mailchimp_rig.list_id)
    assert sorted(hook["url"] for hook in hooks) == sorted([other, URL])


def test_a_mailchimp_that_does_not_sign_gives_no_secret(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.standin.behave(signs_webhooks=False)
    assert mailchimp_rig.destination.ensure_webhook(mailchimp_rig.list_id, URL) is None
    assert len(mailchimp_rig.standin.webhooks(list_id=mailchimp_rig.list_id)) == 1


def deliveries(rig: MailChimpRig, *, without_action: bool = False) -> list[Delivery]:
    return rig.standin.take_deliveries(without_action=without_action)


@pytest.mark.parametrize("without_action", [False, True])
def test_an_opt_out_by_a_person_comes_as_a_signed_hint(mailchimp_rig: MailChimpRig, without_action: bool) -> None:
    secret = mailchimp_rig.destination.ensure_webhook(mailchimp_rig.list_id, URL)
    mailchimp_rig.add(AN, MemberStatus.SUBSCRIBED)
    mailchimp_rig.standin.unsubscribe_by_person(AN, list_id=mailchimp_rig.list_id)
    (delivery,) = deliveries(mailchimp_rig, without_action=without_action)
    assert (b"action" in delivery.body) is not without_action
    now = datetime.now(UTC)
    assert mailchimp_rig.destination.verify_hook(delivery.headers, delivery.body, secret=secret, now=now)
    (hint,) = mailchimp_rig.destination.read_hook(delivery.body)
    assert (hint.kind, hint.email, hint.reason) == ("unsubscribe", AN, "manual")
    assert hint.list_external_id == mailchimp_rig.list_id


def test_our_own_writes_do_not_come_back_as_news(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.destination.ensure_webhook(mailchimp_rig.list_id, URL)
    mailchimp_rig.add(AN, MemberStatus.SUBSCRIBED)
    mailchimp_rig.destination.unsubscribe(mailchimp_rig.list_id, AN)
    assert deliveries(mailchimp_rig) == []


def test_a_changed_address_names_both(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.destination.ensure_webhook(mailchimp_rig.list_id, URL)
    mailchimp_rig.add(AN, MemberStatus.SUBSCRIBED)
    mailchimp_rig.standin.change_address(AN, BO, list_id=mailchimp_rig.list_id)
    (delivery,) = deliveries(mailchimp_rig)
    (hint,) = mailchimp_rig.destination.read_hook(delivery.body)
    assert (hint.kind, hint.old_email, hint.email) == ("upemail", AN, BO)
