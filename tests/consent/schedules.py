"""Running two transactions on real PostgreSQL through every order of their steps.

An actor runs in a thread of its own and stops before the statements named, and before its commit. The conductor lets
one actor go on at a time: until its next stop, its end, or until PostgreSQL says that it waits for a lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from itertools import chain, cycle
from typing import Any

from sqlalchemy import event, text

from app.db import ScopedSession, open_session
from app.runtime import Runtime

PATIENCE_S = 30


class Actor:
    """One transaction, run step by step. ``result`` is what its work returned, ``failure`` what it raised."""

    def __init__(
        self, runtime: Runtime, organisation_id: int, work: Callable[[ScopedSession], Any], stops: Sequence[str]
    ) -> None:
        self.result: Any = None
        self.failure: BaseException | None = None
        self.is_done = False
        self.pid = 0
        self._runtime, self._organisation_id, self._work, self._stops = runtime, organisation_id, work, stops
        self._state = threading.Condition()
        self._may_go = False
        self._is_stopped = False
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,))
        self._thread.start()
        self._wait_for_stop()

    def step(self, is_blocked: Callable[[int], bool]) -> None:
        """Let the actor go to its next stop; returns early when it waits for somebody else's lock."""
        if self.is_done or not self._has_halted(0.001):
            return
        with self._state:
            self._is_stopped, self._may_go = False, True
            self._state.notify_all()
        while not self._has_halted(0.001):
            if is_blocked(self.pid):
                return

    def join(self) -> None:
        """Wait for the thread's end."""
        self._thread.join(PATIENCE_S)

    def _has_halted(self, timeout_s: float) -> bool:
        with self._state:
            return self._state.wait_for(lambda: self._is_stopped or self.is_done, timeout_s)

    def _wait_for_stop(self) -> None:
        if not self._has_halted(PATIENCE_S):
            raise AssertionError("an actor got stuck")

    def _stop(self) -> None:
        with self._state:
            self._is_stopped = True
            self._state.notify_all()
            if not self._state.wait_for(lambda: self._may_go, PATIENCE_S):
                raise AssertionError("nobody let the actor go on")
            self._may_go = False

    def _run(self) -> None:
        session = open_session(self._runtime.engine, self._organisation_id)
        try:
            connection = session.connection()
            self.pid = int(session.scalar(text("SELECT pg_backend_pid()")) or 0)
            event.listen(connection, "before_cursor_execute", self._before_statement)
            self._stop()
            self.result = self._work(session)
            self._stop()
            session.commit()
        except BaseException as failure:
            self.failure = failure
            session.rollback()
        finally:
            session.close()
            with self._state:
                self.is_done = True
                self._state.notify_all()

    def _before_statement(self, _connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if any(stop in statement for stop in self._stops):
            self._stop()


def schedules(*steps: int) -> Iterator[str]:
    """Yield every order of the steps of some actors, as strings of a, b, c, …: ``schedules(2, 1)`` is aab, aba, baa."""

    def orders(left: tuple[int, ...]) -> Iterator[str]:
        if not any(left):
            yield ""
        for place, count in enumerate(left):
            if count:
                rest = (*left[:place], count - 1, *left[place + 1 :])
                yield from (chr(ord("a") + place) + order for order in orders(rest))

    yield from orders(steps)


def conduct(runtime: Runtime, schedule: str, actors: dict[str, Actor]) -> str:
    """Run a schedule to its end; return the actors in the order of their commits. Raises what they raised."""
    commits: list[str] = []
    with runtime.engine.connect() as watcher:

        def is_blocked(pid: int) -> bool:
            blockers = watcher.scalar(text("SELECT cardinality(pg_blocking_pids(:pid))"), {"pid": pid})
            watcher.rollback()
            return bool(blockers)

        # After the schedule, whoever waited for a lock is let go on in turn until all have ended.
        deadline = time.monotonic() + PATIENCE_S
        for name in chain(schedule, cycle(actors)):
            actors[name].step(is_blocked)
            commits += [each for each in actors if actors[each].is_done and each not in commits]
            if len(commits) == len(actors):
                break
            if time.monotonic() > deadline:
                raise AssertionError(f"schedule {schedule} does not end")
    for actor in actors.values():
        actor.join()
        if actor.failure is not None:
            raise actor.failure
    return "".join(commits)
