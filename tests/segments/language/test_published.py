"""The rule language as OpenAPI publishes it says the same as what reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from app.segments.building.recipes import RECIPES
from app.segments.language.published import rule_components
from app.segments.language.schemas import RULE_TYPES, parse_rule
from app.segments.problems import InvalidRuleError
from tests.segments import worlds

DOCUMENT = {"components": {"schemas": rule_components()}, "$ref": "#/components/schemas/Rule"}
PUBLISHED = Draft202012Validator(DOCUMENT)


def problems(rule: object) -> Iterator[str]:
    return (error.message for error in PUBLISHED.iter_errors(rule))


def test_the_published_language_is_a_schema_and_names_every_kind_of_rule() -> None:
    Draft202012Validator.check_schema(DOCUMENT)
    described = rule_components().values()
    published = {one["properties"]["type"]["const"] for one in described if "type" in one.get("properties", {})}
    assert published == set(RULE_TYPES)


@settings(deadline=None)
@given(rule=worlds.rules(depth=2, segments=(1,)))
def test_whatever_can_be_read_is_as_published(rule: dict[str, Any]) -> None:
    parse_rule(rule)
    assert not list(problems(rule))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.key)
def test_every_recipe_is_as_published(recipe: Any) -> None:
    words = {setting.key: "a, b" for setting in recipe.settings if setting.kind not in ("number", "switch")}
    assert not list(problems(recipe.rule(words)[0]))


@pytest.mark.parametrize(
    "rule",
    [
        None,
        {},
        {"type": "lapser"},
        {"type": "all"},
        {"type": "all", "rules": [], "extra": 1},
        {"type": "not"},
        {"type": "participation"},
        {"type": "participation", "at_least": "3"},
        {"type": "participation", "at_least": 3, "measure": "joy"},
        {"type": "participation", "at_least": 3, "between": ["-PT1H", None]},
        {"type": "participation", "at_least": 3, "between": ["-P1M"]},
        {"type": "participation", "at_least": 3, "where": {"weekdays": [8]}},
        {"type": "participation", "at_least": 3, "where": {"genres": []}},
        {"type": "participation", "at_least": 3, "where": {"colour": ["red"]}},
        {"type": "share", "at_least": 0.4},
        {"type": "profile", "field": "shoe_size", "op": "is", "value": 43},
        {"type": "profile", "field": "language", "op": "is"},
        {"type": "profile", "field": "language", "op": "in", "value": "nl"},
        {"type": "profile", "field": "age", "op": "between", "value": [18]},
        {"type": "anniversary", "field": "created_on"},
        {"type": "permission", "channel": "pigeon", "purpose": "x", "is": "allowed"},
        {"type": "engagement", "event": "read", "at_least": 1},
        {"type": "engagement", "event": "opened"},
        {"type": "pass", "programme": "uitpas", "is": "none", "points_at_least": 1},
        {"type": "journey", "journey": 1, "is": "paused"},
        {"type": "likely_same", "rule": {"type": "tag"}},
        {"type": "sample", "seed": "a"},
    ],
)
def test_what_is_refused_is_not_as_published(rule: object) -> None:
    with pytest.raises(InvalidRuleError):
        parse_rule(rule)
    assert list(problems(rule))


def test_openapi_describes_rules_wherever_they_are_sent(client: FlaskClient) -> None:
    described = client.get("/api/openapi.json").get_json()["components"]["schemas"]
    assert described["RulePass"] == rule_components()["RulePass"]
    for name in ("SegmentIn", "SegmentOut", "PreviewIn", "CheckIn", "NotYetOut"):
        assert described[name]["properties"]["rule"]["allOf"] == [{"$ref": "#/components/schemas/Rule"}], name
