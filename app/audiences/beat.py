"""The heartbeat of audiences: runs that were asked for, runs that are due, and the poll for opt-outs in between."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select, update

from app import clock
from app.audiences.engine import RUN_EVERY, carry_out, poll
from app.audiences.models import Audience
from app.audiences.runs import RunOrder, latest_runs, queued_runs, request_run
from app.db import ScopedSession, transaction
from app.runtime import Runtime

# How often one looks: somebody may be waiting for the run they asked for.
LOOK_EVERY = timedelta(seconds=10)


def keep_audiences(runtime: Runtime, organisation_id: int) -> int:
    """Do what is due for a house and return how many runs and polls that were; safe with any number of workers."""
    with transaction(runtime.engine, organisation_id) as session:
        _queue_due(session)
        runs = [run.id for run in queued_runs(session)]
    done = sum(carry_out(runtime, organisation_id, run_id) for run_id in runs)
    with transaction(runtime.engine, organisation_id) as session:
        due = _due_polls(session)
    return done + sum(poll(runtime, organisation_id, audience_id) for audience_id in due)


def _queue_due(session: ScopedSession) -> None:
    """Queue every audience whose time has come; one that waits for a person is only polled meanwhile."""
    now = clock.now()
    due = session.scalars(
        select(Audience).where(Audience.next_run_at <= now, Audience.state.in_(("active", "removed")))
    ).all()
    latest = latest_runs(session, [audience.id for audience in due])
    for audience in due:
        last = latest.get(audience.id)
        is_waiting = last is not None and last.state == "braked" and not last.is_confirmed
        if audience.state == "removed":
            request_run(session, audience.id, RunOrder(trigger="removal", is_confirmed=True), at=now)
        elif not is_waiting:
            request_run(session, audience.id, RunOrder(trigger="schedule"), at=now)
        session.execute(update(Audience).where(Audience.id == audience.id).values(next_run_at=now + RUN_EVERY))


def _due_polls(session: ScopedSession) -> list[int]:
    now = clock.now()
    return list(
        session.scalars(
            select(Audience.id)
            .where(Audience.state.in_(("active", "paused")))
            .where(or_(Audience.next_poll_at <= now, Audience.next_poll_at.is_(None)))
            .order_by(Audience.id)
        )
    )
