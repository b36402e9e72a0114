"""Contacts changed: all segments of the organisation are evaluated for them in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from app.db import ScopedSession
from app.segments.compiling.scope import Scope, scope_of
from app.segments.keeping.alike import find_alike, kinds_of_likeness
from app.segments.keeping.alike_visits import follow_alike_visits
from app.segments.keeping.changed_contacts import Changed, count_waiting, take_changed, tell_of_changes
from app.segments.keeping.days import is_behind
from app.segments.keeping.difference import find_turns
from app.segments.keeping.entries import Because, Occasion, write_turns
from app.segments.keeping.evaluating import Step, are_many, attempt, mark_problem, mark_stale
from app.segments.keeping.gone_names import existing_names, gone
from app.segments.keeping.kept import Kept, kept_segments
from app.segments.keeping.permitted import ended_between, follow_permitted
from app.segments.models import SegmentUpkeep
from app.segments.problems import NamesGoneError, SegmentError

CONTACTS_A_STEP = 5_000
SECONDS_A_STEP = 60.0


def follow_changes(session: ScopedSession, upkeep: SegmentUpkeep) -> Step:
    """Take some of what changed and evaluate it, in this transaction: it is taken exactly if it is evaluated.

    The caller holds ``upkeep``. Does nothing while a segment is behind a day, because who is evaluated here is right
    for today.
    """
    scope, kept = scope_of(session), kept_segments(session)
    if any(is_behind(one, scope.as_of) for one in kept):
        return Step()
    waiting = count_waiting(session)
    are_too_many = are_many(session, waiting)
    changed = take_changed(session, limit=None if are_too_many else CONTACTS_A_STEP)
    ended = _ended_permissions(session, upkeep)
    if are_too_many or changed.is_everybody:
        upkeep.permitted_on = None
    follow_permitted(session, upkeep, changed.contacts, ended)
    if upkeep.permitted_on is not None:
        follow_alike_visits(session, changed)
    _add_alike(session, changed, kept)
    tell_of_changes(session, None if are_too_many or changed.is_everybody else changed.contacts)
    if changed.has_rules:
        for one in kept:
            if one.state is None or one.state.rule_sha256 != one.rule_sha256:
                mark_stale(session, one, "rule")
    if changed.has_activities:
        _keep_where_names_are_gone(session, kept)
    if are_too_many or changed.is_everybody or are_many(session, len(changed.contacts)):
        _evaluate_later(session, kept, "data")
        return Step()
    by_data = Occasion(scope.as_of, "data", changed.contacts)
    turned = _evaluate(session, upkeep, kept, by_data, scope, only=sorted(changed.contacts))
    by_time = sorted(ended - changed.contacts.keys())
    turned += _evaluate(session, upkeep, kept, Occasion(scope.as_of, "time"), scope, only=by_time)
    return Step(turned, is_last=waiting <= CONTACTS_A_STEP)


def _evaluate(
    session: ScopedSession,
    upkeep: SegmentUpkeep,
    kept: Sequence[Kept],
    occasion: Occasion,
    scope: Scope,
    *,
    only: Sequence[int],
) -> int:
    """Evaluate, for these contacts, the segments that are right for everybody else; returns how many turned."""
    wanted = {one.segment_id: one.rule for one in kept if one.is_current and one.rule is not None}
    if not only or not wanted:
        return 0
    try:
        with attempt(session, SECONDS_A_STEP):
            turns = find_turns(session, wanted, scope, only=only)
            write_turns(session, upkeep, turns, occasion)
    except SegmentError:
        # Which of them it was shows when each is evaluated in full; until then the others are not kept waiting.
        _evaluate_later(session, kept, "data")
        return 0
    return len(turns)


def _add_alike(session: ScopedSession, changed: Changed, kept: Sequence[Kept]) -> None:
    """Add whoever a rule may hold for because of somebody else who changed."""
    kinds, how_far = kinds_of_likeness(one.rule for one in kept if one.rule is not None)
    if not kinds:
        return
    lost: set[int] = changed.lost_keys
    for _ in range(how_far):
        for contact_id in find_alike(session, changed.contacts.keys(), lost, kinds):
            changed.contacts.setdefault(contact_id, {"alike"})
        lost = set()


def _evaluate_later(session: ScopedSession, kept: Sequence[Kept], because: Because) -> None:
    for one in kept:
        if one.is_current:
            mark_stale(session, one, because)
    session.flush()


def _ended_permissions(session: ScopedSession, upkeep: SegmentUpkeep) -> set[int]:
    """Whose permission or pause ran out since we last looked, by the gate's own clock: no row changes when one does."""
    now = session.execute(sa.text(_NOW)).scalar_one()
    before, upkeep.looked_at = upkeep.looked_at, now
    session.flush()
    return set() if before is None else ended_between(session, *sorted((before, now)))


def _keep_where_names_are_gone(session: ScopedSession, kept: Sequence[Kept]) -> None:
    named = [one for one in kept if one.is_current and one.state is not None and one.state.names]
    existing = existing_names(session) if named else {}
    for one in named:
        missing = gone(one.state.names, existing) if one.state is not None else []
        if missing:
            mark_problem(session, one, NamesGoneError(missing))
    session.flush()


_NOW = "SELECT COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, now())"
