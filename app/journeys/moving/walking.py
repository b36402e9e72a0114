"""Moving a batch of people of one version through its steps: set-based, and forward only.

Steps are taken in reading order, so that everybody who comes to a step in this batch comes there together: each is a
handful of statements, however many people there are. What a step decides is pure (``moments``, ``route``); what it does
is a *deed*, and happens only for those whose visit to it is new (``StepVisits.begin``). All of it is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.activities.models import Activity, Participation
from app.consent import subjects
from app.db import ScopedSession
from app.journeys import definition as nodes
from app.journeys.moments import moment_of, portions_of, times_out, wait_ends
from app.journeys.moving.deeds import Deed, Deeds
from app.journeys.moving.holding import TRY_AGAIN, Held, held_by
from app.journeys.moving.stopping import is_somebody_gone, lost_booking, reached_goal, stopped
from app.journeys.moving.walkers import Noted, StepVisits, Walker, ids_of
from app.journeys.route import Route
from app.segments.compiling.compiler import select_truths
from app.segments.compiling.scope import scope_of
from app.segments.definitions import complete_rule

log = structlog.get_logger()

SOON = timedelta(seconds=5)
MOST_TRIES = 64


@dataclass(frozen=True, slots=True)
class Ground:
    """What a batch walks on: the journey and its route, now, and the clock of the house. ``asked``: who may go on, as
    far as was asked in this batch (contacts)."""

    session: ScopedSession
    journey_id: int
    version: int
    route: Route
    at: datetime
    zone: ZoneInfo
    deeds: Deeds
    asked: set[int] = field(default_factory=set)

    def visits(self, step_id: str) -> StepVisits:
        """The visits to a step of this version."""
        return StepVisits(self.session, self.journey_id, self.version, step_id, self.at)


def walk(ground: Ground, walkers: Sequence[Walker]) -> None:
    """Take everybody as far as they come now; what became of each is in the walkers, to be set down."""
    places: dict[str, list[Walker]] = {}
    for walker in walkers:
        _place(ground, places, walker, walker.step_id if walker.step_id is not None else ground.route.first)
    try:
        with ground.session.begin_nested():
            _leave_before(ground, walkers)
    except Exception as problem:
        _hold(ground, walkers, problem, step_id=None)
        return
    for step_id in ground.route.order:
        here = [one for one in places.pop(step_id, []) if one.state == "active"]
        if here:
            for walker, next_id in _take(ground, ground.route.steps[step_id], here):
                _place(ground, places, walker, next_id)


def _place(ground: Ground, places: dict[str, list[Walker]], walker: Walker, step_id: str | None) -> None:
    if step_id != walker.step_id or step_id is None:
        walker.go_to(step_id)
    if step_id is None:
        return
    if step_id not in ground.route.steps:
        walker.hold("step_gone", until=ground.at + TRY_AGAIN)
        return
    places.setdefault(step_id, []).append(walker)


def _leave_before(ground: Ground, walkers: Sequence[Walker]) -> None:
    """Who reached the goal, or lost what the journey is about, leaves before anything else."""
    lost = lost_booking(ground.session, ground.route.definition, walkers)
    done = reached_goal(ground.session, ground.route.definition, walkers, at=ground.at)
    _leave(
        ground,
        {one.id: lost.get(one.id, "goal_reached") for one in walkers if one.id in lost or one.contact_id in done},
        walkers,
    )


def _leave(ground: Ground, because: Mapping[int, str], walkers: Sequence[Walker]) -> None:
    """End the way of these people (why, by enrolment), and the waits that they were in."""
    waits: dict[str, list[Noted]] = {}
    leaving = [walker for walker in walkers if walker.id in because]
    for walker in leaving:
        if walker.is_waiting and walker.step_id is not None:
            waits.setdefault(walker.step_id, []).append(Noted(walker, "skipped", because[walker.id]))
    for step_id, noted in waits.items():
        ground.visits(step_id).finish(noted)
    for walker in leaving:
        walker.leave(because[walker.id])


Moves = list[tuple[Walker, str | None]]


def _take(ground: Ground, step: nodes.Step, here: list[Walker]) -> Moves:
    """Do one step for everybody who is there; returns where they go. Who may not go on leaves; what fails holds."""
    because = _who_may_not_go_on(ground, here)
    _leave(
        ground,
        {
            one.id: because[one.contact_id]
            for one in here
            if one.contact_id in because
            and not (
                # Somebody who walks through a rehearsal need not have booked: no mail leaves.
                one.is_rehearsal and because[one.contact_id] == "no_permission" and ground.deeds.is_about_bookings
            )
        },
        here,
    )
    waiting = [[one for one in here if one.state == "active"]]
    moves: Moves = []
    for tries in count(1):
        if not waiting:
            return moves
        group = waiting.pop()
        try:
            with ground.session.begin_nested():
                moves += _do(ground, step, group) if group else []
        except SQLAlchemyError as problem:
            # One row that the database will not take keeps only its own person back.
            if len(group) > 1 and tries < MOST_TRIES:
                half = len(group) // 2
                waiting += [group[half:], group[:half]]
            else:
                _hold(ground, group, problem, step_id=step.id)
        except Exception as problem:
            _hold(ground, group, problem, step_id=step.id)
    return moves


def _who_may_not_go_on(ground: Ground, here: Sequence[Walker]) -> dict[int, str]:
    """Why people leave before this step, by contact. Who was asked before another step of this batch is asked again
    only if somebody said no or went since: that is noted in the transaction in which it happens, and whoever takes the
    notes about these people waits for this batch."""
    to_ask = here if is_somebody_gone(ground.session) else [one for one in here if one.contact_id not in ground.asked]
    ground.asked.update(one.contact_id for one in here)
    return stopped(ground.session, ground.route, to_ask, at=ground.at) if to_ask else {}


def _hold(ground: Ground, walkers: Sequence[Walker], problem: Exception, *, step_id: str | None) -> None:
    """Keep people where they are, with the reason; it is tried again. A step that failed is logged as a defect."""
    code = problem.code if isinstance(problem, Held) else held_by(problem)
    told = {"journey_id": ground.journey_id, "step_id": step_id, "people": len(walkers)}
    if code == "step_failed":
        log.error("step failed", error=type(problem).__name__, **told)
    else:
        log.warning("step held", code=code, **told)
    for walker in walkers:
        walker.hold(code, until=ground.at + TRY_AGAIN)


def _do(ground: Ground, step: nodes.Step, here: list[Walker]) -> Moves:
    match step:
        case nodes.Wait() | nodes.WaitUntil() | nodes.WaitFor():
            return _wait(ground, step, here)
        case nodes.Choose():
            return _choose(ground, step, here)
        case nodes.Split():
            return _split(ground, step, here)
        case nodes.Exit():
            ground.visits(step.id).begin([Noted(walker) for walker in here])
            for walker in here:
                walker.leave("exit")
            return []
        case _:
            return _act(ground, step, here)


# --- doing -----------------------------------------------------------------------------------------------------------


def _act(ground: Ground, step: Deed, here: list[Walker]) -> Moves:
    """The held-out and those who are only rehearsed pass through; for the others it is done, at most once each."""
    after = ground.route.after(step.id)
    free = ground.deeds.free_to_change(ground.session, step, here)
    for walker in here:
        if walker.contact_id not in free:  # somebody is merging or changing them this moment
            walker.wake_at = ground.at + SOON
    noted = [_fate(step, walker) for walker in here if walker.contact_id in free]
    is_new = ground.visits(step.id).begin(noted)
    acted = [one.walker for one in noted if one.outcome == "done" and one.walker.id in is_new]
    if acted:
        ground.deeds.do(ground.session, step, acted, at=ground.at)
    return [(one.walker, after) for one in noted]


def _fate(step: nodes.Step, walker: Walker) -> Noted:
    if walker.is_held_out:
        return Noted(walker, "skipped", "held_out")
    if walker.is_rehearsal:
        return Noted(walker, "done" if isinstance(step, nodes.Send) else "skipped", "rehearsed")
    return Noted(walker)


# --- deciding --------------------------------------------------------------------------------------------------------


def _choose(ground: Ground, step: nodes.Choose, here: list[Walker]) -> Moves:
    asked = [complete_rule(ground.session, branch.when) for branch in step.branches]
    rows = ground.session.execute(select_truths(asked, scope_of(ground.session), only=ids_of(here)))
    holds = {row[0]: list(row[1:]) for row in rows}
    otherwise = len(asked)
    noted, moves = [], []
    for walker in here:
        held = holds.get(walker.contact_id, [])
        way = held.index(True) if True in held else otherwise
        branch = str(way) if way < otherwise else "otherwise"
        noted.append(Noted(walker, branch=branch, facts={"holds": held}))
        moves.append((walker, ground.route.into(step.id, way)))
    ground.visits(step.id).begin(noted)
    return moves


def _split(ground: Ground, step: nodes.Split, here: list[Walker]) -> Moves:
    portions = portions_of(step, journey_id=ground.journey_id)
    ways = [portions.of(walker.contact_id) for walker in here]
    ground.visits(step.id).begin(
        [Noted(walker, branch=step.portions[way].name) for walker, way in zip(here, ways, strict=True)]
    )
    return [(walker, ground.route.into(step.id, way)) for walker, way in zip(here, ways, strict=True)]


# --- waiting ---------------------------------------------------------------------------------------------------------


def _wait(ground: Ground, step: nodes.Waiting, here: list[Walker]) -> Moves:
    """Who comes to a wait stays until it ends; whose wait has ended goes on."""
    arriving = [one for one in here if not one.is_waiting]
    due = [one for one in here if one.is_waiting]
    ends = _endings(ground, step, here)
    return [*_begin_waits(ground, step, arriving, ends), *_end_waits(ground, step, due, ends)]


def _endings(ground: Ground, step: nodes.Waiting, here: list[Walker]) -> Callable[[Walker], _Ending]:
    match step:
        case nodes.Wait():
            return _plain_wait(ground, step)
        case nodes.WaitUntil():
            return _until(ground, step, here)
        case nodes.WaitFor():
            return _for(ground, step)


@dataclass(frozen=True, slots=True)
class _Ending:
    """What a wait means for one person now: stay until a moment, or go on (where, and how it is told), or leave."""

    until: datetime | None = None
    outcome: str = "done"
    reason: str | None = None
    branch: str | None = None
    next_id: str | None = None
    leaves: str | None = None

    def noted(self, walker: Walker) -> Noted:
        facts = None if self.until is None else {"until": self.until.isoformat()}
        outcome = "waiting" if self.until is not None else self.outcome
        return Noted(walker, outcome, self.reason, self.branch, facts)


def _begin_waits(
    ground: Ground, step: nodes.Waiting, arriving: list[Walker], ends: Callable[[Walker], _Ending]
) -> Moves:
    if not arriving:
        return []
    endings = [(walker, ends(walker)) for walker in arriving]
    is_new = ground.visits(step.id).begin([ending.noted(walker) for walker, ending in endings])
    moves: Moves = []
    for walker, ending in endings:
        if walker.id not in is_new:  # set on a version in which a step that was done comes again
            moves.append((walker, ground.route.after(step.id)))
        elif ending.leaves is not None:
            walker.leave(ending.leaves)
        elif ending.until is not None:
            walker.wait(ending.until, since=ground.at)
        else:
            moves.append((walker, ending.next_id))
    return moves


def _end_waits(ground: Ground, step: nodes.Waiting, due: list[Walker], ends: Callable[[Walker], _Ending]) -> Moves:
    endings = [(walker, ends(walker)) for walker in due]
    ground.visits(step.id).finish([ending.noted(walker) for walker, ending in endings if ending.until is None])
    moves: Moves = []
    for walker, ending in endings:
        if ending.leaves is not None:
            walker.leave(ending.leaves)
        elif ending.until is not None:
            walker.wait(ending.until, since=walker.arrived_at or ground.at)
        else:
            moves.append((walker, ending.next_id))
    return moves


def _plain_wait(ground: Ground, step: nodes.Wait) -> Callable[[Walker], _Ending]:
    after = ground.route.after(step.id)
    fresh = wait_ends(step, ground.at, ground.zone)

    def ends(walker: Walker) -> _Ending:
        if not walker.is_waiting and fresh > ground.at:
            return _Ending(until=fresh)
        return _Ending(next_id=after)

    return ends


def _until(ground: Ground, step: nodes.WaitUntil, here: list[Walker]) -> Callable[[Walker], _Ending]:
    visits = _activities(ground.session, here)
    after, passed_over = ground.route.after(step.id), ground.route.next_wait(step.id)
    past = {
        "now": _Ending(reason="moment_passed", next_id=after),
        "skip": _Ending(outcome="skipped", reason="moment_passed", next_id=passed_over),
        "exit": _Ending(outcome="skipped", reason="moment_passed", leaves="moment_passed"),
    }[step.if_past]

    def ends(walker: Walker) -> _Ending:
        visit = visits.get(walker.participation_id or 0)
        if visit is None:
            return _Ending(outcome="skipped", reason="no_activity", leaves="no_activity")
        if visit.is_cancelled or not visit.is_valid:
            because = "activity_cancelled" if visit.is_cancelled else "booking_cancelled"
            return _Ending(outcome="skipped", reason=because, leaves=because)
        if visit.starts_at is None:
            raise Held("activity_without_date")
        moment = moment_of(step, visit.starts_at, ground.zone)
        if moment > ground.at:
            return _Ending(until=moment)
        is_in_time = walker.is_waiting and walker.wake_at is not None and walker.wake_at <= moment
        return _Ending(next_id=after) if is_in_time else past

    return ends


def _for(ground: Ground, step: nodes.WaitFor) -> Callable[[Walker], _Ending]:
    out = times_out(step, ground.at, ground.zone)
    then, otherwise = (ground.route.into(step.id, way) for way in (0, 1))

    def ends(walker: Walker) -> _Ending:
        if not walker.is_waiting:
            return _Ending(until=out)
        if walker.happened is not None:
            return _Ending(reason="happened", branch="then", next_id=then)
        return _Ending(reason="timed_out", branch="otherwise", next_id=otherwise)

    return ends


def _activities(session: ScopedSession, here: list[Walker]) -> dict[int, Any]:
    wanted = {one.participation_id for one in here if one.participation_id is not None}
    rows = session.execute(
        sa.select(Participation.id, Participation.is_valid, Activity.is_cancelled, Activity.starts_at)
        .join(Activity, Activity.id == Participation.activity_id)
        .where(Participation.id == sa.any_(subjects.ids(wanted)))
    )
    return {row.id: row for row in rows}
