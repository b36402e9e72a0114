"""Two workers, one person; a no in the middle of a step; publishing while people move."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from app import clock
from app.accounts.audit import SYSTEM
from app.consent import gate
from app.db import ScopedSession, transaction
from app.journeys.moving.beat import move_batch
from app.journeys.publishing import publish
from app.journeys.running import pause_journey
from tests.journeys.moving.house import Walks, tag, wait


@contextmanager
def moving(house: Walks, journey_id: int) -> Iterator[ScopedSession]:
    """A worker that has moved people and not committed yet; what is done inside happens meanwhile."""
    with clock.set_to(house.now), transaction(house.runtime.engine, house.organisation.id) as session:
        assert move_batch(session, house.runtime, journey_id) > 0
        yield session


def test_two_workers_never_move_the_same_person(house: Walks) -> None:
    for name in ("an", "ben"):
        house.friend(name)
    journey = house.run(tag("x"), house.send("m"))
    house.come_in(journey, "an")
    with moving(house, journey):
        assert house.move() == 0, "an is held by the other"
        house.come_in(journey, "ben")
        assert house.move() == 1, "ben is nobody's"
    assert house.move() == 0
    assert sorted(house.mails()) == sorted((house.names[name], "m", "planned") for name in ("an", "ben"))


def test_many_workers_at_once_do_everything_once(house: Walks) -> None:
    names = [f"p{number}" for number in range(60)]
    for name in names:
        house.friend(name)
    journey = house.run(tag("x"), house.send("m"), wait("w"), tag("y"))
    house.come_in(journey, *names)
    start = threading.Barrier(4)
    moved: list[int] = []

    def work() -> None:
        start.wait()
        for _ in range(20):
            with clock.set_to(house.now), transaction(house.runtime.engine, house.organisation.id) as session:
                moved.append(move_batch(session, house.runtime, journey, limit=7))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(moved) == 60
    assert len(house.mails()) == 60
    query = sa.text("SELECT count(*), count(DISTINCT enrolment_id) FROM journey_visit WHERE step_id = 'm'")
    counted = house.do(lambda session: session.execute(query).one())
    assert tuple(counted) == (60, 60)


def test_a_no_that_comes_while_the_mail_is_planned_is_kept_at_the_claim(house: Walks) -> None:
    house.friend("an")
    journey = house.run(house.send("m"), wait("w"), tag("late"))
    [an] = house.come_in(journey, "an")
    with moving(house, journey):
        house.says("an", "withdrawn")
    assert len(house.mails()) == 1
    contact_id = house.names["an"]
    [decision] = house.do(
        lambda session: gate.claim(
            session, channel="email", purpose="newsletter", contact_ids=[contact_id], at=house.now
        )
    )
    assert not decision.is_allowed
    house.later(days=1)
    house.move()
    assert house.where(an).left_because == "no_permission"
    assert house.tags("an") == []


def test_publishing_waits_for_who_is_moved_this_moment_and_then_moves_them_over(house: Walks) -> None:
    house.friend("an")
    journey = house.run(tag("x"), wait("w", "P10D"), tag("old"))
    [an] = house.come_in(journey, "an")
    house.edit(journey, tag("x"), wait("w", "P2D"), tag("new"))
    done = threading.Event()

    def published() -> None:
        with clock.set_to(house.now), transaction(house.runtime.engine, house.organisation.id) as session:
            result = publish(session, journey, actor=SYSTEM, inside={"w": "move"})
            assert result.moved == 1
        done.set()

    with moving(house, journey):
        other = threading.Thread(target=published)
        other.start()
        assert not done.wait(0.4), "the new version waits for the batch"
    other.join(10)
    assert done.is_set()
    way = house.where(an)
    assert (way.version, way.step_id, way.wake_at) == (2, "w", house.now.replace(day=22))
    house.later(days=2)
    house.move()
    assert house.tags("an") == ["new", "x"]


def test_a_pause_holds_from_the_moment_it_is_there(house: Walks) -> None:
    house.friend("an")
    journey = house.run(tag("x"))
    house.come_in(journey, "an")
    with clock.set_to(house.now), transaction(house.runtime.engine, house.organisation.id) as session:
        pause_journey(session, journey, actor=SYSTEM)
    assert house.move() == 0
    assert house.tags("an") == []


def test_somebody_who_is_being_changed_is_moved_a_moment_later_and_nobody_waits_for_the_other(house: Walks) -> None:
    for name in ("an", "ben"):
        house.friend(name)
    journey = house.run(tag("x"), tag("y"))
    house.come_in(journey, "an", "ben")
    lock = sa.text("SELECT id FROM contact WHERE id = :id FOR UPDATE")
    with clock.set_to(house.now), transaction(house.runtime.engine, house.organisation.id) as other:
        other.execute(lock, {"id": house.names["an"]})
        house.move()
        assert house.tags("ben") == ["x", "y"]
    assert house.tags("an") == []
    house.later(seconds=5)
    house.move()
    assert house.tags("an") == ["x", "y"]
