"""Which step comes after which."""

from __future__ import annotations

from typing import Any

from app.journeys.route import route_of
from app.journeys.schemas import parse_definition


def wait(step_id: str) -> dict[str, Any]:
    return {"id": step_id, "type": "wait", "for": "P1D"}


def mark(step_id: str) -> dict[str, Any]:
    return {"id": step_id, "type": "tag", "add": ["x"]}


def split(step_id: str, *branches: list[dict[str, Any]]) -> dict[str, Any]:
    ways = [{"name": str(place), "weight": 1, "steps": inner} for place, inner in enumerate(branches)]
    return {"id": step_id, "type": "split", "branches": ways}


DEFINITION = parse_definition(
    {
        "trigger": {"type": "api"},
        "purpose": "newsletter",
        "steps": [
            mark("a"),
            split("b", [mark("b1"), split("b2", [mark("deep")], [])], [], [wait("b3"), mark("b4"), wait("b5")]),
            mark("c"),
            wait("d"),
            {
                "id": "e",
                "type": "choose",
                "branches": [{"when": {"type": "tag", "tag": "x"}, "steps": []}],
                "otherwise": [mark("e1")],
            },
        ],
    }
)
ROUTE = route_of(DEFINITION)


def test_a_branch_leads_on_behind_the_step_that_branched() -> None:
    assert {step: ROUTE.after(step) for step in ROUTE.order} == {
        "a": "b", "b": "c", "b1": "b2", "b2": "c", "deep": "c", "b3": "b4", "b4": "b5", "b5": "c", "c": "d", "d": "e",
        "e": None, "e1": None,
    }  # fmt: skip


def test_an_empty_branch_leads_straight_on() -> None:
    assert [ROUTE.into("b", way) for way in range(3)] == ["b1", "c", "b3"]
    assert [ROUTE.into("b2", way) for way in range(2)] == ["deep", "c"]
    assert [ROUTE.into("e", way) for way in range(2)] == [None, "e1"]


def test_everybody_only_goes_forward_in_reading_order_and_so_always_ends() -> None:
    place = {step: number for number, step in enumerate(ROUTE.order)} | {None: len(ROUTE.order)}
    for step in ROUTE.order:
        ahead = [ROUTE.after(step), ROUTE.next_wait(step), *(ROUTE.into(step, way) for way in range(2) if step in "be")]
        assert all(place[one] > place[step] for one in ahead)


def test_what_is_passed_over_ends_at_the_next_wait_of_the_same_list_or_behind_it() -> None:
    assert (ROUTE.next_wait("a"), ROUTE.next_wait("b3"), ROUTE.next_wait("b5")) == ("d", "b5", "c")
    assert ROUTE.next_wait("d") is None


def test_a_step_is_found_where_it_stands_in_the_json() -> None:
    assert ROUTE.paths["deep"] == "steps.1.branches.0.steps.1.branches.0.steps.0"
    assert ROUTE.paths["e1"] == "steps.4.otherwise.0"


def test_a_journey_without_steps_has_no_first_one() -> None:
    assert ROUTE.first == "a"
    assert route_of(parse_definition({"trigger": {"type": "api"}, "purpose": "x"})).first is None
