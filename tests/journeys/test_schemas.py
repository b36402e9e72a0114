"""From JSON to a definition, and what is said where it is none."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Any, get_args

import pytest

from app.journeys import definition as nodes
from app.journeys.problems import InvalidDefinitionError
from app.journeys.schemas import STEPS, TRIGGERS, parse_definition
from app.journeys.spans import Span
from app.segments.language import rules

API: dict[str, Any] = {"type": "api"}
A_TAG: dict[str, Any] = {"type": "tag", "tag": "vriend"}


def journey(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"trigger": API, "purpose": "recommendations", "steps": list(steps), **more}


def problems(data: object) -> dict[str, list[str]]:
    with pytest.raises(InvalidDefinitionError) as refused:
        parse_definition(data)
    return refused.value.by_field()


def test_every_kind_of_trigger_and_step_has_a_schema() -> None:
    assert {schema.node for schema in TRIGGERS.values()} == set(get_args(nodes.Trigger))
    assert {schema.node for schema in STEPS.values()} == set(get_args(nodes.Step))


def test_a_whole_journey_is_read_as_it_is_written() -> None:
    read = parse_definition(
        journey(
            {"id": "hello", "type": "send", "mailing": 3},
            {"id": "pause", "type": "wait", "for": "P2D", "at": "10:00", "weekdays": [4, 2, 4]},
            {
                "id": "which",
                "type": "choose",
                "branches": [{"when": A_TAG, "steps": [{"id": "out", "type": "exit"}]}],
                "otherwise": [{"id": "mark", "type": "tag", "add": [" nieuw "], "remove": []}],
            },
            goal={"rule": A_TAG, "within": "P30D"},
            quiet={"from": "21:00", "until": "08:00"},
            holdout_percent=10,
            reentry="P365D",
        )
    )
    assert read == nodes.Definition(
        trigger=nodes.OnApi(),
        purpose="recommendations",
        steps=(
            nodes.Send("hello", 3),
            nodes.Wait("pause", Span(days=2), at=time(10), weekdays=(2, 4)),
            nodes.Choose(
                "which",
                (nodes.Branch(rules.Tag("vriend"), (nodes.Exit("out"),)),),
                (nodes.Tag("mark", add=("nieuw",)),),
            ),
        ),
        goal=nodes.Goal(rules.Tag("vriend"), Span(days=30)),
        quiet=nodes.Quiet(time(21), time(8)),
        holdout_percent=Decimal(10),
        reentry=Span(days=365),
    )


@pytest.mark.parametrize(
    ("trigger", "read"),
    [
        ({"type": "segment", "segment": 4, "on": "leave"}, nodes.OnSegment(4, "leave")),
        ({"type": "participation", "on": "attended", "nth": 5}, nodes.OnParticipation("attended", nth=5)),
        (
            {"type": "activity", "offset": "-P2D", "where": {"genres": ["dance"]}},
            nodes.OnActivity(Span(days=-2), rules.Where(genres=("dance",))),
        ),
        ({"type": "anniversary", "field": "birth_date"}, nodes.OnAnniversary("birth_date", Span())),
        ({"type": "pass", "programme": "uitpas", "on": "expiring", "offset": "-P30D"},
         nodes.OnPass("uitpas", "expiring", offset=Span(days=-30))),
        ({"type": "consent", "channel": "email", "purpose": "newsletter", "on": "confirmed"},
         nodes.OnConsent("email", "newsletter", "confirmed")),
        ({"type": "form", "form": 2}, nodes.OnForm(2)),
        (API, nodes.OnApi()),
    ],
)  # fmt: skip
def test_every_trigger_is_read(trigger: dict[str, Any], read: nodes.Trigger) -> None:
    assert parse_definition(journey(trigger=trigger)).trigger == read


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ({"type": "send"}, "mailing"),
        ({"type": "wait", "for": "-P1D"}, "for"),
        ({"type": "wait", "for": "two days"}, "for"),
        ({"type": "wait", "for": "P1D", "at": "25:00"}, "at"),
        ({"type": "wait", "for": "P1D", "at": "9:00"}, "at"),
        ({"type": "wait", "for": "P1D", "weekdays": [0]}, "weekdays.0"),
        ({"type": "wait_until", "offset": "-PT4H", "if_past": "cry"}, "if_past"),
        ({"type": "wait_for", "trigger": API, "timeout": "P0D"}, "timeout"),
        ({"type": "wait_for", "trigger": {"type": "activity", "offset": "P1D"}, "timeout": "P1D"}, "trigger"),
        ({"type": "wait_for", "trigger": {"type": "pass", "on": "issued"}, "timeout": "P1D"}, "trigger.programme"),
        ({"type": "choose", "branches": []}, "branches"),
        ({"type": "choose", "branches": [{"when": {"type": "tag"}}]}, "branches.0.when.tag"),
        ({"type": "split", "branches": [{"name": "A", "weight": 0}]}, "branches"),
        ({"type": "split", "branches": [{"name": "A", "weight": 1}, {"name": "a", "weight": 1}]}, "branches"),
        ({"type": "split", "branches": [{"name": "A", "weight": -1}]}, "branches.0.weight"),
        ({"type": "tag"}, "add"),
        ({"type": "tag", "add": ["x"], "remove": ["X"]}, "remove"),
        ({"type": "set", "field": "email", "value": "x"}, "field"),
        ({"type": "set", "field": "attributes.x", "value": {"a": 1}}, "value"),
        ({"type": "audience", "audience": 1, "do": "burn"}, "do"),
        ({"type": "notify", "to": "nobody", "text": "x"}, "to"),
        ({"type": "notify", "to": "desk@example.org", "text": " "}, "text"),
        ({"type": "webhook", "url": "ftp://example.org"}, "url"),
        ({"type": "webhook", "url": "https://user:secret@example.org/"}, "url"),
        ({"type": "webhook", "url": "https://example.org:99999/"}, "url"),
        ({"type": "dance"}, "type"),
        ({"type": "exit", "mailing": 3}, "mailing"),
        ({"type": "exit", "id": "with space"}, "id"),
    ],
)
def test_what_is_wrong_with_a_step_is_said_at_its_field(step: dict[str, Any], path: str) -> None:
    found = problems(journey({"id": "s1", **step}))
    assert list(found) == [f"steps.0.{path}"]
    assert all(sentence.endswith(".") for sentences in found.values() for sentence in sentences)


def test_every_problem_is_said_at_once_however_deep_it_stands() -> None:
    inner = {
        "id": "b",
        "type": "split",
        "branches": [{"name": "A", "weight": 1, "steps": [{"id": "c", "type": "send"}]}],
    }
    found = problems(journey({"id": "a", "type": "wait_for", "trigger": API, "timeout": "P1D", "then": [inner]}, {}))
    assert list(found) == ["steps.0.then.0.branches.0.steps.0.mailing", "steps.1.type"]


def test_two_steps_never_have_the_same_id() -> None:
    twice = {"id": "a", "type": "exit"}
    assert "“a”" in problems(journey(twice, twice))["steps"][0]


def test_a_journey_is_never_deeper_wider_or_longer_than_a_person_can_follow() -> None:
    deep: list[Any] = []
    for depth in range(nodes.MAX_DEPTH + 1):
        deep = [{"id": f"s{depth}", "type": "wait_for", "trigger": API, "timeout": "P1D", "then": deep}]
    [said] = problems(journey(*deep)).values()
    assert "deep" in said[0]
    wide = [{"name": f"part {n}", "weight": 1} for n in range(nodes.MAX_BRANCHES + 1)]
    assert "steps.0.branches" in problems(journey({"id": "a", "type": "split", "branches": wide}))
    inside = [{"id": f"i{n}", "type": "exit"} for n in range(nodes.MAX_STEPS)]
    long = journey({"id": "a", "type": "wait_for", "trigger": API, "timeout": "P1D", "then": inside})
    assert "steps" in problems(long)


@pytest.mark.parametrize(
    "data", [None, 3, "x", [], {"trigger": 3}, {"steps": {}}, {"trigger": {"type": ["x"]}}, journey(quiet="night"),
             journey(holdout_percent=100), journey(reentry="often"), journey(goal={"rule": A_TAG, "within": "P0D"}),
             journey(quiet={"from": "21:00", "until": "21:00"}), journey(only={"type": "x"}), journey(purpose="a\x00"),
             journey({"id": "a", "type": "tag", "add": ["\ud800"]})]
)  # fmt: skip
def test_nonsense_is_refused_in_words(data: object) -> None:
    assert problems(data)


def test_quiet_hours_may_pass_midnight() -> None:
    night, noon = nodes.Quiet(time(21), time(8)), nodes.Quiet(time(12), time(13))
    assert [night.holds(time(hour)) for hour in (20, 21, 23, 0, 7, 8)] == [False, True, True, True, True, False]
    assert [noon.holds(time(hour)) for hour in (11, 12, 13)] == [False, True, False]
