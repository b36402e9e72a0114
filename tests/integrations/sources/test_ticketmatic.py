"""The Ticketmatic connector on an invented account, and on what only Ticketmatic does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from integrations.base import ConsentState, ContactRecord, IdentityRecord, Permanent, SourcePage
from integrations.sources.ticketmatic import Ticketmatic, authorization
from tests import needs
from tests.integrations.sources.conformance import Connect, SourceConformance, by_id
from tests.standins.json_standin import Request
from tests.standins.ticketmatic import (
    NEWSLETTER,
    PARTNERS,
    TicketmaticHouse,
    TicketmaticStandin,
    contact,
    event,
    invented_house,
    order,
    ticket,
)

IN, OUT, UNKNOWN = 7602, 7603, 7601
OPTINS = {"Nieuwsbrief": "newsletter", "12": "partner_offers"}


@pytest.fixture
def standin() -> Iterator[TicketmaticStandin]:
    with TicketmaticStandin(invented_house()) as served:
        yield served


@pytest.fixture
def small() -> Iterator[TicketmaticStandin]:
    house = TicketmaticHouse()
    house.put("events", event(901, "2026-11-21 20:00:00", c_genre=[3], productionid=7))
    house.put("contacts", contact(1))
    house.put("contacts", contact(2, email="", firstname="Bo"))
    house.put("orders", order(70, 1, [ticket(80, 901), ticket(81, 901)]))
    with TicketmaticStandin(house) as served:
        yield served


@pytest.fixture
def connect(standin: TicketmaticStandin) -> Iterator[Connect]:
    opened: list[Ticketmatic] = []

    def open_source(*, wrong_credentials: bool = False, **options: Any) -> Ticketmatic:
        opened.append(on(standin, secret_key="wrong" if wrong_credentials else standin.house.secret_key, **options))
        return opened[-1]

    yield open_source
    for source in opened:
        source.close()


def on(served: TicketmaticStandin, **options: Any) -> Ticketmatic:
    house = served.house
    options = {"secret_key": house.secret_key, "page_size": 20, "optins": OPTINS, **options}
    return Ticketmatic(
        house.account,
        house.access_key,
        base_url=served.url,
        allows_loopback=True,
        sleep=lambda _s: None,
        now=lambda: house.now,
        **options,
    )


def pull(source: Ticketmatic, stream: str, cursor: Any = None) -> list[SourcePage]:
    return list(source.pull(stream, cursor or {}))


def people(pages: list[SourcePage]) -> dict[str, ContactRecord]:
    return {record.identities[-1].value: record for page in pages for record in page.contacts}


class TestConformance(SourceConformance):
    """Ticketmatic keeps what every source promises."""


# --- signing ---


def test_requests_are_signed_as_the_vendors_own_library_signs_them() -> None:
    (vector,) = json.loads((needs.contracts("ticketmatic") / "auth-vectors.json").read_text())["vectors"]
    at = datetime.fromisoformat(vector["ts"]).replace(tzinfo=UTC)
    assert authorization(vector["accesskey"], vector["secretkey"], vector["accountcode"], at) == vector["authorization"]


def test_a_signature_is_made_anew_for_every_request_and_never_holds_the_secret(small: TicketmaticStandin) -> None:
    small.before_page = lambda _request: small.house.tick() and None
    pull(on(small), "contacts")
    assert len(small.signatures) == len(small.requests) > 1
    assert not any(small.house.secret_key in signature for signature in small.signatures)


@pytest.mark.parametrize("account", ["", "../other", "a/b", "a?b", "x" * 65])
def test_an_account_name_that_leads_elsewhere_is_refused_before_any_request(account: str) -> None:
    with pytest.raises(Permanent):
        Ticketmatic(account, "key", "secret")


# --- reading ---


def test_the_vendors_shapes_are_read(small: TicketmaticStandin) -> None:
    (page,) = pull(on(small), "events")
    (activity,) = page.activities
    assert (activity.title, activity.series, activity.venue) == ("Voorstelling 901", "Voorstelling 901", "Grote zaal")
    assert activity.genres == ("theater",)
    assert activity.starts_at == datetime(2026, 11, 21, 19, tzinfo=UTC)
    first = people(pull(on(small), "contacts"))["1"]
    assert first.identities == (
        IdentityRecord("email", "bezoeker1@example.org"),
        IdentityRecord("ticketmatic:contact", "1"),
    )
    assert (first.family_name, first.gender, first.birth_date) == ("Peeters 1", "female", date(1985, 4, 2))
    assert (first.street, first.postcode, first.country) == ("Grote Markt 1", "2000", "BE")
    (page,) = pull(on(small), "orders")
    assert [(one.external_id, one.amount, one.status) for one in page.participations] == [
        ("70/80", Decimal("18.0"), "booked"),
        ("70/81", Decimal("18.0"), "booked"),
    ]


def test_what_the_stored_samples_of_the_vendors_shapes_hold_is_read() -> None:
    folder = needs.contracts("ticketmatic") / "samples"
    house = TicketmaticHouse(optins=json.loads((folder / "optins.list.synthetic.json").read_text())["data"])
    for kind in ("events", "contacts", "orders"):
        for row in json.loads((folder / f"{kind}.list.synthetic.json").read_text())["data"]:
            getattr(house, kind)[row["orderid" if kind == "orders" else "id"]] = row
    with TicketmaticStandin(house) as served:
        source = on(served)
        held = by_id([page for stream in ("events", "contacts", "orders") for page in pull(source, stream)])
    assert held["participations"]["70001/8001"].status == "attended"
    assert held["participations"]["70001/8002"].status == "booked"
    (person,) = held["contacts"].values()
    assert {(one.purpose, one.state, one.method) for one in person.consents} == {
        ("newsletter", ConsentState.IN, "pre_ticked"),  # its type is optional: no permission
        ("partner_offers", ConsentState.OUT, "api"),
    }


def test_removed_and_empty_contacts_and_drafts_are_left_out(standin: TicketmaticStandin) -> None:
    standin.house.put("contacts", contact(99, email="geen", firstname="", lastname=""))
    assert not {"47", "99"} & people(pull(on(standin), "contacts")).keys()
    held = by_id(pull(on(standin), "events"))
    assert "900" not in held["activities"]


def test_somebody_without_an_address_is_known_by_number(small: TicketmaticStandin) -> None:
    second = people(pull(on(small), "contacts"))["2"]
    assert second.identities == (IdentityRecord("ticketmatic:contact", "2"),)
    assert second.email is None


# --- permission ---


def said(served: TicketmaticStandin, optin: int, status: int) -> list[tuple[str | None, ConsentState, str, str | None]]:
    served.house.say(1, optin, status)
    found = people(pull(on(served), "contacts"))["1"].consents
    return [(one.purpose, one.state, one.method, one.wording) for one in found]


def test_a_yes_that_people_had_to_choose_is_permission_with_its_words(small: TicketmaticStandin) -> None:
    wording = "Wil je onze nieuwsbrief? Ja, graag"
    assert said(small, NEWSLETTER, IN) == [("newsletter", ConsentState.IN, "websales", wording)]


def test_a_box_that_may_have_been_ticked_beforehand_is_kept_as_that(small: TicketmaticStandin) -> None:
    ((purpose, state, method, _wording),) = said(small, PARTNERS, IN)
    assert (purpose, state, method) == ("partner_offers", ConsentState.IN, "pre_ticked")


@pytest.mark.parametrize("optin", [NEWSLETTER, PARTNERS])
def test_a_no_is_a_no_whatever_the_type(small: TicketmaticStandin, optin: int) -> None:
    ((_purpose, state, method, _wording),) = said(small, optin, OUT)
    assert (state, method) == (ConsentState.OUT, "websales")


def test_somebody_who_was_never_asked_said_nothing(small: TicketmaticStandin) -> None:
    assert said(small, NEWSLETTER, UNKNOWN) == []


def test_a_yes_without_its_time_is_no_permission(small: TicketmaticStandin) -> None:
    small.house.change("contacts", 1, optins=[{"optinid": NEWSLETTER, "status": IN, "info": {"method": "websales"}}])
    (consent,) = people(pull(on(small), "contacts"))["1"].consents
    assert (consent.state, consent.method) == (ConsentState.UNKNOWN, "pre_ticked")


def test_an_opt_in_that_was_named_and_is_not_there_shows_when_connecting(small: TicketmaticStandin) -> None:
    with pytest.raises(Permanent) as refused:
        on(small, optins={"Nieuwsbrieven": "newsletter"}).check()
    assert (refused.value.code, refused.value.hint) == ("unknown_optin", "Nieuwsbrieven")


# --- who took part ---


def test_buyer_holder_and_whom_a_ticket_went_to_are_told_apart(small: TicketmaticStandin) -> None:
    held = [ticket(80, 901), ticket(81, 901, ticketholderid=2), ticket(82, 901, ticketholderid=2, transferredto=3)]
    small.house.change("orders", 70, tickets=held)
    (page,) = pull(on(small), "orders")
    numbers = {one.external_id: one.contact.identities[0].value for one in page.participations}
    assert numbers == {"70/80": "1", "70/81": "2", "70/82": "3"}


def test_orders_that_nobody_confirmed_or_nobody_is_known_of_bring_nobody(small: TicketmaticStandin) -> None:
    small.house.put("orders", order(71, 1, [ticket(90, 901)], status=21001))
    small.house.put("orders", order(72, 0, [ticket(91, 901)]))
    (page,) = pull(on(small), "orders")
    assert {one.external_id for one in page.participations} == {"70/80", "70/81"}


def test_a_returned_ticket_is_told_by_what_is_left_of_its_order(small: TicketmaticStandin) -> None:
    refund = {"id": 2, "amount": -18.0, "refundpaymentid": 1}
    small.house.change("orders", 70, tickets=[ticket(80, 901)], payments=[{"id": 1, "amount": 36.0}, refund])
    (page,) = pull(on(small), "orders")
    (whole,) = page.whole
    assert (whole.prefix, whole.gone_as) == ("70/", "refunded")
    assert [one.external_id for one in page.participations] == ["70/80"]


def test_who_ordered_after_the_contacts_were_read_comes_with_the_order(small: TicketmaticStandin) -> None:
    source = on(small)
    pull(source, "contacts")
    small.house.put("contacts", contact(5))
    small.house.put("orders", order(75, 5, [ticket(95, 901)]))
    (page,) = pull(source, "orders")
    assert set(people([page])) == {"5"}


def test_an_event_that_is_no_longer_shown_keeps_its_tickets(small: TicketmaticStandin) -> None:
    del small.house.events[901]
    (page,) = pull(on(small), "orders")
    assert [activity.external_id for activity in page.activities] == ["901"]


# --- scans ---


def test_a_scan_that_does_not_touch_its_order_is_found(small: TicketmaticStandin) -> None:
    source = on(small)
    cursor = pull(source, "scans")[-1].cursor
    small.house.now = datetime(2026, 11, 21, 22, tzinfo=UTC)
    small.house.scan(80, datetime(2026, 11, 21, 18, 44, tzinfo=UTC))
    pages = pull(on(small), "scans", cursor)
    found = {one.external_id: (one.status, one.attended_at) for page in pages for one in page.participations}
    assert found == {
        "70/80": ("attended", datetime(2026, 11, 21, 18, 44, tzinfo=UTC)),
        "70/81": ("booked", None),
    }


def test_scans_are_not_looked_for_every_few_minutes(small: TicketmaticStandin) -> None:
    cursor = pull(on(small), "scans")[-1].cursor
    small.requests.clear()
    small.house.now += timedelta(minutes=10)
    (page,) = pull(on(small), "scans", cursor)
    assert page.cursor == cursor
    assert not [request for request in small.requests if request.path.endswith("/events")]


# --- nothing lost ---


def test_a_delta_asks_from_before_the_latest_change_and_brings_what_changed(standin: TicketmaticStandin) -> None:
    cursor = pull(on(standin), "orders")[-1].cursor
    standin.house.change("orders", 70_005, status=21002, customerid=3)
    standin.requests.clear()
    pages = pull(on(standin), "orders", cursor)
    asked = {request.query["lastupdatesince"] for request in standin.requests if request.path.endswith("/orders")}
    latest = datetime.fromisoformat(cursor["since"])
    assert {datetime.fromisoformat(since) for since in asked} == {latest - timedelta(minutes=75)}
    assert any(one.external_id.startswith("70005/") for page in pages for one in page.participations)


@pytest.mark.parametrize("newest_first", [False, True])
def test_rows_that_are_added_and_changed_while_paging_lose_nobody(
    standin: TicketmaticStandin, newest_first: bool
) -> None:
    standin.newest_first = newest_first
    count = 0

    def meanwhile(request: Request) -> None:
        nonlocal count
        if request.path.endswith("/contacts") and count < 9:
            count += 1
            standin.house.put("contacts", contact(500 + count))
            standin.house.change("contacts", count, firstname="Veranderd")

    standin.before_page = meanwhile
    pages = pull(on(standin), "contacts")
    standin.before_page = lambda _request: None
    pages += pull(on(standin), "contacts", pages[-1].cursor)
    assert count > 3
    assert people(pages).keys() >= {str(number) for number in [*range(1, 47), *range(501, 501 + count)]}


@pytest.mark.parametrize(
    ("kind", "number", "broken"),
    [
        ("orders", 70_003, {"tickets": [ticket(1, 1, price="achttien euro")], "customerid": 1, "status": 21002}),
        ("orders", 70_003, {"tickets": 7, "customerid": 1, "status": 21002}),
        ("contacts", 3, {"birthdate": "vorig jaar"}),
        ("contacts", 3, {"optins": [{"optinid": "elf"}]}),
        ("events", 3, {"startts": "straks"}),
    ],
)
def test_a_row_that_nobody_can_read_is_told_and_keeps_nobody_waiting(
    standin: TicketmaticStandin, kind: str, number: int, broken: dict[str, Any]
) -> None:
    before = by_id(pull(on(standin), kind))
    standin.house.change(kind, number, **broken)
    pages = pull(on(standin), kind)
    assert {problem.external_id for page in pages for problem in page.problems} == {str(number)}
    after = by_id(pages)
    lost = {key: set(before[key]) - set(after[key]) for key in before}
    assert all(str(number) in str(key) for keys in lost.values() for key in keys)


def test_a_ticket_of_an_order_that_lost_its_customer_stays_as_it_was(small: TicketmaticStandin) -> None:
    small.house.change("orders", 70, customerid=0, tickets=[ticket(80, 901), ticket(81, 901, ticketholderid=2)])
    (page,) = pull(on(small), "orders")
    assert [one.external_id for one in page.participations] == ["70/81"]
    assert page.whole[0].nobodys == ("70/80",)
    small.house.change("orders", 70, status=21001)
    (page,) = pull(on(small), "orders")
    assert (page.participations, page.whole[0].nobodys) == ((), ())


@pytest.mark.parametrize("stamp", ["2062-01-01 10:00:00", "gisteren", None])
def test_a_stamp_from_the_future_hides_nothing_that_changes_before(small: TicketmaticStandin, stamp: Any) -> None:
    small.house.orders[70]["lastupdatets"] = stamp or ""
    cursor = pull(on(small), "orders")[-1].cursor
    small.house.put("orders", order(71, 1, [ticket(90, 901)]))
    assert "71/90" in by_id(pull(on(small), "orders", dict(cursor)))["participations"]


def test_who_ordered_lately_and_cannot_be_read_keeps_no_order_waiting(small: TicketmaticStandin) -> None:
    small.house.put("contacts", contact(9, birthdate="vorige eeuw"))
    small.house.put("orders", order(71, 9, [ticket(90, 901)]))
    small.house.put("orders", order(72, 1, [ticket(91, 901)], createdts="eergisteren"))
    (page,) = pull(on(small), "orders")
    assert {problem.external_id for problem in page.problems} == {"9", "72"}
    assert {one.external_id for one in page.participations} == {"70/80", "70/81", "71/90"}
