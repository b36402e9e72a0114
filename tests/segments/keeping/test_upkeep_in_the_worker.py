"""The real worker: what changes is in its segments within two seconds, whoever waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from apscheduler.schedulers.background import BackgroundScheduler

from app import clock, worker
from app.accounts.models import Organisation
from app.contacts.models import Contact as ContactRow
from app.db import transaction
from app.runtime import Runtime
from app.segments import definitions, membership
from tests.segments.people import move_in, person

WITHIN_S = 2.0


@contextmanager
def beating(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the worker's own loop with its own heartbeats, as ``zaallicht worker`` does, until the block ends."""
    stop: list[object] = []
    monkeypatch.setattr("signal.signal", lambda _number, handler: stop.append(handler))
    started, start = threading.Event(), BackgroundScheduler.start
    monkeypatch.setattr(BackgroundScheduler, "start", lambda self: (start(self), started.set())[0])
    loop = threading.Thread(target=worker.run, args=(runtime,))
    loop.start()
    assert started.wait(timeout=30)
    try:
        yield
    finally:
        handler = stop[0]
        assert callable(handler)
        handler(15, None)
        loop.join(timeout=60)
        assert not loop.is_alive()


def test_a_changed_contact_is_in_its_segments_within_two_seconds(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        one = move_in(session, *map(person, range(20))).world.contacts[0].id
        segment = definitions.create_segment(session, name="Vip", rule={"type": "tag", "tag": "vip"})
        changed = sa.update(ContactRow).where(ContactRow.id == one)
    taken = list[float]()
    with beating(runtime, monkeypatch):
        # Both ways, and more than once: the first change may come at any moment between two beats.
        for tags in (["vip"], [], ["vip"]):
            with transaction(runtime.engine, organisation.id) as session:
                session.execute(changed.values(tags=tags, updated_at=clock.now()))
            taken.append(waited(runtime, organisation, segment.id, {one} if tags else set()))
    assert sorted(taken)[1] < WITHIN_S, taken


def waited(runtime: Runtime, organisation: Organisation, segment_id: int, expected: set[int]) -> float:
    """How long it takes until the segment's members are these, in seconds."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        with transaction(runtime.engine, organisation.id) as session:
            if {each.contact_id for each in membership.members_now(session, segment_id)} == expected:
                break
        time.sleep(0.05)
    return time.monotonic() - began
