"""A Flexmail for tests, after what was observed of it: HAL lists, imports that run by themselves, no status anywhere.

What Flexmail leaves open is chosen against us: an import forgets the custom fields it is not told, and who unsubscribed
stays in the list of contacts and looks like everybody else. ``violations`` holds what no program was seen to send.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.standins.loopback import Fault, LoopbackServer, Reply, Request, StandIn

__all__ = ["Fault", "FlexmailStandIn"]

ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]{2,}")
CONTACT = {"email", "language", "first_name", "name", "custom_fields", "source"}
RECORD = {"email", "language", "first_name", "name", "custom_fields", "sources"}
KINDS = [
    ("GET", r"/contacts", "get_contacts"),
    ("GET", r"/sources", "get_sources"),
    ("GET", r"/custom-fields", "get_fields"),
    ("POST", r"/contacts/imports", "post_import"),
    ("POST", r"/contacts/imports/[^/]+/records", "post_records"),
    ("PATCH", r"/contacts/imports/[^/]+", "patch_import"),
    ("GET", r"/contacts/imports/[^/]+", "get_import"),
    ("POST", r"/contacts/[^/]+/unsubscribe", "unsubscribe"),
    ("PUT", r"/contacts/[^/]+", "put_contact"),
    ("DELETE", r"/contacts/[^/]+", "delete_contact"),
]


@dataclass
class Contact:
    id: int
    email: str
    language: str
    first_name: str = ""
    name: str = ""
    custom_fields: dict[str, str] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        return {**vars(self), "_links": {"self": {"href": f"/contacts/{self.id}"}}}


@dataclass
class Import:
    resubscribes: bool
    records: list[dict[str, Any]] = field(default_factory=list)
    status: str = "idle"
    looks: int = 0
    report: dict[str, int] = field(default_factory=dict)


class FlexmailServer(LoopbackServer):
    def __init__(self, account: str, token: str) -> None:
        super().__init__()
        self.account, self.token = account, token
        self.contacts: dict[int, Contact] = {}
        self.out: set[str] = set()
        self.imports: dict[str, Import] = {}
        self.fields = ["zaallicht", "organisation"]
        self.made = 0

    def kind_of(self, method: str, path: str) -> str:
        return next((kind for verb, shape, kind in KINDS if verb == method and re.fullmatch(shape, path)), "unknown")

    def problem(self, status: int) -> Reply:
        body = {"title": "Fault", "status": status, "detail": "jan@example.org could not be served."}
        return Reply(status, json.dumps(body).encode(), "application/problem+json")

    def process(self, request: Request, authorization: str) -> Reply:
        scheme, _, value = authorization.partition(" ")
        if scheme != "Basic" or base64.b64decode(value).decode() != f"{self.account}:{self.token}":
            return self.problem(401)
        route = getattr(self, f"_{request.kind}", None)
        if route is None:
            self.violations.append(f"{request.method} {request.path} was never seen")
            return self.problem(404)
        status, body = route(request)
        if status >= 400:
            return self.problem(status)
        return Reply(status, b"" if body is None else json.dumps(body).encode(), "application/hal+json")

    def holder(self, email: str) -> Contact | None:
        return next((one for one in self.contacts.values() if one.email == email.lower()), None)

    def add(self, record: dict[str, Any]) -> Contact:
        self.made += 1
        kept = {name: record[name] for name in ("email", "language", "first_name", "name") if record.get(name)}
        self.contacts[self.made] = Contact(self.made, custom_fields=dict(record.get("custom_fields", {})), **kept)
        return self.contacts[self.made]

    # --- the calls --------------------------------------------------------------------------------------------------

    def _get_contacts(self, request: Request) -> tuple[int, Any]:
        email = request.query.get("email")
        rows = [one.row() for one in self.contacts.values() if email is None or one.email == email]
        return 200, _page(rows, request)

    def _get_sources(self, request: Request) -> tuple[int, Any]:
        return 200, _page([{"id": 42, "name": "Zaallicht"}, {"id": 7, "name": "Website"}], request)

    def _get_fields(self, request: Request) -> tuple[int, Any]:
        return 200, _page([{"id": name, "name": name, "type": "text"} for name in self.fields], request)

    def _post_import(self, request: Request) -> tuple[int, Any]:
        if request.body.get("resubscribe_blacklisted_contacts") is not False:
            self.violations.append("an import that brings people back")
        self.imports[request.body["id"]] = Import(bool(request.body["resubscribe_blacklisted_contacts"]))
        return 201, {"id": request.body["id"], "status": "idle"}

    def _post_records(self, request: Request) -> tuple[int, Any]:
        for record in request.body:
            self.violations += [f"record.{name} was never seen" for name in record.keys() - RECORD]
            if record["email"] != record["email"].lower() or not record.get("language"):
                return 400, None
        self.imports[request.parts[2]].records += request.body
        return 201, None

    def _patch_import(self, request: Request) -> tuple[int, Any]:
        self.imports[request.parts[2]].status = request.body["status"]
        return 200, {"id": request.parts[2], "status": "queued"}

    def _get_import(self, request: Request) -> tuple[int, Any]:
        """Done at the second look."""
        one = self.imports[request.parts[2]]
        one.looks += 1
        if one.status == "queued" and one.looks > 1:
            self._carry_out(one)
        return 200, {"id": request.parts[2], "status": one.status, "message": "", "report": one.report}

    def _carry_out(self, one: Import) -> None:
        added = updated = ignored = 0
        for record in one.records:
            known = self.holder(record["email"])
            if not ADDRESS.fullmatch(record["email"]) or (record["email"] in self.out and not one.resubscribes):
                ignored += 1
            elif known is None:
                self.add(record)
                added += 1
            else:
                known.language = record["language"]
                known.first_name, known.name = record.get("first_name", ""), record.get("name", "")
                known.custom_fields = dict(record.get("custom_fields", {}))
                updated += 1
        one.status, one.report = "completed", {
            "total_added": added,
            "total_updated": updated,
            "total_ignored": ignored,
        }  # fmt: skip

    def _unsubscribe(self, request: Request) -> tuple[int, Any]:
        held = self.contacts.get(int(request.parts[1]))
        if held is None:
            return 404, None
        self.out.add(held.email)
        return 204, None

    def _put_contact(self, request: Request) -> tuple[int, Any]:
        held = self.contacts.get(int(request.parts[1]))
        self.violations += [f"contact.{name} was never seen" for name in request.body.keys() - CONTACT]
        if held is None:
            return 404, None
        held.custom_fields = dict(request.body.get("custom_fields", {}))
        return 200, held.row()

    def _delete_contact(self, request: Request) -> tuple[int, Any]:
        return (204 if self.contacts.pop(int(request.parts[1]), None) else 404), None


def _page(rows: list[dict[str, Any]], request: Request) -> dict[str, Any]:
    offset, limit = int(request.query.get("offset", 0)), min(int(request.query.get("limit", 500)), 500)
    page = rows[offset : offset + limit]
    told: dict[str, Any] = {"total": len(rows), "_links": {"self": {"href": request.path}}}
    return {**told, "_embedded": {"item": page}} if page else told


class FlexmailStandIn(StandIn):
    """The stand-in: ``account``, ``token`` and ``base_url`` open it."""

    account, token = "12345", "een-token"

    def __init__(self) -> None:
        self.server = FlexmailServer(self.account, self.token)
        super().__init__(self.server)

    def add_contact(self, email: str, *, is_out: bool = False, **more: Any) -> None:
        """Somebody who is there already; ``is_out``: they unsubscribed, which shows nowhere."""
        with self.server.locked():
            self.server.add({"email": email, "language": "nl", **more})
            if is_out:
                self.server.out.add(email)

    def is_mailed(self, email: str) -> bool:
        """Whether Flexmail would mail somebody: only it knows."""
        with self.server.locked():
            return self.server.holder(email) is not None and email not in self.server.out

    def fields_of(self, email: str) -> dict[str, str]:
        """Somebody's custom fields."""
        with self.server.locked():
            held = self.server.holder(email)
            return dict(held.custom_fields) if held else {}
