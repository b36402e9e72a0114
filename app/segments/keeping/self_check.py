"""Every night the kept members are compared with a full evaluation of every segment, in one pass.

There is never a difference, and this is how we know. Where there is one, it is repaired at once, with entries and exits
that say so, and reported as the defect it is: in the log, in the audit trail, and as a number for operators.
"""

from __future__ import annotations

from collections import Counter
from datetime import time
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog

from app import clock
from app.accounts import audit
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.segments.changes import forget_changes
from app.segments.compiling.scope import scope_of
from app.segments.keeping.alike_visits import find_differing_visits, refresh_alike_visits, stored_visits
from app.segments.keeping.changed_contacts import peek_changed
from app.segments.keeping.difference import find_turns
from app.segments.keeping.entries import Occasion, Turn, hold_upkeep, write_turns
from app.segments.keeping.evaluating import EVALUATION_S, attempt
from app.segments.keeping.kept import kept_segments
from app.segments.keeping.permitted import find_differences, refresh_permitted
from app.segments.models import SegmentUpkeep
from app.segments.problems import SegmentError

log = structlog.get_logger()

# When the house sleeps: after the day began, before anybody looks.
FROM = time(3, 0)


def check_segments(runtime: Runtime, organisation_id: int) -> int:
    """Compare once a night, and repair; returns how many memberships differed (0, unless there is a defect)."""
    with transaction(runtime.engine, organisation_id) as session:
        if not _is_due(session):
            return 0
    with transaction(runtime.engine, organisation_id) as session:
        upkeep = hold_upkeep(session, wait=False)
        return 0 if upkeep is None else compare_and_repair(session, upkeep)


def compare_and_repair(session: ScopedSession, upkeep: SegmentUpkeep) -> int:
    """Compare every segment that is up to date with its rule, in one pass, and repair what differs.

    Whoever is noted as changed is left to the changes. A segment that cannot be evaluated is left out. The caller holds
    ``upkeep``.
    """
    scope = scope_of(session)
    wanted = {
        one.segment_id: one.rule
        for one in kept_segments(session)
        if one.rule is not None and one.is_current and one.state is not None and one.state.evaluated_on == scope.as_of
    }
    upkeep.checked_on, upkeep.checked_at = scope.as_of, clock.now()
    forget_changes(session, upkeep)
    try:
        with attempt(session, EVALUATION_S):
            found = find_turns(session, wanted, scope) if wanted else []
    except SegmentError as problem:
        log.warning("segments not checked", code=problem.code)
        return 0
    wrong = find_differences(session) if upkeep.permitted_on == scope.as_of else set()
    elsewhere = find_differing_visits(session) if upkeep.permitted_on is not None else set()
    # Read after the comparison: a change that it saw has left a note by now.
    changed = peek_changed(session).contacts
    _repair_permitted(session, upkeep, wrong - changed.keys())
    _repair_visits(session, upkeep, elsewhere)
    different = [turn for turn in found if turn.contact_id not in changed]
    write_turns(session, upkeep, different, Occasion(scope.as_of, "repair"))
    upkeep.differences += len(different)
    upkeep.differences_ever += len(different)
    session.flush()
    if different:
        _report(session, different)
    return len(different)


def _repair_permitted(session: ScopedSession, upkeep: SegmentUpkeep, wrong: set[int]) -> None:
    upkeep.differences = len(wrong)
    upkeep.differences_ever += len(wrong)
    if wrong:
        log.error("stored answers of the gate differed from it", contacts=len(wrong))
        refresh_permitted(session, sorted(wrong))


def _repair_visits(session: ScopedSession, upkeep: SegmentUpkeep, wrong: set[int]) -> None:
    known = stored_visits(session)
    # Whoever is alike to somebody who is changing is left to the changes too.
    wrong = wrong - set(known.changing) if known is not None else set()
    upkeep.differences += len(wrong)
    upkeep.differences_ever += len(wrong)
    if wrong:
        log.error("stored visits of likely-same people differed from theirs", contacts=len(wrong))
        refresh_alike_visits(session, wrong)


def _is_due(session: ScopedSession) -> bool:
    scope = scope_of(session)
    local = clock.now().astimezone(ZoneInfo(scope.time_zone))
    checked_on = session.scalar(sa.select(SegmentUpkeep.checked_on))
    return checked_on != scope.as_of and local.time() >= FROM


def _report(session: ScopedSession, different: list[Turn]) -> None:
    by_segment = Counter(turn.segment_id for turn in different)
    log.error("kept segment members differed from a full evaluation", segments=dict(by_segment))
    for segment_id, memberships in sorted(by_segment.items()):
        audit.record(
            session,
            audit.SYSTEM,
            "segments.repair",
            subject=("segment", segment_id),
            details={"memberships": memberships},
        )
