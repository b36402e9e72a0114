"""Maintained membership: what it costs to keep a hundred segments right, against evaluating each of them by itself.

A minute in which nothing happened, in which 5, 200 and 3,000 people changed, and a day that goes by, each through the
heartbeat as the worker runs it, durable commits included. The other side is a hundred separate statements, one for each
segment, executed and fetched. In the end the kept members must be exactly those of a full evaluation.

    python -m bench.membership --scale small|org|sector
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import text

from app import clock
from app.db import transaction
from app.runtime import Runtime
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import scope_of
from app.segments.definitions import create_segment, delete_segment, list_segments
from app.segments.keeping.difference import find_turns
from app.segments.keeping.kept import kept_segments
from app.segments.keeping.upkeep import keep_segments_current
from bench.harness import RUNS, Arguments, arguments, house, own_server, report

Json = dict[str, Any]

SEGMENTS = 100
IDLE_LIMIT_S = 0.005
CHANGED_LIMIT_S = {5: 0.05, 200: 0.1, 3_000: 1.0}
DAY_TARGET = 1 / 20
GENRES = ("theater", "dans", "circus", "jazz", "klassiek", "familie", "film", "pop", "literatuur", "opera")
POSTCODES = ("9000", "9040", "9050", "9030", "9820", "9800", "9700", "9100", "9200", "9300")


def rule_of(number: int) -> Json:
    """The rule of one of the hundred: ten shapes that marketers use, each ten times with other numbers."""
    shape, turn = number % 10, number // 10
    genre, other = GENRES[turn], GENRES[(turn + 3) % 10]
    recently: Json = {"type": "participation", "between": ["-P24M", "P1D"]}
    shapes: tuple[Callable[[], Json], ...] = (
        lambda: both(came(3 + turn % 3, "-P48M", "-P18M"), {**came(0, "-P18M", None), "at_least": 0, "at_most": 0}),
        lambda: both(
            {"type": "participation", "measure": "days", "at_most": 1 + turn % 2},
            {"type": "first_participation", "between": ["-P60D", "P1D"]},
        ),
        lambda: came(3 + turn, "-P12M", "P1D"),
        lambda: {
            "type": "share",
            "of": {"genres": [genre]},
            "at_least": 0.4,
            "min_count": 2,
            "between": ["-P24M", "P1D"],
        },
        lambda: both(
            {**recently, "at_least": 1, "where": {"genres": [genre]}},
            {**recently, "at_least": 1, "where": {"genres": [other]}},
            {**recently, "at_most": 0, "where": {"genres": [GENRES[(turn + 5) % 10]]}},
        ),
        lambda: both(
            {"type": "anniversary", "field": "birth_date", "between": ["P0D", "P7D"]},
            {"type": "profile", "field": "postcode", "op": "is", "value": POSTCODES[turn]},
        ),
        lambda: {**recently, "at_least": 2 + turn % 3, "where": {"lead_days_between": [0, 2]}},
        lambda: both(
            {"type": "last_participation", "between": [f"-P{12 + 6 * (turn % 3)}M", "-P6M"]},
            {"type": "permission", "channel": "email", "purpose": "newsletter", "is": "allowed"},
        ),
        lambda: both(
            {"type": "profile", "field": "age", "op": "between", "value": [18 + turn, 30 + turn]},
            came(1, "-P12M", "P1D"),
        ),
        lambda: {**recently, "measure": "genres", "at_least": 2 + turn % 4},
    )
    return shapes[shape]()


def came(times: int, since: str | None, until: str | None) -> Json:
    """At least so many participations in a window."""
    return {"type": "participation", "at_least": times, "between": [since, until]}


def both(*rules: Json) -> Json:
    """All of these."""
    return {"type": "all", "rules": list(rules)}


class Kept:
    """A house whose hundred segments are kept, and the other way of knowing who is in them."""

    def __init__(self, held: Runtime, organisation_id: int) -> None:
        """Make the segments anew and let the heartbeat find their members for the first time."""
        self._held, self._id = held, organisation_id
        with transaction(held.engine, organisation_id) as session:
            for segment in list_segments(session):
                if segment.name.startswith("Bench "):
                    delete_segment(session, segment.id)
            for number in range(SEGMENTS):
                create_segment(session, name=f"Bench {number}", rule=rule_of(number))
        self.keep()

    def keep(self) -> int:
        """One beat."""
        return keep_segments_current(self._held, self._id)

    def change(self, count: int, turn: int) -> None:
        """Cancel, or book again, a participation of each of ``count`` people."""
        with transaction(self._held.engine, self._id) as session:
            session.execute(
                text(
                    "UPDATE participation SET status = CASE status WHEN 'cancelled' THEN 'booked' ELSE 'cancelled' END"
                    " WHERE id IN (SELECT (SELECT min(p.id) FROM participation p WHERE p.organisation_id = :id"
                    " AND p.contact_id = c.id) FROM contact c WHERE c.organisation_id = :id AND c.state = 'living'"
                    " AND EXISTS (SELECT FROM participation p WHERE p.organisation_id = :id AND p.contact_id = c.id)"
                    " ORDER BY c.id OFFSET :skipped LIMIT :count)"
                ),
                {"id": self._id, "skipped": 37 * turn, "count": count},
            )

    def one_by_one(self) -> None:
        """Know the members of every segment by a statement of its own."""
        with transaction(self._held.engine, self._id) as session:
            session.execute(text("SET LOCAL work_mem = '64MB'"))
            session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
            scope = scope_of(session)
            for one in kept_segments(session):
                if one.rule is not None:
                    session.scalars(select_members(one.rule, scope)).all()

    def differences(self) -> int:
        """How many of the kept memberships a full evaluation would have otherwise."""
        with transaction(self._held.engine, self._id) as session:
            wanted = {one.segment_id: one.rule for one in kept_segments(session) if one.rule is not None}
            return len(find_turns(session, wanted, scope_of(session)))


def main(asked: Arguments) -> None:
    """Print a line for an idle minute, for each number of changed people, and for a day."""
    with own_server(asked.keep) as held:
        organisation_id = house(held, asked.scale)
        now = clock.now()
        with clock.set_to(now):
            kept = Kept(held, organisation_id)
            separate_s = timed(kept.one_by_one)
            taken = [timed(kept.keep) for _ in range(4 * RUNS)]
            show(asked, "idle", taken, limit_s=IDLE_LIMIT_S, target=1.0)
            for count, limit_s in CHANGED_LIMIT_S.items():
                taken = list(map(timed_change(kept, count), range(RUNS + 1)))[1:]
                show(asked, f"{count}_changed", taken, limit_s=limit_s, target=1.0)
                show(asked, f"{count}_changed.against_separate", taken, limit_s=separate_s)
        taken = [timed_day(kept, now + timedelta(days=days)) for days in range(1, RUNS + 1)]
        show(asked, "day", taken, limit_s=separate_s, target=DAY_TARGET)
        with clock.set_to(now + timedelta(days=RUNS)):
            different = kept.differences()
        if different:
            print(f"{different} memberships differ from a full evaluation", file=sys.stderr)
            raise SystemExit(1)


def timed(work: Callable[[], object]) -> float:
    """How long some work takes, in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def timed_change(kept: Kept, count: int) -> Callable[[int], float]:
    """A way to change people, untimed, and time the beat that follows."""

    def change_and_time(turn: int) -> float:
        kept.change(count, turn)
        return timed(kept.keep)

    return change_and_time


def timed_day(kept: Kept, now: datetime) -> float:
    """How long the first beat of a day takes."""
    with clock.set_to(now):
        taken_s = timed(kept.keep)
        # Most beats of a day have nothing to do, and in the first of them the statements of tomorrow are written.
        kept.keep()
    return taken_s


def show(asked: Arguments, name: str, taken: list[float], *, limit_s: float, target: float | None = None) -> None:
    """Print the median of some timings against a limit."""
    report(f"membership.{name}", asked.scale, ours_s=median(taken), limit_s=limit_s, runs=len(taken), target=target)


if __name__ == "__main__":
    main(arguments(__doc__))
