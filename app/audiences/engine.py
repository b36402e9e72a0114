"""One run of an audience, from the lease to the last result. docs/developers/audiences.md tells it at length.

1. Take the lease: one writer per audience and per list.
2. Process what waits in the inbox, then read back everybody whose last push got no answer.
3. Pull the opt-outs and commit them to the ledger; a pull that fails ends the run, and nobody is pushed.
4. Carry out there what people said no to here. Opt-outs never wait for a person.
5. Plan the difference between who is wanted and who is there; take off those who are out anyway.
6. Brake: a first or large change, an empty segment or everybody waits for a person; a dry run ends here too.
7. Push chunk by chunk, each through the gate at the last moment; take our tag off who left.
8. Carry out once more what people said no to meanwhile. End the run, give the lease back.

Every network call is made with no transaction open, and everything in between is committed, so that a worker may be
killed anywhere: the next run finds rows that say what is not known, and reads them back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import update

from app import clock
from app.audiences.definitions import close_removed, find_audience
from app.audiences.destinations import lent_destination, place_of
from app.audiences.hooks import drain_inbox
from app.audiences.lease import Lease, release_lease, take_lease
from app.audiences.models import Audience, AudienceRun
from app.audiences.problems import HeldBack, LeaseLost, RunStopped
from app.audiences.running import GOES_ON, Ending, bring_home, done_before, go_through
from app.audiences.runs import RunOrder, begin_run, finish_run, request_run, requeue_run
from app.audiences.work import Reached, Work, unwatched
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.connections import UnknownConnection, get_connection, record_failure, record_success
from integrations.base import ConnectorError, Permanent, Transient

log = structlog.get_logger()

RUN_EVERY = timedelta(minutes=15)
POLL_EVERY = timedelta(minutes=5)
RETRY_AFTER = timedelta(minutes=5)
MENDED_AFTER = timedelta(hours=1)

Problem = ConnectorError | RunStopped | UnknownConnection
PROBLEMS = (ConnectorError, RunStopped, UnknownConnection)


def run_audience(runtime: Runtime, organisation_id: int, audience_id: int, *, dry_run: bool, trigger: str) -> int:
    """Run an audience now and return the run's id; the run's row tells how it went.

    Where somebody else writes to its list at the moment, the run stays queued. Raises UnknownAudience.
    """
    with transaction(runtime.engine, organisation_id) as session:
        find_audience(session, audience_id)
        run_id = request_run(session, audience_id, RunOrder(trigger=trigger, is_dry=dry_run), at=clock.now())
    carry_out(runtime, organisation_id, run_id)
    return run_id


def carry_out(runtime: Runtime, organisation_id: int, run_id: int, *, reached: Reached = unwatched) -> bool:
    """Carry out a queued run; False where it cannot begin now (or was begun by another worker).

    What goes wrong outside ends as the run's failure. Anything else is a fault of ours: the run fails and it is raised.
    """
    with transaction(runtime.engine, organisation_id) as session:
        begun = _begin(session, run_id)
    if begun is None:
        return False
    run, audience, lease = begun
    reached("begun")
    told: dict[str, Any] = {name: count for name, count in run.counts.items() if name != "in_batch"}

    def course(work: Work) -> Ending:
        return go_through(work, run, told)

    ending, counts, problem = _attempt(
        runtime, audience, lease, course=course, run_id=run_id, reached=reached, done=done_before(run)
    )
    if ending is not None:
        with transaction(runtime.engine, organisation_id) as session:
            if ending.state == GOES_ON:
                requeue_run(session, run_id, counts={**told, **counts})
            else:
                finish_run(
                    session,
                    run_id,
                    state=ending.state,
                    counts={**told, **counts},
                    failure_code=ending.failure_code,
                    at=clock.now(),
                )
            _settle(session, audience, lease, ending=ending, problem=problem)
        reached("ended")
    return True


def poll(runtime: Runtime, organisation_id: int, audience_id: int, *, reached: Reached = unwatched) -> bool:
    """Between two runs, and while an audience is paused: opt-outs come home, and ours go there. Nobody is pushed.

    Returns False where somebody else writes to the list now.
    """
    with transaction(runtime.engine, organisation_id) as session:
        audience = find_audience(session, audience_id)
        lease = take_lease(session, audience_id, at=clock.now())
    if lease is None:
        return False

    def course(work: Work) -> Ending:
        bring_home(work)
        return Ending("done")

    ending, _, problem = _attempt(runtime, audience, lease, course=course, run_id=None, reached=reached, done=Counter())
    if ending is not None:
        with transaction(runtime.engine, organisation_id) as session:
            _note_connection(session, audience, problem)
            wait = POLL_EVERY if problem is None else _wait(problem)
            _update(session, audience, next_poll_at=clock.now() + wait)
            release_lease(session, lease)
    return True


def _begin(session: ScopedSession, run_id: int) -> tuple[AudienceRun, Audience, Lease] | None:
    queued = session.get(AudienceRun, (session.organisation_id, run_id))
    if queued is None or queued.state != "queued":
        return None
    lease = take_lease(session, queued.audience_id, at=clock.now())
    if lease is None:
        return None
    run = begin_run(session, run_id, at=clock.now())
    if run is None:
        release_lease(session, lease)
        return None
    audience = session.get_one(Audience, (session.organisation_id, run.audience_id), populate_existing=True)
    return run, audience, lease


def _attempt(
    runtime: Runtime,
    audience: Audience,
    lease: Lease,
    *,
    course: Callable[[Work], Ending],
    run_id: int | None,
    reached: Reached,
    done: Counter[str],
) -> tuple[Ending | None, dict[str, int], Problem | None]:
    """Go through a course; returns how it ended (None: the lease was lost, so that there is nothing left to write)."""
    counts: dict[str, int] = dict(done)
    try:
        drain_inbox(runtime, audience.organisation_id)
        reached("inbox drained")
        with lent_destination(runtime, audience.organisation_id, audience.connection_id) as destination:
            place = place_of(runtime, audience)
            work = Work(runtime, audience, place, destination, lease, run_id=run_id, reached=reached, counts=done)
            try:
                return course(work), dict(work.counts), None
            finally:
                counts = dict(work.counts)
    except LeaseLost:
        log.warning("audience run lost its lease", audience_id=audience.id, run_id=run_id)
        return None, counts, None
    except HeldBack:
        return Ending("abandoned"), counts, None
    except PROBLEMS as problem:
        return Ending("failed", _code_of(problem)), counts, problem
    except Exception:
        _end_badly(runtime, audience, lease, run_id=run_id, counts=counts)
        raise


def _end_badly(
    runtime: Runtime, audience: Audience, lease: Lease, *, run_id: int | None, counts: dict[str, int]
) -> None:
    """A fault of ours: note it, and let the next run read back what is open."""
    with transaction(runtime.engine, audience.organisation_id) as session:
        if run_id is not None:
            finish_run(session, run_id, state="failed", counts=counts, failure_code="unexpected", at=clock.now())
        later = clock.now() + MENDED_AFTER
        _update(session, audience, next_run_at=later, next_poll_at=later)
        release_lease(session, lease)


def _settle(
    session: ScopedSession, audience: Audience, lease: Lease, *, ending: Ending, problem: Problem | None
) -> None:
    _note_connection(session, audience, problem)
    now = clock.now()
    if audience.state == "removed" and ending.state == "done":
        close_removed(session, audience.id)
    elif audience.state in ("active", "removed"):
        _update(session, audience, next_run_at=now + (RUN_EVERY if problem is None else _wait(problem)))
    if problem is None:
        _update(session, audience, next_poll_at=now + POLL_EVERY)
    release_lease(session, lease)


def _note_connection(session: ScopedSession, audience: Audience, problem: Problem | None) -> None:
    """The connection's own page tells how it is doing; what is wrong with an audience is no fault of the connection."""
    try:
        connection = get_connection(session, audience.connection_id)
    except UnknownConnection:
        return
    if problem is None:
        record_success(connection)
    elif isinstance(problem, ConnectorError) and problem.code != "not_found":
        record_failure(connection, problem)


def _wait(problem: Problem) -> timedelta:
    if isinstance(problem, Transient) and problem.retry_after_s is not None:
        return max(RETRY_AFTER, timedelta(seconds=problem.retry_after_s))
    return MENDED_AFTER if isinstance(problem, Permanent | RunStopped | UnknownConnection) else RETRY_AFTER


def _code_of(problem: Problem) -> str:
    if isinstance(problem, UnknownConnection):
        return "connection_removed"
    return "list_missing" if problem.code == "not_found" else problem.code


def _update(session: ScopedSession, audience: Audience, **values: datetime) -> None:
    session.execute(update(Audience).where(Audience.id == audience.id).values(**values))
