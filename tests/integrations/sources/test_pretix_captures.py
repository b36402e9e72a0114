"""The pretix connector on the real captures of a pretix 2026.8 box office."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from urllib.request import Request, urlopen

import pytest

from integrations.base import ConsentState, IdentityRecord
from integrations.sources.pretix import Pretix, hook_dedupe_key
from tests.integrations.sources.conformance import by_id, everything
from tests.standins.pretix import PretixStandin
from tests.standins.pretix_house import CapturedHouse


@pytest.fixture
def house(captured_pretix: PretixStandin) -> CapturedHouse:
    assert isinstance(captured_pretix.house, CapturedHouse)
    return captured_pretix.house


@pytest.fixture
def source(captured_pretix: PretixStandin) -> Iterator[Pretix]:
    house = captured_pretix.house
    source = Pretix(captured_pretix.url, house.token, house.organizer, allows_loopback=True, sleep=lambda _s: None)
    yield source
    source.close()


@pytest.mark.parametrize(
    ("capture", "ordering"),
    [
        ("16-orders-list-organizer", "last_modified"),
        ("30-events-list", ""),
        ("12-customer-list", ""),
        ("33-items-list", ""),
        ("34-questions-list", ""),
    ],
)
def test_the_stand_in_answers_what_the_real_one_answered(
    captured_pretix: PretixStandin, house: CapturedHouse, capture: str, ordering: str
) -> None:
    path = house.capture(capture)["request"]["path"]
    url = f"{captured_pretix.url}{path}" + (f"?ordering={ordering}" if ordering else "")
    with urlopen(Request(url, headers={"Authorization": f"Token {house.token}"})) as response:
        ours = json.loads(response.read())
    assert ours == house.body(capture)


def test_the_captured_box_office_comes_in_whole(source: Pretix) -> None:
    assert source.check() == "Cultuurhuis"
    held = by_id(everything(source))
    assert held["activities"]["hamlet"].genres == ("theatre",)
    assert held["activities"]["hamlet"].venue == "Grote Zaal, Gent"
    assert held["activities"]["hamlet"].starts_at == datetime(2027, 1, 15, 19, tzinfo=UTC)
    told = {key: (p.status, p.contact.email, p.amount) for key, p in held["participations"].items()}
    an, bram, kim = "an.peeters@example.org", "bram@example.org", "kim.desmet@example.org"
    assert told == {
        "old1/JVHRT/1": ("booked", an, Decimal("22.00")),
        "old1/JVHRT/2": ("booked", bram, Decimal("22.00")),
        "old2/VSRFZ/1": ("booked", kim, Decimal("4.40")),
        "old2/C7GNR/1": ("cancelled", an, Decimal("22.00")),
        "old2/C7GNR/2": ("cancelled", bram, Decimal("22.00")),
        "hamlet/GDRXY/1": ("booked", an, Decimal("22.00")),
        "hamlet/GDRXY/2": ("booked", bram, Decimal("22.00")),
        "hamlet/FCCCK/1": ("pending", kim, Decimal("4.40")),
    }


def test_the_captured_answers_are_permission_only_where_they_were_yes(source: Pretix) -> None:
    states: dict[str | None, set[ConsentState]] = {}
    for page in source.pull("orders", {}):
        for contact in page.contacts:
            states.setdefault(contact.email, set()).update(consent.state for consent in contact.consents)
            assert all(
                c.wording == "Ik wil de nieuwsbrief ontvangen" for c in contact.consents if c.state is ConsentState.IN
            )
    assert states == {
        "an.peeters@example.org": {ConsentState.IN},
        "bram@example.org": {ConsentState.IN},
        "kim.desmet@example.org": {ConsentState.UNKNOWN},
        "kim.de.smet@example.org": set(),
    }


def test_the_captured_customer_is_known_by_every_key(source: Pretix) -> None:
    (page,) = source.pull("customers", {})
    (customer,) = page.contacts
    assert (customer.given_name, customer.family_name, customer.phone) == ("An", "Peeters", "+32470123456")
    assert set(customer.identities) == {
        IdentityRecord("email", "an.peeters@example.org"),
        IdentityRecord("pretix:customer", "J4FFBE3"),
        IdentityRecord("pretix:external", "CRM-1001"),
    }


def test_the_delta_after_the_story_is_what_the_real_one_changed(source: Pretix, house: CapturedHouse) -> None:
    before = list(source.pull("orders", {}))[-1].cursor
    assert before["since"] > "2026-11-20T10:06:22"
    house.play()
    (page,) = source.pull(
        "orders", {"since": house.capture("25-orders-modified-since")["request"]["query"]["modified_since"]}
    )
    assert {p.external_id: p.status for p in page.participations} == {
        "hamlet/GDRXY/1": "cancelled",
        "hamlet/GDRXY/2": "cancelled",
        "hamlet/FCCCK/1": "refunded",
    }
    assert {contact.email for contact in page.contacts} >= {"kim.de.smet@example.org"}


def test_the_eighteen_real_webhooks_bring_the_story_in_any_order(source: Pretix, house: CapturedHouse) -> None:
    house.play()
    assert len({hook_dedupe_key(body) for body in house.webhooks}) == 18
    forward = by_id(page for body in house.webhooks for page in source.read_hook(body))
    backward = by_id(page for body in reversed(house.webhooks) for page in source.read_hook(body))
    assert forward == backward
    assert {p.status for p in forward["participations"].values()} == {"cancelled", "refunded"}
    assert not any("pretix:customer" in {i.kind for i in key} and len(key) > 2 for key in forward["contacts"])


def test_what_the_real_one_refuses_is_refused(captured_pretix: PretixStandin, house: CapturedHouse) -> None:
    from integrations.base import Permanent

    answer = house.capture("38-error-401")["response"]
    source = Pretix(captured_pretix.url, house.token, "nope", allows_loopback=True, sleep=lambda _s: None)
    with pytest.raises(Permanent) as caught:
        source.check()
    source.close()
    assert (answer["status"], caught.value.code) == (403, "forbidden")
