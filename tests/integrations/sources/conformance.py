"""What every source must do, whoever the vendor is. Each connector's test subclasses this and says how to connect.

Its module provides two fixtures: ``standin``, a server with ``fail(status, times=, body=, **headers)``, and
``connect``, a function that returns a fresh source on it; that of ``connect(wrong_credentials=True)`` is to be refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from integrations.base import (
    ActivityRecord,
    ConsentState,
    ContactRecord,
    ParticipationRecord,
    Permanent,
    Source,
    SourcePage,
    Transient,
)
from tests.standins.trouble import OF_THE_LINE, OF_THE_ROWS, Spoiler, Trouble

STATUSES = {"booked", "attended", "cancelled", "refunded", "pending"}
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
Connect = Callable[..., Source]


def everything(source: Source) -> list[SourcePage]:
    """Pull all streams in their order from the very beginning."""
    return [page for stream in source.capabilities.streams for page in source.pull(stream, {})]


def by_id(pages: Iterable[SourcePage]) -> dict[str, dict[str, Any]]:
    """Return what a store would hold after these pages: the last record per key wins."""
    held: dict[str, dict[str, Any]] = {"activities": {}, "participations": {}, "contacts": {}}
    for page in pages:
        held["activities"].update({one.external_id: one for one in page.activities})
        held["participations"].update({one.external_id: one for one in page.participations})
        held["contacts"].update({one.identities: one for one in page.contacts})
    return held


def records(pages: Iterable[SourcePage]) -> list[ActivityRecord | ParticipationRecord | ContactRecord]:
    """Return every record, the contact inside each participation too."""
    found: list[ActivityRecord | ParticipationRecord | ContactRecord] = []
    for page in pages:
        found += [*page.activities, *page.contacts, *page.participations, *(p.contact for p in page.participations)]
    return found


def read_on(connect: Connect, stream: str) -> list[SourcePage]:
    """Read a stream as a worker does: whatever is wrong for a while, it goes on from the last page it has stored."""
    pages: list[SourcePage] = []
    cursor: Any = {}
    for _turn in range(200):
        try:
            for page in connect().pull(stream, cursor):
                pages.append(page)
                cursor = json.loads(json.dumps(page.cursor))
        except Transient:
            continue
        return pages
    raise AssertionError(f"{stream} never came to its end")


def facts(pages: Sequence[SourcePage]) -> dict[str, Any]:
    """What a store must agree about, in whatever order it was told: which people, activities, tickets and answers."""
    held = by_id(pages)
    contacts = [record for record in records(pages) if isinstance(record, ContactRecord)]
    return {
        "activities": held["activities"],
        "people": {record.identities for record in contacts},
        "tickets": {
            key: (one.status, one.amount, one.attended_at, one.activity_external_id, one.contact.identities)
            for key, one in held["participations"].items()
        },
        "answers": {(one.external_id, one.state) for record in contacts for one in record.consents},
        "problems": {problem for page in pages for problem in page.problems},
    }


class SourceConformance:
    """The suite."""

    def test_its_capabilities_say_what_it_is(self, connect: Connect) -> None:
        capabilities = connect().capabilities
        assert capabilities.system == capabilities.system.lower().strip() != ""
        assert capabilities.grade[0] in "ABCD"
        assert capabilities.streams
        assert capabilities.page_size > 0
        assert capabilities.documentation.startswith("https://")

    def test_checking_returns_the_name_of_the_account(self, connect: Connect) -> None:
        assert connect().check().strip()

    def test_wrong_credentials_are_refused_for_good_and_not_repeated_in_the_message(self, connect: Connect) -> None:
        with pytest.raises(Permanent) as caught:
            connect(wrong_credentials=True).check()
        assert caught.value.code in {"unauthorised", "forbidden"}
        assert "wrong" not in str(caught.value)

    def test_a_stream_it_does_not_have_is_refused(self, connect: Connect) -> None:
        with pytest.raises(Permanent):
            list(connect().pull("no-such-stream", {}))

    def test_pages_name_their_stream_and_carry_a_cursor_that_survives_json(self, connect: Connect) -> None:
        source = connect()
        for stream in source.capabilities.streams:
            pages = list(source.pull(stream, {}))
            assert pages, f"{stream} yields at least one page, so that its cursor can be stored"
            assert {page.stream for page in pages} == {stream}
            assert all(json.loads(json.dumps(page.cursor)) == page.cursor for page in pages)

    def test_pulling_twice_brings_the_same(self, connect: Connect) -> None:
        assert by_id(everything(connect())) == by_id(everything(connect()))

    def test_a_pull_that_stopped_after_any_page_resumes_without_loss(self, connect: Connect) -> None:
        source = connect()
        for stream in source.capabilities.streams:
            pages = list(connect().pull(stream, {}))
            whole = by_id(pages)
            for stop in range(1, len(pages)):
                resumed = connect().pull(stream, json.loads(json.dumps(pages[stop - 1].cursor)))
                held = by_id([*pages[:stop], *resumed])
                assert whole["participations"] == held["participations"]
                assert whole["contacts"] == held["contacts"]
                assert whole["activities"].items() <= held["activities"].items()

    def test_absent_values_are_none_and_instants_are_aware(self, connect: Connect) -> None:
        for record in records(everything(connect())):
            for field in fields(record):
                value = getattr(record, field.name)
                assert value != "", f"{type(record).__name__}.{field.name} is an empty text"
                assert not isinstance(value, datetime) or value.tzinfo is not None

    def test_everybody_has_an_identity_and_every_participation_a_known_activity(self, connect: Connect) -> None:
        known: set[tuple[str, str]] = set()
        for page in everything(connect()):
            known |= {(one.source, one.external_id) for one in page.activities}
            assert all(identity.value for contact in page.contacts for identity in contact.identities)
            for participation in page.participations:
                assert participation.contact.identities
                assert (participation.activity_source, participation.activity_external_id) in known
                assert participation.status in STATUSES
                assert participation.amount is None or isinstance(participation.amount, Decimal)

    def test_permission_is_only_said_to_be_given_with_its_time_and_a_key_that_bears_replay(
        self, connect: Connect
    ) -> None:
        consents = [c for r in records(everything(connect())) if isinstance(r, ContactRecord) for c in r.consents]
        for consent in consents:
            assert consent.external_id
            assert consent.state != ConsentState.IN or consent.captured_at is not None

    def test_throttling_is_waited_out(self, connect: Connect, standin: Any) -> None:
        standin.fail(429, times=2, Retry_After="1")
        assert connect().check().strip()

    def test_a_long_throttling_is_handed_to_the_caller_with_its_time(self, connect: Connect, standin: Any) -> None:
        standin.fail(429, Retry_After="900")
        with pytest.raises(Transient) as caught:
            connect().check()
        assert caught.value.retry_after_s == 900

    def test_a_broken_answer_is_tried_again_and_in_the_end_is_transient(self, connect: Connect, standin: Any) -> None:
        standin.fail(500, times=2)
        assert connect().check().strip()
        standin.fail(502, times=100, body=HTML, Content_Type="text/html")
        with pytest.raises(Transient):
            connect().check()

    def test_html_where_json_was_promised_is_not_taken_for_an_answer(self, connect: Connect, standin: Any) -> None:
        standin.fail(200, times=100, body=HTML, Content_Type="text/html")
        with pytest.raises(Transient):
            connect().check()

    def test_a_redirect_is_not_followed(self, connect: Connect, standin: Any) -> None:
        standin.fail(302, Location="http://127.0.0.1:9/elsewhere")
        with pytest.raises(Permanent):
            connect().check()

    @pytest.mark.parametrize("troubles", [OF_THE_LINE, *((one,) for one in OF_THE_ROWS), tuple(Trouble)])
    def test_whatever_goes_wrong_on_the_way_nothing_is_lost_and_nothing_doubled(
        self, connect: Connect, standin: Any, monkeypatch: pytest.MonkeyPatch, troubles: tuple[Trouble, ...]
    ) -> None:
        monkeypatch.setattr("integrations.json_api.READ_S", 0.25)
        clean = facts(everything(connect()))
        standin.spoiler = Spoiler(of=troubles, share=0.35)
        pages = [page for stream in connect().capabilities.streams for page in read_on(connect, stream)]
        assert set(standin.spoiler.done) & set(troubles)
        assert facts(pages) == clean

    @pytest.mark.parametrize("body", [b"", b"no json", b"[1, 2]", b"null", b"\xff\xfe", b"[" * 100_000])
    def test_a_webhook_nobody_can_read_is_refused_for_good(self, connect: Connect, body: bytes) -> None:
        source = connect()
        if not source.capabilities.has_webhooks:
            pytest.skip("this system has no webhooks")
        with pytest.raises(Permanent):
            source.read_hook(body)
