"""An Eventbrite on loopback: lists by continuation, and an organization that grows while it is read."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.standins.json_standin import JsonStandin, Request

Json = dict[str, Any]
QUESTION = "Mogen we je onze nieuwsbrief sturen?"


@dataclass
class EventbriteHouse:
    """What one organization holds. ``tick`` moves its own clock, which stamps every change."""

    organization: str = "4711"
    token: str = "invented-token"
    now: datetime = datetime(2026, 11, 20, 8, tzinfo=UTC)
    events: dict[str, Json] = field(default_factory=dict)
    orders: dict[str, Json] = field(default_factory=dict)
    attendees: dict[str, Json] = field(default_factory=dict)

    def tick(self) -> str:
        """Return the next second of this house's clock."""
        self.now += timedelta(seconds=1)
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def put(self, kind: str, row: Json) -> Json:
        """Store an event, an order or an attendee as new or changed now."""
        rows: dict[str, Json] = getattr(self, kind)
        stamp = self.tick()
        rows[row["id"]] = {"created": rows.get(row["id"], {}).get("created", stamp), **row, "changed": stamp}
        return rows[row["id"]]

    def change(self, kind: str, number: str, **changes: Any) -> Json:
        """Change fields of a row."""
        return self.put(kind, {**getattr(self, kind)[number], **changes})


class EventbriteStandin(JsonStandin):
    """Serves an ``EventbriteHouse``. ``forgets_continuations``: those that were given out before are refused."""

    def __init__(self, house: EventbriteHouse, *, page_size: int = 20) -> None:
        super().__init__()
        self.house, self.page_size = house, page_size
        self.continuations: dict[str, int] = {}

    def forget_continuations(self) -> None:
        """Refuse every continuation that was given out until now."""
        self.continuations.clear()

    def answer(  # noqa: PLR0911 - a table
        self, request: Request, headers: Mapping[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        house = self.house
        if headers.get("Authorization") != f"Bearer {house.token}":
            return 401, error(401, "INVALID_AUTH", "The OAuth token you provided was invalid."), {}
        if not request.path.startswith("/v3/") or not request.path.endswith("/"):
            return 404, error(404, "NOT_FOUND", "The path you requested does not exist."), {}
        match request.path[len("/v3/") : -1].split("/"):
            case ["users", "me", "organizations"]:
                return 200, {"organizations": [{"id": house.organization, "name": "Stadstheater"}]}, {}
            case ["organizations", house.organization, ("events" | "orders" | "attendees") as kind]:
                return self._list(kind, request.query)
            case ["events", number] if number in house.events:
                return 200, house.events[number], {}
            case ["events", _event, "attendees", number] if number in house.attendees:
                return 200, self._expanded([house.attendees[number]], request.query)[0], {}
            case ["orders", number] if number in house.orders:
                of_order = [one for one in house.attendees.values() if one["order_id"] == number]
                more = {"attendees": of_order} if request.query.get("expand") == "attendees" else {}
                return 200, {**house.orders[number], **more}, {}
        return 404, error(404, "NOT_FOUND", "The path you requested does not exist."), {}

    def _list(self, kind: str, query: Mapping[str, str]) -> tuple[int, Any, dict[str, str]]:
        rows = list(getattr(self.house, kind).values())
        if since := query.get("changed_since"):
            rows = [row for row in rows if row["changed"] >= since]
        token = query.get("continuation")
        if token is not None and token not in self.continuations:
            return 400, error(400, "BAD_CONTINUATION_TOKEN", "Your continuation token is invalid."), {}
        start = self.continuations[token] if token else 0
        end = start + self.page_size
        pagination: Json = {"object_count": len(rows), "page_size": self.page_size, "has_more_items": end < len(rows)}
        if end < len(rows):
            pagination["continuation"] = f"{kind}-{end}-{len(self.continuations)}"
            self.continuations[pagination["continuation"]] = end
        return 200, {"pagination": pagination, kind: self._expanded(rows[start:end], query)}, {}

    def _expanded(self, rows: list[Json], query: Mapping[str, str]) -> list[Json]:
        if query.get("expand") != "order":
            return rows
        return [{**row, "order": self.house.orders[row["order_id"]]} for row in rows]


def error(code: int, name: str, description: str) -> Json:
    """Return what Eventbrite says where something is wrong."""
    return {"status_code": code, "error": name, "error_description": description}


def event(number: str, starts_at: str, **fields: Any) -> Json:
    """Return an event; ``starts_at`` is UTC."""
    return {
        "id": number,
        "name": {"text": f"Lezing {number}", "html": f"Lezing {number}"},
        "start": {"timezone": "Europe/Brussels", "utc": starts_at},
        "end": {"timezone": "Europe/Brussels", "utc": None},
        "url": f"https://www.eventbrite.com/e/{number}",
        "status": "live",
        "currency": "EUR",
        "venue": {"name": "Kleine zaal"},
        "category": {"name": "Literatuur"},
        **fields,
    }


def order(number: str, email: str, **fields: Any) -> Json:
    """Return a placed order."""
    return {"id": number, "email": email, "first_name": "Fien", "last_name": "De Smet", "status": "placed", **fields}


def attendee(number: str, event_number: str, order_number: str, email: str, **fields: Any) -> Json:
    """Return an attendee of an order."""
    return {
        "id": number,
        "event_id": event_number,
        "order_id": order_number,
        "profile": {"first_name": "Bram", "last_name": "Bakker", "email": email},
        "costs": {"gross": {"currency": "EUR", "value": 1250, "major_value": "12.50"}},
        "answers": [],
        "barcodes": [{"barcode": f"{number}001", "status": "unused"}],
        "checked_in": False,
        "cancelled": False,
        "refunded": False,
        "status": "Attending",
        **fields,
    }


def answer(text: str) -> Json:
    """Return what somebody answered to the opt-in question."""
    return {"question_id": "9", "question": QUESTION, "type": "text", "answer": text}


def invented_house(*, seed: int = 1, events: int = 9, orders: int = 31) -> EventbriteHouse:
    """Return an organization with drafts, refunds, check-ins, unfinished orders and attendees without an address."""
    draw, house = random.Random(seed), EventbriteHouse(now=datetime(2026, 1, 1, tzinfo=UTC))
    for number in range(1, events + 1):
        house.put(
            "events", event(str(number), f"2026-{number:02}-14T19:00:00Z", status="draft" if number == 9 else "live")
        )
    count = 0
    for number in range(1, orders + 1):
        buyer = f"koper{number}@example.org"
        house.put("orders", order(str(number), buyer))
        for _ in range(draw.randint(1, 4)):
            count += 1
            email = draw.choice([buyer, buyer, f"gast{count}@example.org", ""])
            odd = draw.choice(
                [{}, {}, {"refunded": True}, {"cancelled": True}, {"status": "Unpaid"}, {"checked_in": True}]
            )
            answers = [answer(draw.choice(["Ja", "Nee", ""]))]
            house.put(
                "attendees", attendee(str(count), str(draw.randint(1, 8)), str(number), email, answers=answers, **odd)
            )
    house.now = datetime(2026, 11, 20, 8, tzinfo=UTC)
    return house
