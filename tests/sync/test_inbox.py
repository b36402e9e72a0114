"""Webhooks from the moment they are stored to the moment they are settled."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app import clock
from app.accounts.audit import SYSTEM
from app.accounts.models import AuditEvent, Organisation
from app.activities.models import Activity, Participation
from app.consent.models import ConsentEvidence
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync import connections, inbox, leases
from app.sync.inbox import process_inbox, receive
from app.sync.leases import Hook, claim_batch
from app.sync.models import Connection, InboxItem
from integrations.base import Permanent, Transient
from tests.conftest import NOW
from tests.standins.pretix import PretixStandin
from tests.standins.pretix_house import CapturedHouse
from tests.sync.conftest import Connect


@pytest.fixture
def connection(connect: Connect, pretix_standin: PretixStandin) -> Connection:
    return connect(pretix_standin)


Deliver = Callable[..., None]


@pytest.fixture
def deliver(runtime: Runtime, organisation: Organisation, connection: Connection) -> Deliver:
    """A function that lets a number of different webhooks arrive."""
    numbers = itertools.count(1)

    def arrive(count: int = 1, *, to: Connection = connection) -> None:
        with transaction(runtime.engine, organisation.id) as session:
            for _ in range(count):
                receive(session, to, headers={}, body=json.dumps({"notification_id": next(numbers)}).encode())

    return arrive


def items(runtime: Runtime, organisation: Organisation) -> list[InboxItem]:
    with transaction(runtime.engine, organisation.id) as session:
        return list(session.scalars(select(InboxItem).order_by(InboxItem.id)))


def states(runtime: Runtime, organisation: Organisation) -> list[tuple[str, int, str | None]]:
    return [(item.state, item.attempts, item.problem_code) for item in items(runtime, organisation)]


def process(runtime: Runtime, organisation: Organisation, work: Callable[[Runtime, Hook], bool]) -> int:
    return process_inbox(runtime, organisation.id, processors={"pretix": work})


def failing(error: Exception) -> Callable[[Runtime, Hook], bool]:
    def work(_runtime: Runtime, _hook: Hook) -> bool:
        raise error

    return work


# --- claiming ---


def test_items_are_processed_in_the_order_they_came(
    runtime: Runtime, organisation: Organisation, deliver: Deliver
) -> None:
    deliver(25)
    seen: list[int] = []
    assert process(runtime, organisation, lambda _r, hook: seen.append(hook.item_id) or True) == 25  # type: ignore[func-returns-value]
    assert seen == sorted(seen)
    assert {state for state, *_ in states(runtime, organisation)} == {"done"}


def test_two_workers_never_work_for_one_connection_at_the_same_time(
    runtime: Runtime, organisation: Organisation, deliver: Deliver
) -> None:
    deliver(leases.BATCH + 5)
    with transaction(runtime.engine, organisation.id) as first:
        taken = claim_batch(first)
        with transaction(runtime.engine, organisation.id) as second:
            assert claim_batch(second) == [], "the connection is locked while somebody chooses"
    with transaction(runtime.engine, organisation.id) as second:
        assert claim_batch(second) == [], "and afterwards its items are leased"
    assert len(taken) == leases.BATCH


def test_two_workers_share_the_work_of_two_connections(
    runtime: Runtime, organisation: Organisation, deliver: Deliver, connect: Connect, pretix_standin: PretixStandin
) -> None:
    deliver(3)
    pretix_standin.house.organizer = "museum"
    deliver(3, to=connect(pretix_standin))
    with transaction(runtime.engine, organisation.id) as first, transaction(runtime.engine, organisation.id) as second:
        mine, theirs = claim_batch(first), claim_batch(second)
    assert len(mine) == len(theirs) == 3
    assert not {hook.connection_id for hook in mine} & {hook.connection_id for hook in theirs}


def test_what_a_killed_worker_had_taken_is_taken_again_when_its_lease_is_over(
    runtime: Runtime, organisation: Organisation, deliver: Deliver
) -> None:
    deliver(2)
    with transaction(runtime.engine, organisation.id) as session:
        assert len(claim_batch(session)) == 2
    assert process(runtime, organisation, lambda _r, _h: True) == 0
    with clock.set_to(NOW + leases.LEASE + timedelta(seconds=1)):
        assert process(runtime, organisation, lambda _r, _h: True) == 2
    assert states(runtime, organisation) == [("done", 2, None)] * 2


def test_a_worker_that_comes_back_too_late_settles_nothing(
    runtime: Runtime, organisation: Organisation, deliver: Deliver
) -> None:
    deliver()

    def slow(_runtime: Runtime, _hook: Hook) -> bool:
        with clock.set_to(NOW + 2 * leases.LEASE):
            assert process(runtime, organisation, failing(Transient("server_error"))) == 0
        return True

    assert process(runtime, organisation, slow) == 0
    assert states(runtime, organisation) == [("waiting", 2, "server_error")]


# --- failing ---


def test_a_failure_that_may_pass_is_tried_again_ever_later(
    runtime: Runtime, organisation: Organisation, deliver: Deliver
) -> None:
    deliver()
    now, waits = NOW, []
    for _ in range(5):
        with clock.set_to(now):
            process(runtime, organisation, failing(Transient("server_error")))
        (item,) = items(runtime, organisation)
        waits.append((item.next_try_at - now).total_seconds())
        now = item.next_try_at
    assert waits == sorted(waits)
    assert waits[-1] > 8 * waits[0] / 2
    assert states(runtime, organisation) == [("waiting", 5, "server_error")]


def test_the_vendor_says_how_long_to_wait(runtime: Runtime, organisation: Organisation, deliver: Deliver) -> None:
    deliver()
    process(runtime, organisation, failing(Transient("rate_limited", retry_after_s=900)))
    assert items(runtime, organisation)[0].next_try_at >= NOW + timedelta(seconds=900)


def test_an_item_that_cannot_succeed_is_dead_at_once_and_visible(
    runtime: Runtime, organisation: Organisation, deliver: Deliver
) -> None:
    deliver()
    process(runtime, organisation, failing(Permanent("unreadable_hook")))
    assert states(runtime, organisation) == [("dead", 1, "unreadable_hook")]


def test_a_token_that_was_withdrawn_kills_no_item(
    runtime: Runtime, organisation: Organisation, deliver: Deliver
) -> None:
    deliver()
    process(runtime, organisation, failing(Permanent("unauthorised")))
    assert states(runtime, organisation) == [("waiting", 1, "unauthorised")]


def test_an_item_that_failed_too_often_is_dead(runtime: Runtime, organisation: Organisation, deliver: Deliver) -> None:
    deliver()
    for day in range(leases.ATTEMPTS_MAX + 3):
        with clock.set_to(NOW + timedelta(days=day)):
            process(runtime, organisation, failing(RuntimeError("a bug")))
    assert states(runtime, organisation) == [("dead", leases.ATTEMPTS_MAX, "internal_error")]


def test_one_bad_item_does_not_stop_the_others(runtime: Runtime, organisation: Organisation, deliver: Deliver) -> None:
    deliver(3)
    first = items(runtime, organisation)[0].id

    def work(_runtime: Runtime, hook: Hook) -> bool:
        if hook.item_id == first:
            raise RuntimeError("a bug")
        return True

    process(runtime, organisation, work)
    assert [state for state, *_ in states(runtime, organisation)] == ["waiting", "done", "done"]


def test_a_dead_item_can_be_replayed_and_the_trail_says_who_did(
    runtime: Runtime, organisation: Organisation, deliver: Deliver, connection: Connection
) -> None:
    deliver(2)
    process(runtime, organisation, failing(Permanent("unreadable_hook")))
    with transaction(runtime.engine, organisation.id) as session:
        assert inbox.replay_dead(session, connection.id, actor=SYSTEM) == 2
    assert process(runtime, organisation, lambda _r, _h: True) == 2
    with transaction(runtime.engine, organisation.id) as session:
        trail = session.scalars(select(AuditEvent.action)).all()
    assert trail.count("inbox.replay") == 2


def test_webhooks_of_a_paused_source_wait(
    runtime: Runtime, organisation: Organisation, deliver: Deliver, connection: Connection
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        connections.pause_connection(session, connection.id, actor=SYSTEM)
    deliver()
    assert process(runtime, organisation, lambda _r, _h: True) == 0
    with transaction(runtime.engine, organisation.id) as session:
        connections.resume_connection(session, connection.id, actor=SYSTEM)
    assert process(runtime, organisation, lambda _r, _h: True) == 1


def test_what_was_processed_long_ago_keeps_no_body(
    runtime: Runtime, organisation: Organisation, deliver: Deliver
) -> None:
    deliver()
    process(runtime, organisation, lambda _r, _h: True)
    assert inbox.forget_old_messages(runtime, organisation.id) == 0
    with clock.set_to(NOW + timedelta(days=inbox.KEPT_DAYS + 1)):
        assert inbox.forget_old_messages(runtime, organisation.id) == 1
        assert inbox.forget_old_messages(runtime, organisation.id) == 0
    assert items(runtime, organisation)[0].body == b""


def test_a_processor_runs_outside_every_transaction(
    runtime: Runtime, organisation: Organisation, deliver: Deliver
) -> None:
    deliver()

    def work(_runtime: Runtime, _hook: Hook) -> bool:
        # Nobody holds a lock on the item or its connection while the network is spoken to.
        with transaction(runtime.engine, organisation.id) as session:
            session.execute(select(InboxItem).with_for_update(nowait=True))
            session.execute(select(Connection).with_for_update(nowait=True))
        return True

    assert process(runtime, organisation, work) == 1


# --- pretix, end to end ---


def history(session: ScopedSession) -> list[tuple[str, str | None, str]]:
    rows = session.execute(
        select(Participation.external_id, Contact.email, Participation.status)
        .join(Contact, Contact.id == Participation.contact_id)
        .order_by(Participation.external_id)
    )
    return [(external_id, email, status) for external_id, email, status in rows]


@pytest.mark.parametrize("order", ["as they came", "backwards", "shuffled"])
def test_the_real_webhooks_lead_to_the_same_house_in_any_order(
    runtime: Runtime, organisation: Organisation, connect: Connect, captured_pretix: PretixStandin, order: str
) -> None:
    house = captured_pretix.house
    assert isinstance(house, CapturedHouse)
    house.play()
    connected = connect(captured_pretix)
    bodies = {
        "as they came": list,
        "backwards": lambda b: b[::-1],
        "shuffled": lambda b: random.Random(7).sample(b, 18),
    }
    with transaction(runtime.engine, organisation.id) as session:
        for body in bodies[order](house.webhooks):
            receive(session, connected, headers={}, body=body)
    assert process_inbox(runtime, organisation.id, processors={}) == 18
    with transaction(runtime.engine, organisation.id) as session:
        assert history(session) == [
            ("hamlet/FCCCK/1", "kim.desmet@example.org", "refunded"),
            ("hamlet/GDRXY/1", "an.peeters@example.org", "cancelled"),
            ("hamlet/GDRXY/2", "bram@example.org", "cancelled"),
        ]
        told = session.execute(select(ConsentEvidence.event_id, ConsentEvidence.external_id)).all()
        assert len(told) == len({external_id for _, external_id in told}) == 3, (
            "an answer is one fact, however often it is read"
        )
    ignored = [item for item in items(runtime, organisation) if item.state == "ignored"]
    assert {json.loads(item.body).get("customer") for item in ignored} == {"L27CRG2"}


def test_a_webhook_processed_twice_changes_nothing_the_second_time(
    runtime: Runtime, organisation: Organisation, connect: Connect, captured_pretix: PretixStandin
) -> None:
    house = captured_pretix.house
    assert isinstance(house, CapturedHouse)
    connected = connect(captured_pretix)
    with transaction(runtime.engine, organisation.id) as session:
        receive(session, connected, headers={}, body=house.webhooks[4])
    process_inbox(runtime, organisation.id, processors={})
    with transaction(runtime.engine, organisation.id) as session:
        before = [
            row.updated_at for table in (Contact, Participation, Activity) for row in session.scalars(select(table))
        ]
        session.execute(update(InboxItem).values(state="waiting", attempts=0))
    with clock.set_to(NOW + timedelta(hours=1)):
        process_inbox(runtime, organisation.id, processors={})
    with transaction(runtime.engine, organisation.id) as session:
        after = [
            row.updated_at for table in (Contact, Participation, Activity) for row in session.scalars(select(table))
        ]
        assert session.scalars(select(ContactIdentity)).all()
    assert before == after != []
