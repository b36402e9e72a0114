"""The stand-in is only worth something when it is as strict, and as treacherous, as MailChimp."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.standins.mailchimp import Fault, MailChimpStandIn
from tests.standins.mailchimp_account import hash_of

AN = "an@example.org"


@pytest.fixture
def list_id(mailchimp_standin: MailChimpStandIn) -> str:
    return mailchimp_standin.add_list()


def ask(standin: MailChimpStandIn, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
    auth = ("any", standin.api_key)
    return requests.request(method, standin.base_url + path, json=body, params=query, auth=auth, timeout=5)


def write(standin: MailChimpStandIn, list_id: str, **body: str) -> requests.Response:
    whole = {"email_address": AN, "status_if_new": "subscribed", **body}
    return ask(standin, "PUT", f"/lists/{list_id}/members/{hash_of(AN)}", whole)


# --- the table of ESPS.md 1.4, columns "status: subscribed" and "status: pending": what the connector must never do ---

COMPLIANCE = "Member In Compliance State"
# How somebody is held, and who unsubscribed them: what each of the two words makes of that.
WRITTEN: dict[tuple[str | None, str | None], dict[str, str]] = {
    (None, None): {"subscribed": "subscribed", "pending": "pending"},
    ("subscribed", None): {"subscribed": "subscribed", "pending": "pending"},
    ("pending", None): {"subscribed": "subscribed", "pending": "pending"},
    ("transactional", None): {"subscribed": "subscribed", "pending": "pending"},
    ("unsubscribed", "person"): {"subscribed": COMPLIANCE, "pending": "pending"},
    ("unsubscribed", "api"): {"subscribed": "subscribed", "pending": "pending"},
    ("unsubscribed", "admin"): {"subscribed": "subscribed", "pending": "pending"},
    ("cleaned", None): {"subscribed": COMPLIANCE, "pending": COMPLIANCE},
    ("archived", None): {"subscribed": "subscribed", "pending": "pending"},
}


@pytest.mark.parametrize(("held", "by"), WRITTEN)
@pytest.mark.parametrize("wanted", ["subscribed", "pending"])
def test_a_written_status_undoes_every_opt_out_but_the_persons_own(
    mailchimp_standin: MailChimpStandIn, list_id: str, held: str | None, by: str | None, wanted: str
) -> None:
    if held:
        mailchimp_standin.add_member(AN, held, by=by)
    answer, expected = write(mailchimp_standin, list_id, status=wanted).json(), WRITTEN[held, by][wanted]
    assert (answer["title"] if expected == COMPLIANCE else answer["status"]) == expected
    assert mailchimp_standin.status(AN) == (held if expected == COMPLIANCE else expected)


def test_the_forgotten_come_back_by_their_own_hand_only(mailchimp_standin: MailChimpStandIn, list_id: str) -> None:
    mailchimp_standin.forget(AN)
    answer = write(mailchimp_standin, list_id, status="subscribed")
    assert (answer.status_code, answer.json()["title"]) == (400, "Forgotten Email Not Subscribed")
    mailchimp_standin.subscribe_by_person(AN)
    assert mailchimp_standin.status(AN) == "subscribed"


def test_a_patch_creates_nobody(mailchimp_standin: MailChimpStandIn, list_id: str) -> None:
    path = f"/lists/{list_id}/members/{hash_of(AN)}"
    assert ask(mailchimp_standin, "PATCH", path, {"status": "unsubscribed"}).status_code == 404
    assert mailchimp_standin.status(AN) == "absent"


# --- limits ----------------------------------------------------------------------------------------------------------


def test_the_eleventh_connection_is_refused(mailchimp_standin: MailChimpStandIn) -> None:
    mailchimp_standin.answer_in_company("get_root", 11)
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(ask(mailchimp_standin, "GET", "/").status_code))
        for _ in range(11)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 429 in statuses
    assert mailchimp_standin.in_flight_peak == 11


@pytest.mark.parametrize(("size", "status"), [(500, 200), (501, 400)])
def test_a_segment_takes_500_at_a_time(
    mailchimp_standin: MailChimpStandIn, list_id: str, size: int, status: int
) -> None:
    tag = ask(mailchimp_standin, "POST", f"/lists/{list_id}/segments", {"name": "A", "static_segment": []}).json()["id"]
    emails = [f"p{number}@example.org" for number in range(size)]
    path = f"/lists/{list_id}/segments/{tag}"
    assert ask(mailchimp_standin, "POST", path, {"members_to_add": emails}).status_code == status
    assert len(mailchimp_standin.violations) == (0 if status == 200 else 1)
    mailchimp_standin.violations.clear()


def test_a_page_holds_1000_at_most_and_10_unless_told(mailchimp_standin: MailChimpStandIn, list_id: str) -> None:
    for number in range(11):
        mailchimp_standin.add_member(f"p{number}@example.org")
    path = f"/lists/{list_id}/members"
    assert len(ask(mailchimp_standin, "GET", path).json()["members"]) == 10
    assert ask(mailchimp_standin, "GET", path, count=1_001).status_code == 400
    assert mailchimp_standin.violations == [
        "request get_members: query count: 1001 is greater than the maximum of 1000"
    ]
    mailchimp_standin.violations.clear()


def test_a_fraction_of_a_second_filters_nothing(mailchimp_standin: MailChimpStandIn, list_id: str) -> None:
    mailchimp_standin.add_member(AN)
    later = datetime.now(UTC) + timedelta(days=1)
    path = f"/lists/{list_id}/members"
    for since, count in ((later.replace(microsecond=0), 0), (later.replace(microsecond=5), 1)):
        answer = ask(mailchimp_standin, "GET", path, since_last_changed=since.isoformat()).json()
        assert len(answer["members"]) == count


# --- the contract ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/lists/{list}", {"members": []}),
        ("DELETE", "/lists/{list}/members/x", None),
        ("PUT", "/lists/{list}/members/x", {"email_address": AN}),
        ("PUT", "/lists/{list}/members/x", {"email_address": AN, "status_if_new": "archived"}),
        ("PUT", "/lists/{list}/members/x", {"email_address": AN, "status_if_new": "subscribed", "merge_field": {}}),
        ("GET", "/lists/{list}/members", {"a": 1}),
    ],
)
def test_a_request_outside_the_contract_is_a_violation(
    mailchimp_standin: MailChimpStandIn, list_id: str, method: str, path: str, body: Any
) -> None:
    assert ask(mailchimp_standin, method, path.replace("{list}", list_id), body).status_code == 400
    assert len(mailchimp_standin.violations) == 1
    mailchimp_standin.violations.clear()


def test_an_answer_outside_the_contract_is_a_violation(mailchimp_standin: MailChimpStandIn, list_id: str) -> None:
    mailchimp_standin.add_member(AN, "asleep")
    ask(mailchimp_standin, "GET", f"/lists/{list_id}/members/{hash_of(AN)}")
    assert len(mailchimp_standin.violations) == 1
    assert mailchimp_standin.violations[0].startswith("answer get_member 200: $.status")
    mailchimp_standin.violations.clear()


def test_a_wrong_key_is_refused(mailchimp_standin: MailChimpStandIn) -> None:
    assert requests.get(mailchimp_standin.base_url + "/", auth=("any", "wrong"), timeout=5).status_code == 401
    assert requests.get(mailchimp_standin.base_url + "/", timeout=5).status_code == 401


# --- failing and announcing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "has_type", "has_body"),
    [
        (Fault.THROTTLED, 429, False, False),
        (Fault.FORBIDDEN_BODYLESS, 403, False, False),
        (Fault.BAD_GATEWAY, 502, True, True),
        (Fault.TOO_MANY_UNTYPED, 429, False, True),
        (Fault.SERVER_ERROR, 500, True, True),
    ],
)
def test_a_failure_looks_as_reported(
    mailchimp_standin: MailChimpStandIn, fault: Fault, status: int, has_type: bool, has_body: bool
) -> None:
    mailchimp_standin.fail_next(fault)
    answer = ask(mailchimp_standin, "GET", "/")
    assert answer.status_code == status
    assert ("Content-Type" in answer.headers, bool(answer.content)) == (has_type, has_body)
    assert ask(mailchimp_standin, "GET", "/").status_code == 200


@pytest.mark.parametrize(("fault", "has_effect"), [(Fault.DROP, False), (Fault.DROP_AFTER, True)])
def test_a_dropped_connection_may_or_may_not_have_had_its_effect(
    mailchimp_standin: MailChimpStandIn, list_id: str, fault: Fault, has_effect: bool
) -> None:
    mailchimp_standin.fail_next(fault)
    with pytest.raises(requests.ConnectionError):
        write(mailchimp_standin, list_id)
    assert (mailchimp_standin.status(AN) == "subscribed") is has_effect


def test_webhooks_announce_what_they_were_asked_to(mailchimp_standin: MailChimpStandIn, list_id: str) -> None:
    events = {"subscribe": True, "unsubscribe": True, "profile": False, "cleaned": True, "upemail": True}
    hook = {"url": "https://proef.example/h", "events": events, "sources": {"user": True, "admin": False, "api": False}}
    ask(mailchimp_standin, "POST", f"/lists/{list_id}/webhooks", hook)
    for number in range(4):
        mailchimp_standin.add_member(f"p{number}@example.org")
    mailchimp_standin.unsubscribe_by_person("p0@example.org")
    mailchimp_standin.unsubscribe_by_admin("p1@example.org")
    mailchimp_standin.change_profile("p2@example.org", {"FNAME": "Pia"})
    mailchimp_standin.change_address("p3@example.org", "p4@example.org")
    assert [delivery.kind for delivery in mailchimp_standin.take_deliveries()] == ["unsubscribe", "upemail"]
    assert mailchimp_standin.take_deliveries() == []
