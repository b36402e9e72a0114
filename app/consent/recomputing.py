"""What follows from changed rules, recomputed in the background: resumable, with progress, and never open meanwhile.

Whoever changes the rules of a purpose or the country of the house leaves a row here, by trigger, so that no page or
command can forget it. From that commit on the gate holds every stored yes to the new rules as well (migration 0024), so
that nothing is allowed that they deny; what they allow beyond the old ones follows as the subjects are recomputed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, exists, func, null, or_, select, true, update

from app import clock
from app.consent.models import ConsentEvent, Purpose, Recomputation
from app.consent.rebuild import rebuild
from app.db import ScopedSession, transaction
from app.runtime import Runtime

SUBJECTS_A_STEP = 1000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recomputation is: of which purpose (None: of all), and how many subjects of how many are done."""

    purpose: str | None
    done: int
    total: int


def progress_of(session: ScopedSession) -> list[Progress]:
    """Return what is still being recomputed, oldest first."""
    row = Recomputation
    found = session.scalars(select(row).where(row.finished_at.is_(None)).order_by(row.id))
    return [
        Progress(each.purpose, each.subjects_done, each.subjects_total or _count(session, each.purpose))
        for each in found
    ]


def recompute_step(session: ScopedSession) -> bool:
    """Recompute the next subjects of the oldest change; returns whether there was anything to do.

    Nobody else takes the same change until the commit. A worker that is killed loses one step.
    """
    row = Recomputation
    due = session.scalars(
        select(row).where(row.finished_at.is_(None)).order_by(row.id).limit(1).with_for_update(skip_locked=True)
    ).one_or_none()
    if due is None:
        return False
    if due.subjects_total is None:
        due.subjects_total = _count(session, due.purpose)
    keys = list(session.scalars(_subjects(due.purpose, after=due.after_key).limit(SUBJECTS_A_STEP)))
    if keys:
        rebuild(session, subject_keys=[bytes(key) for key in keys])
        due.after_key, due.subjects_done = bytes(keys[-1]), due.subjects_done + len(keys)
    if len(keys) < SUBJECTS_A_STEP:
        due.finished_at, due.after_key = clock.now(), None
        session.flush()
        _settle(session)
    session.flush()
    return True


def recompute_all_due(runtime: Runtime, organisation_id: int) -> int:
    """Recompute everything that waits for one organisation, a step per transaction; returns the steps (a heartbeat)."""
    steps = 0
    while True:
        with transaction(runtime.engine, organisation_id) as session:
            if not recompute_step(session):
                return steps
        steps += 1


def recompute_now_if_few(session: ScopedSession) -> bool:
    """Recompute in the caller's transaction where that is one step; returns whether nothing is left to wait for."""
    waiting = progress_of(session)
    if len(waiting) != 1 or waiting[0].total >= SUBJECTS_A_STEP:
        return not waiting
    recompute_step(session)
    return True


def _settle(session: ScopedSession) -> None:
    """Let the gate go back to the stored answers, for purposes of which nothing is waiting any more."""
    row = Recomputation
    waits = exists().where(row.finished_at.is_(None), or_(row.purpose.is_(None), row.purpose == Purpose.code))
    session.execute(
        update(Purpose).where(Purpose.tightened_at.is_not(None), ~waits).values(tightened_at=null()),
        execution_options={"synchronize_session": False},
    )
    session.expire_all()


def _subjects(purpose: str | None, *, after: bytes | None) -> Select[bytes]:
    key = ConsentEvent.subject_key
    query = select(key).where(_concerned(purpose)).distinct().order_by(key)
    return query if after is None else query.where(key > after)


def _count(session: ScopedSession, purpose: str | None) -> int:
    query = select(func.count(ConsentEvent.subject_key.distinct())).where(_concerned(purpose))
    return session.scalar(query) or 0


def _concerned(purpose: str | None) -> ColumnElement[bool]:
    return true() if purpose is None else ConsentEvent.purpose == purpose
