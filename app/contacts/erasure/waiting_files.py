"""Files with people in them that were uploaded: gone, or stopped, when one of those people is erased."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from app.contacts.erasure.traces import Traces
from app.contacts.models import ImportJob
from app.db import ScopedSession

FINISHED = ("done", "failed", "cancelled")
PROBLEM = "erased_inside"


def forget_files(session: ScopedSession, traces: Traces, *, at: datetime) -> int:
    """Empty finished files and every preview, and stop what waits with the person inside; returns how many stopped.

    What a running import stored stays. Whoever uploaded the file is told to bring it again without them.
    """
    job = ImportJob
    session.execute(update(job).where(job.preview.is_not(None)).values(preview=None))
    session.execute(update(job).where(job.content.is_not(None), job.state.in_(FINISHED)).values(content=None))
    stopped = 0
    for job_id in session.scalars(select(job.id).where(job.content.is_not(None)).order_by(job.id)).all():
        content = session.scalar(select(job.content).where(job.id == job_id))
        if content is None or not traces.are_in(bytes(content), by_name=True):
            continue
        stopped += 1
        session.execute(
            update(job)
            .where(job.id == job_id)
            .values(state="cancelled", problem=PROBLEM, content=None, finished_at=at, lease_until=None)
        )
    return stopped
