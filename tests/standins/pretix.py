"""A pretix on loopback: answers as the captured one did, pages as it does, and fails on demand."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.standins.pretix_house import Json, PretixHouse

HTML_502 = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Failure:
    """One answer that is not what was asked for."""

    status: int
    body: bytes = b'{"detail": "no"}'
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


@dataclass(frozen=True)
class Request:
    """What was asked: the path and its query."""

    path: str
    query: dict[str, str]


class PretixStandin:
    """Serves a ``PretixHouse`` on 127.0.0.1; a context manager."""

    def __init__(self, house: PretixHouse) -> None:
        self.house = house
        self.requests: list[Request] = []
        self.failures: deque[Failure] = deque()
        self.before_page: Callable[[Request], None] = lambda _request: None
        self.next_host: str | None = None  # a pretix that points its next page elsewhere
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> PretixStandin:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail(self, status: int, *, times: int = 1, body: bytes | None = None, **headers: str) -> None:
        """Answer the next requests with a failure; header names are written with underscores."""
        named = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        self.failures.extend([Failure(status, body if body is not None else b'{"detail": "no"}', named)] * times)

    def answer(self, request: Request, authorization: str) -> tuple[int, Any, dict[str, str]]:  # noqa: PLR0911 - a table
        """Return (status, body, headers) as pretix would."""
        house, root = self.house, f"/api/v1/organizers/{self.house.organizer}/"
        if authorization != f"Token {house.token}":
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up on an endless answer is what some tests are about."""


def _one(thing: Json | None) -> tuple[int, Any, dict[str, str]]:
    return (200, thing, {}) if thing is not None else (404, {"detail": "Not found."}, {})


def _shown(order: Json, request: Request) -> Json:
    """Cancelled positions are only told to who asks for them."""
    if request.query.get("include_canceled_positions") == "true":
        return order
    return {**order, "positions": [p for p in order["positions"] if not p["canceled"]]}


def _handler(standin: PretixStandin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or every answer waits 40 ms for an acknowledgement

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Request(parts.path, dict(parse_qsl(parts.query)))
            standin.requests.append(request)
            standin.before_page(request)
            if standin.failures:
                failure = standin.failures.popleft()
                self._send(failure.status, failure.body, failure.headers)
                return
            status, body, headers = standin.answer(request, self.headers.get("Authorization", ""))
            self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the test looks at ``requests``."""

    return Handler
