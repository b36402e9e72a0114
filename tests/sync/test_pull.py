"""Reading a source on schedule: in turns, resumable at every page, by one worker at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select

from app import clock
from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.activities.models import Activity, Participation
from app.consent import gate
from app.consent.ledger import record_opt_outs
from app.contacts.models import Contact
from app.db import transaction
from app.runtime import Runtime
from app.sync import connections, pull
from app.sync.models import Connection, PullProgress, SyncProblem
from app.sync.pull import pull_connection, pull_due
from integrations.base import ContactRecord, IdentityRecord, SourcePage
from tests.conftest import NOW, make_house
from tests.standins.json_standin import Request
from tests.standins.pretix import PretixStandin
from tests.standins.pretix_house import CapturedHouse
from tests.sync.conftest import Connect

CAPTURED = datetime(2026, 11, 20, 10, 6, tzinfo=UTC)


@pytest.fixture
def connection(connect: Connect, pretix_standin: PretixStandin) -> Connection:
    return connect(pretix_standin)


def now_held(runtime: Runtime, organisation: Organisation, connection: Connection) -> Connection:
    with transaction(runtime.engine, organisation.id) as session:
        return connections.get_connection(session, connection.id)


def counted(runtime: Runtime, organisation: Organisation) -> dict[str, int]:
    with transaction(runtime.engine, organisation.id) as session:
        return {
            table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0
            for table in (Activity, Contact, Participation)
        }


def expected_participations(standin: PretixStandin) -> int:
    house, count = standin.house, 0
    for order in house.orders.values():
        book = {item["id"] for item in house.items[order["event"]] if not item["admission"]}
        positions = {position["id"]: position for position in order["positions"]}
        for position in positions.values():
            main = positions.get(position["addon_to"], position)
            is_known = order["email"] or order["customer"] or position["attendee_email"] or main["attendee_email"]
            count += bool(is_known and not order["testmode"] and position["item"] not in book)
    return count


def test_a_whole_box_office_comes_in(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    pull_due(runtime, organisation.id)
    house = pretix_standin.house
    held = counted(runtime, organisation)
    assert held["participation"] == expected_participations(pretix_standin)
    assert held["activity"] == len([e for e in house.events.values() if not e["has_subevents"]]) + len(house.dates)
    after = now_held(runtime, organisation, connection)
    assert (after.state, after.last_ok_at, after.failure_code, after.lease_until) == ("active", NOW, None, None)
    assert after.next_run_at == NOW + pull.EVERY


def test_the_captured_box_office_comes_in(
    runtime: Runtime, organisation: Organisation, connect: Connect, captured_pretix: PretixStandin
) -> None:
    connect(captured_pretix)
    pull_due(runtime, organisation.id)
    assert counted(runtime, organisation) == {"activity": 3, "contact": 4, "participation": 8}
    house = captured_pretix.house
    assert isinstance(house, CapturedHouse)
    house.play()
    with clock.set_to(NOW + pull.EVERY):
        pull_due(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        statuses = session.execute(select(Participation.external_id, Participation.status)).all()
        problems = session.scalars(select(SyncProblem.code)).all()
    assert dict(statuses)["hamlet/GDRXY/1"] == "cancelled"
    assert dict(statuses)["hamlet/FCCCK/1"] == "refunded"
    assert problems == ["person_gone_there"], "who was made anonymous there may have asked to be forgotten"


def may_be_mailed(runtime: Runtime, organisation: Organisation) -> dict[str | None, str]:
    """Ask the gate about everybody; returns those it lets through with the basis."""
    with transaction(runtime.engine, organisation.id) as session:
        addresses = {contact.id: contact.email for contact in session.scalars(select(Contact))}
        decisions = gate.claim(session, channel="email", purpose="newsletter", contact_ids=list(addresses), at=NOW)
        return {addresses[each.contact_id]: each.reason for each in decisions if each.is_allowed}


def test_who_ticked_the_box_may_be_mailed_and_nobody_else(
    runtime: Runtime, organisation: Organisation, connect: Connect, captured_pretix: PretixStandin
) -> None:
    connect(captured_pretix)
    with clock.set_to(CAPTURED + timedelta(hours=1)):
        pull_due(runtime, organisation.id)
    assert may_be_mailed(runtime, organisation) == {"an.peeters@example.org": "consent", "bram@example.org": "consent"}


def test_a_ticked_box_in_the_shop_never_brings_back_who_opted_out(
    runtime: Runtime, organisation: Organisation, connect: Connect, captured_pretix: PretixStandin
) -> None:
    connection = connect(captured_pretix)
    with clock.set_to(CAPTURED + timedelta(hours=1)):
        pull_due(runtime, organisation.id)
        with transaction(runtime.engine, organisation.id) as session:
            record_opt_outs(
                session,
                runtime.keyring,
                ["bram@example.org"],
                channel="email",
                purpose=None,
                source="mailchimp",
                method="unsubscribe",
                at=clock.now(),
                reason="unsubscribed",
            )
    with clock.set_to(CAPTURED + timedelta(hours=2)):
        house = captured_pretix.house
        again = {**house.orders["GDRXY"], "code": "NIEUW", "datetime": "2026-11-20T12:00:00.000000Z"}
        house.put_order(again)
        with transaction(runtime.engine, organisation.id) as session:
            pull.start_over(session, connection.id)
        pull_due(runtime, organisation.id)
    assert may_be_mailed(runtime, organisation) == {"an.peeters@example.org": "consent"}


def test_a_second_run_asks_only_for_what_changed_and_changes_nothing(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    pull_due(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        before = session.execute(select(Contact.id, Contact.updated_at).order_by(Contact.id)).all()
    pretix_standin.requests.clear()
    with clock.set_to(NOW + pull.EVERY):
        pull_due(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        assert session.execute(select(Contact.id, Contact.updated_at).order_by(Contact.id)).all() == before
    orders = [request for request in pretix_standin.requests if request.path.endswith("/orders/")]
    assert orders
    assert all("modified_since" in request.query for request in orders)


def test_nothing_is_asked_before_it_is_due(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    pull_due(runtime, organisation.id)
    pretix_standin.requests.clear()
    with clock.set_to(NOW + pull.EVERY - timedelta(seconds=1)):
        assert pull_due(runtime, organisation.id) == 0
    assert pretix_standin.requests == []


class Killed(BaseException):
    """A worker that is gone: nothing it would still have done happens."""


@pytest.mark.parametrize("page", [1, 2, 3, 5, 8])
def test_a_worker_killed_between_pages_loses_and_repeats_nothing(  # noqa: PLR0917 - fixtures
    runtime: Runtime,
    organisation: Organisation,
    connection: Connection,
    pretix_standin: PretixStandin,
    monkeypatch: pytest.MonkeyPatch,
    page: int,
) -> None:
    monkeypatch.setattr(pull, "GATHERED_ROWS", 1)
    store, stored = pull.store_page, 0

    def store_until_killed(*args: Any, **options: Any) -> Any:
        nonlocal stored
        stored += 1
        if stored == page:
            store(*args, **options)
            raise Killed  # after the work, before the commit: the worst moment
        return store(*args, **options)

    monkeypatch.setattr(pull, "store_page", store_until_killed)
    with pytest.raises(Killed):
        pull_connection(runtime, organisation.id, connection.id)
    monkeypatch.setattr(pull, "store_page", store)
    assert pull_due(runtime, organisation.id) == 0, "the lease of the killed one still holds"
    with clock.set_to(NOW + pull.LEASE + timedelta(seconds=1)):
        pull_due(runtime, organisation.id)
    assert counted(runtime, organisation)["participation"] == expected_participations(pretix_standin)
    assert now_held(runtime, organisation, connection).state == "active"


def test_a_long_first_run_goes_in_turns_and_the_next_turn_goes_on(
    runtime: Runtime,
    organisation: Organisation,
    connection: Connection,
    pretix_standin: PretixStandin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pull, "TURN", timedelta())
    monkeypatch.setattr(pull, "GATHERED_ROWS", 1)
    turns = 0
    while now_held(runtime, organisation, connection).next_run_at == NOW:
        pretix_standin.requests.clear()
        assert pull_connection(runtime, organisation.id, connection.id) > 0
        lists = [r for r in pretix_standin.requests if r.path.endswith(("/orders/", "/customers/", "/subevents/"))]
        assert len(lists) <= pull.PAGES_MIN + 1
        turns += 1
    assert turns >= 3
    assert counted(runtime, organisation)["participation"] == expected_participations(pretix_standin)


def test_pages_are_gathered_until_they_are_many_or_have_waited_long(monkeypatch: pytest.MonkeyPatch) -> None:
    def page(number: int) -> SourcePage:
        contact = ContactRecord("pretix", (IdentityRecord("email", f"k{number}@example.org"),))
        return SourcePage("customers", {"page": number}, contacts=(contact,) * 400)

    def sizes() -> list[int]:
        return [len(each) for each in pull.gathered(page(number) for number in range(7))]

    assert sizes() == [3, 3, 1]
    monkeypatch.setattr(pull, "GATHERED_S", -1.0)
    assert sizes() == [1] * 7
    assert list(pull.gathered([])) == []


def test_one_worker_at_a_time_reads_a_connection(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    others: list[int] = []

    def look(_request: Request) -> None:
        with clock.set_to(NOW):
            others.append(pull_due(runtime, organisation.id))

    pretix_standin.before_page = look
    assert pull_due(runtime, organisation.id) > 0
    assert others
    assert set(others) == {0}


def test_a_worker_that_lost_its_lease_stores_nothing_more(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    def pause(request: Request) -> None:
        if request.path.endswith("/orders/"):
            with transaction(runtime.engine, organisation.id) as session:
                connections.pause_connection(session, connection.id, actor=SYSTEM)

    pretix_standin.before_page = pause
    pull_due(runtime, organisation.id)
    assert counted(runtime, organisation)["participation"] == 0
    after = now_held(runtime, organisation, connection)
    assert (after.state, after.failure_code, after.lease_until) == ("paused", None, None)


def test_a_paused_connection_is_not_read_and_a_resumed_one_at_once(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        connections.pause_connection(session, connection.id, actor=SYSTEM)
    assert pull_due(runtime, organisation.id) == 0
    with transaction(runtime.engine, organisation.id) as session:
        connections.resume_connection(session, connection.id, actor=SYSTEM)
    assert pull_due(runtime, organisation.id) > 0


def test_a_token_that_is_refused_stops_until_a_person_mends_it(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    right, pretix_standin.house.token = pretix_standin.house.token, "another"
    pull_due(runtime, organisation.id)
    failed = now_held(runtime, organisation, connection)
    assert (failed.state, failed.failure_code, failed.failing_since) == ("failing", "unauthorised", NOW)
    with clock.set_to(NOW + timedelta(days=7)):
        assert pull_due(runtime, organisation.id) == 0
        pretix_standin.house.token = right
        with transaction(runtime.engine, organisation.id) as session:
            connections.run_now(session, connection.id)
        assert pull_due(runtime, organisation.id) > 0
    assert now_held(runtime, organisation, connection).state == "active"


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.json_api.PATIENCE_S", 0.0)


@pytest.mark.usefixtures("no_patience")
def test_an_outage_is_nobodys_worry_at_first_and_somebodys_when_it_lasts(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    pretix_standin.fail(503, times=1000)
    pull_due(runtime, organisation.id)
    held = now_held(runtime, organisation, connection)
    assert (held.state, held.failure_code) == ("active", "server_error")
    now = held.next_run_at
    while now is not None and now < NOW + timedelta(hours=3):
        with clock.set_to(now):
            pull_due(runtime, organisation.id)
        held = now_held(runtime, organisation, connection)
        assert held.next_run_at is not None
        assert held.next_run_at - now >= timedelta(seconds=48)
        now = held.next_run_at
    assert (held.state, held.failing_since) == ("failing", NOW)
    pretix_standin.failures.clear()
    with clock.set_to(now):
        assert pull_due(runtime, organisation.id) > 0
    assert now_held(runtime, organisation, connection).failing_since is None


def test_a_vendor_that_throttles_decides_when_to_come_back(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    pretix_standin.fail(429, Retry_After="1800")
    pull_due(runtime, organisation.id)
    next_run_at = now_held(runtime, organisation, connection).next_run_at
    assert next_run_at is not None
    assert next_run_at >= NOW + timedelta(seconds=1800)


def test_no_transaction_is_open_while_the_network_is_spoken_to(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    open_now: list[object] = []
    event.listen(runtime.engine, "begin", open_now.append)
    for name in ("commit", "rollback"):
        event.listen(runtime.engine, name, lambda conn: open_now.pop())
    during: set[int] = set()
    pretix_standin.before_page = lambda _request: during.add(len(open_now))
    pull_due(runtime, organisation.id)
    assert during == {0}


def test_starting_over_reads_everything_again_and_changes_nothing(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    pull_due(runtime, organisation.id)
    before = counted(runtime, organisation)
    pretix_standin.requests.clear()
    with clock.set_to(NOW + pull.EVERY):
        with transaction(runtime.engine, organisation.id) as session:
            pull.start_over(session, connection.id)
        pull_due(runtime, organisation.id)
    assert any(r.path.endswith("/orders/") and "modified_since" not in r.query for r in pretix_standin.requests)
    assert counted(runtime, organisation) == before


def test_progress_tells_how_far_each_stream_is(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    pull_due(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        progress = pull.progress_of(session, connection.id)
    assert set(progress) == {"events", "customers", "orders"}
    assert all(isinstance(one, PullProgress) and one.finished_at == NOW for one in progress.values())
    assert progress["customers"].rows_total == len(pretix_standin.house.customers)
    assert progress["orders"].counts["participations.created"] == expected_participations(pretix_standin)


def test_a_record_that_cannot_be_kept_is_noted_and_the_note_goes_when_it_is_mended(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    house = pretix_standin.house
    code = next(c for c, o in house.orders.items() if not o["testmode"] and not o["customer"] and o["email"])
    house.change_order(
        code, email="no address", positions=[{**house.orders[code]["positions"][0], "attendee_email": None}]
    )
    pull_due(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        problems = session.execute(select(SyncProblem.external_id, SyncProblem.code)).all()
    assert problems == [(f"{house.orders[code]['event']}/{code}/1", "invalid_email")]
    house.change_order(code, email="wel@example.org")
    with clock.set_to(NOW + pull.EVERY):
        pull_due(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(SyncProblem)).all() == []


def test_a_ticket_is_kept_even_when_its_keys_belong_to_two_people(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    house = pretix_standin.house
    one, other = list(house.customers)[:2]
    code = next(c for c, o in house.orders.items() if not o["testmode"] and o["email"] and o["status"] == "p")
    plain = {**house.orders[code]["positions"][0], "attendee_email": None}
    house.change_order(code, email=house.customers[one]["email"], customer=other, positions=[plain])
    pull_due(runtime, organisation.id)
    external_id = f"{house.orders[code]['event']}/{code}/1"
    with transaction(runtime.engine, organisation.id) as session:
        owner = session.scalar(
            select(Contact.email)
            .join(Participation, Participation.contact_id == Contact.id)
            .where(Participation.external_id == external_id)
        )
        noted = session.execute(select(SyncProblem.external_id, SyncProblem.code)).all()
    assert owner == house.customers[one]["email"]
    assert set(noted) == {(external_id, "identity_conflict"), (other, "identity_conflict")}


def test_two_houses_that_read_the_same_box_office_keep_apart(
    runtime: Runtime, organisation: Organisation, connect: Connect, pretix_standin: PretixStandin
) -> None:
    other = make_house(runtime, "De Buren")
    connect(pretix_standin, organisation_id=other.id)
    pull_due(runtime, other.id)
    assert counted(runtime, organisation)["contact"] == 0
    assert counted(runtime, other)["contact"] > 0
