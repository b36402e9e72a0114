"""Whatever is told, in whatever order and however often, and whoever is killed meanwhile: each occurrence counts once.

A model in a few lines of Python says who enters; the house must agree after any sequence of bookings, changes, replays,
transactions that commit late, and heartbeats that are cut off after any number of statements.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from app import clock
from app.activities.ingest import upsert_participations
from app.db import transaction
from app.journeys.entering.beat import let_people_in
from integrations.base import ParticipationRecord
from tests.journeys.entering.house import ZONE, House

PEOPLE, SHOWS, LINES = ("an", "bob"), (1, 2), range(5)
COMING = ("booked", "attended")


class KilledError(Exception):
    """The worker is no more."""


@contextmanager
def killed_after(house: House, statements: int) -> Iterator[Callable[[], bool]]:
    """Within the block, the database connection breaks after so many statements; says whether it did."""
    left, engine = [statements], house.runtime.engine

    def count(*_: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError

    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        yield lambda: left[0] < 0
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)


def beat_until_killed(house: House, statements: int) -> bool:
    with killed_after(house, statements) as was_killed, clock.set_to(house.now):
        with suppress(KilledError):
            let_people_in(house.runtime, house.organisation.id)
        return was_killed()


@dataclass
class Model:
    """Who should have entered a journey that is about bookings, from which everybody is gone before the next look."""

    lines: dict[int, tuple[str, int, str]] = field(default_factory=dict)
    news: list[int] = field(default_factory=list)
    entered: Counter[str] = field(default_factory=Counter)
    parties: set[tuple[str, int]] = field(default_factory=set)

    def store(self, line: int, person: str, show: int, status: str) -> None:
        was = self.lines.get(line)
        self.lines[line] = (person, show, status)
        if status in COMING and (was is None or was[2] not in COMING):
            self.news.append(line)

    def look(self) -> None:
        heard: dict[str, list[tuple[str, int]]] = {}
        for line in self.news:
            person, show, status = self.lines[line]
            if status in COMING and (person, show) not in self.parties:
                heard.setdefault(person, []).append((person, show))
        self.news.clear()
        for person, parties in heard.items():
            # Nobody is in twice: of two parties that are heard of at once, one lets in.
            self.entered[person] += 1
            self.parties.add(parties[0])


ops = st.one_of(
    st.tuples(
        st.just("store"),
        st.sampled_from(LINES),
        st.sampled_from(PEOPLE),
        st.sampled_from(SHOWS),
        st.sampled_from(["booked", "attended", "cancelled", "pending"]),
    ),
    st.tuples(st.just("replay"), st.sampled_from(LINES)),
    st.tuples(st.just("open"), st.sampled_from(LINES), st.sampled_from(PEOPLE), st.sampled_from(SHOWS)),
    st.tuples(st.just("commit")),
    st.tuples(st.just("beat")),
    st.tuples(st.just("killed"), st.integers(0, 40)),
    st.tuples(st.just("move"), st.sampled_from(SHOWS), st.integers(1, 50)),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(ops, min_size=3, max_size=14))
def test_people_enter_as_the_model_says_whatever_happens_in_between(house: House, steps: list[tuple[Any, ...]]) -> None:
    run = Run(house)
    with ExitStack() as stack:
        for step in steps:
            note(str(step))
            run.take(stack, step)
        run.commit(stack)
        run.look()
    assert Counter(run.house.entered(run.journey)) == run.model.entered, steps


class Run:
    """One sequence: its own journey and its own people, in a house in which others went before."""

    number = 0

    def __init__(self, house: House) -> None:
        Run.number += 1
        self.house, self.model = house, Model()
        for journey in house.do(lambda session: session.scalars(sa.text("SELECT id FROM journey")).all()):
            house.turn(journey, "archived")
        house.later(days=1)
        self.starts = {show: house.now + timedelta(days=60) for show in SHOWS}
        for show in SHOWS:
            house.show(self.show(show), self.starts[show])
        for person in PEOPLE:
            house.person(person)
        self.journey = house.publish({"type": "participation", "on": "booked"})
        house.later(seconds=1)
        self.is_open: tuple[int, str, int] | None = None

    def show(self, show: int) -> int:
        return Run.number * 100 + show

    def record(self, line: int, person: str, show: int, status: str) -> ParticipationRecord:
        ticket, at = f"{Run.number}-{line}", self.house.now
        of = self.house.record(person)
        return ParticipationRecord("box", ticket, of, "box", str(self.show(show)), status=status, booked_at=at)

    def take(self, stack: ExitStack, step: tuple[Any, ...]) -> None:
        self.house.later(seconds=1)
        match step:
            case ("store", line, person, show, status) if self.is_open is None:
                self.house.store([self.record(line, person, show, status)])
                self.model.store(line, person, show, status)
            case ("replay", line) if self.is_open is None and line in self.model.lines:
                self.house.store([self.record(line, *self.model.lines[line])])
            case ("open", line, person, show) if self.is_open is None and line not in self.model.lines:
                self.open(stack, line, person, show)
            case ("commit",):
                self.commit(stack)
            case ("beat",):
                self.look()
            case ("killed", statements):
                # What was let in before the kill is finished like anybody else.
                if not beat_until_killed(self.house, statements):
                    self.model.look()
                    self.house.finish(self.journey)
                self.look()
            case ("move", show, days) if self.is_open is None:
                self.house.show(self.show(show), self.starts[show] + timedelta(days=days))

    def open(self, stack: ExitStack, line: int, person: str, show: int) -> None:
        """A booking whose transaction stays open while others go on."""
        with clock.set_to(self.house.now):
            session = stack.enter_context(transaction(self.house.runtime.engine, self.house.organisation.id))
            record = self.record(line, person, show, "booked")
            upsert_participations(
                session, self.house.runtime.keyring, [record], time_zone=ZONE, actor="test", at=self.house.now
            )
        self.is_open = (line, person, show)

    def commit(self, stack: ExitStack) -> None:
        if self.is_open is not None:
            stack.pop_all().close()
            line, person, show = self.is_open
            self.model.store(line, person, show, "booked")
            self.is_open = None

    def look(self) -> None:
        with clock.set_to(self.house.now):
            let_people_in(self.house.runtime, self.house.organisation.id)
        self.model.look()
        self.house.finish(self.journey)


def test_a_heartbeat_that_is_killed_between_any_two_statements_loses_and_repeats_nothing(house: House) -> None:
    house.show(1, house.now + timedelta(days=60))
    journey = house.publish({"type": "participation", "on": "booked"})
    visits = house.publish({"type": "activity", "offset": "-P90D"})
    statements, was_killed = 0, True
    while was_killed:
        for one in range(2):
            house.book(f"p{statements}x{one}", 1)
        house.later(seconds=31)
        was_killed = beat_until_killed(house, statements)
        house.beat()
        statements += 1
    everybody = sorted(f"p{number}x{one}" for number in range(statements) for one in range(2))
    assert statements > 20
    assert house.entered(journey) == house.entered(visits) == everybody
    assert house.away(journey) == house.away(visits) == {}


@pytest.mark.parametrize("on", ["booked", "attended"])
def test_two_workers_share_the_work_and_let_nobody_in_twice(house: House, on: str) -> None:
    house.show(1, house.now + timedelta(days=1))
    journeys = [house.publish({"type": "participation", "on": on}) for _ in range(2)]
    house.later(days=2)
    problems: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.is_set():
                with clock.set_to(house.now):
                    let_people_in(house.runtime, house.organisation.id)
        except BaseException as problem:
            problems.append(problem)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    people = [f"p{number}" for number in range(12)]
    for name in people:
        house.book(name, 1, status="attended", booked_at=house.now - timedelta(hours=1))
        house.book(name, 1, status="attended", booked_at=house.now - timedelta(hours=1))
    stop.set()
    for worker in workers:
        worker.join(timeout=30)
    house.beat()
    assert problems == []
    for journey in journeys:
        assert house.entered(journey) == sorted(people)
