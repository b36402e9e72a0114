"""A Ticketmatic on loopback: lists as its library reads them, signatures checked, and a clock that is local.

What its public material leaves open (in which order a list comes that nobody sorted) is a switch, and tests try both.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.standins.json_standin import JsonStandin, Request

Json = dict[str, Any]
BRUSSELS = ZoneInfo("Europe/Brussels")
NEWSLETTER, PARTNERS = 11, 12


@dataclass
class TicketmaticHouse:
    """What one account holds. ``tick`` moves its own clock, which stamps every change, in local time without a zone."""

    account: str = "stadstheater"
    access_key: str = "AK-invented"
    secret_key: str = "SK-invented"
    now: datetime = datetime(2026, 11, 20, 8, tzinfo=UTC)
    events: dict[int, Json] = field(default_factory=dict)
    contacts: dict[int, Json] = field(default_factory=dict)
    orders: dict[int, Json] = field(default_factory=dict)
    entered: dict[int, datetime] = field(default_factory=dict)
    genres: dict[int, str] = field(default_factory=lambda: {3: "theater", 5: "dans"})
    fields: list[Json] = field(default_factory=lambda: [{"id": 41, "key": "abonnement", "caption": "Soort abonnement"}])
    optins: list[Json] = field(default_factory=lambda: [mandatory_optin(), optional_optin()])

    def local(self, at: datetime) -> str:
        """Return an instant as Ticketmatic writes it."""
        return at.astimezone(BRUSSELS).strftime("%Y-%m-%d %H:%M:%S")

    def tick(self) -> str:
        """Return the next second of this house's clock."""
        self.now += timedelta(seconds=1)
        return self.local(self.now)

    def put(self, kind: str, row: Json) -> Json:
        """Store an event, a contact or an order as new or changed now."""
        rows: dict[int, Json] = getattr(self, kind)
        number = int(row["orderid" if kind == "orders" else "id"])
        stamp = self.tick()
        rows[number] = {"createdts": rows.get(number, {}).get("createdts", stamp), **row, "lastupdatets": stamp}
        return rows[number]

    def change(self, kind: str, number: int, **changes: Any) -> Json:
        """Change fields of a row."""
        return self.put(kind, {**getattr(self, kind)[number], **changes})

    def say(self, contact: int, optin: int, status: int, method: str = "websales", remarks: str = "") -> None:
        """Let somebody answer an opt-in."""
        stamp = self.tick()
        said = [one for one in self.contacts[contact]["optins"] if one["optinid"] != optin]
        said.append(
            {
                "id": optin,
                "optinid": optin,
                "status": status,
                "info": {"method": method, "remarks": remarks},
                "lastupdatets": stamp,
            }
        )
        self.change("contacts", contact, optins=said)

    def scan(self, ticket: int, at: datetime) -> None:
        """Let a ticket be scanned at the door; its order is not touched by that."""
        self.entered[ticket] = at


class TicketmaticStandin(JsonStandin):
    """Serves a ``TicketmaticHouse``. ``newest_first``: how a list comes, whatever it is sorted by."""

    def __init__(self, house: TicketmaticHouse) -> None:
        super().__init__()
        self.house = house
        self.newest_first = False
        self.signature_lasts = timedelta(minutes=30)
        self.signatures: set[str] = set()
        self.may_write = True
        self.has_mail_tool = True
        self.unsubscribed: list[str] = []

    def answer(  # noqa: PLR0911 - a table
        self, request: Request, headers: Mapping[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        house, root = self.house, f"/{self.house.account}/"
        if not self._is_signed(headers.get("Authorization", "")):
            return 401, error(401, "Authentication required"), {}
        if not request.path.startswith(root):
            return 403, error(403, "No access to this account"), {}
        if request.method != "GET":
            return self._write(request, request.path[len(root) :].split("/"))
        match request.path[len(root) :].split("/"):
            case ["contacts", "0"]:
                found = self._with_address(request.query.get("email", ""))
                return (200, found[0], {}) if found else (404, error(404, "Not found"), {})
            case ["tools", "account"]:
                return 200, {"id": 1, "name": "Stadstheater", "shortname": house.account}, {}
            case ["settings", "system", "optins"]:
                return 200, {"data": house.optins, "nbrofresults": len(house.optins)}, {}
            case ["settings", "system", "customfields"]:
                fields = [{"id": 40, "key": "genre", "caption": "Genre"}, *house.fields]
                return 200, {"data": fields, "nbrofresults": len(fields)}, {}
            case ["settings", "system", "customfieldvalues"]:
                rows = [{"id": number, "typeid": 40, "caption": caption} for number, caption in house.genres.items()]
                return 200, {"data": rows, "nbrofresults": len(rows)}, {}
            case [("events" | "contacts" | "orders") as kind]:
                return 200, self._list(kind, request.query), {}
            case ["events", number, "tickets"]:
                return 200, self._tickets(int(number)), {"Content-Type": "application/x-ndjson"}
            case [("events" | "contacts" | "orders") as kind, number]:
                row = getattr(house, kind).get(int(number))
                return (200, row, {}) if row else (404, error(404, "Not found"), {})
        return 404, error(404, "Not found"), {}

    def _with_address(self, email: str) -> list[Json]:
        rows = self.house.contacts.values()
        return [row for row in rows if not row.get("isdeleted") and row["email"].lower() == email.lower()]

    def _write(self, request: Request, parts: list[str]) -> tuple[int, Any, dict[str, str]]:
        """What may be changed: the opt-ins of a contact, each by itself, and the state of the mail tool."""
        if not self.may_write:
            return 403, error(403, "Access denied"), {}
        match request.method, parts:
            case "PUT", ["contacts", number] if int(number) in self.house.contacts:
                for said in request.body["optins"]:
                    info = said.get("info", {})
                    self.house.say(
                        int(number), said["optinid"], said["status"], info.get("method", ""), info.get("remarks", "")
                    )
                return 200, self.house.contacts[int(number)], {}
            case "POST", ["subscribers", "sync"] if self.has_mail_tool:
                for row in request.body:
                    if not row["subscribed"]:
                        self.unsubscribed.append(row["email"])
                    for contact in self._with_address(row.get("oldemail") or row["email"]):
                        self.house.change("contacts", contact["id"], subscribed=row["subscribed"])
                return 200, b"", {}
            case "POST", ["subscribers", "sync"]:
                return 400, error(400, "No mail tool is configured"), {}
        return 404, error(404, "Not found"), {}

    def _is_signed(self, header: str) -> bool:
        parts = dict(part.split("=", 1) for part in header.split(" ")[1:] if "=" in part)
        if not header.startswith("TM-HMAC-SHA256 ") or parts.get("key") != self.house.access_key:
            return False
        asked_at = datetime.fromisoformat(parts["ts"]).replace(tzinfo=UTC)
        said = f"{parts['key']}{self.house.account}{parts['ts']}"
        expected = hmac.new(self.house.secret_key.encode(), said.encode(), hashlib.sha256).hexdigest()
        self.signatures.add(header)
        return abs(asked_at - self.house.now) < self.signature_lasts and parts.get("sign") == expected

    def _list(self, kind: str, query: Mapping[str, str]) -> Json:
        rows = list(getattr(self.house, kind).values())
        if kind == "events":
            wanted = json.loads(query.get("simplefilter", "{}")).get("status", [19002, 19003])
            rows = [row for row in rows if row["currentstatus"] in wanted]
        if query.get("includearchived") != "true":
            rows = [row for row in rows if not row.get("isdeleted") and row.get("status") != 21003]
        if words := query.get("searchterm", "").lower():
            told = ("email", "firstname", "lastname")
            rows = [row for row in rows if words in " ".join(str(row.get(name) or "") for name in told).lower()]
        if since := query.get("lastupdatesince"):
            rows = [row for row in rows if row["lastupdatets"] >= since]
        rows.sort(key=lambda row: str(row.get(query.get("orderby", ""), "")), reverse=self.newest_first)
        start, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
        return {"data": rows[start : start + limit], "nbrofresults": len(rows), "lookup": {}}

    def _tickets(self, event: int) -> bytes:
        lines = []
        for order in self.house.orders.values():
            for ticket in order["tickets"]:
                if ticket["eventid"] == event:
                    at = self.house.entered.get(ticket["id"])
                    state = {"accesscontrolstatus": 1 if at else 0}
                    seen = {"accesscontrollastenteredts": self.house.local(at) if at else None}
                    lines.append({"id": ticket["id"], "orderid": order["orderid"], **state, **seen})
        lines.append({"id": 1, "orderid": 0, "barcode": "", "accesscontrolstatus": 0})  # a seat that nobody took
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def error(code: int, message: str) -> Json:
    """Return what Ticketmatic says where something is wrong."""
    return {"code": code, "message": message, "applicationcode": 0, "applicationdata": None}


def mandatory_optin() -> Json:
    """Return an opt-in that makes people choose."""
    return {
        "id": NEWSLETTER,
        "typeid": 40001,
        "name": "Nieuwsbrief",
        "caption": "Wil je onze nieuwsbrief?",
        "yescaption": "Ja, graag",
        "nocaption": "Nee, dank je",
    }


def optional_optin() -> Json:
    """Return a box that may be ticked beforehand."""
    return {"id": PARTNERS, "typeid": 40002, "name": "Partners", "caption": "Nieuws van partners"}


def contact(number: int, **fields: Any) -> Json:
    """Return a contact, in the shape of the vendor's library."""
    return {
        "id": number,
        "email": f"bezoeker{number}@example.org",
        "firstname": "An",
        "middlename": "",
        "lastname": f"Peeters {number}",
        "languagecode": "nl",
        "sex": "F",
        "birthdate": "1985-04-02",
        "addresses": [
            {"street1": "Grote Markt", "street2": "1", "zip": "2000", "city": "Antwerpen", "countrycode": "BE"}
        ],
        "phonenumbers": [{"number": "+32470000000"}],
        "optins": [],
        "status": "",
        "isdeleted": False,
        "subscribed": True,
        **fields,
    }


def event(number: int, starts_at: str, **fields: Any) -> Json:
    """Return an event; ``starts_at`` is local."""
    return {
        "id": number,
        "name": f"Voorstelling {number}",
        "startts": starts_at,
        "endts": None,
        "locationname": "Grote zaal",
        "productionid": 0,
        "currentstatus": 19002,
        "tags": ["podium"],
        **fields,
    }


def ticket(number: int, event_number: int, **fields: Any) -> Json:
    """Return a ticket as it lies in an order."""
    return {
        "id": number,
        "eventid": event_number,
        "price": 18.0,
        "ticketholderid": 0,
        "transferredto": 0,
        "cachedaccesscontrolstatus": 0,
        **fields,
    }


def order(number: int, customer: int, tickets: list[Json], **fields: Any) -> Json:
    """Return a confirmed, paid order."""
    return {
        "orderid": number,
        "customerid": customer,
        "status": 21002,
        "paymentstatus": 1,
        "tickets": tickets,
        "payments": [{"id": number, "amount": 18.0 * len(tickets)}],
        **fields,
    }


def invented_house(*, seed: int = 1, events: int = 14, contacts: int = 47, orders: int = 83) -> TicketmaticHouse:
    """Return a house with removed contacts, drafts, ticket holders, anonymous, unconfirmed and archived orders."""
    draw, house = random.Random(seed), TicketmaticHouse(now=datetime(2026, 1, 1, tzinfo=UTC))
    for number in range(1, events + 1):
        starts_at = f"2026-{number % 10 + 1:02}-14 20:00:00"
        genre = {"c_genre": [draw.choice((3, 5))]} if number % 4 else {}
        house.put("events", event(number, starts_at, productionid=number % 3, **genre))
    house.put("events", event(900, "2027-01-01 20:00:00", currentstatus=19001))
    for number in range(1, contacts + 1):
        house.put("contacts", contact(number))
        for optin in (NEWSLETTER, PARTNERS):
            house.say(number, optin, draw.choice((7601, 7602, 7602, 7603)))
    house.change("contacts", contacts, isdeleted=True, status="deleted", email="", firstname="", lastname="")
    ticket_number = 8000
    for number in range(70_001, 70_001 + orders):
        held = []
        for _ in range(draw.randint(1, 4)):
            ticket_number += 1
            others = {"ticketholderid": draw.randint(1, contacts - 1)} if draw.random() < 0.2 else {}
            held.append(ticket(ticket_number, draw.randint(1, events), **others))
        house.put(
            "orders",
            order(
                number, draw.choice([0, *range(1, contacts)]), held, status=draw.choice((21001, 21002, 21002, 21003))
            ),
        )
    house.now = datetime(2026, 11, 20, 8, tzinfo=UTC)
    return house
