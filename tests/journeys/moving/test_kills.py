"""A worker may be killed between any two statements of a heartbeat: nothing happens twice, and nobody is lost."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from app import clock
from app.db import make_engine
from app.journeys.moving.beat import move_due
from app.runtime import Runtime
from tests.journeys.moving.house import Walks, tag, wait, when

STEPS = ["first", "set", "mail", "note", "hook", "which", "vip", "ways", "way", "rest", "last"]


def everything(house: Walks) -> int:
    ways = [{"name": "A", "weight": 1, "steps": [tag("way")]}]
    return house.run(
        tag("first"),
        {"id": "set", "type": "set", "field": "attributes.reis", "value": 1},
        house.send("mail"),
        {"id": "note", "type": "notify", "to": "desk@example.org", "text": "Kijk even."},
        {"id": "hook", "type": "webhook", "url": "https://example.org/x"},
        when("which", {"type": "tag", "tag": "first"}, [tag("vip")]),
        {"id": "ways", "type": "split", "branches": ways},
        wait("rest"),
        tag("last"),
    )


def beat_and_die(house: Walks, statement: int) -> bool:
    """A real process that moves people, and a real SIGKILL before its n-th statement; False where it got to the end."""
    with warnings.catch_warnings():
        # Newer Pythons warn of forking with threads about; the child does nothing but what it is forked for.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _beat_until(house, statement)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _beat_until(house: Walks, statement: int) -> None:
    reached = 0

    def count(*_args: Any) -> None:
        nonlocal reached
        reached += 1
        if reached == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        # The parent's connections are not ours to use: a pool of our own.
        engine = make_engine(house.runtime.engine.url.render_as_string(hide_password=False))
        for moment in ("before_cursor_execute", "commit"):
            sa.event.listen(engine, moment, count)
        with clock.set_to(house.now):
            move_due(Runtime(house.runtime.settings, house.runtime.keyring, engine), house.organisation.id)
        os._exit(0)
    finally:
        os._exit(1)


def finished(house: Walks, name: str, enrolment_id: int) -> None:
    """Everything happened to them, and once."""
    way = house.where(enrolment_id)
    assert way.state == "completed"
    assert house.tags(name) == ["first", "last", "vip", "way"]
    assert sorted(step for step, outcome, _ in house.log(enrolment_id) if outcome == "done") == sorted(STEPS)
    counts = {
        "delivery": "SELECT count(*) FROM delivery WHERE enrolment_id = :id",
        "journey_call": "SELECT count(*) FROM journey_call WHERE enrolment_id = :id",
    }
    for what, query in counts.items():
        assert house.do(lambda session, query=query: session.scalar(sa.text(query), {"id": enrolment_id})) == 1, what


def test_whatever_the_moment_everything_happens_once(house: Walks) -> None:
    """I21"""
    journey = everything(house)
    letters: Callable[[], int] = lambda: house.do(lambda s: s.scalar(sa.text("SELECT count(*) FROM letter"))) or 0  # noqa: E731
    statement, died = 0, [True, True]
    while any(died):
        statement += 1
        assert statement < 150
        name = f"p{statement}"
        house.friend(name)
        [way] = house.come_in(journey, name)
        for half in (0, 1):
            before = letters()
            died[half] = beat_and_die(house, statement)
            if statement % 5 == 0 and died[half]:
                beat_and_die(house, statement + 3)  # killed again, a little further
            house.move()
            assert letters() - before == (1 if half == 0 else 0)
            assert house.where(way).is_waiting is (half == 0)
            house.later(days=1)
        finished(house, name, way)
    assert statement > 25, "the list of statements was walked to its end"
