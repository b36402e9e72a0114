"""Ticketmatic, the box office of many Flemish and Dutch houses: events, contacts with their opt-ins, orders and scans.

Read with the shapes of Ticketmatic's own PHP library; ``docs/connectors/ticketmatic.md`` says what that leaves open.
Requests are signed (TM-HMAC-SHA256), so that the secret never travels.

Lists are asked for what changed since the latest change seen, so that no clock of ours is compared with theirs, and
from ``OVERLAP`` before it: a row that was committed late is not missed, nor is the hour that winter time repeats. In a
pull they are sorted by what does not move (when a row was made, when an event begins); pages overlap by some rows.
Contacts and orders never leave a list: removed ones come with a mark.

A scan need not change its order, so every few hours the tickets of the events that began lately are read for those that
were scanned since.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from integrations.base import (
    ActivityRecord,
    Listed,
    MemberResult,
    Membership,
    ParticipationRecord,
    Permanent,
    SourceCapabilities,
    SourcePage,
    Transient,
    Vanished,
    WholeOrder,
)
from integrations.json_api import JsonApi
from integrations.sources.reading import latest_stamp, numbers_of, read_each, understood
from integrations.sources.ticketmatic_mapping import (
    ACTIVE,
    CLOSED,
    Account,
    CustomField,
    Json,
    OrderReader,
    activity_of,
    contact_of,
    entries_of,
    instant,
    is_removed,
    offers_of,
    optins_of,
    people_of,
    unknown_activity,
)
from integrations.sources.ticketmatic_opt_outs import OptOuts, mark_of

BASE_URL = "https://apps.ticketmatic.com/api/1"
PAGE_SIZE = 100
OVERLAP = timedelta(minutes=75)
OVERLAP_ROWS = 10
AHEAD = timedelta(
    hours=26
)  # stamps are local to an account of any zone, and clocks differ; later than that is a mistake
NEW_FOR = timedelta(days=1)
SCANS_EVERY, SCANS_LATE = timedelta(hours=3), timedelta(days=2)
SORTED_BY = {"events": "startts", "contacts": "createdts", "orders": "createdts"}
SAFE_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
STAMP = "%Y-%m-%d %H:%M:%S"
SHOWN_EVENTS = {"simplefilter": json.dumps({"status": [ACTIVE, CLOSED]})}

CAPABILITIES = SourceCapabilities(
    system="ticketmatic",
    grade="C",
    streams=("events", "contacts", "orders", "scans"),
    has_webhooks=False,
    signs_webhooks=False,
    has_delete_feed=True,
    reads_opt_ins="per opt-in, with time and method; a box that may be ticked beforehand allows nothing",
    writes_opt_outs=True,
    page_size=PAGE_SIZE,
    requests_per_minute=None,
    documentation="https://www.ticketmatic.com/docs/api/",
    read_on=date(2026, 11, 20),
)


def authorization(access_key: str, secret_key: str, account: str, at: datetime) -> str:
    """Return the signature of a request, valid for half an hour around ``at``."""
    stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    signature = hmac.new(secret_key.encode(), f"{access_key}{account}{stamp}".encode(), hashlib.sha256).hexdigest()
    return f"TM-HMAC-SHA256 key={access_key} ts={stamp} sign={signature}"


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a list, and how many the whole of it has."""

    rows: Sequence[Json]
    total: int | None


@dataclass(frozen=True, slots=True)
class _Page:
    """Rows of a list, and the cursor to go on from behind them."""

    rows: Sequence[Json]
    cursor: Mapping[str, Any]
    total: int | None


class Ticketmatic:
    """One account at Ticketmatic, as a ``Source``.

    ``optins`` says which of the account's opt-ins (by name or number) asks for which of our purposes, and ``said``, by
    number, for which the house says since that opt-outs are written back. ``source`` names
    this account in our records, for a house with more than one; ``mark`` tells this connection's own opt-outs there
    from those of others. ``now`` is the real clock: a signature holds its time. An ``OptOutTaker``, and only as that
    safe to share between threads.
    """

    capabilities = CAPABILITIES

    def __init__(
        self,
        account: str,
        access_key: str,
        secret_key: str,
        *,
        base_url: str = BASE_URL,
        optins: Mapping[str, str] | None = None,
        said: Mapping[str, str] | None = None,
        genre_field: str = "c_genre",
        time_zone: str = "Europe/Brussels",
        source: str = "ticketmatic",
        mark: str = "",
        page_size: int = PAGE_SIZE,
        allows_loopback: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.fromtimestamp(time.time(), UTC),
    ) -> None:
        if not SAFE_ACCOUNT.fullmatch(account):
            raise Permanent("bad_settings", hint="account")
        self._optins, self._said = dict(optins or {}), dict(said or {})
        self._page_size, self._now = page_size, now
        self._account = Account(
            source=source, zone=ZoneInfo(time_zone), genre_field=genre_field, mark=mark_of(mark) if mark else ""
        )
        self._knows_settings, self._reading_settings = False, threading.Lock()
        self._told: set[str] = set()  # activities this object has handed out already
        self._met: set[int] = set()  # contacts likewise
        self._api = JsonApi(
            f"{base_url.rstrip('/')}/{account}",
            headers={},
            allows_loopback=allows_loopback,
            sleep=sleep,
            sign=lambda: {"Authorization": authorization(access_key, secret_key, account, now())},
        )
        self._opt_outs = OptOuts(self._api, self._with_settings, mark=mark_of(mark))

    def check(self) -> str:
        """Return the name of the account; raises Permanent where the keys are wrong or may not read everything.

        A right that is missing (``forbidden``), or an opt-in that was named and is not there (``unknown_optin``), shows
        at once, with the stream or the opt-in as hint.
        """
        answer = self._api.get("tools/account").body
        if not isinstance(answer, dict) or "name" not in answer:
            raise Transient("unexpected_answer")
        for stream in ("events", "contacts", "orders"):
            try:
                self._api.get(stream, {"limit": 1, "output": "ids"})
            except Permanent as error:
                raise Permanent(error.code, hint=stream) from error
        account = self._with_settings()
        known = {key for one in account.optins.values() for key in (one.name.casefold(), str(one.number))}
        if missing := [name for name in self._optins if name.strip().casefold() not in known]:
            raise Permanent("unknown_optin", hint=missing[0])
        return str(answer["name"])

    def close(self) -> None:
        """Give the pooled connections back."""
        self._api.close()

    def pull(self, stream: str, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        """Yield what changed since ``cursor``. Raises Permanent("unknown_stream") for a stream there is not."""
        streams = {
            "events": self._pull_events,
            "contacts": self._pull_contacts,
            "orders": self._pull_orders,
            "scans": self._pull_scans,
        }
        if stream not in streams:
            raise Permanent("unknown_stream", hint=stream)
        return understood(streams[stream](cursor))

    def present(self, what: Listed) -> Iterator[Sequence[str]]:
        """Refuse: Ticketmatic tells by itself what was removed, and a ticket that left its order is missed there."""
        raise Permanent("unknown_stream", hint=what)

    def read_hook(self, body: bytes) -> Sequence[SourcePage]:
        """Refuse: Ticketmatic calls nobody when something changes."""
        raise Permanent("unreadable_hook")

    # --- opt-outs on their way there ---

    def lists_holding(self, email: str) -> Sequence[Membership]:
        """Return how the house's opt-ins hold whoever has this address."""
        return self._opt_outs.lists_holding(email)

    def unsubscribe(self, list_id: str, email: str) -> MemberResult:
        """Write a no to one opt-in, and return how it is held then."""
        return self._opt_outs.unsubscribe(list_id, email)

    def suppress(self, email: str) -> bool:
        """Unsubscribe somebody in the mail tool that Ticketmatic feeds; False where it feeds none."""
        return self._opt_outs.suppress(email)

    def erase(self, list_id: str, email: str) -> MemberResult:
        """Write a no: Ticketmatic keeps its customers, for their orders, and only a person can archive one there."""
        return self._opt_outs.unsubscribe(list_id, email)

    # --- streams ---

    def _pull_events(self, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        account = self._with_settings()
        for page in self._changed("events", cursor, SHOWN_EVENTS):
            activities, problems = read_each(page.rows, lambda row: activity_of(row, account), number="id")
            self._told.update(activity.external_id for activity in activities)
            rows = numbers_of(page.rows, number="id")
            yield SourcePage(
                "events", page.cursor, activities=activities, total=page.total, problems=problems, rows=rows
            )

    def _pull_contacts(self, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        account = self._with_settings()
        for page in self._changed("contacts", cursor, {"includearchived": "true"}):
            contacts, problems = read_each(page.rows, lambda row: contact_of(row, account), number="id")
            self._met.update(int(row["id"]) for row in page.rows if str(row.get("id", "")).isdecimal())
            yield SourcePage(
                "contacts",
                page.cursor,
                contacts=contacts,
                total=page.total,
                problems=problems,
                rows=numbers_of(page.rows, number="id"),
                vanished=tuple(
                    Vanished("person", account.source, str(row.get("id")), f"{account.source}:contact")
                    for row in page.rows
                    if is_removed(row)
                ),
                offers=offers_of(account, contacts),
            )

    def _pull_orders(self, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        for page in self._changed("orders", cursor, {"includearchived": "true"}):
            yield self._order_page("orders", page.rows, page.cursor, total=page.total)

    def _pull_scans(self, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        """Yield a page for every event that began lately: the orders whose tickets were scanned since the last look."""
        account, now = self._with_settings(), self._now()
        looked = datetime.fromisoformat(cursor["looked"]) if cursor.get("looked") else None
        if looked is not None and now - looked < SCANS_EVERY:
            yield SourcePage("scans", cursor)
            return
        since = (looked or now) - SCANS_LATE
        for event_id in self._begun(account, since, now):
            lines = self._api.get_lines(f"events/{event_id}/tickets").body
            scanned, problems = read_each(lines, lambda row: _scanned_after(row, since, account), number="id")
            orders = [self._one(f"orders/{int(number)}") for number in dict.fromkeys(row["orderid"] for row in scanned)]
            found = [order for order in orders if order is not None]
            made = self._order_page("scans", found, cursor, entered=entries_of(scanned, account))
            yield replace(made, problems=made.problems + problems, rows=made.rows + numbers_of(lines, number="id"))
        yield SourcePage("scans", {"looked": now.isoformat()})

    def _begun(self, account: Account, since: datetime, until: datetime) -> list[int]:
        """Return the numbers of the events that began between two moments."""
        found: dict[int, None] = {}
        for page in self._changed("events", {}, SHOWN_EVENTS):
            begun, _told_by_events = read_each(
                page.rows, lambda row: _begun_between(row, since, until, account), number="id"
            )
            found.update(dict.fromkeys(begun))
        return list(found)

    # --- records ---

    def _order_page(
        self,
        stream: str,
        rows: Sequence[Json],
        cursor: Mapping[str, Any],
        *,
        entered: Mapping[int, datetime] | None = None,
        total: int | None = None,
    ) -> SourcePage:
        """Turn orders into one page, with any event among them that was not handed out before."""
        account = self._with_settings()
        good, problems = read_each(
            rows, lambda row: self._tickets_of(OrderReader(row, account, entered or {})), number="orderid"
        )
        newcomers, unreadable = read_each(self._newcomers(rows), lambda row: contact_of(row, account), number="id")
        participations = tuple(participation for tickets, _whole in good for participation in tickets)
        wanted = dict.fromkeys(one.activity_external_id for one in participations)
        activities = tuple(self._activity(int(key)) for key in wanted if key not in self._told)
        self._told.update(wanted)
        whole = tuple(whole for _tickets, whole in good)
        made = SourcePage(stream, cursor, newcomers, activities, participations, total, whole=whole)
        return replace(made, problems=problems + unreadable, rows=numbers_of(rows, number="orderid"))

    def _newcomers(self, orders: Sequence[Json]) -> list[Json]:
        """Return who ordered so lately that the list of contacts, read before, may not have named them.

        A ticket knows its holder by number only; somebody met that way first would stand beside themselves, for a
        colleague to merge.
        """
        account = self._with_settings()
        lately, _unreadable = read_each(orders, lambda row: self._lately(row, account), number="orderid")
        found: list[Json] = []
        for number in dict.fromkeys(chain.from_iterable(lately)):
            if number not in self._met:
                self._met.add(number)
                row = self._one(f"contacts/{number}")
                found += [row] if row is not None else []
        return found

    def _lately(self, order: Json, account: Account) -> Sequence[int]:
        made_at = instant(order.get("createdts"), account.zone)
        return sorted(people_of(order)) if made_at is not None and made_at >= self._now() - NEW_FOR else ()

    @staticmethod
    def _tickets_of(reader: OrderReader) -> tuple[tuple[ParticipationRecord, ...], WholeOrder]:
        return reader.participations(), reader.whole()

    def _activity(self, number: int) -> ActivityRecord:
        account = self._with_settings()
        row = self._one(f"events/{number}")
        return (activity_of(row, account) if row is not None else None) or unknown_activity(number, account)

    def _one(self, path: str) -> Json | None:
        """Return one object, or None where it is gone."""
        try:
            found = self._api.get(path).body
        except Permanent as error:
            if error.code != "not_found":
                raise
            return None
        if not isinstance(found, dict):
            raise Transient("unexpected_answer", hint=path.partition("/")[0])
        return found

    # --- requests ---

    def _with_settings(self) -> Account:
        """Return the account with the captions of its genres and its opt-ins, read once for each pull."""
        with self._reading_settings:
            if not self._knows_settings:
                fields = self._custom_fields()
                genre = fields.get(f"c_{self._account.genre_field.removeprefix('c_')}".casefold())
                self._account = replace(
                    self._account,
                    genres=genre.values if genre else {},
                    optins=optins_of(self._optin_rows(), self._optins, self._said),
                    fields={one.key: one for one in fields.values() if one is not genre},
                )
                self._knows_settings = True
        return self._account

    def _optin_rows(self) -> Sequence[Json]:
        """Return the opt-ins; a key that may not see them does without, where nobody named any."""
        try:
            return self._setting("optins", {"includearchived": "true"})
        except Permanent as error:
            if error.code not in ("forbidden", "not_found") or self._optins or self._said:
                raise
            return ()

    def _setting(self, name: str, params: Mapping[str, str]) -> Sequence[Json]:
        """Return a list of settings; one that is shorter than it says would make words out of numbers."""
        found = self._rows(f"settings/system/{name}", params)
        if found.total is not None and len(found.rows) < found.total:
            raise Transient("unexpected_answer", hint=name)
        return found.rows

    def _custom_fields(self) -> dict[str, CustomField]:
        """Return the fields of the house's own making by their key, with the captions of what may be chosen in them."""
        captions: dict[int, dict[int, str]] = {}
        for row in self._setting("customfieldvalues", {"includearchived": "true"}):
            if row.get("caption"):
                captions.setdefault(int(row["typeid"]), {})[int(row["id"])] = str(row["caption"])
        fields = {}
        for row in self._setting("customfields", {}):
            if name := str(row.get("key") or "").removeprefix("c_"):
                values = captions.get(int(row["id"]), {})
                fields[f"c_{name}".casefold()] = CustomField(f"c_{name}", str(row.get("caption") or name), values)
        return fields

    def _changed(self, what: str, cursor: Mapping[str, Any], filters: Mapping[str, str]) -> Iterator[_Page]:
        """Yield the pages of a list of what changed since the cursor, or go on with a list that was begun."""
        since, latest = cursor.get("since"), cursor.get("latest") or cursor.get("since")
        offset = max(0, int(cursor.get("offset") or 0) - OVERLAP_ROWS)
        asked: dict[str, str | int] = {**filters, "orderby": SORTED_BY[what], "limit": self._page_size}
        if since:
            asked["lastupdatesince"] = _earlier(since)
        while True:
            answer = self._rows(what, {**asked, "offset": offset})
            stamps = (row.get("lastupdatets") for row in answer.rows)
            latest = latest_stamp(stamps, known=latest, until=self._now() + AHEAD)
            # A page may be shorter than asked without being the last one; one that is longer repeats some rows.
            offset += min(len(answer.rows), self._page_size)
            is_short = len(answer.rows) < self._page_size
            is_last = not answer.rows or (is_short and (answer.total is None or offset >= answer.total))
            running = {"since": since, "latest": latest, "offset": offset}
            yield _Page(answer.rows, {"since": latest} if is_last else running, answer.total)
            if is_last:
                return
            offset = max(offset - OVERLAP_ROWS, offset - self._page_size + 1)

    def _rows(self, path: str, params: Mapping[str, str | int]) -> _Rows:
        answer = self._api.get(path, params).body
        rows = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Transient("unexpected_answer", hint=path)
        total = answer.get("nbrofresults")
        return _Rows(rows, total if isinstance(total, int) else None)


def _scanned_after(row: Json, since: datetime, account: Account) -> Json | None:
    """Return a line of a ticket that was scanned after a moment, with the numbers it must have; None for any other."""
    at = entries_of([row], account).get(int(row["id"]))
    return row if at is not None and at > since and int(row["orderid"]) else None


def _begun_between(row: Json, since: datetime, until: datetime, account: Account) -> int | None:
    starts_at = instant(row.get("startts"), account.zone)
    return int(row["id"]) if starts_at is not None and since <= starts_at <= until else None


def _earlier(stamp: str) -> str:
    return (datetime.fromisoformat(stamp) - OVERLAP).strftime(STAMP)
