"""The Eventbrite connector on an invented organization, and on what only Eventbrite does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from integrations.base import ConsentState, Permanent, SourcePage, Transient
from integrations.sources.eventbrite import Eventbrite
from integrations.sources.eventbrite_mapping import Account, attendee_of, buyer_of
from tests import needs
from tests.integrations.sources.conformance import Connect, SourceConformance, by_id
from tests.standins.eventbrite import (
    QUESTION,
    EventbriteHouse,
    EventbriteStandin,
    answer,
    attendee,
    event,
    invented_house,
    order,
)


@pytest.fixture
def standin() -> Iterator[EventbriteStandin]:
    with EventbriteStandin(invented_house()) as served:
        yield served


@pytest.fixture
def small() -> Iterator[EventbriteStandin]:
    house = EventbriteHouse()
    house.put("events", event("901", "2026-11-21T19:00:00Z"))
    house.put("orders", order("70", "fien@example.org"))
    house.put("attendees", attendee("80", "901", "70", "fien@example.org", answers=[answer("Ja, graag!")]))
    house.put("attendees", attendee("81", "901", "70", "bram@example.org"))
    with EventbriteStandin(house) as served:
        yield served


@pytest.fixture
def connect(standin: EventbriteStandin) -> Iterator[Connect]:
    opened: list[Eventbrite] = []

    def open_source(*, wrong_credentials: bool = False, **options: Any) -> Eventbrite:
        opened.append(on(standin, token="wrong" if wrong_credentials else standin.house.token, **options))
        return opened[-1]

    yield open_source
    for source in opened:
        source.close()


def on(served: EventbriteStandin, *, token: str = "invented-token") -> Eventbrite:
    return Eventbrite(
        served.house.organization,
        token,
        base_url=f"{served.url}/v3",
        optin_question=QUESTION,
        allows_loopback=True,
        sleep=lambda _s: None,
    )


def pull(source: Eventbrite, stream: str, cursor: Any = None) -> list[SourcePage]:
    return list(source.pull(stream, cursor or {}))


def hook(address: str, action: str = "attendee.updated") -> bytes:
    return json.dumps({"config": {"action": action, "user_id": "1", "webhook_id": "2"}, "api_url": address}).encode()


class TestConformance(SourceConformance):
    """Eventbrite keeps what every source promises."""


# --- meaning ---


def test_the_vendors_own_examples_are_read() -> None:
    folder = needs.contracts("eventbrite")
    (row,) = json.loads((folder / "eventbrite_attendee.json").read_text())["attendees"]
    found = attendee_of(row, Account("eventbrite"))
    assert found is not None
    assert (found.amount, found.currency, found.status) == (Decimal("4.32"), "USD", "booked")
    assert (found.contact.given_name, found.contact.gender) == ("John", "male")
    buyer = buyer_of(json.loads((folder / "eventbrite_order.json").read_text()), Account("eventbrite"))
    assert buyer is not None
    assert buyer.family_name == "Smith"


def test_a_friend_with_the_buyers_address_does_not_rename_the_buyer() -> None:
    order = {"email": "Fien@example.org", "first_name": "Fien", "last_name": "Claes"}
    told = [
        attendee_of(
            {**attendee("1", "9", "7", "fien@example.org"), "order": order | {"first_name": name}}, Account("e")
        )
        for name in ("Fien", "Bram")
    ]
    names = [(one.contact.email, one.contact.given_name) for one in told if one is not None]
    assert names == [("fien@example.org", None), ("fien@example.org", "Bram")]


def test_buyer_and_attendee_are_different_people(small: EventbriteStandin) -> None:
    (orders,), (attendees,) = pull(on(small), "orders"), pull(on(small), "attendees")
    assert [one.email for one in orders.contacts] == ["fien@example.org"]
    assert {one.external_id: one.contact.email for one in attendees.participations} == {
        "80": "fien@example.org",
        "81": "bram@example.org",
    }
    assert {one.buyer and one.buyer.email for one in attendees.participations} == {"fien@example.org"}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "booked"),
        ({"checked_in": True}, "attended"),
        ({"cancelled": True}, "cancelled"),
        ({"cancelled": True, "refunded": True, "checked_in": True}, "refunded"),
    ],
)
def test_what_became_of_a_ticket(small: EventbriteStandin, changes: dict[str, Any], status: str) -> None:
    small.house.change("attendees", "81", **changes)
    (page,) = pull(on(small), "attendees")
    assert {one.external_id: one.status for one in page.participations}["81"] == status


def test_the_moment_of_a_check_in_is_that_of_its_barcode(small: EventbriteStandin) -> None:
    used = [{"barcode": "1", "status": "used", "changed": "2026-11-21T18:44:00Z"}]
    small.house.change("attendees", "81", checked_in=True, barcodes=used)
    (page,) = pull(on(small), "attendees")
    found = {one.external_id: one.attended_at for one in page.participations}
    assert found == {"80": None, "81": datetime(2026, 11, 21, 18, 44, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("said", "state"),
    [("Ja", ConsentState.IN), ("yes", ConsentState.IN), ("Nee", ConsentState.UNKNOWN), ("", ConsentState.UNKNOWN)],
)
def test_only_a_yes_to_the_question_is_permission(small: EventbriteStandin, said: str, state: ConsentState) -> None:
    small.house.change("attendees", "80", answers=[answer(said), {"question": "Naam van je hond?", "answer": "Ja"}])
    (page,) = pull(on(small), "attendees")
    consents = {one.external_id: one.contact.consents for one in page.participations}
    told = [(one.purpose, one.state, one.wording) for one in consents["80"]]
    assert told == [("newsletter", state, QUESTION), (None, ConsentState.IN, "Naam van je hond?")]
    assert consents["81"] == ()


def test_a_cancelled_event_is_told_as_such_and_a_draft_is_not(small: EventbriteStandin) -> None:
    small.house.change("events", "901", status="canceled")
    small.house.put("events", event("902", "2027-01-01T19:00:00Z", status="draft"))
    (page,) = pull(on(small), "events")
    assert [(one.external_id, one.is_cancelled) for one in page.activities] == [("901", True)]


def test_attendees_without_an_address_or_of_an_unfinished_order_are_left_out(small: EventbriteStandin) -> None:
    small.house.put("attendees", attendee("82", "901", "70", ""))
    small.house.put("attendees", attendee("83", "901", "70", "x@example.org", status="Unpaid"))
    (page,) = pull(on(small), "attendees")
    assert {one.external_id for one in page.participations} == {"80", "81"}


def test_a_row_that_nobody_can_read_is_told_and_keeps_nobody_waiting(small: EventbriteStandin) -> None:
    small.house.change("attendees", "80", costs={"gross": {"major_value": "gratis"}})
    (page,) = pull(on(small), "attendees")
    assert [problem.external_id for problem in page.problems] == ["80"]
    assert [one.external_id for one in page.participations] == ["81"]


# --- paging ---


def test_a_delta_brings_only_what_changed(standin: EventbriteStandin) -> None:
    cursor = pull(on(standin), "attendees")[-1].cursor
    standin.house.change("attendees", "5", checked_in=True, profile={"email": "vijf@example.org"}, status="Attending")
    pages = pull(on(standin), "attendees", cursor)
    assert "5" in by_id(pages)["participations"]
    assert len(by_id(pages)["participations"]) < len(standin.house.attendees)


def test_a_continuation_that_is_too_old_begins_the_list_again(standin: EventbriteStandin) -> None:
    whole = by_id(pull(on(standin), "attendees"))
    first = next(iter(on(standin).pull("attendees", {})))
    standin.forget_continuations()
    resumed = by_id([first, *pull(on(standin), "attendees", first.cursor)])
    assert resumed["participations"] == whole["participations"]


def test_a_list_that_never_ends_is_not_read_for_ever(small: EventbriteStandin) -> None:
    same = {"pagination": {"has_more_items": True, "continuation": "again"}, "attendees": []}
    small.fail(200, times=10, body=json.dumps(same).encode())
    with pytest.raises(Transient):
        pull(on(small), "attendees")


# --- webhooks ---


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v3/events/901/attendees/81/", {"81"}),
        ("/v3/orders/70/", {"80", "81"}),
        ("/v3/events/901/", set()),
        ("/v3/events/901/attendees/999/", set()),
    ],
)
def test_a_webhook_is_a_hint_and_what_it_names_is_fetched_again(
    small: EventbriteStandin, path: str, expected: set[str]
) -> None:
    pages = list(on(small).read_hook(hook(f"https://www.eventbriteapi.com{path}")))
    told = [one for page in pages for one in page.participations]
    assert {one.external_id for one in told} == expected
    assert all(one.buyer is not None and one.buyer.email == "fien@example.org" for one in told)


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/v3/orders/70/",
        "https://www.eventbriteapi.com@evil.example/v3/orders/70/",
        "https://www.eventbriteapi.com.evil.example/v3/orders/70/",
        "https://www.eventbriteapi.com/v3/orders/70/../../users/me/",
        "https://www.eventbriteapi.com/v3/users/me/",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_webhook_that_leads_elsewhere_is_refused_without_a_request(small: EventbriteStandin, address: str) -> None:
    with pytest.raises(Permanent) as refused:
        on(small).read_hook(hook(address))
    assert refused.value.code == "unreadable_hook"
    assert small.requests == []


def test_another_organization_than_the_tokens_is_refused(small: EventbriteStandin) -> None:
    source = Eventbrite("4712", "invented-token", base_url=f"{small.url}/v3", allows_loopback=True)
    with pytest.raises(Permanent) as refused:
        source.check()
    assert (refused.value.code, refused.value.hint) == ("bad_settings", "organization")
