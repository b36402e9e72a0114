"""Noes and erasures on their way to one destination, a round at a time.

1. What is due is read, with everything that stands for each address.
2. Look, with no transaction open: on which lists are they, and how?
3. The intent is committed, so that the echo of what follows is known as ours.
4. Tell, with no transaction open: leave the lists, block, delete.
5. How it ended is committed.

A worker may be killed anywhere: whatever is not settled is looked at again, and who is out by then is not told twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from app import clock
from app.audiences.clearing import line as lines
from app.audiences.clearing.errands import Errand, due_errands, has_due
from app.audiences.clearing.line import Line, release_line, take_line
from app.audiences.clearing.settling import Places, mark_failing, note_intents, postpone, settle
from app.audiences.clearing.standing import purposes_of_lists
from app.audiences.clearing.visits import Visit, begin, look, needs_telling, tell
from app.audiences.destinations import lent_taker
from app.audiences.problems import LeaseLost
from app.audiences.work import Reached, unwatched
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.connections import UnknownConnection, get_connection, record_failure, record_success
from app.sync.leases import OF_THE_CONNECTION
from integrations.abreast import abreast
from integrations.base import ConnectorError, OptOutTaker, Permanent

log = structlog.get_logger()

# What a person has to mend there, before anything is taken.
OF_THE_SYSTEM = frozenset({"may_not_write"})
# Calls side by side: fewer than a vendor bears, for a push may be under way too.
WIDTH = 3
# After this a beat lets other houses have their turn; the next beat goes on.
TURN = timedelta(seconds=30)


@dataclass(slots=True)
class Round:
    """What one round did. ``problem``: the system itself did not answer as it should, and the rest waits."""

    visits: list[Visit] = field(default_factory=list)
    postponed: int = 0
    problem: ConnectorError | None = None

    @property
    def settled(self) -> int:
        """How many errands are over."""
        return sum(visit.outcome is not None and visit.failure is None for visit in self.visits)


def carry_due(runtime: Runtime, organisation_id: int, connection_id: int, *, reached: Reached = unwatched) -> int:
    """Carry what is due to one destination and return how many errands are over.

    0 where nothing is due, where another worker is at it, and while the system does not answer.
    """
    with transaction(runtime.engine, organisation_id) as session:
        if not has_due(session, connection_id):
            return 0
    line = take_line(runtime, organisation_id, connection_id)
    if line is None:
        return 0
    try:
        return _carry_turn(line, reached)
    except LeaseLost:
        log.warning("clearing line lost", connection_id=connection_id)
        return 0
    finally:
        release_line(line)


def _carry_turn(line: Line, reached: Reached) -> int:
    try:
        with lent_taker(line.runtime, line.organisation_id, line.connection_id) as destination:
            return _carry_rounds(line, destination, reached)
    except UnknownConnection:
        return 0
    except ConnectorError as problem:  # opening it failed: what was filled in is wrong
        with line.fenced() as session:
            places = Places(session, line.connection_id, "")
            settle_problem(session, places, problem)
        return 0


def settle_problem(session: ScopedSession, places: Places, problem: ConnectorError) -> None:
    """Note that the system does not answer: on the line, on the connection, and on whatever waits for it."""
    lines.note_silence(session, places.connection_id, problem)
    connection = get_connection(session, places.connection_id)
    if connection.kind == "destination":  # how a source is doing is told by whoever reads it
        record_failure(connection, problem)
    mark_failing(session, places.connection_id, problem.code)


def _carry_rounds(line: Line, destination: OptOutTaker, reached: Reached) -> int:
    until, done = clock.now() + TURN, 0
    while clock.now() <= until:
        a_round = carry_round(line, destination, reached=reached)
        done += a_round.settled
        if a_round.problem is not None or not a_round.visits:
            break
    return done


def carry_round(line: Line, destination: OptOutTaker, *, reached: Reached = unwatched) -> Round:
    """Carry the next errands, and return what became of them; without visits there was nothing due.

    Raises LeaseLost. What the system does wrong is in the round, committed, and not raised.
    """
    with line.fenced() as session:
        connection = get_connection(session, line.connection_id)
        errands = due_errands(session, line.runtime.keyring, line.connection_id)
        places = Places(session, line.connection_id, connection.system)
        served = purposes_of_lists(session, line.connection_id)
        postpone(session, line.connection_id, _ids(one for one in errands if one.is_pushed_now))
    done = Round([begin(one) for one in errands if not one.is_pushed_now])
    done.postponed = len(errands) - len(done.visits)
    if not done.visits:
        return done
    open_ones = [visit for visit in done.visits if visit.outcome is None]
    done.problem = _each(open_ones, lambda visit: look(visit, destination, served.of))
    reached("looked")
    telling = [visit for visit in open_ones if needs_telling(visit, destination)] if done.problem is None else []
    if telling:
        with line.fenced() as session:
            note_intents(session, places, telling, destination)
        reached("noes announced")
        done.problem = _each(telling, lambda visit: tell(visit, destination))
        reached("unsubscribed there")
    with line.fenced() as session:
        _store(session, places, done, destination)
    reached("noes stored")
    return done


def _store(session: ScopedSession, places: Places, done: Round, destination: OptOutTaker) -> None:
    settle(session, places, done.visits, destination=destination)
    if done.problem is not None:
        settle_problem(session, places, done.problem)
        return
    lines.note_answer(session, places.connection_id)
    connection = get_connection(session, places.connection_id)
    if connection.kind == "destination":
        record_success(connection)


def _ids(errands: Iterable[Errand]) -> list[int]:
    return [clearing_id for errand in errands for clearing_id in errand.clearing_ids]


def _each(visits: Sequence[Visit], call: Callable[[Visit], None]) -> ConnectorError | None:
    """Make a call for each, some side by side. What is wrong with one person is theirs; what is wrong with the system
    stops the start of more calls, and is returned."""
    problems: list[ConnectorError] = []

    def attempt(visit: Visit) -> None:
        if problems:
            return
        try:
            call(visit)
        except ConnectorError as problem:
            if is_of_one_person(problem):
                visit.failure = problem.code
            else:
                problems.append(problem)

    for _ in abreast(attempt, visits, width=WIDTH):
        pass
    return problems[0] if problems else None


def is_of_one_person(problem: ConnectorError) -> bool:
    """Whether the system understood, and will not do it for this one person."""
    return isinstance(problem, Permanent) and problem.code not in OF_THE_CONNECTION | OF_THE_SYSTEM
