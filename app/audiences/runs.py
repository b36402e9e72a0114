"""The rows of runs: asked for, begun, ended, confirmed.

    queued ◄─► running ──► done         (a long push goes on turn by turn)
                  │ ├────► planned    (a dry run, or the look before a first push: waits for a person)
                  │ ├────► braked     (waits for a person)
                  │ ├────► failed     (``failure_code`` says why; the next run goes on)
                  │ └────► abandoned  (its worker died, or a person said "not now")

Changes of state are conditional updates, so that of two workers only one begins a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, cast, delete, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, distinct_on, insert

from app.audiences.models import AudienceRun
from app.audiences.plan import Confirmation
from app.audiences.problems import NothingToConfirm, UnknownRun
from app.db import ScopedSession

CONFIRMATION_LASTS = timedelta(days=2)
WAITING = ("planned", "braked")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """What is asked of a run. ``is_confirmed`` lets it through the brake, up to ``confirms_run_id``'s plan if given."""

    trigger: str
    is_dry: bool = False
    is_confirmed: bool = False
    confirms_run_id: int | None = None
    confirmed_by: int | None = None


def request_run(session: ScopedSession, audience_id: int, order: RunOrder, *, at: datetime) -> int:
    """Queue a run and return its id. One that is queued already is the same run; the stronger order wins."""
    statement = insert(AudienceRun).values(
        organisation_id=session.organisation_id,
        audience_id=audience_id,
        is_dry=order.is_dry,
        state="queued",
        trigger=order.trigger,
        counts={},
        is_confirmed=order.is_confirmed,
        confirms_run_id=order.confirms_run_id,
        confirmed_by=order.confirmed_by,
        started_at=at,
    )
    asked = {
        name: getattr(statement.excluded, name)
        for name in ("trigger", "is_dry", "is_confirmed", "confirms_run_id", "confirmed_by")
    }
    is_stronger = not order.is_dry and (order.is_confirmed or order.trigger != "schedule")
    queued = statement.on_conflict_do_update(
        index_elements=["organisation_id", "audience_id"],
        index_where=text("state = 'queued'"),  # no parameter: a prepared statement would not find the index
        set_=asked if is_stronger else {"started_at": AudienceRun.started_at},
    )
    return int(session.execute(queued.returning(AudienceRun.id)).scalar_one())


def begin_run(session: ScopedSession, run_id: int, *, at: datetime) -> AudienceRun | None:
    """Begin a queued run, with the audience's lease in hand; None where it was begun or overtaken.

    Runs of the same audience that still say ``running`` lost their worker: they are abandoned. A confirmation that such
    a run, or a failed one, did not use up goes on to this one.
    """
    begun = session.scalars(
        update(AudienceRun)
        .where(AudienceRun.id == run_id, AudienceRun.state == "queued")
        # A run that goes on began when its first turn did.
        .values(
            state="running", started_at=case((AudienceRun.counts == cast({}, JSONB), at), else_=AudienceRun.started_at)
        )
        .returning(AudienceRun)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if begun is None:
        return None
    session.execute(
        update(AudienceRun)
        .where(AudienceRun.audience_id == begun.audience_id, AudienceRun.state == "running", AudienceRun.id != run_id)
        .values(state="abandoned", finished_at=at)
    )
    if not begun.is_dry and not begun.is_confirmed:
        _inherit_confirmation(session, begun, at=at)
    return begun


def _inherit_confirmation(session: ScopedSession, begun: AudienceRun, *, at: datetime) -> None:
    previous = session.scalars(
        select(AudienceRun)
        .where(AudienceRun.audience_id == begun.audience_id, AudienceRun.id < begun.id, ~AudienceRun.is_dry)
        .order_by(AudienceRun.id.desc())
        .limit(1)
    ).one_or_none()
    if previous is None or previous.state not in ("abandoned", "failed") or not previous.is_confirmed:
        return
    if at - previous.started_at <= CONFIRMATION_LASTS:
        begun.is_confirmed = True
        begun.confirms_run_id, begun.confirmed_by = previous.confirms_run_id, previous.confirmed_by
        session.flush()


def finish_run(
    session: ScopedSession,
    run_id: int,
    *,
    state: str,
    counts: Mapping[str, Any],
    at: datetime,
    failure_code: str | None = None,
) -> None:
    """End a run. Of the scheduled runs that found nothing to do, only the last is kept."""
    ended = session.scalars(
        update(AudienceRun)
        .where(AudienceRun.id == run_id, AudienceRun.state == "running")
        .values(state=state, counts=dict(counts), failure_code=failure_code, finished_at=at)
        .returning(AudienceRun)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if ended is not None and _is_quiet(ended):
        session.execute(
            delete(AudienceRun).where(
                AudienceRun.audience_id == ended.audience_id,
                AudienceRun.id < run_id,
                AudienceRun.state == "done",
                AudienceRun.trigger == "schedule",
                AudienceRun.counts["is_quiet"].as_boolean(),
            )
        )


def requeue_run(session: ScopedSession, run_id: int, *, counts: Mapping[str, Any]) -> None:
    """Let a run that is not at its end go on at the next beat. Whatever was queued meanwhile is what it does anyway."""
    run = session.scalars(
        select(AudienceRun).where(AudienceRun.id == run_id, AudienceRun.state == "running").with_for_update()
    ).one_or_none()
    if run is None:
        return
    session.execute(
        delete(AudienceRun).where(AudienceRun.audience_id == run.audience_id, AudienceRun.state == "queued")
    )
    run.state, run.counts = "queued", dict(counts)


def note_progress(session: ScopedSession, run_id: int, counts: Mapping[str, Any]) -> None:
    """Note what was done so far on a run that is under way."""
    session.execute(
        update(AudienceRun)
        .where(AudienceRun.id == run_id, AudienceRun.state == "running")
        .values(counts=AudienceRun.counts.concat(cast(dict(counts), JSONB)))
        .execution_options(synchronize_session=False)
    )


def _is_quiet(run: AudienceRun) -> bool:
    return run.state == "done" and run.trigger == "schedule" and bool(run.counts.get("is_quiet"))


def confirm_run(session: ScopedSession, run_id: int, *, confirmed_by: int | None, at: datetime) -> int:
    """Let a planned or braked run happen, at its size: queues the run that does it and returns its id.

    Raises UnknownRun, or NothingToConfirm where it no longer waits or a later run has overtaken it.
    """
    run = find_run(session, run_id)
    latest = latest_runs(session, [run.audience_id])[run.audience_id]
    if run.state not in WAITING or latest.id != run.id:
        raise NothingToConfirm(run_id)
    changed = session.execute(
        update(AudienceRun)
        .where(AudienceRun.id == run_id, AudienceRun.state.in_(WAITING), ~AudienceRun.is_confirmed)
        .values(is_confirmed=True, confirmed_by=confirmed_by)
        .returning(AudienceRun.id)
    ).first()
    if changed is None:
        raise NothingToConfirm(run_id)
    order = RunOrder(trigger="confirmed", is_confirmed=True, confirms_run_id=run_id, confirmed_by=confirmed_by)
    return request_run(session, run.audience_id, order, at=at)


def dismiss_run(session: ScopedSession, run_id: int, *, at: datetime) -> None:
    """Say "not now" to a run that waits. Raises UnknownRun or NothingToConfirm."""
    find_run(session, run_id)
    changed = session.execute(
        update(AudienceRun)
        .where(AudienceRun.id == run_id, AudienceRun.state.in_(WAITING), ~AudienceRun.is_confirmed)
        .values(state="abandoned", finished_at=at)
        .returning(AudienceRun.id)
    ).first()
    if changed is None:
        raise NothingToConfirm(run_id)


def drop_queued_run(session: ScopedSession, audience_id: int, *, at: datetime) -> None:
    """Take back a run that has not begun, where there is one."""
    session.execute(
        update(AudienceRun)
        .where(AudienceRun.audience_id == audience_id, AudienceRun.state == "queued")
        .values(state="abandoned", finished_at=at)
    )


def confirmation_of(session: ScopedSession, run: AudienceRun) -> Confirmation | None:
    """Return what a person let through, or None where nobody confirmed anything."""
    if not run.is_confirmed:
        return None
    if run.confirms_run_id is None:
        return Confirmation(None)
    counts = find_run(session, run.confirms_run_id).counts
    return Confirmation(int(counts.get("add", 0)) + int(counts.get("remove", 0)))


def find_run(session: ScopedSession, run_id: int) -> AudienceRun:
    """Return a run; raises UnknownRun."""
    run = session.get(AudienceRun, (session.organisation_id, run_id))
    if run is None:
        raise UnknownRun(run_id)
    return run


def runs_of(
    session: ScopedSession, audience_id: int, *, before_id: int | None = None, limit: int = 20
) -> Sequence[AudienceRun]:
    """Return an audience's runs, the newest first, from below ``before_id`` on."""
    query = select(AudienceRun).where(AudienceRun.audience_id == audience_id).order_by(AudienceRun.id.desc())
    if before_id is not None:
        query = query.where(AudienceRun.id < before_id)
    return session.scalars(query.limit(limit)).all()


def latest_runs(session: ScopedSession, audience_ids: Sequence[int]) -> dict[int, AudienceRun]:
    """Return the last run of each audience that has one."""
    rows = session.scalars(
        select(AudienceRun)
        .where(AudienceRun.audience_id.in_(audience_ids))
        .order_by(AudienceRun.audience_id, AudienceRun.id.desc())
        .ext(distinct_on(AudienceRun.audience_id))
    )
    return {run.audience_id: run for run in rows}


def queued_runs(session: ScopedSession) -> Sequence[AudienceRun]:
    """Return every run that waits for a worker, the oldest first."""
    return session.scalars(select(AudienceRun).where(AudienceRun.state == "queued").order_by(AudienceRun.id)).all()
