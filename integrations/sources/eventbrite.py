"""Eventbrite: events, orders and attendees, over its REST API and its webhooks.

Read with the shapes that public clients use; ``docs/connectors/eventbrite.md`` says what that leaves open. Lists are
asked for what changed since the latest change seen, from ``OVERLAP`` before it. They are paged by a continuation that
may be refused when it is old: then the list is begun again.

Webhooks are not signed. Their address holds a secret, their body is only a hint, and of the address that it tells us to
fetch nothing but the numbers are used.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from integrations.base import ActivityRecord, Listed, Permanent, SourceCapabilities, SourcePage, Transient
from integrations.json_api import JsonApi
from integrations.pace import pace_of
from integrations.sources.eventbrite_mapping import (
    Account,
    Json,
    activity_of,
    attendee_of,
    buyer_of,
    offers_of,
    unknown_activity,
)
from integrations.sources.reading import latest_stamp, numbers_of, read_each, understood, whole_page

BASE_URL = "https://www.eventbriteapi.com/v3"
HOST = "www.eventbriteapi.com"
PAGE_SIZE = 50
OVERLAP = timedelta(minutes=15)
SAFE_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")
SPEAKS_OF = re.compile(
    r"/v3/(?:events/(?P<event>[0-9]{1,24})/(?:attendees/(?P<attendee>[0-9]{1,24})/?)?|orders/(?P<order>[0-9]{1,24})/?)"
)
EXPANDED = {"events": {"expand": "venue,category"}, "orders": {}, "attendees": {"expand": "order"}}

CAPABILITIES = SourceCapabilities(
    system="eventbrite",
    grade="C",
    streams=("events", "orders", "attendees"),
    has_webhooks=True,
    signs_webhooks=False,
    has_delete_feed=False,
    reads_opt_ins="as the answer to a question on the order form",
    writes_opt_outs=False,
    page_size=PAGE_SIZE,
    requests_per_minute=33,
    documentation="https://www.eventbrite.com/platform/api",
    read_on=date(2026, 11, 20),
    lists_whole=("activities", "tickets"),
)


@dataclass(frozen=True, slots=True)
class _Page:
    """Rows of a list, and the cursor to go on from behind them."""

    rows: Sequence[Json]
    cursor: Mapping[str, Any]
    total: int | None


class Eventbrite:
    """One organization at Eventbrite, as a ``Source``.

    ``optin_question`` is the text of the question that asks for ``purpose``. ``source`` names this account in our
    records, for a house with more than one. Not safe to share between threads.
    """

    capabilities = CAPABILITIES

    def __init__(
        self,
        organization: str,
        token: str,
        *,
        base_url: str = BASE_URL,
        optin_question: str = "",
        purpose: str = "newsletter",
        source: str = "eventbrite",
        allows_loopback: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.fromtimestamp(time.time(), UTC),
    ) -> None:
        if not SAFE_NUMBER.fullmatch(organization):
            raise Permanent("bad_settings", hint="organization")
        self._organization, self._now = organization, now
        self._account = Account(source, optin_question, purpose)
        self._told: set[str] = set()  # activities this object has handed out already
        self._api = JsonApi(
            base_url,
            headers={"Authorization": f"Bearer {token}"},
            allows_loopback=allows_loopback,
            sleep=sleep,
            pace=pace_of(base_url, organization, calls_per_minute=CAPABILITIES.requests_per_minute),
        )

    def check(self) -> str:
        """Return the organization's name; raises Permanent where the token is wrong or belongs to others."""
        answer = self._api.get("users/me/organizations/").body
        rows = answer.get("organizations") if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise Transient("unexpected_answer")
        name = next((str(row.get("name") or "") for row in rows if str(row.get("id")) == self._organization), None)
        if name is None:
            raise Permanent("bad_settings", hint="organization")
        for stream in CAPABILITIES.streams:
            try:
                self._list(stream, {})
            except Permanent as error:
                raise Permanent(error.code, hint=stream) from error
        return name or self._organization

    def close(self) -> None:
        """Give the pooled connections back."""
        self._api.close()

    def pull(self, stream: str, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        """Yield what changed since ``cursor``. Raises Permanent("unknown_stream") for a stream there is not."""
        if stream not in CAPABILITIES.streams:
            raise Permanent("unknown_stream", hint=stream)
        return understood(
            self._stored(stream, page.rows, page.cursor, page.total) for page in self._changed(stream, cursor)
        )

    def present(self, what: Listed) -> Iterator[Sequence[str]]:
        """Yield the numbers of every event or every attendee; Eventbrite keeps no list of people."""
        stream = {"activities": "events", "tickets": "attendees"}.get(what)
        if stream is None:
            raise Permanent("unknown_stream", hint=what)
        for page in self._changed(stream, {}):
            yield [str(row["id"]) for row in page.rows if row.get("id")]

    def read_hook(self, body: bytes) -> Sequence[SourcePage]:
        """Refetch the attendee, order or event that a webhook names; what is gone by now yields nothing.

        Raises Permanent("unreadable_hook"), also where it would send us to another host.
        """
        numbers = self._numbers_in(_decode_hook(body))
        try:
            return tuple(understood(self._refetch(numbers)))
        except Permanent as error:
            if error.code in ("not_found", "forbidden"):
                return ()
            raise

    # --- records ---

    def _stored(self, stream: str, rows: Sequence[Json], cursor: Mapping[str, Any], total: int | None) -> SourcePage:
        return replace(self._mapped(stream, rows, cursor, total), rows=numbers_of(rows, number="id"))

    def _mapped(self, stream: str, rows: Sequence[Json], cursor: Mapping[str, Any], total: int | None) -> SourcePage:
        if stream == "events":
            activities, problems = read_each(rows, lambda row: activity_of(row, self._account), number="id")
            self._told.update(one.external_id for one in activities)
            return SourcePage(stream, cursor, activities=activities, total=total, problems=problems)
        if stream == "orders":
            buyers, problems = read_each(rows, lambda row: buyer_of(row, self._account), number="id")
            return SourcePage(stream, cursor, contacts=buyers, total=total, problems=problems)
        participations, problems = read_each(rows, lambda row: attendee_of(row, self._account), number="id")
        wanted = dict.fromkeys(one.activity_external_id for one in participations)
        unknown = tuple(self._activity(number) for number in wanted if number not in self._told)
        self._told.update(wanted)
        contacts = tuple(one.contact for one in participations)
        offers = offers_of(rows, self._account)
        return SourcePage(stream, cursor, contacts, unknown, participations, total, problems=problems, offers=offers)

    def _activity(self, number: str) -> ActivityRecord:
        try:
            row = self._api.get(f"events/{number}/", EXPANDED["events"]).body
        except Permanent as error:
            if error.code not in ("not_found", "forbidden"):
                raise
            row = None
        return (activity_of(row, self._account) if row is not None else None) or unknown_activity(number, self._account)

    def _refetch(self, numbers: Mapping[str, str | None]) -> Iterator[SourcePage]:
        if numbers["order"]:
            order = self._api.get(f"orders/{numbers['order']}/", {"expand": "attendees"}).body
            yield self._stored("orders", [order], {}, None)
            attendees = [{**one, "order": order} for one in order.get("attendees") or ()]
            yield self._stored("attendees", attendees, {}, None)
        elif numbers["attendee"]:
            path = f"events/{numbers['event']}/attendees/{numbers['attendee']}/"
            attendee = self._api.get(path, EXPANDED["attendees"]).body
            yield self._stored("attendees", [attendee], {}, None)
        else:
            event = self._api.get(f"events/{numbers['event']}/", EXPANDED["events"]).body
            yield self._stored("events", [event], {}, None)

    def _numbers_in(self, hook: Mapping[str, Any]) -> Mapping[str, str | None]:
        parts = urlsplit(str(hook.get("api_url") or ""))
        found = SPEAKS_OF.fullmatch(parts.path)
        if found is None or parts.hostname not in (HOST, self._api.host):
            raise Permanent("unreadable_hook")
        return found.groupdict()

    # --- requests ---

    def _changed(self, stream: str, cursor: Mapping[str, Any]) -> Iterator[_Page]:
        """Yield the pages of a list of what changed since the cursor, or go on with a list that was begun."""
        since, latest, token = cursor.get("since"), cursor.get("latest") or cursor.get("since"), cursor.get("next")
        asked = {"changed_since": _earlier(since)} if since else {}
        seen = int(cursor.get("seen") or 0)
        while True:
            try:
                answer = self._whole_list(stream, {**asked, **({"continuation": token} if token else {})}, seen)
            except Permanent as error:
                if error.code != "refused" or token is None or token != cursor.get("next"):
                    raise
                token, cursor, seen = None, {}, 0  # the continuation was too old
                continue
            stamps = (row.get("changed") for row in answer[stream])
            latest = latest_stamp(stamps, known=latest, until=self._now() + OVERLAP)
            seen += len({row.get("id") for row in answer[stream]})
            pagination = answer.get("pagination") or {}
            following = pagination.get("continuation") if pagination.get("has_more_items") else None
            total = pagination.get("object_count")
            running = {"since": since, "latest": latest, "next": following, "seen": seen}
            after = running if following else {"since": latest}
            yield _Page(answer[stream], after, total if isinstance(total, int) else None)
            if following is None:
                return
            if following == token:
                raise Transient("unexpected_answer", hint="continuation")
            token = following

    def _whole_list(self, stream: str, params: Mapping[str, str], seen: int) -> Mapping[str, Any]:
        """Return one page, asked twice where it is shorter than it says; ``seen`` rows came before it."""

        def expected(answer: Mapping[str, Any]) -> int:
            said = answer.get("pagination") or {}
            size = said.get("page_size" if said.get("has_more_items") else "object_count")
            left = size if said.get("has_more_items") or not isinstance(size, int) else size - seen
            return left if isinstance(left, int) else 0

        return whole_page(
            lambda: self._list(stream, params), count=lambda answer: len(answer[stream]), expected=expected
        )

    def _list(self, stream: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        answer = self._api.get(f"organizations/{self._organization}/{stream}/", {**EXPANDED[stream], **params}).body
        rows = answer.get(stream) if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Transient("unexpected_answer", hint=stream)
        return dict(answer)


def _earlier(stamp: str) -> str:
    return (datetime.fromisoformat(stamp) - OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")


def _decode_hook(body: bytes) -> Mapping[str, Any]:
    try:
        hook = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Permanent("unreadable_hook") from error
    if not isinstance(hook, dict):
        raise Permanent("unreadable_hook")
    return hook
