"""The segments that ship with the product."""

from __future__ import annotations

from datetime import date

import pytest

from app.segments.building.recipes import BY_KEY, RECIPES, Recipe
from app.segments.language.schemas import parse_rule
from app.segments.language.told import tell

WORDS = {"genres": "dans, circus", "series": "Abo A", "postcodes": "9000, 9050", "programmes": "uitpas, museumpas"}


def complete(recipe: Recipe) -> dict[str, str]:
    return {setting.key: WORDS[setting.kind] for setting in recipe.settings if setting.kind in WORDS}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.key)
def test_a_recipe_gives_a_rule_that_can_be_parsed_and_told(recipe: Recipe) -> None:
    rule, problems = recipe.rule(complete(recipe))
    assert problems == {}
    for language in ("nl", "fr", "en"):
        assert tell(parse_rule(rule), as_of=date(2026, 11, 20), language=language)


def test_a_lapser_came_three_times_in_four_years_and_not_in_the_last_18_months() -> None:
    rule, _ = BY_KEY["lapser"].rule({})
    came, stayed_away, none_of = rule["rules"]
    assert (came["at_least"], came["between"]) == (3, ["-P48M", "-P18M"])
    assert (stayed_away["at_most"], stayed_away["between"]) == (0, ["-P18M", "P1D"])
    reasons = none_of["rule"]["rules"]
    assert [one.get("between") or one["type"] for one in reasons] == [
        ["P1D", None], ["-P18M", "P1D"], "likely_same", "likely_same", "deliverability",
    ]  # fmt: skip


SWITCHES = ["not_booked", "not_closed", "not_another", "not_household", "not_bouncing"]


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_reason_to_leave_a_lapser_out_can_be_switched_off(switch: str) -> None:
    every = BY_KEY["lapser"].rule({})[0]["rules"][2]["rule"]["rules"]
    rule, problems = BY_KEY["lapser"].rule({switch: "0"})
    assert problems == {}
    place = SWITCHES.index(switch)
    assert rule["rules"][2]["rule"]["rules"] == every[:place] + every[place + 1 :]


def test_a_lapser_without_any_reason_to_be_left_out_is_the_bare_rule() -> None:
    rule, _ = BY_KEY["lapser"].rule(dict.fromkeys(SWITCHES, "0"))
    assert len(rule["rules"]) == 2


def test_every_recipe_of_the_language_ships() -> None:
    assert set(BY_KEY) >= {
        "lapser", "first_timer", "genre_affinity", "recommendation", "loyal", "core", "discoverer", "last_minute",
        "birthday", "pass_expiring", "never_opened", "nearby",
    }  # fmt: skip


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
