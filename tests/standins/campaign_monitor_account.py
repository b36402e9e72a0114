"""What Campaign Monitor would hold, and what it allows: section 4 of ESPS.md, without any HTTP."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", re.IGNORECASE)
FIELD_CHARACTERS_MAX = 250
NOT_TAKEN = {"Deleted": 205, "Unsubscribed": 206, "Bounced": 207, "Unconfirmed": 208}
MESSAGES = {
    1: "Invalid Email Address",
    100: "Invalid API Key",
    101: "Invalid ListID",
    102: "Invalid ClientID",
    201: "Already subscribed",
    203: "Subscriber not in list or has already been removed.",
    204: "In Suppression List",
    205: "Is Deleted",
    206: "Is Unsubscribed",
    207: "Is Bounced",
    208: "Is Unconfirmed",
    214: "Please provide a consent to track value",
    255: "The Field Name already exists in this list",
    610: "The webhook request has failed",
}


class Problem(Exception):
    """An answer that is an error, by Campaign Monitor's own number."""

    def __init__(self, number: int, *, status: int = 400) -> None:
        super().__init__(MESSAGES.get(number, "Invalid"))
        self.number, self.status = number, status


@dataclass
class Person:
    """Somebody on one list. ``date`` is when their state last changed, and nothing else moves it."""

    email: str
    state: str
    date: datetime
    name: str = ""
    consent: str = "Unknown"
    fields: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Field:
    name: str
    kind: str = "Text"
    options: list[str] = field(default_factory=list)
    is_visible: bool = True

    @property
    def key(self) -> str:
        return f"[{self.name.replace(' ', '')}]"


@dataclass
class Hook:
    id: str
    url: str
    events: list[str]
    format: str
    status: str = "Active"


@dataclass
class MailList:
    id: str
    name: str
    confirmed: bool
    unsubscribe_setting: str
    people: dict[str, Person] = field(default_factory=dict)
    fields: list[Field] = field(default_factory=list)
    hooks: dict[str, Hook] = field(default_factory=dict)
    queue: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass
class Campaign:
    """A mailing it sent: to whom, and what happened since, by listing: (address, when, more)."""

    id: str
    name: str
    subject: str
    list_id: str
    sent_at: datetime
    recipients: list[str] = field(default_factory=list)
    happened: dict[str, list[tuple[str, datetime, dict[str, Any]]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Suppressed:
    email: str
    reason: str
    date: datetime


@dataclass(frozen=True)
class Event:
    """Something webhooks announce: the list, the kind, and the row as it is sent."""

    list_id: str
    kind: str
    row: Mapping[str, Any]


def id_of(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def folded(email: str) -> str:
    return email.strip().casefold()


class Account:
    """One client's lists and suppression list. Not locked: the server lets one request in at a time.

    Switches choose among behaviours the vendor does not tell: ``replaces_options`` (what is sent of a field with many
    options is all there is), ``queues_adds`` (somebody added alone is there only after ``work_off``), and
    ``refuses_suppressed_strangers``.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.zone = timezone(timedelta(hours=1))
        self.client_id = id_of("client")
        self.lists: dict[str, MailList] = {}
        self.suppressed: dict[str, Suppressed] = {}
        self.events: list[Event] = []
        self.unreachable: set[str] = set()
        self.campaigns: dict[str, Campaign] = {}
        self.replaces_options = True
        self.queues_adds = False
        self.refuses_suppressed_strangers = False

    def list_of(self, list_id: str) -> MailList:
        if list_id not in self.lists:
            raise Problem(101, status=401)
        return self.lists[list_id]

    def now(self) -> datetime:
        return self.clock().replace(microsecond=0)

    def told(self, instant: datetime) -> str:
        """An instant as Campaign Monitor writes it: in the account's zone, and without it."""
        return instant.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    # --- writing over the API ---------------------------------------------------------------------------------------

    def take(self, held: MailList, told: Mapping[str, Any], *, resubscribes: bool, asks: bool) -> bool:
        """Add or update somebody; returns whether they are new. Raises Problem for who is not taken."""
        email = str(told["EmailAddress"])
        if not ADDRESS.fullmatch(email):
            raise Problem(1)
        person = held.people.get(folded(email))
        if not resubscribes:
            self._refuse(held, person, email)
        if person is None:
            person = Person(email, "Unconfirmed" if asks and held.confirmed else "Active", self.now())
            held.people[folded(email)] = person
            self.fill(held, person, told)
            if person.state == "Active":
                self.announce("Subscribe", held, person)
            return True
        if person.state != "Active":
            person.state, person.date = "Active", self.now()
        self.fill(held, person, told)
        self.announce("Update", held, person)
        return False

    def _refuse(self, held: MailList, person: Person | None, email: str) -> None:
        is_suppressed = folded(email) in self.suppressed
        if is_suppressed and (person is not None or self.refuses_suppressed_strangers):
            raise Problem(204)
        if person is not None and person.state in NOT_TAKEN:
            raise Problem(NOT_TAKEN[person.state])

    def fill(self, held: MailList, person: Person, told: Mapping[str, Any]) -> None:
        """What is told of a field replaces it; fields and options nobody knows are passed over in silence."""
        person.name = told.get("Name", person.name)
        if told["ConsentToTrack"] != "Unchanged":
            person.consent = told["ConsentToTrack"]
        elif person.consent == "Unknown":
            person.consent = "Yes"  # whom they know nothing about is assumed to agree
        by_key: dict[str, list[Mapping[str, Any]]] = {}
        for one in told.get("CustomFields", []):
            by_key.setdefault(str(one["Key"]).strip("[]"), []).append(one)
        for known in held.fields:
            values = by_key.get(known.key.strip("[]"))
            if values:
                person.fields[known.name] = self._filled(known, person.fields.get(known.name, []), values)

    def _filled(self, known: Field, before: list[str], values: list[Mapping[str, Any]]) -> list[str]:
        cleared = [str(one["Value"]) for one in values if one.get("Clear")]
        given = [str(one["Value"])[:FIELD_CHARACTERS_MAX] for one in values if not one.get("Clear")]
        if known.kind != "MultiSelectMany":
            return given[-1:] if given else []
        left = [] if "" in cleared else [value for value in before if value not in cleared]
        given = [value for value in given if value in known.options]
        if not given:
            return left
        return given if self.replaces_options else list(dict.fromkeys([*left, *given]))

    def unsubscribe(self, held: MailList, email: str) -> None:
        """Take somebody off, everywhere where the list's setting says so."""
        person = held.people.get(folded(email))
        if person is None or person.state in {"Unsubscribed", "Deleted"}:
            raise Problem(203)
        self._silence(held, person, "Unsubscribed")
        if held.unsubscribe_setting == "AllClientLists":
            self.suppress(person.email, "Unsubscribed")
            for other in self.lists.values():
                if other is not held and other.unsubscribe_setting == "AllClientLists":
                    there = other.people.get(folded(email))
                    if there is not None and there.state == "Active":
                        self._silence(other, there, "Unsubscribed")

    # --- what people and marketers do -------------------------------------------------------------------------------

    def suppress(self, email: str, reason: str) -> None:
        self.suppressed[folded(email)] = Suppressed(email, reason, self.now())

    def bounce(self, held: MailList, email: str) -> None:
        self._silence(held, held.people[folded(email)], "Bounced")
        self.suppress(email, "Bounced")

    def delete(self, held: MailList, email: str) -> None:
        self._silence(held, held.people[folded(email)], "Deleted")

    def sign_up(self, held: MailList, email: str) -> None:
        """By the list's own form: they are back, and stay suppressed if they were."""
        person = held.people.setdefault(folded(email), Person(email, "Active", self.now()))
        person.state, person.date = "Active", self.now()
        self.announce("Subscribe", held, person)

    def change_address(self, held: MailList, old: str, new: str) -> None:
        person = held.people.pop(folded(old))
        person.email = new
        held.people[folded(new)] = person
        self.announce("Update", held, person, old_email=old)

    def _silence(self, held: MailList, person: Person, state: str) -> None:
        person.state, person.date = state, self.now()
        self.announce("Deactivate", held, person)

    def announce(self, kind: str, held: MailList, person: Person, *, old_email: str | None = None) -> None:
        row: dict[str, Any] = {
            "Type": kind,
            "Date": self.told(self.now()),
            "EmailAddress": person.email,
            "Name": person.name,
            "CustomFields": values_told(person),
        }
        if kind == "Subscribe":
            row["SignupIPAddress"] = "192.0.2.1"
        else:
            row["State"] = person.state
        if kind == "Update":
            row["OldEmailAddress"] = old_email or person.email
        self.events.append(Event(held.id, kind, row))


def values_told(person: Person) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, values in person.fields.items() for value in values]
