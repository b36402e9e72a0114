"""The heartbeat of segments: every second a look, and work only where something changed or a day went by.

In this order, each step in transactions of its own that may be cut off anywhere:

1. *days*: a segment that was right yesterday is evaluated for whoever has a date on the edges of its windows
2. *changes*: all segments are evaluated, in one pass, for the contacts that changed
3. *permitted*: what the gate says of who may be mailed is stored for counts, for those whom the day concerns
4. *in full*: segments with another rule than the stored members were found by, and whatever could not be told apart

At most one worker does this for an organisation at a time; another finds it taken and comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import sqlalchemy as sa

from app import clock
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.segments.compiling.scope import scope_of
from app.segments.keeping.days import Passing, pass_a_day
from app.segments.keeping.difference import write_ahead
from app.segments.keeping.entries import hold_upkeep
from app.segments.keeping.evaluating import Step
from app.segments.keeping.following import follow_changes
from app.segments.keeping.in_full import Batch, evaluate_due
from app.segments.keeping.kept import kept_segments
from app.segments.keeping.permitted import keep_permitted
from app.segments.models import SegmentUpkeep

# So that a flood of changes cannot keep one organisation's turn for ever.
STEPS_A_BEAT = 500

# The database's own now: what the gate compares with, and what all workers share.
NOW = "COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, now())"

# "Now" stands in a subquery of its own, as in the gate: only then does row security let an index stop at it, and not
# read every permission that will ever end.
LOOK = f"""
SELECT EXISTS (SELECT FROM contact_change AS c WHERE c.organisation_id = o.id)
       OR EXISTS (
          SELECT FROM segment_upkeep AS u
            JOIN permission AS p ON p.organisation_id = u.organisation_id
           WHERE u.organisation_id = o.id AND p.is_allowed
             AND p.valid_until > u.looked_at AND p.valid_until <= (SELECT {NOW}))
       OR EXISTS (
          SELECT FROM segment_upkeep AS u
            JOIN permission AS p ON p.organisation_id = u.organisation_id
           WHERE u.organisation_id = o.id AND p.paused_until > u.looked_at AND p.paused_until <= (SELECT {NOW})
       ) AS has_changes,
       EXISTS (
          SELECT FROM segment_state AS s
           WHERE s.organisation_id = o.id AND s.stale_because IS NULL
             AND s.evaluated_on <> CAST({NOW} AT TIME ZONE o.time_zone AS date)) AS is_another_day,
       EXISTS (
          SELECT FROM segment AS g
            LEFT JOIN segment_state AS s ON s.organisation_id = g.organisation_id AND s.segment_id = g.id
           WHERE g.organisation_id = o.id
             AND (s.evaluated_on IS NULL OR s.stale_because IS NOT NULL)
             AND (s.retry_at IS NULL OR s.retry_at <= {NOW})) AS has_stale,
       NOT EXISTS (
          SELECT FROM segment_upkeep AS u
           WHERE u.organisation_id = o.id
             AND u.permitted_on = CAST({NOW} AT TIME ZONE o.time_zone AS date)) AS is_permitted_due
  FROM organisation AS o
 WHERE o.id = :organisation_id
"""


# When this process last wrote the statements of a house ahead.
_written_on: dict[int, date] = {}


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do: changes that wait, segments that are right for another day, segments to evaluate in full,
    and answers of the gate that are not stored for today."""

    has_changes: bool = False
    is_another_day: bool = False
    has_stale: bool = False
    is_permitted_due: bool = False

    @property
    def is_none(self) -> bool:
        """Whether everything is as it should be."""
        return not (self.has_changes or self.is_another_day or self.has_stale or self.is_permitted_due)


def keep_segments_current(runtime: Runtime, organisation_id: int) -> int:
    """Bring every segment of an organisation up to date; returns how many entries and exits that took.

    A segment that cannot be evaluated keeps its last good members, says why, and keeps no other waiting.
    """
    work, turned = _look(runtime, organisation_id), 0
    if work.is_none:
        _write_ahead(runtime, organisation_id)
        return 0
    if work.has_stale:
        _written_on.pop(organisation_id, None)
    if work.is_another_day:
        passing = Passing()
        turned += _repeat(runtime, organisation_id, lambda session, upkeep: pass_a_day(session, upkeep, passing))
    if work.has_changes:
        turned += _repeat(runtime, organisation_id, follow_changes)
    work = _look(runtime, organisation_id)
    if work.is_permitted_due:
        _repeat(runtime, organisation_id, keep_permitted)
    if work.has_stale:
        batch = Batch()
        turned += _repeat(runtime, organisation_id, lambda session, upkeep: evaluate_due(session, upkeep, batch))
    return turned


def look_for_work(session: ScopedSession) -> Work:
    """What there is to do, by one statement over indexes and without a lock."""
    found = session.execute(sa.text(LOOK), {"organisation_id": session.organisation_id}).one_or_none()
    return Work(*found) if found is not None else Work()


def _write_ahead(runtime: Runtime, organisation_id: int) -> None:
    """Once a day, and after rules changed, in a beat with nothing to do: write the statements of today and tomorrow.

    The first beat of a day then has no more to do than the day itself brought.
    """
    today = clock.now().date()
    if _written_on.get(organisation_id) == today:
        return
    _written_on[organisation_id] = today
    with transaction(runtime.engine, organisation_id) as session:
        scope = scope_of(session)
        wanted = {one.segment_id: one.rule for one in kept_segments(session) if one.is_current and one.rule is not None}
    for ahead in (0, 1):
        write_ahead(wanted, replace(scope, as_of=scope.as_of + timedelta(days=ahead)))


def _look(runtime: Runtime, organisation_id: int) -> Work:
    with transaction(runtime.engine, organisation_id) as session:
        return look_for_work(session)


def _repeat(runtime: Runtime, organisation_id: int, step: Callable[[ScopedSession, SegmentUpkeep], Step]) -> int:
    turned = 0
    for _ in range(STEPS_A_BEAT):
        with transaction(runtime.engine, organisation_id) as session:
            upkeep = hold_upkeep(session, wait=False)
            if upkeep is None:
                break
            done = step(session, upkeep)
        turned += done.turned
        if done.is_last:
            break
    return turned
