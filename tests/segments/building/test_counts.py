"""What each condition holds for by itself, and how many are left after each step, against the independent evaluator."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import ScopedSession
from app.segments.building.counts import count_conditions
from tests.segments import worlds
from tests.segments.evaluator import World
from tests.segments.filling import fill
from tests.segments.people import move_in, person, visits

CAME = {"type": "participation", "at_least": 1, "between": ["-P12M", "P1D"]}
OFTEN = {"type": "participation", "at_least": 3, "between": [None, None]}
GHENT = {"type": "profile", "field": "municipality", "op": "in", "value": ["Gent"]}


def house(session: ScopedSession) -> None:
    move_in(
        session,
        person(1, *visits(5, 400, 500), municipality="Gent"),
        person(2, *visits(5), municipality="Gent"),
        person(3, *visits(400, 500, 600), municipality="Aalst"),
        person(4, municipality="Aalst"),
    )


def steps(session: ScopedSession, rule: dict[str, Any]) -> dict[str, tuple[int, int]]:
    counted = count_conditions(session, rule)
    assert counted.of == 4
    return {one.path: (one.alone, one.left) for one in counted.steps}


def test_of_all_conditions_each_step_leaves_fewer(session: ScopedSession) -> None:
    house(session)
    assert steps(session, {"type": "all", "rules": [CAME, OFTEN, GHENT]}) == {
        "rules.0": (2, 2),
        "rules.1": (2, 1),
        "rules.2": (2, 1),
    }


def test_of_any_conditions_each_step_adds(session: ScopedSession) -> None:
    house(session)
    assert steps(session, {"type": "any", "rules": [CAME, OFTEN, GHENT]}) == {
        "rules.0": (2, 2),
        "rules.1": (2, 3),
        "rules.2": (2, 3),
    }


def test_of_none_of_these_each_step_says_who_is_left(session: ScopedSession) -> None:
    house(session)
    assert steps(session, {"type": "not", "rule": {"type": "any", "rules": [CAME, OFTEN]}}) == {
        "rule.rules.0": (2, 2),
        "rule.rules.1": (2, 1),
    }


def test_groups_are_counted_and_so_is_what_stands_in_them(session: ScopedSession) -> None:
    house(session)
    inner = {"type": "not", "rule": {"type": "any", "rules": [CAME]}}
    assert steps(session, {"type": "all", "rules": [OFTEN, inner]}) == {
        "rules.0": (2, 2),
        "rules.1": (2, 1),
        "rules.1.rule.rules.0": (2, 2),
    }


def test_a_rule_of_one_condition_has_no_steps(session: ScopedSession) -> None:
    house(session)
    assert steps(session, CAME) == {}


def test_counts_are_about_the_day_that_is_asked(session: ScopedSession) -> None:
    world = move_in(session, person(1, *visits(5))).world
    rule = {"type": "all", "rules": [CAME]}
    [today] = count_conditions(session, rule).steps
    [later] = count_conditions(session, rule, at=world.day + timedelta(days=800)).steps
    assert (today.alone, later.alone) == (1, 0)


# Conditions that need nothing but people and their visits; what others refer to is not in every house.
PLAIN = {"all", "any", "not", "participation", "first_participation", "last_participation", "share", "profile", "tag"}


def is_plain(rule: dict[str, Any]) -> bool:
    inner = [*rule.get("rules", []), *([rule["rule"]] if "rule" in rule else [])]
    return rule["type"] in PLAIN and "skip_closed" not in rule and all(map(is_plain, inner))


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    world=worlds.worlds(),
    rules=st.lists(worlds.rules(depth=1, segments=()).filter(is_plain), min_size=1, max_size=3),
    group=st.sampled_from(["all", "any"]),
)
def test_steps_are_what_the_evaluator_counts(
    session: ScopedSession, world: World, rules: list[dict[str, Any]], group: str
) -> None:
    with session.begin_nested() as savepoint:
        ids = fill(session, world)
        inner = [ids.rule(rule) for rule in rules]
        counted = count_conditions(session, {"type": group, "rules": inner}, at=world.day)
        top = [one for one in counted.steps if one.path.count(".") == 1]
        expected = [
            (len(ids.world.members(rule)), len(ids.world.members({"type": group, "rules": inner[: number + 1]})))
            for number, rule in enumerate(inner)
        ]
        assert [(one.alone, one.left) for one in top] == expected
        savepoint.rollback()
