"""Segments that must be evaluated for everybody: another rule, too much change, or a day that edges cannot tell of."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from app import clock
from app.db import ScopedSession
from app.segments.compiling.scope import scope_of
from app.segments.keeping.evaluating import EVALUATION_S, Step, evaluate_fully, mark_problem
from app.segments.keeping.gone_names import existing_names, gone
from app.segments.keeping.kept import Kept, kept_segments
from app.segments.models import SegmentUpkeep
from app.segments.problems import NamesGoneError, SegmentError

log = structlog.get_logger()

SEGMENTS_A_PASS = 100


@dataclass
class Batch:
    """How many segments are evaluated in one pass: halved when one fails, so that a bad rule is found by itself."""

    size: int = SEGMENTS_A_PASS


def evaluate_due(session: ScopedSession, upkeep: SegmentUpkeep, batch: Batch) -> Step:
    """Evaluate some segments that are due in full, in one pass. The caller holds ``upkeep``.

    Where that cannot be done, the last good members stay and the segment says why.
    """
    scope, now = scope_of(session), clock.now()
    due = [one for one in kept_segments(session) if not one.is_current and one.is_due(scope.as_of, now)]
    ready = [one for one in due if not _is_kept_back(session, one)]
    group = ready[: batch.size]
    if not group:
        return Step()
    is_last = len(group) == len(ready)
    try:
        return Step(len(evaluate_fully(session, upkeep, group, scope, seconds=EVALUATION_S)), is_last)
    except SegmentError as problem:
        if len(group) > 1:
            batch.size = len(group) // 2
            return Step(is_last=False)
        _keep_last(session, group[0], problem)
        return Step(is_last=is_last)


def _is_kept_back(session: ScopedSession, kept: Kept) -> bool:
    """Whether a segment cannot be evaluated at all, or would lose members for a name that is gone."""
    if kept.problem is not None:
        _keep_last(session, kept, kept.problem)
        return True
    state = kept.state
    if state is None or not state.names or state.rule_sha256 != kept.rule_sha256:
        return False
    missing = gone(state.names, existing_names(session))
    if missing:
        _keep_last(session, kept, NamesGoneError(missing))
    return bool(missing)


def _keep_last(session: ScopedSession, kept: Kept, problem: SegmentError) -> None:
    log.warning("segment not evaluated", segment_id=kept.segment_id, code=problem.code)
    mark_problem(session, kept, problem)
    session.flush()
