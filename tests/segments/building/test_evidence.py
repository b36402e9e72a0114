"""The visits shown beside a condition are the visits it counted."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings

from app.db import ScopedSession
from app.segments.building.checking import check_person
from app.segments.building.evidence import counted_by, visits_of
from app.segments.definitions import read_rule
from tests.segments import worlds
from tests.segments.evaluator import Activity, World
from tests.segments.filling import fill
from tests.segments.people import DAY, at_noon, move_in, person, visits

DANCE = Activity(id=7, genres=("Dans",), venue="Grote Zaal", starts_at=at_noon(DAY))


def test_each_condition_comes_with_the_visits_it_counted(session: ScopedSession) -> None:
    filled = move_in(session, person(1, *visits(5, 40, 400), *visits(3, activity=DANCE, quantity=2)))
    rule = {
        "type": "all",
        "rules": [
            {"type": "participation", "at_least": 2, "between": ["-P30D", "P1D"]},
            {"type": "participation", "at_least": 1, "between": [None, None], "where": {"genres": ["dans"]}},
            {"type": "first_participation", "between": ["-P30D", "P1D"]},
            {"type": "tag", "tag": "vip"},
        ],
    }
    answer = check_person(session, rule, contact_id=filled.world.contacts[0].id)
    assert answer is not None
    recent, dance, first, tag = answer.conditions
    assert recent.visits is not None
    assert len(recent.visits) == 2
    assert dance.visits is not None
    [danced] = dance.visits
    assert (danced.on, danced.quantity, danced.genres) == (DAY, 2, ("Dans",))
    assert first.visits is not None
    assert [(DAY - one.on).days for one in first.visits] == [400]
    assert not first.holds
    assert tag.visits is None


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(world=worlds.worlds(), where=worlds.wheres(), between=worlds.windows())
def test_as_many_visits_are_shown_as_the_evaluator_counts(
    session: ScopedSession, world: World, where: dict[str, Any], between: list[str | None]
) -> None:
    with session.begin_nested() as savepoint:
        ids = fill(session, world)
        leaf = ids.rule({"type": "participation", "at_least": 0, "between": between, "where": where})
        rule = read_rule(session, leaf)
        for one in ids.world.contacts:
            shown = counted_by(rule, visits_of(session, one.id), as_of=world.day)  # type: ignore[arg-type]
            assert shown is not None
            assert ids.world.holds({**leaf, "at_least": len(shown), "at_most": len(shown)}, one)
        savepoint.rollback()
