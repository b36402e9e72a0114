"""The heartbeat of segments: what may be out of date is evaluated, each segment in a transaction of its own."""

from __future__ import annotations

import sqlalchemy as sa
import structlog

from app.db import transaction
from app.runtime import Runtime
from app.segments.membership import due_segments, evaluate_segment
from app.segments.models import Segment
from app.segments.problems import SegmentError

log = structlog.get_logger()


def keep_segments_current(runtime: Runtime, organisation_id: int) -> int:
    """Evaluate every segment of an organisation that may be out of date; returns how many entries and exits it wrote.

    A segment that another worker is evaluating is left to that worker. One that cannot be evaluated is logged and does
    not keep the others waiting; it stays due.
    """
    with transaction(runtime.engine, organisation_id) as session:
        due = due_segments(session)
    return sum(_evaluate(runtime, organisation_id, segment_id) for segment_id in due)


def _evaluate(runtime: Runtime, organisation_id: int, segment_id: int) -> int:
    with transaction(runtime.engine, organisation_id) as session:
        free = sa.select(Segment.id).where(Segment.id == segment_id).with_for_update(skip_locked=True)
        if session.scalar(free) is None:
            return 0
        try:
            difference = evaluate_segment(session, segment_id)
        except SegmentError as error:
            log.warning("segment not evaluated", segment_id=segment_id, code=error.code)
            return 0
    return difference.entered + difference.left
