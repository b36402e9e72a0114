"""Many webhooks of one source at once: stored together, failing alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import event, func, select

from app.accounts.models import Organisation
from app.activities.models import Activity
from app.contacts.models import Contact
from app.db import transaction
from app.runtime import Runtime
from app.sync import source_hooks, storing
from app.sync.inbox import process_inbox, receive
from app.sync.models import Connection, InboxItem
from integrations.base import ActivityRecord, ContactRecord, IdentityRecord, SourcePage, Transient
from tests.standins.pretix import PretixStandin
from tests.sync.conftest import Connect


class BoxOffice:
    """A source whose webhooks say what happened themselves; ``busy`` ones it cannot answer now."""

    def __init__(self) -> None:
        self.busy: set[int] = set()
        self.is_closed = False

    def read_hook(self, body: bytes) -> Sequence[SourcePage]:
        number = int(json.loads(body)["order"])
        if number in self.busy:
            raise Transient("rate_limited")
        if number == 0:
            return []
        person = ContactRecord(
            "kassa", (IdentityRecord("email", f"p{number}@example.org"),), email=f"p{number}@example.org"
        )
        evening = ActivityRecord("kassa", f"V{number % 3}", f"Avond {number % 3}")
        return [SourcePage("orders", {}, contacts=(person,), activities=(evening,))]

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def box_office(monkeypatch: pytest.MonkeyPatch) -> BoxOffice:
    source = BoxOffice()
    monkeypatch.setattr(source_hooks, "open_source", lambda *_args, **_more: source)
    return source


@pytest.fixture
def connection(connect: Connect, pretix_standin: PretixStandin) -> Connection:
    return connect(pretix_standin)


@pytest.fixture
def announce(runtime: Runtime, organisation: Organisation, connection: Connection) -> Callable[[Sequence[int]], None]:
    """A function that lets webhooks about these orders arrive."""

    def arrive(orders: Sequence[int]) -> None:
        with transaction(runtime.engine, organisation.id) as session:
            for order in orders:
                body = json.dumps({"notification_id": f"n{order}", "order": order}).encode()
                receive(session, connection, headers={}, body=body)

    return arrive


def process(runtime: Runtime, organisation: Organisation) -> int:
    return process_inbox(runtime, organisation.id, processors={})


def states(runtime: Runtime, organisation: Organisation) -> list[tuple[str, str | None]]:
    with transaction(runtime.engine, organisation.id) as session:
        return [(item.state, item.problem_code) for item in session.scalars(select(InboxItem).order_by(InboxItem.id))]


def people(runtime: Runtime, organisation: Organisation) -> int:
    with transaction(runtime.engine, organisation.id) as session:
        return session.scalar(select(func.count()).select_from(Contact)) or 0


def test_a_rush_of_orders_is_stored_and_settled_in_a_handful_of_commits(
    runtime: Runtime, organisation: Organisation, box_office: BoxOffice, announce: Callable[[Sequence[int]], None]
) -> None:
    announce(range(1, 61))
    commits: list[int] = []
    event.listen(runtime.engine, "commit", lambda _connection: commits.append(1))
    assert process(runtime, organisation) == 60
    assert people(runtime, organisation) == 60
    assert set(states(runtime, organisation)) == {("done", None)}
    assert len(commits) < 12
    assert box_office.is_closed


def test_a_webhook_that_cannot_be_read_waits_alone(
    runtime: Runtime, organisation: Organisation, box_office: BoxOffice, announce: Callable[[Sequence[int]], None]
) -> None:
    box_office.busy = {2}
    announce([1, 2, 3, 0])
    assert process(runtime, organisation) == 3
    assert states(runtime, organisation) == [
        ("done", None),
        ("waiting", "rate_limited"),
        ("done", None),
        ("ignored", None),
    ]
    assert people(runtime, organisation) == 2


def test_one_bad_record_keeps_no_other_order_out_of_the_store(
    runtime: Runtime,
    organisation: Organisation,
    box_office: BoxOffice,
    announce: Callable[[Sequence[int]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def upsert(session: object, keyring: object, records: Sequence[ContactRecord], **more: object) -> object:
        if any(record.email == "p2@example.org" for record in records):
            raise ZeroDivisionError
        return stored(session, keyring, records, **more)  # type: ignore[arg-type]

    stored = storing.upsert_contacts
    monkeypatch.setattr(storing, "upsert_contacts", upsert)
    announce([1, 2, 3])
    assert process(runtime, organisation) == 2
    assert states(runtime, organisation) == [("done", None), ("waiting", "internal_error"), ("done", None)]
    with transaction(runtime.engine, organisation.id) as session:
        assert set(session.scalars(select(Contact.email))) == {"p1@example.org", "p3@example.org"}
        assert set(session.scalars(select(Activity.external_id))) == {"V1", "V0"}


def test_what_is_read_is_stored_before_all_is_read_when_reading_takes_long(
    runtime: Runtime,
    organisation: Organisation,
    box_office: BoxOffice,
    announce: Callable[[Sequence[int]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    def read(body: bytes) -> Sequence[SourcePage]:
        seen.append(people(runtime, organisation))
        return BoxOffice.read_hook(box_office, body)

    monkeypatch.setattr(source_hooks, "READ_FOR_S", 0.0)
    monkeypatch.setattr(box_office, "read_hook", read)
    announce([1, 2, 3])
    assert process(runtime, organisation) == 3
    assert seen == [0, 1, 2]


def test_a_worker_that_comes_too_late_settles_nothing(
    runtime: Runtime,
    organisation: Organisation,
    box_office: BoxOffice,
    announce: Callable[[Sequence[int]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def overtaken(body: bytes) -> Sequence[SourcePage]:
        with transaction(runtime.engine, organisation.id) as session:
            for item in session.scalars(select(InboxItem)):
                item.attempts += 1
        return BoxOffice.read_hook(box_office, body)

    monkeypatch.setattr(box_office, "read_hook", overtaken)
    announce([1])
    assert process(runtime, organisation) == 0
    assert states(runtime, organisation) == [("waiting", None)]
    assert people(runtime, organisation) == 1, "storing twice is harmless, so that storing once too often is too"
