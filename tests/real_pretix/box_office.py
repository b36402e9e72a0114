"""A box office whose people work in a real pretix: they open shops, sell, scan and pay back, through its own API."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import requests

from tests.real_pretix.installation import DATABASE, Installation

Json = dict[str, Any]
STARTS_WITHIN_S = 120.0
ORGANIZER = "cultuurhuis"
WORDING = {"nl": "Ik wil de nieuwsbrief ontvangen", "fr": "Je souhaite recevoir la lettre d'information"}
HOOKED = (
    "pretix.event.order.placed", "pretix.event.order.paid", "pretix.event.order.canceled", "pretix.event.order.expired",
    "pretix.event.order.modified", "pretix.event.order.contact.changed", "pretix.event.order.changed.*",
    "pretix.event.order.refund.created", "pretix.event.order.refund.done", "pretix.event.order.payment.confirmed",
    "pretix.event.checkin", "pretix.event.checkin.reverted", "pretix.event.added", "pretix.event.changed",
    "pretix.event.live.activated", "pretix.event.deleted", "pretix.event.order.deleted", "pretix.subevent.added",
    "pretix.subevent.changed", "pretix.subevent.deleted", "pretix.customer.created", "pretix.customer.changed",
    "pretix.customer.anonymized",
)  # fmt: skip


class PretixProcess:
    """A pretix on loopback, with data of its own that is gone with the folder; a context manager."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self._installation, self._folder = installation, folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._installation.fresh, self._folder / DATABASE)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGTERM)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [*self._installation.pretix, "runserver", f"127.0.0.1:{self._port}", "--noreload", "--insecure"]
        with (self._folder / "pretix.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self._installation.environment(self._folder, self.url),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"pretix does not start:\n{(self._folder / 'pretix.log').read_text()[-4000:]}")
            time.sleep(0.2)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, as abruptly as asked."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, how)
            self._process.wait(30)

    def _answers(self) -> bool:
        try:
            # Its /healthcheck/ asks for a shared cache, which a pretix of one process has not.
            return requests.get(f"{self.url}/api/v1/organizers/", timeout=5).status_code == 401
        except requests.ConnectionError:
            return False


@dataclass
class Shop:
    """One event with its product, its opt-in question and its door; ``dates`` are those of a series."""

    slug: str
    item: int
    book: int
    question: int
    door: int
    dates: list[int] = field(default_factory=list)


class BoxOffice:
    """Who works there. Every answer that is not a success fails the test, with what pretix said."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._root = f"{url}/api/v1/organizers/{ORGANIZER}"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Token {token}"

    def call(self, method: str, path: str, body: Json | None = None, **query: Any) -> Any:
        """Ask pretix something, and return its answer."""
        answer = self._session.request(method, f"{self._root}/{path}", json=body, params=query, timeout=60)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def all_of(self, path: str, **query: Any) -> Iterator[Json]:
        """Yield every row of a list."""
        page = 1
        while True:
            answer = self.call("GET", path, page=page, page_size=50, **query)
            yield from answer["results"]
            if not answer["next"]:
                return
            page += 1

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()

    # --- what is on offer ---

    def name_genres(self, *genres: str) -> None:
        """Let events say what they are."""
        choices = [{"key": genre, "label": {"nl": genre}} for genre in genres]
        named = {"name": "genre", "default": "", "required": False, "protected": False, "filter_allowed": True}
        self.call("POST", "event_meta_properties/", {**named, "choices": choices})

    def open_shop(self, slug: str, title: str, *, dates: int = 0, genre: str = "theatre") -> Shop:
        """Open an event with a ticket, a programme book that admits nobody, a question and a door."""
        event = {
            "name": {"nl": title, "en": f"{title} (en)"},
            "slug": slug,
            "live": False,
            "currency": "EUR",
            "date_from": "2027-01-15T20:00:00+01:00",
            "date_to": None if dates else "2027-01-15T22:30:00+01:00",
            "location": {"nl": "Grote Zaal, Gent"},
            "has_subevents": bool(dates),
            "meta_data": {"genre": genre},
            "timezone": "Europe/Brussels",
            "plugins": ["pretix.plugins.manualpayment"],
        }
        self.call("POST", "events/", event)
        shop = Shop(
            slug, self._item(slug, "Standaard", "22.00"), self._item(slug, "Boekje", "5.00", admits=False), 0, 0
        )
        for number in range(dates):
            shop.dates.append(self.add_date(shop, f"{title} {number + 1}", f"2027-02-{number + 1:02}T20:00:00+01:00"))
        if not dates:
            self._quota(shop, None)
        question = {"question": WORDING, "type": "B", "required": False, "identifier": "NEWSLETTER", "position": 1}
        shop.question = self.call("POST", f"events/{slug}/questions/", {**question, "items": [shop.item]})["id"]
        first = shop.dates[0] if dates else None
        door = {"name": "Deur", "all_products": True, "limit_products": [], "subevent": first, "include_pending": False}
        shop.door = self.call("POST", f"events/{slug}/checkinlists/", door)["id"]
        self.call("PATCH", f"events/{slug}/", {"live": True})
        return shop

    def add_date(self, shop: Shop, title: str, starts_at: str) -> int:
        """Add a date to a series and return its number."""
        date = {
            "name": {"nl": title},
            "active": True,
            "date_from": starts_at,
            "location": None,
            "item_price_overrides": [],
            "variation_price_overrides": [],
            "meta_data": {},
        }
        number = int(self.call("POST", f"events/{shop.slug}/subevents/", date)["id"])
        self._quota(shop, number)
        return number

    def _item(self, slug: str, name: str, price: str, *, admits: bool = True) -> int:
        item = {"name": {"nl": name}, "default_price": price, "admission": admits, "active": True, "tax_rule": None}
        return int(self.call("POST", f"events/{slug}/items/", item)["id"])

    def _quota(self, shop: Shop, date: int | None) -> None:
        quota = {"name": "Zaal", "size": 500, "items": [shop.item, shop.book], "variations": [], "subevent": date}
        self.call("POST", f"events/{shop.slug}/quotas/", quota)

    # --- who comes ---

    def customer(self, email: str, given: str, family: str, **more: Any) -> str:
        """Make a customer account and return its number."""
        names = {"_scheme": "given_family", "given_name": given, "family_name": family}
        account = {"email": email, "name_parts": names, "is_active": True, "is_verified": True, "locale": "nl"}
        return str(self.call("POST", "customers/", {**account, "send_email": False, **more})["identifier"])

    def sell(self, shop: Shop, email: str | None, *tickets: Json, paid: bool = True, **more: Any) -> Json:
        """Sell tickets; each of ``tickets`` says what is special about it (``answer``, ``attendee_email``, …)."""
        positions = [self._position(shop, place, ticket) for place, ticket in enumerate(tickets or ({},), start=1)]
        order = {
            "email": email,
            "locale": "nl",
            "sales_channel": "web",
            "status": "p" if paid else "n",
            "payment_provider": "manual",
            "send_email": False,
            "positions": positions,
            **more,
        }
        sold: Json = self.call("POST", f"events/{shop.slug}/orders/", order)
        return sold

    @staticmethod
    def _position(shop: Shop, place: int, ticket: Json) -> Json:
        answer = ticket.get("answer")
        answers = [] if answer is None else [{"question": shop.question, "answer": answer, "options": []}]
        name = ticket.get("attendee_name")
        return {
            "positionid": place,
            "item": shop.book if ticket.get("is_book") else shop.item,
            "variation": None,
            "price": ticket.get("price"),
            "attendee_name_parts": {"_scheme": "full", "full_name": name} if name else {},
            "attendee_email": ticket.get("attendee_email"),
            "addon_to": None,
            "subevent": ticket.get("date") or next(iter(shop.dates), None),
            "answers": answers,
        }

    def change_order(self, shop: Shop, code: str, what: str, body: Json | None = None) -> Any:
        """Do something with an order (``mark_paid``, ``mark_canceled``, ``refunds``, …)."""
        return self.call("POST", f"events/{shop.slug}/orders/{code}/{what}/", body or {})

    def scan(self, shop: Shop, position: Json) -> None:
        """Scan a ticket at the door."""
        redeemed = {"secret": position["secret"], "lists": [shop.door], "type": "entry", "source_type": "barcode"}
        assert self.call("POST", "checkinrpc/redeem/", redeemed)["status"] == "ok"

    def pay_back(self, shop: Shop, code: str, amount: str) -> None:
        """Cancel an order and give money back."""
        refund = {
            "state": "created",
            "source": "external",
            "amount": amount,
            "payment": 1,
            "provider": "manual",
            "execution_date": None,
            "mark_canceled": True,
        }
        made = self.change_order(shop, code, "refunds", refund)
        self.change_order(shop, code, f"refunds/{made['local_id']}/done")

    # --- who hears of it ---

    def announce_to(self, address: str) -> int:
        """Send webhooks to an address from now on; returns the number of the webhook."""
        hook = {"enabled": True, "target_url": address, "all_events": True, "limit_events": [], "action_types": HOOKED}
        return int(self.call("POST", "webhooks/", hook)["id"])

    def new_token(self, team: int) -> tuple[int, str]:
        """Make another API token for a team; returns its number and the token."""
        made = self.call("POST", f"teams/{team}/tokens/", {"name": "voor even"})
        return int(made["id"]), str(made["token"])

    def revoke_token(self, team: int, number: int) -> None:
        """Take an API token away."""
        self.call("DELETE", f"teams/{team}/tokens/{number}/")
