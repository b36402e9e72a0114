"""The segments that ship with the product."""

from __future__ import annotations

from datetime import date

import pytest

from app.segments.recipes import BY_KEY, RECIPES, Recipe
from app.segments.schemas import parse_rule
from app.segments.told import tell

WORDS = {"genres": "dans, circus", "series": "Abo A", "postcodes": "9000, 9050"}


def complete(recipe: Recipe) -> dict[str, str]:
    return {setting.key: WORDS[setting.kind] for setting in recipe.settings if setting.kind != "number"}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.key)
def test_a_recipe_gives_a_rule_that_can_be_parsed_and_told(recipe: Recipe) -> None:
    rule, problems = recipe.rule(complete(recipe))
    assert problems == {}
    for language in ("nl", "fr", "en"):
        assert tell(parse_rule(rule), as_of=date(2026, 11, 20), language=language)


def test_a_lapser_came_three_times_in_four_years_and_not_in_the_last_18_months() -> None:
    rule, _ = BY_KEY["lapser"].rule({})
    came, stayed_away = rule["rules"]
    assert (came["at_least"], came["between"]) == (3, ["-P48M", "-P18M"])
    assert (stayed_away["at_most"], stayed_away["between"]) == (0, ["-P18M", None])


def test_the_numbers_of_a_recipe_can_be_edited() -> None:
    rule, problems = BY_KEY["lapser"].rule({"visits": "5", "active_months": "12", "lapsed_months": "6"})
    assert problems == {}
    assert rule["rules"][0]["at_least"] == 5
    assert rule["rules"][0]["between"] == ["-P18M", "-P6M"]


@pytest.mark.parametrize("text", ["0", "-1", "3.5", "many", "366"])
def test_a_number_out_of_reach_is_refused_and_the_default_shown(text: str) -> None:
    rule, problems = BY_KEY["lapser"].rule({"visits": text})
    assert "1" in problems["visits"]
    assert "365" in problems["visits"]
    assert rule["rules"][0]["at_least"] == 3


def test_a_recipe_about_a_genre_asks_for_one() -> None:
    _, problems = BY_KEY["genre_affinity"].rule({"genres": " , "})
    assert set(problems) == {"genres"}
