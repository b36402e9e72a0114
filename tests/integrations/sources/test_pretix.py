"""The pretix connector on an invented box office, and on what only pretix does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.base import ConsentState, IdentityRecord, Permanent, RowProblem, SourcePage, Vanished
from integrations.sources.pretix import Pretix, hook_dedupe_key
from tests.integrations.sources.conformance import Connect, SourceConformance, by_id, everything
from tests.standins.json_standin import Request
from tests.standins.pretix import PretixStandin

ORDERS = "/api/v1/organizers/stadstheater/orders/"


@pytest.fixture
def standin(pretix_standin: PretixStandin) -> PretixStandin:
    return pretix_standin


@pytest.fixture
def connect(standin: PretixStandin) -> Iterator[Connect]:
    opened: list[Pretix] = []

    def open_source(*, wrong_credentials: bool = False, **options: Any) -> Pretix:
        token = "wrong-token" if wrong_credentials else standin.house.token
        options = {"page_size": 20, "sleep": lambda _s: None, "allows_loopback": True, **options}
        opened.append(Pretix(standin.url, token, standin.house.organizer, **options))
        return opened[-1]

    yield open_source
    for source in opened:
        source.close()


class TestConformance(SourceConformance):
    """pretix keeps what every source promises."""


def hook(standin: PretixStandin, action: str, **keys: Any) -> bytes:
    body = {"notification_id": 7, "organizer": standin.house.organizer, "action": action, **keys}
    return json.dumps(body).encode()


def pull(source: Any, stream: str, cursor: dict[str, Any] | None = None) -> list[SourcePage]:
    return list(source.pull(stream, cursor or {}))


def order_with(standin: PretixStandin, **changes: Any) -> str:
    """Give the first plain paid order of the house these fields and return its code."""
    code = next(c for c, o in standin.house.orders.items() if o["email"] and not o["testmode"] and o["status"] == "p")
    standin.house.change_order(code, **changes)
    return code


def position_with(standin: PretixStandin, **changes: Any) -> dict[str, Any]:
    plain = {"positionid": 1, "attendee_email": None, "addon_to": None, "canceled": False, "checkins": []}
    first = next(o["positions"][0] for o in standin.house.orders.values())
    slug = sorted(slug for slug, event in standin.house.events.items() if not event["has_subevents"])[0]
    item = standin.house.items[slug][0]["id"]
    return {**first, **plain, "item": item, "subevent": None, "_slug": slug, **changes}


def refetched(standin: PretixStandin, source: Any, positions: list[dict[str, Any]], **changes: Any) -> SourcePage:
    """Store an order with these positions and read it back through a webhook."""
    slug = positions[0]["_slug"]
    code = order_with(standin, positions=positions, event=slug, **changes)
    (page,) = source.read_hook(hook(standin, "pretix.event.order.changed.price", event=slug, code=code))
    return page


# --- pulling ---


def test_a_delta_brings_only_what_changed_since_the_first_page_of_the_last_pull(
    connect: Connect, standin: PretixStandin
) -> None:
    source = connect()
    cursor = pull(source, "orders")[-1].cursor
    code = order_with(standin, phone="+32470111111")
    pages = pull(source, "orders", dict(cursor))
    assert {p.external_id.split("/")[1] for page in pages for p in page.participations} == {code}
    assert standin.requests[-1].query["modified_since"] == cursor["since"]


def test_an_order_that_changes_while_we_read_is_never_missed(connect: Connect, standin: PretixStandin) -> None:
    """It changes after its page was read; the cursor is the time of the first page, so the next pull has it."""
    victim = min(standin.house.orders.values(), key=lambda order: str(order["datetime"]))["code"]

    def change(request: Request) -> None:
        if request.path == ORDERS and request.query["page"] == "3":
            standin.house.change_order(victim, status="c", testmode=False, email="nieuw@example.org")

    standin.before_page = change
    source = connect()
    pages = pull(source, "orders")
    standin.before_page = lambda _request: None
    later = pull(source, "orders", dict(pages[-1].cursor))
    assert any(p.external_id.split("/")[1] == victim for page in later for p in page.participations)


def test_orders_that_come_in_while_we_read_push_nobody_off_the_page(connect: Connect, standin: PretixStandin) -> None:
    expected = set(by_id(pull(connect(), "orders"))["participations"])
    made: list[str] = []

    def sell(request: Request) -> None:
        if request.path == ORDERS:
            made.append(f"N{len(made):05}")
            newest = max(standin.house.orders.values(), key=lambda order: str(order["datetime"]))
            placed = datetime.fromisoformat(newest["datetime"]) + timedelta(seconds=1)
            standin.house.put_order({**newest, "code": made[-1], "datetime": placed.isoformat().replace("+00:00", "Z")})

    standin.before_page = sell
    assert expected <= set(by_id(pull(connect(), "orders"))["participations"])
    assert made


def test_a_list_that_gets_shorter_while_we_read_hides_nobody(connect: Connect, standin: PretixStandin) -> None:
    expected = set(by_id(pull(connect(), "orders"))["participations"])
    test_order = next(code for code, order in standin.house.orders.items() if order["testmode"])

    def delete(request: Request) -> None:
        if request.path == ORDERS and request.query["page"] == "4":
            standin.house.orders.pop(test_order, None)

    standin.before_page = delete
    assert expected <= set(by_id(pull(connect(), "orders"))["participations"])


def test_a_resumed_pull_of_a_list_that_no_longer_reaches_so_far_steps_back(
    connect: Connect, standin: PretixStandin
) -> None:
    pages = pull(connect(), "orders")
    for code in list(standin.house.orders)[40:]:
        del standin.house.orders[code]
    held = by_id([*pages[:5], *connect().pull("orders", dict(pages[4].cursor))])
    assert held["participations"].items() >= by_id(pull(connect(), "orders"))["participations"].items()


@pytest.mark.parametrize("host", ["http://evil.example", "http://127.0.0.1.evil.example:80"])
def test_a_next_page_on_another_host_is_never_asked_for(connect: Connect, standin: PretixStandin, host: str) -> None:
    standin.next_host = host
    with pytest.raises(Permanent) as caught:
        pull(connect(), "orders")
    assert caught.value.code == "foreign_next_page"


def test_page_size_never_exceeds_what_pretix_allows(connect: Connect, standin: PretixStandin) -> None:
    pull(connect(page_size=5000), "customers")
    assert {request.query["page_size"] for request in standin.requests} == {"50"}


@pytest.mark.parametrize(
    "spoilt",
    [
        {"positions": None},
        {"positions": [{"id": 1, "positionid": 1, "item": 1, "price": "twintig euro"}]},
        {"positions": [{"id": 1}]},
        {"datetime": "yesterday"},
        {"datetime": 20260301},
        {"invoice_address": ["Veldstraat 1"]},
        {"event": None},
    ],
)
def test_an_order_of_another_shape_is_told_by_its_number_and_keeps_no_other_waiting(
    connect: Connect, standin: PretixStandin, spoilt: dict[str, Any]
) -> None:
    others = set(by_id(pull(connect(), "orders"))["participations"])
    code = order_with(standin, **spoilt)
    pages = pull(connect(), "orders")
    assert [problem for page in pages for problem in page.problems] == [RowProblem(code)]
    read = set(by_id(pages)["participations"])
    assert read == {key for key in others if f"/{code}/" not in key}
    assert code in {number for page in pages for number in page.rows}


def test_an_address_that_is_no_web_address_becomes_no_link(connect: Connect, standin: PretixStandin) -> None:
    standin.house.events["v001"]["public_url"] = "javascript:alert(1)"
    assert by_id(pull(connect(), "events"))["activities"]["v001"].url is None


def test_orders_pulled_alone_bring_the_activities_they_speak_of(connect: Connect) -> None:
    held = by_id(pull(connect(), "orders"))
    assert {p.activity_external_id for p in held["participations"].values()} <= set(held["activities"])


def test_an_event_sold_after_the_events_were_read_comes_with_its_order(
    connect: Connect, standin: PretixStandin
) -> None:
    source = connect()
    pull(source, "events")
    house = standin.house
    house.add_event(
        {**house.events["v000"], "slug": "nieuw", "name": {"nl": "Nieuw stuk"}, "meta_data": {"genre": "dance"}}
    )
    code = order_with(standin, event="nieuw", positions=[position_with(standin, item=house.items["nieuw"][0]["id"])])
    held = by_id(pull(source, "orders"))
    assert held["activities"]["nieuw"].title == "Nieuw stuk"
    assert held["participations"][f"nieuw/{code}/1"].activity_external_id == "nieuw"


def test_dates_of_a_series_carry_its_name_place_and_genre(connect: Connect, standin: PretixStandin) -> None:
    activities = by_id(pull(connect(), "events"))["activities"]
    date = activities["v003/1"]
    assert (date.title, date.series, date.genres) == (
        "Rondleiding 1",
        standin.house.events["v003"]["name"]["nl"],
        ("family",),
    )
    assert date.url == "https://tickets.example.org/stadstheater/v003/1/"
    assert "v003" not in activities, "a series is no performance; its dates are"


def test_only_changed_dates_are_read_the_second_time(connect: Connect, standin: PretixStandin) -> None:
    cursor = pull(connect(), "events")[-1].cursor
    standin.house.dates[5].update(name={"nl": "Verplaatst"}, last_modified=standin.house.tick())
    activities = by_id(pull(connect(), "events", dict(cursor)))["activities"]
    assert {key for key in activities if "/" in key} == {"v003/5"}
    assert activities["v003/5"].title == "Verplaatst"


def test_a_name_is_taken_in_dutch_else_in_the_first_language_it_has(connect: Connect, standin: PretixStandin) -> None:
    activities = by_id(pull(connect(), "events"))["activities"]
    assert activities["v001"].title == standin.house.events["v001"]["name"]["nl"]
    assert activities["v004"].title.startswith("FR ")
    assert activities["v001"].venue == "Grote Zaal, Gent"


def test_checking_tells_which_right_is_missing(connect: Connect, standin: PretixStandin) -> None:
    standin.before_page = lambda request: standin.fail(403) if request.path.endswith("/customers/") else None
    with pytest.raises(Permanent) as caught:
        connect().check()
    assert (caught.value.code, caught.value.hint) == ("forbidden", "customers")


# --- orders ---


def test_an_attendee_with_another_address_is_a_contact_of_their_own(connect: Connect, standin: PretixStandin) -> None:
    guest = position_with(
        standin,
        positionid=2,
        id=2,
        attendee_email="gast@example.org",
        attendee_name_parts={"full_name": "Jan van den Berg"},
    )
    page = refetched(
        standin, connect(), [position_with(standin, id=1), guest], email="koper@example.org", customer=None
    )
    assert [p.contact.email for p in page.participations] == ["koper@example.org", "gast@example.org"]
    assert {p.buyer and p.buyer.email for p in page.participations} == {"koper@example.org"}
    attendee = page.contacts[1]
    assert (attendee.given_name, attendee.family_name, attendee.phone) == ("Jan", "van den Berg", None)


def test_an_attendee_with_the_buyers_address_in_other_letters_is_the_buyer(
    connect: Connect, standin: PretixStandin
) -> None:
    position = position_with(standin, attendee_email="Koper@Example.org")
    page = refetched(standin, connect(), [position], email="koper@example.org", customer="C00001")
    assert [contact.email for contact in page.contacts] == ["koper@example.org"]
    assert IdentityRecord("pretix:customer", "C00001") in page.participations[0].contact.identities


def test_an_add_on_goes_to_whom_its_ticket_went(connect: Connect, standin: PretixStandin) -> None:
    ticket = position_with(standin, id=1, attendee_email="gast@example.org")
    add_on = position_with(standin, id=2, positionid=2, addon_to=1)
    page = refetched(standin, connect(), [ticket, add_on], email="koper@example.org")
    assert {p.contact.email for p in page.participations} == {"gast@example.org"}


def test_a_product_that_admits_nobody_is_no_participation(connect: Connect, standin: PretixStandin) -> None:
    book = position_with(standin, id=2, positionid=2)
    book["item"] = standin.house.items[book["_slug"]][1]["id"]
    page = refetched(standin, connect(), [position_with(standin, id=1), book])
    assert [p.external_id.rsplit("/", 1)[1] for p in page.participations] == ["1"]


def test_orders_in_test_mode_leave_no_trace(connect: Connect, standin: PretixStandin) -> None:
    page = refetched(standin, connect(), [position_with(standin)], testmode=True)
    assert page.contacts == page.participations == ()


def test_an_anonymous_sale_has_nobody_to_belong_to(connect: Connect, standin: PretixStandin) -> None:
    page = refetched(standin, connect(), [position_with(standin)], email=None, customer=None)
    assert page.contacts == page.participations == ()


CHECKED_IN = [
    {"datetime": "2026-03-01T19:05:00Z", "type": "entry"},
    {"datetime": "2026-03-01T18:55:00Z", "type": "entry"},
]
DONE = [{"state": "done", "amount": "5.00"}]


@pytest.mark.parametrize(
    ("order", "position", "status"),
    [
        ({"status": "n"}, {}, "pending"),
        ({"status": "p"}, {}, "booked"),
        ({"status": "p"}, {"checkins": CHECKED_IN}, "attended"),
        ({"status": "n"}, {"checkins": CHECKED_IN}, "attended"),
        ({"status": "p"}, {"checkins": [{"datetime": "2026-03-01T21:00:00Z", "type": "exit"}]}, "booked"),
        ({"status": "e"}, {}, "cancelled"),
        ({"status": "c"}, {"checkins": CHECKED_IN}, "cancelled"),
        ({"status": "c", "refunds": [{"state": "created", "amount": "5.00"}]}, {}, "cancelled"),
        ({"status": "c", "refunds": DONE}, {}, "refunded"),
        ({"status": "p", "refunds": DONE}, {"canceled": True}, "refunded"),
        ({"status": "p"}, {"canceled": True}, "cancelled"),
        ({"status": "p", "refunds": DONE}, {}, "booked"),
        ({"status": "r"}, {"checkins": CHECKED_IN}, "refunded"),
        ({"status": "?"}, {}, "pending"),
    ],
)
def test_a_status_follows_the_order_the_position_and_the_door(
    connect: Connect, standin: PretixStandin, order: dict[str, Any], position: dict[str, Any], status: str
) -> None:
    page = refetched(standin, connect(), [position_with(standin, **position)], **{"refunds": [], **order})
    assert [p.status for p in page.participations] == [status]


def test_someone_attended_when_they_first_came_in(connect: Connect, standin: PretixStandin) -> None:
    page = refetched(standin, connect(), [position_with(standin, checkins=CHECKED_IN)])
    assert page.participations[0].attended_at == datetime(2026, 3, 1, 18, 55, tzinfo=UTC)


@pytest.mark.parametrize(("sold", "channel"), [("web", "web"), ("pretixpos", "counter"), ("api.partner", "other")])
def test_sales_channels_become_our_channels(connect: Connect, standin: PretixStandin, sold: str, channel: str) -> None:
    page = refetched(standin, connect(), [position_with(standin)], sales_channel=sold)
    assert page.participations[0].channel == channel


def test_an_invoice_to_a_company_says_nothing_about_where_a_person_lives(
    connect: Connect, standin: PretixStandin
) -> None:
    address = {
        "is_business": True,
        "company": "BV",
        "street": "Kaai 1",
        "zipcode": "9000",
        "city": "Gent",
        "country": "BE",
    }
    page = refetched(standin, connect(), [position_with(standin)], invoice_address=address)
    assert page.contacts[0].street is None
    page = refetched(
        standin, connect(), [position_with(standin)], invoice_address={**address, "is_business": False, "company": ""}
    )
    assert (page.contacts[0].municipality, page.contacts[0].country) == ("Gent", "BE")


def test_shredded_values_count_as_absent(connect: Connect, standin: PretixStandin) -> None:
    position = position_with(standin, attendee_email="█", attendee_name_parts={"_shredded": True})
    page = refetched(standin, connect(), [position], email="█", phone="█", customer="C00001")
    assert (page.contacts[0].email, page.contacts[0].phone) == (None, None)
    assert page.contacts[0].identities == (IdentityRecord("pretix:customer", "C00001"),)


# --- what people answered ---


def answer(text: str, identifier: str = "NEWSLETTER") -> list[dict[str, Any]]:
    return [{"question": 1, "answer": text, "question_identifier": identifier}]


def test_a_ticked_box_is_permission_with_the_wording_in_the_language_of_the_order(
    connect: Connect, standin: PretixStandin
) -> None:
    page = refetched(standin, connect(), [position_with(standin, answers=answer("True"))], locale="fr")
    (consent,) = page.contacts[0].consents
    assert (consent.state, consent.channel, consent.purpose) == (ConsentState.IN, "email", "newsletter")
    assert (consent.wording_language, consent.wording) == ("fr", "Je souhaite recevoir la lettre d'information")
    assert consent.captured_at == page.participations[0].booked_at


@pytest.mark.parametrize("text", ["False", "", "true", "yes", "1"])
def test_anything_but_a_ticked_box_is_unknown(connect: Connect, standin: PretixStandin, text: str) -> None:
    page = refetched(standin, connect(), [position_with(standin, answers=answer(text))])
    assert [c.state for c in page.contacts[0].consents] == [ConsentState.UNKNOWN]


def test_answers_to_other_questions_are_not_permission(connect: Connect, standin: PretixStandin) -> None:
    page = refetched(standin, connect(), [position_with(standin, answers=answer("True", "PARKING"))])
    (said,) = page.contacts[0].consents
    assert (said.question, said.purpose, said.state) == ("question:PARKING", None, ConsentState.IN)
    assert [(one.kind, one.key) for one in page.offers] == [("question", "question:PARKING")]


def test_an_answer_belongs_to_who_gave_it_and_to_nobody_else(connect: Connect, standin: PretixStandin) -> None:
    own = position_with(standin, id=1, answers=answer("False"))
    guest = position_with(standin, id=2, positionid=2, attendee_email="gast@example.org", answers=answer("True"))
    page = refetched(standin, connect(), [own, guest], email="koper@example.org")
    told = {contact.email: [c.state for c in contact.consents] for contact in page.contacts}
    assert told == {"koper@example.org": [ConsentState.UNKNOWN], "gast@example.org": [ConsentState.IN]}
    assert page.contacts[1].consents[0].raw["is_for_attendee"] is True


def test_a_changed_answer_is_another_fact_and_the_same_answer_the_same(
    connect: Connect, standin: PretixStandin
) -> None:
    def keys(text: str) -> list[str | None]:
        page = refetched(standin, connect(), [position_with(standin, answers=answer(text))])
        return [consent.external_id for consent in page.contacts[0].consents]

    assert keys("True") == keys("True") != keys("False")


# --- webhooks ---


@pytest.mark.parametrize(
    "action", ["pretix.voucher.added", "pretix.event.orders.waitinglist.added", "plugin.something", ""]
)
def test_an_unknown_kind_of_webhook_brings_nothing_and_asks_nothing(
    connect: Connect, standin: PretixStandin, action: str
) -> None:
    assert connect().read_hook(hook(standin, action, event="v000", code="O00001")) == ()
    assert standin.requests == []


def test_a_webhook_for_another_organizer_is_refused_for_good(connect: Connect) -> None:
    with pytest.raises(Permanent) as caught:
        connect().read_hook(b'{"organizer": "someone-else", "action": "pretix.customer.created", "customer": "C00001"}')
    assert caught.value.code == "other_account"


@pytest.mark.parametrize("code", ["../../../customers", "A/B", "", "A?x=1", "%2e%2e", {"a": 1}])
def test_a_webhook_cannot_lead_to_another_path(connect: Connect, standin: PretixStandin, code: Any) -> None:
    with pytest.raises(Permanent):
        connect().read_hook(hook(standin, "pretix.event.order.paid", event="v000", code=code))
    assert standin.requests == []


def test_a_webhook_about_something_that_is_gone_brings_nothing(connect: Connect, standin: PretixStandin) -> None:
    assert connect().read_hook(hook(standin, "pretix.event.order.deleted", event="v000", code="GONE1")) == ()


def test_a_webhook_of_an_event_or_date_brings_it_as_it_is_now(connect: Connect, standin: PretixStandin) -> None:
    standin.house.events["v001"]["name"] = {"nl": "Nieuwe titel"}
    (event,) = connect().read_hook(hook(standin, "pretix.event.changed", event="v001"))
    (date,) = connect().read_hook(hook(standin, "pretix.subevent.changed", event="v003", subevent=2))
    assert [a.title for a in event.activities] == ["Nieuwe titel"]
    assert [a.external_id for a in date.activities] == ["v003/2"]


def test_an_anonymised_customer_yields_nobody(connect: Connect, standin: PretixStandin) -> None:
    standin.house.customers["C00001"].update(email=None, name="", name_parts={}, phone=None, is_active=False)
    (page,) = connect().read_hook(hook(standin, "pretix.customer.anonymized", customer="C00001"))
    assert page.contacts == ()
    assert page.vanished == (Vanished("person", "pretix", "C00001", "pretix:customer"),)
    assert all(("pretix:customer", "C00001") not in key for key in by_id(pull(connect(), "customers"))["contacts"])


def test_repeats_of_a_webhook_are_recognised(standin: PretixStandin) -> None:
    assert hook_dedupe_key(hook(standin, "pretix.event.changed")) == "7"
    assert hook_dedupe_key(b"no json") is None


def test_two_accounts_of_one_house_keep_apart(connect: Connect) -> None:
    held = by_id(everything(connect(source="pretix-museum")))
    assert {one.source for one in held["participations"].values()} == {"pretix-museum"}
    assert {identity.kind for key in held["contacts"] for identity in key} == {
        "email",
        "pretix-museum:customer",
        "pretix-museum:external",
    }


def test_what_changed_while_the_clock_of_pretix_was_put_back_is_not_missed(
    connect: Connect, standin: PretixStandin
) -> None:
    house = standin.house
    house.now += timedelta(hours=2)  # it ran ahead
    cursor = pull(connect(), "orders")[-1].cursor
    house.now -= timedelta(hours=1, minutes=50)  # somebody set it right, ten minutes later
    code = order_with(standin, status="c")
    read = by_id(pull(connect(), "orders", dict(cursor)))["participations"]
    assert {key.split("/")[1] for key in read} >= {code}


def test_everything_there_is_can_be_listed(connect: Connect, standin: PretixStandin) -> None:
    house = standin.house
    activities = {number for page in connect().present("activities") for number in page}
    dates = {f"{date['event']}/{number}" for number, date in house.dates.items()}
    assert activities == {slug for slug, event in house.events.items() if not event["has_subevents"]} | dates
    people = {number for page in connect().present("people") for number in page}
    assert people == set(house.customers)
    with pytest.raises(Permanent, match="unknown_stream"):
        list(connect().present("tickets"))
