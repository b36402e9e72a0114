"""Events of relays do what the same report by mail does, and only where they are signed as the house asks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mailings.returns.classifying import classify
from app.mailings.returns.mailbox_settings import change_hook_key, mailbox_row, new_hook_path
from app.mailings.returns.processing import process_returns
from app.mailings.returns.relay_events import NotEvents, NotSigned, Posted, reports_of
from tests.mailings.returns.conftest import AN, HouseWithReturns

KEY = "een sleutel"


def mailgun(message_id: str, *, severity: str = "permanent", event: str = "failed", key: str = KEY) -> dict[str, Any]:
    signature = hmac.new(key.encode(), b"1700000000abc", "sha256").hexdigest()
    return {
        "signature": {"timestamp": "1700000000", "token": "abc", "signature": signature},
        "event-data": {
            "id": "e1",
            "event": event,
            "severity": severity,
            "recipient": AN,
            "message": {"headers": {"message-id": message_id}},
            "delivery-status": {"code": 550, "message": "5.1.1 no such user here"},
        },
    }


def generic(kind: str = "bounce", **more: Any) -> dict[str, Any]:
    return {"events": [{"event": kind, "recipient": AN, "status": "5.1.1", "description": "550 unknown", **more}]}


def postmark(kind: str = "HardBounce", record: str = "Bounce") -> dict[str, Any]:
    return {"RecordType": record, "Type": kind, "ID": 42, "Email": AN, "Details": "smtp;550 5.1.1 unknown"}


def posted(told: Any, **headers: str) -> Posted:
    return Posted("https://huis.example/hooks/mail/x", json.dumps(told).encode(), {}, headers)


def signed(told: Any, key: str = KEY) -> Posted:
    body = json.dumps(told).encode()
    mark = hmac.new(key.encode(), b"1700000000." + body, "sha256").hexdigest()
    return Posted("", body, {}, {"X-Zaallicht-Signature": f"t=1700000000,v1={mark}"})


def mandrill(*events: dict[str, Any], key: str = KEY) -> Posted:
    url, said = "https://huis.example/hooks/mail/x", json.dumps(list(events))
    mark = hmac.digest(key.encode(), f"{url}mandrill_events{said}".encode(), hashlib.sha1)
    return Posted(url, b"", {"mandrill_events": said}, {"X-Mandrill-Signature": base64.b64encode(mark).decode()})


def mandrill_event(name: str, **mail: str) -> dict[str, Any]:
    return {"event": name, "ts": 1700000000, "_id": "m1", "msg": {"email": AN, **mail}}


@pytest.mark.parametrize(
    ("post", "kind", "verdict"),
    [
        (posted(mailgun("d1@x")), "bounce", "dead"),
        (posted(mailgun("d1@x", event="complained")), "complaint", None),
        (posted(generic()), "bounce", "dead"),
        (posted(generic(status="5.7.1", description="blocked")), "bounce", "policy"),
        (posted(generic("complaint")), "complaint", None),
        (posted(generic(status="", description="")), "bounce", "unknown"),
        (posted(postmark()), "bounce", "dead"),
        (posted(postmark("Transient") | {"Details": ""}), "bounce", "soft"),
        (posted(postmark("Blocked") | {"Details": ""}), "bounce", "policy"),
        (posted(postmark(record="SpamComplaint")), "complaint", None),
        (mandrill(mandrill_event("hard_bounce", bounce_description="bad_mailbox", diag="550 5.1.1")), "bounce", "dead"),
        (mandrill(mandrill_event("soft_bounce", bounce_description="mailbox_full")), "bounce", "soft"),
        (mandrill(mandrill_event("spam")), "complaint", None),
    ],
)
def test_each_relay_says_the_same_in_its_own_words(post: Posted, kind: str, verdict: str | None) -> None:
    (report,) = reports_of(post, key=None)
    found = classify(report)
    assert (found.kind, found.verdict, found.recipient) == (kind, verdict, AN)


@pytest.mark.parametrize(
    "post",
    [
        posted(mailgun("d1@x", severity="temporary")),
        posted(mailgun("d1@x", event="opened")),
        posted({"events": [{"event": "delivered"}, "nonsense", None]}),
        posted(postmark("AutoResponder")),
        posted({"RecordType": "Open"}),
        mandrill(mandrill_event("open")),
        Posted("", b"", {"mandrill_events": "[]"}, {}),
    ],
)
def test_what_is_no_bounce_and_no_complaint_means_nothing(post: Posted) -> None:
    assert reports_of(post, key=None) == []


@pytest.mark.parametrize(
    "post",
    [
        posted(generic()),
        signed(generic(), key="een andere"),
        posted(mailgun("d1@x", key="een andere")),
        posted({"event-data": mailgun("d1@x")["event-data"]}),
        mandrill(mandrill_event("spam"), key="een andere"),
        posted(postmark()),
    ],
)
def test_with_a_key_nothing_is_believed_that_it_did_not_sign(post: Posted) -> None:
    with pytest.raises(NotSigned):
        reports_of(post, key=KEY)


@pytest.mark.parametrize("post", [signed(generic()), posted(mailgun("d1@x")), mandrill(mandrill_event("spam"))])
def test_what_the_key_signed_is_believed(post: Posted) -> None:
    assert len(reports_of(post, key=KEY)) == 1


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(told=anything, at=st.sampled_from(["", "events", "event-data", "RecordType", "signature"]), words=st.text())
def test_nonsense_is_refused_or_means_nothing_and_never_breaks_out_of_its_line(told: Any, at: str, words: str) -> None:
    body = {at: told, "Email": words, "Type": "HardBounce"} if at else told
    try:
        reports = reports_of(posted(body), key=None)
    except NotEvents:
        return
    for report in reports:
        classify(report)
    (told_back,) = reports_of(posted(generic(recipient=AN, description=words, message_id=words)), key=None)
    assert (classify(told_back).kind, classify(told_back).recipient) == ("bounce", AN)


def test_an_event_stops_the_address_by_number_or_by_whom_it_names(back: HouseWithReturns, client: FlaskClient) -> None:
    delivery_id, keyring = back.mailed(), back.house.runtime.keyring
    with back.house.transaction() as session:
        path = new_hook_path(session, keyring)
        change_hook_key(keyring, mailbox_row(session), KEY)
    refused = client.post(path, json=postmark())
    assert (refused.status_code, back.mails()) == (401, [])
    assert client.post(path, data="{", content_type="application/json").status_code == 400
    assert client.get(path).status_code == 200
    assert client.get("/hooks/mail/nobody").status_code == 404
    told = mailgun(f"{back.number(delivery_id)}@deproef.example")
    told["event-data"]["recipient"] = "somebody@elsewhere.example"
    assert [client.post(path, json=told).status_code for _ in range(2)] == [202, 202]
    assert len(back.mails()) == 1, "told twice is told once"
    process_returns(back.house.runtime, back.house.organisation.id)
    assert back.delivery(delivery_id).came_back == "bounced_for_now", "another address than ours: it was passed on"
    with back.house.transaction() as session:
        change_hook_key(keyring, mailbox_row(session), "")
    assert client.post(path, json=postmark()).status_code == 202
    assert client.post(path, json=generic(recipient="stranger@example.org")).status_code == 202
    process_returns(back.house.runtime, back.house.organisation.id)
    assert back.delivery(delivery_id).came_back == "bounced"
    assert back.identity().deliverability == "bouncing"
    assert [mail.state for mail in back.mails()] == ["done", "done", "to_look_at"]
