"""Box offices for the pretix stand-in: the one of the real captures, and larger invented ones of the same shapes.

The captures were taken while a story was played (an order is placed, paid, scanned, refunded, cancelled; a customer is
made anonymous). ``CapturedHouse`` stands at its beginning, and ``play`` takes it to the end, with the real webhooks.
"""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests import needs

Json = dict[str, Any]


def captures_folder() -> Path:
    """Return the folder of real captures beside the project, or skip the test, saying so."""
    return needs.contracts("pretix")


@dataclass
class PretixHouse:
    """What one organizer account holds. ``tick`` moves its own clock, which stamps every change."""

    organizer: str = "cultuurhuis"
    name: str = "Cultuurhuis"
    token: str = "invented-token"
    now: datetime = datetime(2026, 11, 20, 10, 7, tzinfo=UTC)
    events: dict[str, Json] = field(default_factory=dict)
    dates: dict[int, Json] = field(default_factory=dict)
    questions: dict[str, list[Json]] = field(default_factory=dict)
    items: dict[str, list[Json]] = field(default_factory=dict)
    customers: dict[str, Json] = field(default_factory=dict)
    orders: dict[str, Json] = field(default_factory=dict)

    def tick(self) -> str:
        """Return the next instant of this house, as pretix writes it."""
        self.now += timedelta(milliseconds=1)
        return self.now.isoformat().replace("+00:00", "Z")

    def put_order(self, order: Json, *, stamped: bool = True) -> None:
        """Store an order as new or changed now (or, unstamped, as of its own ``last_modified``)."""
        order = copy.deepcopy(order)
        if stamped:
            order["last_modified"] = self.tick()
        self.orders[order["code"]] = order

    def change_order(self, code: str, **changes: Any) -> None:
        """Change fields of one order; it now counts as modified."""
        self.put_order({**self.orders[code], **changes})

    def add_event(self, event: Json, *, admission: bool = True) -> None:
        """Store an event with one product and the opt-in question, in the captured shapes."""
        slug, number = event["slug"], len(self.events) + 1
        self.events[slug] = event
        self.items[slug] = [{"id": number, "name": {"nl": "Standaard"}, "admission": admission, "variations": []}]
        wording = {"nl": "Ik wil de nieuwsbrief ontvangen", "fr": "Je souhaite recevoir la lettre d'information"}
        self.questions[slug] = [{"id": number, "question": wording, "type": "B", "identifier": "NEWSLETTER"}]


class CapturedHouse(PretixHouse):
    """The box office of the captures, as it stood when the list of orders (capture 16) was taken."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        listed = self.capture("16-orders-list-organizer")["response"]["headers"]["X-Page-Generated"]
        self.now = datetime.fromisoformat(listed)
        self.events = {event["slug"]: event for event in self.body("30-events-list")["results"]}
        self.orders = {order["code"]: order for order in self.body("16-orders-list-organizer")["results"]}
        self.customers = {one["identifier"]: one for one in self.body("12-customer-list")["results"]}
        # The older events were made by the same script; only hamlet's products and question were read back.
        self.items = {slug: self._renumbered("33-items-list", slug) for slug in self.events}
        self.questions = {slug: self._renumbered("34-questions-list", slug) for slug in self.events}

    @property
    def webhooks(self) -> list[bytes]:
        """The bodies of the 18 real webhooks, in the order they came."""
        return [json.dumps(hook["body"]).encode() for hook in json.loads((self._folder / "webhooks.json").read_text())]

    def capture(self, name: str) -> Json:
        """Return one capture, request and response."""
        found: Json = json.loads((self._folder / "responses" / f"{name}.json").read_text())
        return found

    def body(self, name: str) -> Any:
        """Return the body of one captured response."""
        return self.capture(name)["response"]["body"]

    def play(self) -> None:
        """Let happen what happened after capture 16: contact changed, paid, scanned, refunded, cancelled, anonymised.

        No capture shows FCCCK after its refund; it is its last capture with the captured refund, and cancelled.
        """
        scanned, changed = self.body("25-orders-modified-since")["results"]
        refunded = {**changed, "status": "c", "refunds": [self.body("28-refund-done")]}
        cancelled = {**self.body("29-order-cancel"), "event": "hamlet"}
        for order in (scanned, changed, refunded, cancelled):
            self.put_order(order, stamped=False)
        self.orders["FCCCK"]["last_modified"] = "2026-11-20T10:06:24.942730Z"
        gone = self.body("37-customer-anonymize")
        self.customers[gone["identifier"]] = gone
        self.now = datetime.fromisoformat(
            self.capture("39-orders-page-size")["response"]["headers"]["X-Page-Generated"]
        )

    def _renumbered(self, name: str, slug: str) -> list[Json]:
        rows = copy.deepcopy(self.body(name)["results"])
        items = {
            position["item"]
            for order in self.orders.values()
            if order["event"] == slug
            for position in order["positions"]
        }
        for row in rows:
            row["id"] = min(items, default=row["id"])
        return list(rows)


TITLES = ("Hamlet", "Vrede", "De meeuw", "Nachtlied", "Broos", "Winterreise", "Kleine aarde", "Het Vonnis")
GENRES = ("theatre", "music", "dance", "family", "circus")
GIVEN = ("An", "Bram", "Chaima", "Daan", "Emel", "Fien", "Goran", "Hanne")
FAMILY = ("Peeters", "De Smet", "van den Berg", "Yilmaz", "Dubois", "Bakker")


def invented_house(*, seed: int = 1, events: int = 12, orders: int = 137, customers: int = 61) -> PretixHouse:
    """Return a house with series, add-ons, free tickets, languages, cancelled positions and test orders."""
    draw = random.Random(seed)
    house = PretixHouse(organizer="stadstheater", name="Stadstheater", now=datetime(2026, 1, 1, tzinfo=UTC))
    for number in range(events):
        _invent_event(house, number, draw)
    for number in range(customers):
        _invent_customer(house, number, draw)
    for number in range(orders):
        house.put_order(_invent_order(house, number, draw))
    return house


def _invent_event(house: PretixHouse, number: int, draw: random.Random) -> None:
    is_series = number % 4 == 3
    starts = datetime(2026, 2, 1, 19, 0, tzinfo=UTC) + timedelta(days=number * 9)
    slug = f"v{number:03}"
    names = (
        {"fr": f"FR {TITLES[number % len(TITLES)]}"}
        if number % 5 == 4
        else {"en": "In English", "nl": TITLES[number % len(TITLES)]}
    )
    house.add_event(
        {
            "name": names,
            "slug": slug,
            "live": True,
            "testmode": False,
            "currency": "EUR",
            "date_from": _iso(starts),
            "date_to": _iso(starts + timedelta(hours=2)),
            "location": {"nl": "Grote Zaal\nGent"} if number % 3 else None,
            "has_subevents": is_series,
            "meta_data": {"genre": GENRES[number % len(GENRES)]} if number % 6 else {},
            "timezone": "Europe/Brussels",
            "public_url": f"https://tickets.example.org/stadstheater/{slug}/",
        }
    )
    for part in range(60 if is_series else 0):
        _invent_date(house, slug, starts + timedelta(days=part))
    house.items[slug].append(
        {"id": 1000 + number, "name": {"nl": "Programmaboek"}, "admission": False, "variations": []}
    )
    draw.random()


def _invent_date(house: PretixHouse, slug: str, starts: datetime) -> None:
    number = len(house.dates) + 1
    house.dates[number] = {
        "id": number,
        "name": {"nl": f"Rondleiding {number}"},
        "event": slug,
        "active": True,
        "date_from": _iso(starts),
        "date_to": None,
        "location": None,
        "meta_data": {},
        "last_modified": house.tick(),
    }


def _invent_customer(house: PretixHouse, number: int, draw: random.Random) -> None:
    given, family = draw.choice(GIVEN), draw.choice(FAMILY)
    identifier = f"C{number:05}"
    house.customers[identifier] = {
        "identifier": identifier,
        "external_identifier": f"CRM-{number}" if number % 3 == 0 else None,
        "email": f"klant{number}@example.org",
        "phone": "+32470000000" if number % 2 else None,
        "name": f"{given} {family}",
        "name_parts": {"_scheme": "given_family", "given_name": given, "family_name": family},
        "is_active": True,
        "is_verified": True,
        "last_login": None,
        "date_joined": house.tick(),
        "locale": draw.choice(("nl", "nl-informal", "fr", "en")),
        "last_modified": house.tick(),
        "notes": None,
    }


def _invent_order(house: PretixHouse, number: int, draw: random.Random) -> Json:
    slug = draw.choice(sorted(house.events))
    has_account = bool(house.customers) and draw.random() < 0.5
    customer = draw.choice(sorted(house.customers)) if has_account else None
    email = house.customers[customer]["email"] if customer else f"koper{number}@example.org"
    placed = house.now + timedelta(minutes=7 * number)
    status = draw.choice("nppppppec")
    positions = [_invent_position(house, slug, number, place, draw) for place in range(1, draw.randint(2, 5))]
    return {
        "code": f"O{number:05}",
        "event": slug,
        "status": status,
        "testmode": number % 40 == 39,
        "email": None if number % 50 == 49 else email,
        "phone": None,
        "locale": draw.choice(("nl", "fr", "en")),
        "datetime": _iso(placed),
        "total": "0.00",
        "invoice_address": None,
        "positions": positions,
        "payments": [],
        "refunds": [{"state": "done", "amount": "20.00"}] if status == "c" and number % 2 else [],
        "sales_channel": draw.choice(("web", "web", "pretixpos", "api.partner")),
        "customer": customer,
        "valid_if_pending": False,
    }


def _invent_position(house: PretixHouse, slug: str, number: int, place: int, draw: random.Random) -> Json:
    dates = [key for key, date in house.dates.items() if date["event"] == slug]
    is_guest = place == 2 and draw.random() < 0.5
    given, family = draw.choice(GIVEN), draw.choice(FAMILY)
    question = house.questions[slug][0]
    return {
        "id": number * 10 + place,
        "order": f"O{number:05}",
        "positionid": place,
        "item": house.items[slug][1 if place == 4 else 0]["id"],
        "price": draw.choice(("0.00", "12.50", "22.00")),
        "attendee_name": f"{given} {family}",
        "attendee_name_parts": {"_scheme": "full", "full_name": f"{given} {family}"},
        "attendee_email": f"gast{number}@example.org" if is_guest else None,
        "street": None,
        "zipcode": None,
        "city": None,
        "country": None,
        "addon_to": number * 10 + 1 if place == 3 else None,
        "subevent": draw.choice(dates) if dates else None,
        "checkins": [],
        "answers": [
            {
                "question": question["id"],
                "answer": draw.choice(("True", "False")),
                "question_identifier": question["identifier"],
                "options": [],
                "option_identifiers": [],
            }
        ],
        "canceled": place == 3 and draw.random() < 0.2,
    }


def _iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
