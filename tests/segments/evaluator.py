"""An evaluator of segment rules over plain Python data, written from the rules' meaning alone.

It shares no code with app.segments: it reads the JSON itself, does its own calendar, and looks at every participation
of every contact one by one. It is slow and plain, so that it can be trusted where it disagrees with the compiler.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Activity:
    id: int
    kind: str = "performance"
    genres: tuple[str, ...] = ()
    series: str | None = None
    venue: str | None = None
    audiences: tuple[str, ...] = ()
    starts_at: datetime | None = None


@dataclass(frozen=True)
class Participation:
    activity: Activity
    booked_at: datetime
    attended_at: datetime | None = None
    source: str = "test"
    status: str = "booked"
    quantity: int = 1
    amount: Decimal | None = None
    channel: str | None = None


@dataclass(frozen=True)
class Mail:
    event: str
    occurred_at: datetime
    mailing: int | None = None
    campaign: str | None = None
    is_machine: bool = False


@dataclass(frozen=True)
class Pass:
    programme: str
    status: str = "valid"
    valid_from: date | None = None
    expires_on: date | None = None
    points: int | None = None


@dataclass(frozen=True)
class Enrolment:
    journey: int
    state: str
    entered_on: date
    left_on: date | None = None


@dataclass(frozen=True)
class Contact:
    id: int
    created_at: datetime
    state: str = "living"
    fields: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    allowed: frozenset[tuple[str, str]] = frozenset()
    participations: tuple[Participation, ...] = ()
    mails: tuple[Mail, ...] = ()
    passes: tuple[Pass, ...] = ()
    enrolments: tuple[Enrolment, ...] = ()
    mailbox: str = "unknown"


@dataclass(frozen=True)
class World:
    contacts: tuple[Contact, ...]
    day: date
    zone: ZoneInfo
    segments: Mapping[int, Json] = field(default_factory=dict)
    closed: tuple[tuple[date, date], ...] = ()

    def members(self, rule: Json) -> set[int]:
        """The ids of the contacts for whom ``rule`` holds."""
        return {person.id for person in self.contacts if person.state == "living" and self.holds(rule, person)}

    def holds(self, rule: Json, person: Contact) -> bool:
        kind = rule["type"]
        if kind == "all":
            return all(self.holds(one, person) for one in rule["rules"])
        if kind == "any":
            return any(self.holds(one, person) for one in rule["rules"])
        if kind == "not":
            return not self.holds(rule["rule"], person)
        leaf: Callable[[Json, Contact], bool] = getattr(self, f"_{kind}")
        return leaf(rule, person)

    # --- participations --

    def _local(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def _activity_day(self, one: Participation) -> date:
        return self._local(one.activity.starts_at or one.attended_at or one.booked_at)

    def _day_of(self, one: Participation, rule: Json) -> date:
        return self._local(one.booked_at) if rule.get("date") == "booking" else self._activity_day(one)

    def _matching(self, rule: Json, person: Contact, *, windowed: bool = True) -> list[Participation]:
        where = rule.get("where") or {}
        found = []
        for one in person.participations:
            if "statuses" not in where and one.status in ("cancelled", "refunded"):
                continue
            if not self._matches(where, one):
                continue
            if windowed and not self._in_period(self._day_of(one, rule), rule):
                continue
            found.append(one)
        return found

    def _in_period(self, when: date, rule: Json) -> bool:
        since, until = edges(rule.get("between"), self.day)
        if rule.get("skip_closed"):
            written = rule.get("between") or (None, None)
            since, until = (self._open_days_back(side, one) for side, one in zip((since, until), written, strict=True))
        return (since is None or since <= when) and (until is None or when < until)

    def _open_days_back(self, side: date | None, written: str | None) -> date | None:
        """Walk back day by day, counting only days on which the house was open."""
        if side is None or side >= self.day or "P" not in str(written):
            return side
        left, reached = (self.day - side).days, self.day
        while left:
            reached -= timedelta(days=1)
            left -= not any(first <= reached <= last for first, last in self.closed)
        return reached

    def _matches(self, where: Json, one: Participation) -> bool:
        activity = one.activity
        tests = {
            "activities": lambda wanted: activity.id in [int(each) for each in wanted],
            "series": lambda wanted: folded(activity.series) in map(folded, wanted),
            "genres": lambda wanted: bool(set(map(folded, activity.genres)) & set(map(folded, wanted))),
            "venues": lambda wanted: folded(activity.venue) in map(folded, wanted),
            "kinds": lambda wanted: folded(activity.kind) in map(folded, wanted),
            "audiences": lambda wanted: bool(set(map(folded, activity.audiences)) & set(map(folded, wanted))),
            "channels": lambda wanted: folded(one.channel) in map(folded, wanted),
            "sources": lambda wanted: folded(one.source) in map(folded, wanted),
            "statuses": lambda wanted: one.status in wanted,
            "price_between": lambda limits: in_range(one.amount, limits),
            "quantity_between": lambda limits: in_range(one.quantity, limits),
            "weekdays": lambda wanted: self._activity_day(one).isoweekday() in wanted,
            "lead_days_between": lambda limits: in_range(
                (self._activity_day(one) - self._local(one.booked_at)).days, limits
            ),
        }
        return all(tests[key](value) for key, value in where.items())

    def _participation(self, rule: Json, person: Contact) -> bool:
        rows = self._matching(rule, person)
        measure = rule.get("measure", "count")
        if measure == "count":
            value: Any = len(rows)
        elif measure == "tickets":
            value = sum(one.quantity for one in rows)
        elif measure == "spend":
            value = sum((one.amount or Decimal(0) for one in rows), Decimal(0))
        elif measure == "activities":
            value = len({one.activity.id for one in rows})
        elif measure == "genres":
            value = len({folded(genre) for one in rows for genre in one.activity.genres})
        elif measure == "venues":
            value = len({folded(one.activity.venue) for one in rows if one.activity.venue is not None})
        else:
            value = len({self._day_of(one, rule) for one in rows})
        return in_range(value, [rule.get("at_least"), rule.get("at_most")])

    def _first_participation(self, rule: Json, person: Contact) -> bool:
        days = [self._day_of(one, rule) for one in self._matching(rule, person, windowed=False)]
        return bool(days) and self._in_period(min(days), rule)

    def _last_participation(self, rule: Json, person: Contact) -> bool:
        days = [self._day_of(one, rule) for one in self._matching(rule, person, windowed=False)]
        return bool(days) and self._in_period(max(days), rule)

    def _share(self, rule: Json, person: Contact) -> bool:
        rows = self._matching(rule, person)
        both = [one for one in rows if self._matches(rule["of"], one)]
        if not rows or len(both) < rule.get("min_count", 1):
            return False
        return in_range(Fraction(len(both), len(rows)), [rule.get("at_least"), rule.get("at_most")])

    # --- mails, passes, journeys, other people --

    def _engagement(self, rule: Json, person: Contact) -> bool:
        happened = [
            mail
            for mail in person.mails
            if mail.event == rule["event"]
            and not mail.is_machine
            and ("mailing" not in rule or mail.mailing == int(rule["mailing"]))
            and ("campaign" not in rule or folded(mail.campaign) == folded(rule["campaign"]))
            and self._in_period(self._local(mail.occurred_at), rule)
        ]
        return in_range(len(happened), [rule.get("at_least"), rule.get("at_most")])

    def _pass(self, rule: Json, person: Contact) -> bool:
        held = [
            one
            for one in person.passes
            if folded(one.programme) == folded(rule["programme"])
            and not (one.valid_from is not None and one.valid_from > self.day)
        ]
        active = [
            one for one in held if one.status == "valid" and (one.expires_on is None or one.expires_on >= self.day)
        ]
        if rule["is"] == "none":
            return not held
        if rule["is"] == "expired" and active:
            return False
        return any(self._pass_matches(rule, one) for one in (active if rule["is"] == "active" else held))

    def _pass_matches(self, rule: Json, one: Pass) -> bool:
        if "expires" in rule and (one.expires_on is None or not in_window(one.expires_on, rule["expires"], self.day)):
            return False
        return "points_at_least" not in rule or in_range(one.points, [rule["points_at_least"], None])

    def _journey(self, rule: Json, person: Contact) -> bool:
        theirs = [one for one in person.enrolments if one.journey == int(rule["journey"])]
        entered = [one for one in theirs if one.entered_on <= self.day]
        if rule["is"] == "never":
            return not entered
        if rule["is"] == "active":
            return any(one.left_on is None or one.left_on > self.day for one in entered)
        return any(one.state == "completed" and one.left_on is not None and one.left_on <= self.day for one in theirs)

    def _deliverability(self, rule: Json, person: Contact) -> bool:
        return bool(person.fields.get("email")) and person.mailbox == rule["is"]

    def _likely_same(self, rule: Json, person: Contact) -> bool:
        alike = same_home if rule.get("who", "person") == "household" else same_person
        return any(
            alike(person, other) and self.holds(rule["rule"], other)
            for other in self.contacts
            if other.state == "living" and other.id != person.id
        )

    # --- the person --

    def _value(self, name: str, person: Contact) -> Any:
        if name.startswith("attributes."):
            return present(person.attributes.get(name.removeprefix("attributes.")))
        if name == "created_on":
            return self._local(person.created_at)
        if name == "email_domain":
            address = present(person.fields.get("email"))
            return address.rsplit("@", 1)[1] if address and "@" in address else None
        if name == "age":
            born = person.fields.get("birth_date")
            if born is None:
                return None
            return self.day.year - born.year - ((self.day.month, self.day.day) < (born.month, born.day))
        return present(person.fields.get(name))

    def _profile(self, rule: Json, person: Contact) -> bool:
        value = self._value(rule["field"], person)
        if not isinstance(value, list) or rule["op"] in ("known", "unknown"):
            return self._compares(rule, value)
        if rule["op"] in ("is_not", "not_in"):
            asked = {**rule, "op": {"is_not": "is", "not_in": "in"}[rule["op"]]}
            return not any(self._compares(asked, present(one)) for one in value)
        return any(self._compares(rule, present(one)) for one in value)

    def _compares(self, rule: Json, value: Any) -> bool:  # noqa: PLR0911 (one return per operator)
        wanted, op = rule.get("value"), rule["op"]
        if value is None:
            return op in ("unknown", "is_not", "not_in")
        if op in ("known", "unknown"):
            return op == "known"
        if op in ("is", "is_not"):
            return same(value, wanted) is (op == "is")
        if op in ("in", "not_in"):
            return any(same(value, one) for one in wanted) is (op == "in")
        if op == "contains":
            return folded(wanted) in folded(value)
        if op == "starts_with":
            return folded(value).startswith(folded(wanted))
        low, high = wanted
        is_own = rule["field"].startswith("attributes.")
        return (low is None or not before(value, low, numbers=is_own)) and (
            high is None or not before(high, value, numbers=is_own)
        )

    def _anniversary(self, rule: Json, person: Contact) -> bool:
        value = self._value(rule["field"], person)
        born = value if isinstance(value, date) else iso_date(value)
        if born is None:
            return False
        since, until = edges(rule.get("between"), self.day)
        if since is None or until is None:
            return True
        years = range(since.year - 1, until.year + 2)
        return any(since <= returned < until for returned in (anniversary(born, year) for year in years))

    def _permission(self, rule: Json, person: Contact) -> bool:
        return ((rule["channel"], rule["purpose"]) in person.allowed) is (rule["is"] == "allowed")

    def _tag(self, rule: Json, person: Contact) -> bool:
        return folded(rule["tag"]) in map(folded, person.tags)

    def _segment(self, rule: Json, person: Contact) -> bool:
        return self.holds(self.segments[int(rule["segment"])], person) is (rule.get("is", "member") == "member")

    def _sample(self, rule: Json, person: Contact) -> bool:
        digest = hashlib.md5(f"{rule.get('seed', '')}:{person.id}".encode(), usedforsecurity=False).digest()
        return int.from_bytes(digest[:4], "big") % 10000 < Decimal(str(rule["percent"])) * 100


# --- likely-same people ----------------------------------------------------------------------------------------------


def letters(person: Contact, name: str) -> str | None:
    """A field without capitals, accents, blanks and marks; None for nothing."""
    parted = unicodedata.normalize("NFD", str(person.fields.get(name) or "").lower())
    return "".join(one for one in parted if one in "abcdefghijklmnopqrstuvwxyz0123456789") or None


def dialled(person: Contact) -> str | None:
    """What one dials within the country."""
    written = "".join(one for one in str(person.fields.get("phone") or "") if one in "0123456789+")
    for start in ("+32", "0032", "+31", "0031"):
        if written.startswith(start):
            written = "0" + written.removeprefix(start).removeprefix("0")
    number_only = written.removeprefix("0").replace("+", "")
    return number_only if len(number_only) >= 8 else None


def house_number(person: Contact) -> str | None:
    found = re.search(r"\d+", str(person.fields.get("street") or ""))
    return found[0] if found else None


def equal(left: list[Any], right: list[Any]) -> bool:
    return None not in left and left == right


def same_person(one: Contact, other: Contact) -> bool:
    def name(person: Contact) -> list[Any]:
        return [letters(person, "family_name"), letters(person, "given_name"), letters(person, "postcode")]

    def birth(person: Contact) -> list[Any]:
        return [letters(person, "family_name"), person.fields.get("birth_date")]

    numbers = {house_number(one), house_number(other)} - {None}
    return (
        (equal(name(one), name(other)) and len(numbers) < 2)
        or equal(birth(one), birth(other))
        or equal([dialled(one)], [dialled(other)])
    )


def same_home(one: Contact, other: Contact) -> bool:
    def address(person: Contact) -> list[Any]:
        return [house_number(person) and letters(person, "street"), letters(person, "postcode")]

    return equal(address(one), address(other))


# --- the calendar -----------------------------------------------------------------------------------------------------


def shifted(day: date, duration: str) -> date:
    """``day`` plus an ISO 8601 duration; months clamp to the month's last day."""
    found = re.fullmatch(r"(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?", duration)
    assert found, duration
    sign = -1 if found[1] else 1
    years, months, weeks, days = (int(part or 0) for part in found.groups()[1:])
    count = day.year * 12 + day.month - 1 + sign * (years * 12 + months)
    first = date(count // 12, count % 12 + 1, 1)
    next_first = date((count + 1) // 12, (count + 1) % 12 + 1, 1)
    last = next_first - timedelta(days=1)
    return min(first + timedelta(days=day.day - 1), last) + timedelta(days=sign * (weeks * 7 + days))


def edges(between: Any, day: date) -> tuple[date | None, date | None]:
    since, until = between or (None, None)
    return since and side(day, since), until and side(day, until)


def side(day: date, written: str) -> date:
    return shifted(day, written) if "P" in written else date.fromisoformat(written)


def in_window(when: date, between: Any, day: date) -> bool:
    since, until = edges(between, day)
    return (since is None or since <= when) and (until is None or when < until)


def anniversary(born: date, year: int) -> date:
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def iso_date(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


# --- comparing --------------------------------------------------------------------------------------------------------


def present(value: Any) -> Any:
    return None if value is None or value == [] or (isinstance(value, str) and not value.strip(" ")) else value


def folded(value: Any) -> str:
    if value is None:
        return "\0 nothing equals this"
    return ("true" if value else "false") if isinstance(value, bool) else str(value).strip(" ").lower()


def number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    text = str(value).strip()
    return Decimal(text) if re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", text) else None


def same(value: Any, wanted: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool) and number(wanted) is not None:
        return value == number(wanted)
    if isinstance(wanted, int | float) and not isinstance(wanted, bool) and number(value) is not None:
        return number(value) == Decimal(str(wanted))
    return folded(value) == folded(wanted)


def before(left: Any, right: Any, *, numbers: bool) -> bool:
    """Whether ``left`` comes before ``right``: as dates, as numbers where both are, else as text."""
    if isinstance(left, date) or isinstance(right, date):
        return str(left) < str(right)
    left_number, right_number = number(left), number(right)
    is_age = isinstance(left, int) or isinstance(right, int)
    if (numbers or is_age) and left_number is not None and right_number is not None:
        return left_number < right_number
    return folded(left) < folded(right)


def in_range(value: Any, limits: Any) -> bool:
    low, high = limits
    if value is None:
        return False
    exact = Fraction(str(value)) if not isinstance(value, Fraction) else value
    return (low is None or Fraction(str(low)) <= exact) and (high is None or exact <= Fraction(str(high)))
