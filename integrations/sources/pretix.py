"""pretix, the open-source box office: events, customer accounts and orders, over its REST API and its webhooks.

Read with pretix 2026.8. Orders carry the truth about who took part; customer accounts add names and numbers. pretix has
no marketing consent of its own, so a yes-or-no question on the ticket form serves as opt-in (see ``pretix_mapping``).

Paging is by number. Orders are asked oldest first (pretix breaks ties by id): while we read, orders can only be added,
and a changed one never moves, so rows are at worst read twice. Only orders in test mode can be deleted; a list that got
shorter is read again from one page back, and so is a pull that resumes. Customers are sorted by address: one who
changes it just then may be passed over, and is there the next time.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any
from urllib.parse import parse_qs, urlsplit

from integrations.base import (
    ActivityRecord,
    ContactRecord,
    Listed,
    Offer,
    OfferKind,
    ParticipationRecord,
    Permanent,
    SourceCapabilities,
    SourcePage,
    Transient,
    Vanished,
)
from integrations.json_api import JsonApi
from integrations.pace import pace_of
from integrations.sources.pretix_mapping import (
    EventFacts,
    Json,
    OptIn,
    OrderReader,
    activity_id,
    answered_with_yes,
    custom_answers,
    customer_contact,
    date_activity,
    event_facts,
    is_yes_or_no,
    localised,
    question_key,
    wordings_of,
)
from integrations.sources.reading import numbers_of, read_each, understood, whole_page

PAGE_SIZE = 50
SAFE_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # what may become part of a path

CAPABILITIES = SourceCapabilities(
    system="pretix",
    grade="A",
    streams=("events", "customers", "orders"),
    has_webhooks=True,
    signs_webhooks=False,
    has_delete_feed=False,
    reads_opt_ins="as the answer to a question on the ticket form",
    writes_opt_outs=False,
    page_size=PAGE_SIZE,
    requests_per_minute=360,
    documentation="https://docs.pretix.eu/dev/api/index.html",
    read_on=date(2026, 11, 20),
    lists_whole=("activities", "people"),
)


@dataclass(frozen=True, slots=True)
class _Rows:
    """One page of a list: its rows, the number of the next page, and what the answer says about itself."""

    rows: Sequence[Json]
    page: int
    next_page: int | None
    count: int
    generated: str | None


@dataclass(frozen=True, slots=True)
class _Order:
    """What one order says: of people, of tickets, and in which words of its own."""

    people: tuple[ContactRecord, ...]
    tickets: tuple[ParticipationRecord, ...]
    offers: tuple[Offer, ...]


class Pretix:
    """One organizer account at a pretix installation, as a ``Source``.

    ``optin_question`` is the identifier of the yes-or-no question that asks for ``purpose``. ``source`` names this
    account in our records, for a house with more than one. Not safe to share between threads.
    """

    capabilities = CAPABILITIES

    def __init__(
        self,
        base_url: str,
        token: str,
        organizer: str,
        *,
        optin_question: str = "NEWSLETTER",
        purpose: str = "newsletter",
        source: str = "pretix",
        activity_kind: str = "performance",
        page_size: int = PAGE_SIZE,
        allows_loopback: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not SAFE_KEY.fullmatch(organizer):
            raise Permanent("bad_settings", hint="organizer")
        self._api = JsonApi(
            re.sub(r"/api(/v1)?/*$", "", base_url.strip()),
            headers={"Authorization": f"Token {token}"},
            allows_loopback=allows_loopback,
            sleep=sleep,
            pace=pace_of(base_url, organizer, calls_per_minute=CAPABILITIES.requests_per_minute),
        )
        self._root = f"/api/v1/organizers/{organizer}"
        self._organizer, self._source, self._kind = organizer, source, activity_kind
        self._purposes = {optin_question: purpose}
        self._page_size = max(1, min(page_size, PAGE_SIZE))
        self._facts: dict[str, EventFacts] = {}
        self._wordings: dict[str, dict[str, dict[str, str]]] = {}
        self._no_admission: dict[str, frozenset[int]] = {}
        self._told: set[str] = set()  # activities this object has handed out already

    def check(self) -> str:
        """Return the organizer's name; raises Permanent where address, token or organizer are wrong.

        Every stream is tried too, so that a missing right (``forbidden``, with the stream as hint) shows at once.
        """
        answer = self._api.get(f"{self._root}/").body
        if not isinstance(answer, dict) or "slug" not in answer:
            raise Permanent("not_pretix")
        for stream in CAPABILITIES.streams:
            try:
                self._rows(f"{self._root}/{stream}/", {}, 1)
            except Permanent as error:
                raise Permanent(error.code, hint=stream) from error
        return str(answer.get("name") or self._organizer)

    def close(self) -> None:
        """Give the pooled connections back."""
        self._api.close()

    def pull(self, stream: str, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        """Yield what changed since ``cursor``. Customers and events have no change filter: they are read whole.

        Raises Permanent("unknown_stream") for a stream that ``capabilities`` does not list.
        """
        streams = {"events": self._pull_events, "customers": self._pull_customers, "orders": self._pull_orders}
        if stream not in streams:
            raise Permanent("unknown_stream", hint=stream)
        return understood(streams[stream](cursor))

    def read_hook(self, body: bytes) -> Sequence[SourcePage]:
        """Refetch the order, customer, event or date that a webhook names; what is gone by now yields nothing.

        Raises Permanent: ``unreadable_hook``, or ``other_account`` where it speaks of another organizer.
        """
        hook = _decode_hook(body)
        if hook.get("organizer") != self._organizer:
            raise Permanent("other_account")
        try:
            return tuple(understood(self._refetch(str(hook.get("action", "")), hook)))
        except Permanent as error:
            if error.code == "not_found":
                return ()
            raise

    # --- streams ---

    def _pull_events(self, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        """Events first, then the dates of series, of which only the changed ones are read."""
        since = cursor.get("dates_since")
        if cursor.get("phase") != "dates":
            for page in self._pages("events", {}, first=_resume(cursor)):
                facts, problems = read_each(page.rows, self._learn, number="slug")
                activities = [one.activity for one in facts if not one.is_series]
                following = {"page": page.next_page} if page.next_page else {"phase": "dates", "page": 1}
                made = self._page("events", {**following, "dates_since": since}, page, activities=activities)
                yield replace(made, problems=problems, rows=numbers_of(page.rows, number="slug"))
        yield from self._pull_dates(since, cursor if cursor.get("phase") == "dates" else {})

    def _pull_dates(self, since: str | None, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        generated = cursor.get("generated")
        filters = {"modified_since": since} if since else {}
        for page in self._pages("subevents", filters, first=_resume(cursor)):
            if generated is None and (earlier := _before_the_clock_ran_back(since, page.generated)):
                yield from self._pull_dates(earlier, {})
                return
            generated = generated or page.generated
            activities, problems = read_each(
                page.rows, lambda row: date_activity(row, self._event(row["event"])), number="id"
            )
            running = {"phase": "dates", "page": page.next_page, "dates_since": since, "generated": generated}
            after = running if page.next_page else {"dates_since": generated or since}
            made = self._page("events", after, page, activities=activities)
            yield replace(made, problems=problems, rows=numbers_of(page.rows, number="id"))

    def _pull_customers(self, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        for page in self._pages("customers", {}, first=_resume(cursor)):
            after = {"page": page.next_page} if page.next_page else {}
            yield replace(self._customer_page(page.rows), cursor=after, total=page.count)

    def _pull_orders(self, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        since, generated = cursor.get("since"), cursor.get("generated")
        filters = {"ordering": "datetime", "include_canceled_positions": "true"}
        if since:
            filters["modified_since"] = since
        for page in self._pages("orders", filters, first=_resume(cursor)):
            if generated is None and (earlier := _before_the_clock_ran_back(since, page.generated)):
                yield from self._pull_orders({"since": earlier})
                return
            generated = generated or page.generated
            running = {"since": since, "generated": generated, "page": page.next_page}
            after = running if page.next_page else {"since": generated or since}
            yield self._order_page(page.rows, after, total=page.count)

    # --- records ---

    def _page(
        self, stream: str, cursor: Mapping[str, Any], page: _Rows, *, activities: Sequence[ActivityRecord]
    ) -> SourcePage:
        self._told.update(activity.external_id for activity in activities)
        return SourcePage(stream, cursor, activities=tuple(activities), total=page.count)

    def _customer_page(self, rows: Sequence[Json]) -> SourcePage:
        """Turn customer accounts into a page; of those that were made anonymous only the number is left."""
        contacts, problems = read_each(
            rows, lambda row: customer_contact(row, source=self._source), number="identifier"
        )
        numbers = numbers_of((row for row in rows if row.get("email") is None), number="identifier")
        return SourcePage(
            "customers",
            {},
            contacts=contacts,
            problems=problems,
            rows=numbers_of(rows, number="identifier"),
            vanished=tuple(Vanished("person", self._source, one, f"{self._source}:customer") for one in numbers),
        )

    def _order_page(self, orders: Sequence[Json], cursor: Mapping[str, Any], *, total: int | None = None) -> SourcePage:
        """Turn orders into one page, with any activity among them that was not handed out before."""
        good, problems = read_each(orders, self._read_order, number="code")
        participations = tuple(chain.from_iterable(one.tickets for one in good))
        wanted = dict.fromkeys(p.activity_external_id for p in participations)
        activities = tuple(self._activity(key) for key in wanted if key not in self._told)
        self._told.update(wanted)
        contacts = tuple(chain.from_iterable(one.people for one in good))
        offers = tuple({offer: None for one in good for offer in one.offers})
        made = SourcePage("orders", cursor, contacts, activities, participations, total)
        return replace(made, problems=problems, rows=numbers_of(orders, number="code"), offers=offers)

    def _read_order(self, order: Json) -> _Order | None:
        if order.get("testmode"):
            return None
        reader = self._reader(order)
        return _Order(reader.contacts(), reader.participations(), self._offers(reader))

    def _reader(self, order: Json) -> OrderReader:
        slug = order["event"]
        if not isinstance(slug, str) or not SAFE_KEY.fullmatch(slug):
            raise ValueError("event")
        return OrderReader(order, self._event(slug), self._questions(order, slug), self._no_admission_of(slug))

    def _questions(self, order: Json, slug: str) -> dict[str, OptIn]:
        """Return the yes-or-no questions that an order answers, in their words where somebody said yes."""
        answers = [answer for position in order.get("positions", ()) for answer in position.get("answers", ())]
        asked = {
            str(answer.get("question_identifier"))
            for answer in answers
            if is_yes_or_no(answer) or self._purposes.get(str(answer.get("question_identifier")))
        }
        wordings = self._wordings_of(slug) if answered_with_yes(order) else {}
        return {key: OptIn(key, self._purposes.get(key) or None, wordings.get(key, {})) for key in sorted(asked)}

    def _offers(self, reader: OrderReader) -> tuple[Offer, ...]:
        """Return the questions that an order answers, each called by its words where they are known."""
        found: dict[str, Offer] = {}
        for position in reader.order.get("positions", ()):
            if custom_answers(position, reader.questions):
                self._wordings_of(reader.facts.slug)
            for answer in position.get("answers", ()):
                identifier = str(answer.get("question_identifier"))
                kind = OfferKind.QUESTION if identifier in reader.questions else OfferKind.FIELD
                label, _language = localised(self._wordings.get(reader.facts.slug, {}).get(identifier), "nl")
                found[identifier] = Offer(kind, question_key(identifier), label or identifier)
        return tuple(found.values())

    def _activity(self, external_id: str) -> ActivityRecord:
        slug, _, date_id = external_id.partition("/")
        facts = self._event(slug)
        if not date_id:
            return facts.activity
        return date_activity(self._api.get(f"{self._event_path(slug)}/subevents/{date_id}/").body, facts)

    def _learn(self, event: Json) -> EventFacts:
        facts = event_facts(event, source=self._source, kind=self._kind)
        self._facts[facts.slug] = facts
        return facts

    def _event(self, slug: str) -> EventFacts:
        if not self._facts:
            for page in self._pages("events", {}, first=1):
                read_each(page.rows, self._learn, number="slug")
        if slug not in self._facts:
            self._learn(self._one_event(slug))
        return self._facts[slug]

    def _one_event(self, slug: str) -> Json:
        """Return an event; of one that is gone, while its orders are still told of, no more than its name is left."""
        try:
            found = self._api.get(f"{self._event_path(slug)}/").body
        except Permanent as error:
            if error.code != "not_found":
                raise
            return {"slug": slug}
        if not isinstance(found, dict):
            raise Transient("unexpected_answer", hint="events")
        return found

    def _wordings_of(self, slug: str) -> Mapping[str, Mapping[str, str]]:
        if slug not in self._wordings:
            rows = chain.from_iterable(p.rows for p in self._pages(f"events/{slug}/questions", {}, first=1))
            self._wordings[slug] = wordings_of(list(rows))
        return self._wordings[slug]

    def _no_admission_of(self, slug: str) -> frozenset[int]:
        if slug not in self._no_admission:
            rows = chain.from_iterable(p.rows for p in self._pages(f"events/{slug}/items", {}, first=1))
            self._no_admission[slug] = frozenset(row["id"] for row in rows if row.get("admission") is False)
        return self._no_admission[slug]

    # --- requests ---

    def _event_path(self, slug: str) -> str:
        return f"{self._root}/events/{slug}"

    def _pages(self, resource: str, filters: Mapping[str, str], *, first: int) -> Iterator[_Rows]:
        """Yield the pages of a list from page ``first`` on, one page back whenever the list got shorter meanwhile."""
        path, number, count = f"{self._root}/{resource}/", first, 0
        while True:
            try:
                page = self._rows(path, filters, number)
            except Permanent as error:
                if error.code != "not_found" or number == 1:
                    raise
                number, count = number - 1, 0  # the list no longer reaches this far
                continue
            if page.count < count and number > 1:
                number, count = number - 1, page.count
                continue
            count = page.count
            yield page
            if page.next_page is None:
                return
            number = page.next_page

    def present(self, what: Listed) -> Iterator[Sequence[str]]:
        """Yield the numbers of every event and date, or of every account; those made anonymous are told when read.

        Orders are not listed: outside test mode, which is never read, pretix deletes none.
        """
        if what == "activities":
            for page in self._pages("events", {}, first=1):
                yield [str(row["slug"]) for row in page.rows if not row.get("has_subevents")]
            for page in self._pages("subevents", {}, first=1):
                yield [activity_id(str(row["event"]), row["id"]) for row in page.rows]
        elif what == "people":
            for page in self._pages("customers", {}, first=1):
                yield [str(row["identifier"]) for row in page.rows]
        else:
            raise Permanent("unknown_stream", hint=what)

    def _rows(self, path: str, filters: Mapping[str, str], number: int) -> _Rows:
        """Return one page, asked twice where it is shorter than it says."""
        return whole_page(
            lambda: self._rows_once(path, filters, number),
            count=lambda page: len(page.rows),
            expected=lambda page: min(self._page_size, page.count - (number - 1) * self._page_size),
        )

    def _rows_once(self, path: str, filters: Mapping[str, str], number: int) -> _Rows:
        answer = self._api.get(path, {**filters, "page": number, "page_size": self._page_size})
        if not isinstance(answer.body, dict) or "results" not in answer.body:
            raise Permanent("not_pretix")
        following = self._next_page(answer.body.get("next"), path, after=number)
        generated = answer.headers.get("X-Page-Generated")
        return _Rows(answer.body["results"], number, following, int(answer.body.get("count") or 0), generated)

    def _next_page(self, address: str | None, path: str, *, after: int) -> int | None:
        """Take nothing but the page number from ``next``, and only where it points at this very list."""
        if not address:
            return None
        parts = urlsplit(address)
        numbers = parse_qs(parts.query).get("page", [])
        is_ours = parts.hostname == self._api.host and parts.path.endswith(path)
        if not is_ours or len(numbers) != 1 or not numbers[0].isdecimal() or int(numbers[0]) <= after:
            raise Permanent("foreign_next_page")
        return int(numbers[0])

    def _refetch(self, action: str, hook: Mapping[str, Any]) -> Iterator[SourcePage]:
        if action.startswith("pretix.customer."):
            customer = self._api.get(f"{self._root}/customers/{_key(hook, 'customer')}/").body
            yield self._customer_page([customer])
        elif action.startswith(("pretix.event.order.", "pretix.event.checkin")):
            path = f"{self._event_path(_key(hook, 'event'))}/orders/{_key(hook, 'code')}/"
            order = self._api.get(path, {"include_canceled_positions": "true"}).body
            yield self._order_page([{"event": hook["event"], **order}], {})
        elif action.startswith("pretix.subevent."):
            key = activity_id(_key(hook, "event"), int(_key(hook, "subevent")))
            yield SourcePage("events", {}, activities=(self._activity(key),))
        elif action in ("pretix.event.added", "pretix.event.changed", "pretix.event.live.activated"):
            facts = self._learn(self._api.get(f"{self._event_path(_key(hook, 'event'))}/").body)
            if not facts.is_series:
                yield SourcePage("events", {}, activities=(facts.activity,))


def hook_dedupe_key(body: bytes) -> str | None:
    """Return what makes a webhook's repeats recognisable (None where the body is not one of pretix's)."""
    try:
        number = _decode_hook(body).get("notification_id")
    except Permanent:
        return None
    return str(number) if isinstance(number, int) else None


def _decode_hook(body: bytes) -> Mapping[str, Any]:
    try:
        hook = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Permanent("unreadable_hook") from error
    if not isinstance(hook, dict):
        raise Permanent("unreadable_hook")
    return hook


def _key(hook: Mapping[str, Any], name: str) -> str:
    """Return a key from a hook, refusing whatever could lead elsewhere once it is part of a path."""
    value = hook.get(name)
    value = value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    if not SAFE_KEY.fullmatch(value):
        raise Permanent("unreadable_hook", hint=name)
    return value


def _resume(cursor: Mapping[str, Any]) -> int:
    """One page of overlap: rows may have shifted while nobody was reading."""
    return max(1, int(cursor.get("page") or 1) - 1)


def _before_the_clock_ran_back(since: str | None, generated: str | None) -> str | None:
    """Return from when to ask where the clock of pretix stands before ``since``; None where it runs as it should.

    What it stamped since its clock was put right lies before ``since``, by no more than the clock went back.
    """
    if since is None or generated is None:
        return None
    now_there = datetime.fromisoformat(generated)
    back = datetime.fromisoformat(since) - now_there
    return (now_there - back).isoformat() if back > timedelta() else None
