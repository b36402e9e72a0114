"""A pretix on loopback: answers as the captured one did, pages as it does, and fails on demand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.standins.json_standin import JsonStandin, Request
from tests.standins.pretix_house import Json, PretixHouse


class PretixStandin(JsonStandin):
    """Serves a ``PretixHouse``."""

    def __init__(self, house: PretixHouse) -> None:
        super().__init__()
        self.house = house
        self.next_host: str | None = None  # a pretix that points its next page elsewhere

    def answer(  # noqa: PLR0911 - a table
        self, request: Request, headers: Mapping[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        """Return (status, body, headers) as pretix would."""
        house, root = self.house, f"/api/v1/organizers/{self.house.organizer}/"
        if headers.get("Authorization", "") != f"Token {house.token}":
            return 401, {"detail": "Invalid token."}, {}
        if not request.path.startswith(root):
            return 403, {"detail": "You do not have permission to perform this action."}, {}
        match [part for part in request.path[len(root) :].split("/") if part]:
            case []:
                return 200, {"name": house.name, "slug": house.organizer}, {}
            case ["events"]:
                return self._list(request, sorted(house.events.values(), key=lambda e: str(e["date_from"])))
            case ["customers"]:
                return self._list(request, list(house.customers.values()))
            case ["subevents"]:
                return self._list(request, list(house.dates.values()), has_generated=True)
            case ["orders"]:
                return self._list(request, [_shown(o, request) for o in house.orders.values()], has_generated=True)
            case ["events", slug]:
                return _one(house.events.get(slug))
            case ["events", slug, "questions"] if slug in house.events:
                return self._list(request, house.questions[slug])
            case ["events", slug, "items"] if slug in house.events:
                return self._list(request, house.items[slug])
            case ["events", slug, "orders", code]:
                order = house.orders.get(code)
                return _one(_shown(order, request) if order and order["event"] == slug else None)
            case ["events", slug, "subevents", number]:
                date = house.dates.get(int(number))
                return _one(date if date and date["event"] == slug else None)
            case ["customers", identifier]:
                return _one(house.customers.get(identifier))
        return 404, {"detail": "Not found."}, {}

    def _list(
        self, request: Request, rows: list[Json], *, has_generated: bool = False
    ) -> tuple[int, Any, dict[str, str]]:
        query = request.query
        headers = {"X-Page-Generated": self.house.tick()} if has_generated else {}
        if since := query.get("modified_since"):
            rows = [row for row in rows if row["last_modified"] >= since]
        if ordering := query.get("ordering"):
            rows = sorted(rows, key=lambda row: str(row[ordering.lstrip("-")]), reverse=ordering.startswith("-"))
        size, page = min(int(query.get("page_size", 50)), 50), int(query.get("page", 1))
        if page > 1 and (page - 1) * size >= len(rows):
            return 404, {"detail": "Invalid page."}, {}
        chosen = rows[(page - 1) * size : page * size]
        body = {"count": len(rows), "next": None, "previous": None, "results": chosen}
        if page * size < len(rows):
            body["next"] = f"{self.next_host or self.url}{request.path}?{urlencode({**query, 'page': page + 1})}"
        if page > 1:
            body["previous"] = f"{self.url}{request.path}?{urlencode({**query, 'page': page - 1})}"
        return 200, body, headers


def _one(thing: Json | None) -> tuple[int, Any, dict[str, str]]:
    return (200, thing, {}) if thing is not None else (404, {"detail": "Not found."}, {})


def _shown(order: Json, request: Request) -> Json:
    """Cancelled positions are only told to who asks for them."""
    if request.query.get("include_canceled_positions") == "true":
        return order
    return {**order, "positions": [p for p in order["positions"] if not p["canceled"]]}
