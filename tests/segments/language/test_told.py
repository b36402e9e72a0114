"""Rules told back in plain words."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.segments.language import rules
from app.segments.language.schemas import parse_rule
from app.segments.language.told import GRAMMARS, Names, tell, tell_phrase
from tests.segments import worlds

DAY = date(2026, 11, 20)

LAPSER = {
    "type": "all",
    "rules": [
        {"type": "participation", "at_least": 3, "between": ["-P48M", "-P18M"]},
        {"type": "participation", "at_most": 0, "between": ["-P18M", None]},
    ],
}


def told(rule: dict[str, Any], language: str = "nl", **names: Any) -> str:
    return tell(parse_rule(rule), as_of=DAY, language=language, names=Names(**names))


def test_lapsers_are_told_with_their_dates_in_dutch() -> None:
    assert told(LAPSER) == (
        "Iedereen in dit segment kwam minstens 3 keer van 20 november 2022 tot en met 19 mei 2025, "
        "en kwam niet en komt niet vanaf 20 mei 2025."
    )


def test_lapsers_are_told_with_their_dates_in_french() -> None:
    assert told(LAPSER, "fr") == (
        "Toute personne de ce segment est venue au moins 3 fois du 20 novembre 2022 au 19 mai 2025, "
        "et n’est pas venue et ne viendra pas à partir du 20 mai 2025."
    )


def test_lapsers_are_told_with_their_dates_in_english() -> None:
    assert told(LAPSER, "en") == (
        "Everyone in this segment came at least 3 times from 20 November 2022 to 19 May 2025, "
        "and did not come and will not come from 20 May 2025 on."
    )


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"type": "all", "rules": []}, "Iedereen zit in dit segment."),
        ({"type": "any", "rules": []}, "Niemand zit in dit segment."),
        ({"type": "not", "rule": {"type": "all", "rules": []}}, "Niemand zit in dit segment."),
        (
            {"type": "not", "rule": {"type": "participation", "at_least": 3}},
            "Iedereen in dit segment kwam of komt hoogstens 2 keer.",
        ),
        (
            {
                "type": "not",
                "rule": {"type": "any", "rules": [{"type": "tag", "tag": "a"}, {"type": "tag", "tag": "b"}]},
            },
            "Iedereen in dit segment heeft niet het label “a”, en heeft niet het label “b”.",
        ),
        (
            {
                "type": "all",
                "rules": [
                    {"type": "tag", "tag": "a"},
                    {"type": "any", "rules": [{"type": "tag", "tag": "b"}, {"type": "tag", "tag": "c"}]},
                ],
            },
            "Iedereen in dit segment heeft het label “a”, en (heeft het label “b”, of heeft het label “c”).",
        ),
        (
            {"type": "participation", "at_least": 1, "between": ["P0D", None], "where": {"weekdays": [6, 7]}},
            "Iedereen in dit segment komt minstens 1 keer op zaterdag of zondag vanaf 20 november 2026.",
        ),
        (
            {
                "type": "participation",
                "measure": "spend",
                "at_least": 50.5,
                "date": "booking",
                "between": ["-P1Y", None],
            },
            "Iedereen in dit segment besteedde minstens €\u00a050,50 sinds 20 november 2025.",
        ),
        (
            {"type": "profile", "field": "language", "op": "not_in", "value": ["fr", "de"]},
            "Iedereen in dit segment heeft niet als taal Frans of Duits.",
        ),
        (
            {"type": "permission", "channel": "email", "purpose": "newsletter", "is": "denied"},
            "Iedereen in dit segment mag niet per e-mail gecontacteerd worden voor “Nieuwsbrief”.",
        ),
        (
            {"type": "segment", "segment": 4, "is": "not_member"},
            "Iedereen in dit segment zit niet in het segment “Trouw”.",
        ),
        (
            {"type": "engagement", "event": "opened", "at_most": 0, "between": ["-P12M", "P1D"]},
            "Iedereen in dit segment opende geen mail van 20 november 2025 tot en met 20 november 2026.",
        ),
        (
            {"type": "engagement", "event": "clicked", "at_least": 2, "mailing": 7},
            "Iedereen in dit segment klikte in een mail van de mailing nr. 7 minstens 2 keer.",
        ),
        (
            {"type": "pass", "programme": "uitpas", "is": "active", "expires": ["P0D", "P1M"], "points_at_least": 5},
            "Iedereen in dit segment heeft een geldige pas van “uitpas” waarvan de laatste dag valt "
            "van 20 november 2026 tot en met 19 december 2026 met minstens 5 punten.",
        ),
        (
            {"type": "not", "rule": {"type": "journey", "journey": 3, "is": "never"}},
            "Iedereen in dit segment kwam in het traject “Welkom”.",
        ),
        (
            {"type": "not", "rule": {"type": "deliverability", "is": "bouncing"}},
            "Iedereen in dit segment heeft geen adres waarvan mail terugkomt.",
        ),
        (
            {"type": "not", "rule": {"type": "likely_same", "rule": {"type": "participation", "at_least": 1}}},
            "Iedereen in dit segment is waarschijnlijk niet dezelfde persoon als iemand anders voor wie geldt: "
            "kwam of komt minstens 1 keer.",
        ),
        (
            {"type": "participation", "at_least": 1, "between": ["-P18M", "P1D"], "skip_closed": True},
            "Iedereen in dit segment kwam minstens 1 keer van 20 mei 2025 tot en met 20 november 2026 "
            "(de dagen waarop het huis gesloten was niet meegeteld).",
        ),
        (
            {"type": "participation", "at_least": 1, "between": ["P1D", "P1D"]},
            "Iedereen in dit segment kwam minstens 1 keer in een periode zonder dagen.",
        ),
    ],
)
def test_a_rule_is_told_in_dutch(rule: dict[str, Any], sentence: str) -> None:
    named = {"segments": {4: "Trouw"}, "purposes": {"newsletter": "Nieuwsbrief"}, "journeys": {3: "Welkom"}}
    assert told(rule, **named) == sentence


def test_the_first_of_a_month_is_an_ordinal_in_french() -> None:
    rule = {"type": "participation", "at_least": 1, "between": [None, "-P19D"]}
    assert "jusqu’au 31 octobre 2026" in told(rule, "fr")
    assert "du 1er novembre 2026" in told({**rule, "between": ["-P19D", "P0D"]}, "fr")


def test_an_activity_is_told_by_its_title_and_else_by_its_number() -> None:
    rule = {"type": "participation", "at_least": 1, "where": {"activities": [7, 8]}}
    assert "voor “Hamlet” of nr. 8" in told(rule, activities={7: "Hamlet"})


@pytest.mark.parametrize("language", sorted(GRAMMARS))
def test_every_field_status_and_kind_has_a_word(language: str) -> None:
    grammar = GRAMMARS[language]
    assert set(grammar.fields) == set(rules.FIELDS)
    assert set(grammar.statuses) == set(rules.STATUSES)
    assert set(grammar.kinds) == set(GRAMMARS["en"].kinds)
    assert set(grammar.mails) == set(rules.MAIL_EVENTS)
    assert set(grammar.passes) == set(rules.PASS_STANDINGS)
    assert set(grammar.in_journeys) == set(rules.JOURNEY_STANDINGS)
    assert set(grammar.mailboxes) == set(rules.DELIVERABILITIES)
    assert set(grammar.alike) == set(rules.ALIKE)


@settings(deadline=None)
@given(rule=worlds.rules(depth=2, segments=(1,)), language=st.sampled_from(sorted(GRAMMARS)))
def test_every_rule_can_be_told_in_one_sentence(rule: dict[str, Any], language: str) -> None:
    sentence = tell(parse_rule(rule), as_of=DAY, language=language)
    assert sentence.endswith(".")
    assert "  " not in sentence
    assert "None" not in sentence
    assert "{" not in sentence
    assert sentence.count("(") == sentence.count(")")


@settings(deadline=None)
@given(rule=worlds.rules(depth=2, segments=(1,)), language=st.sampled_from(sorted(GRAMMARS)))
def test_denying_twice_is_told_as_not_denying(rule: dict[str, Any], language: str) -> None:
    twice = parse_rule({"type": "not", "rule": {"type": "not", "rule": rule}})
    assert tell(twice, as_of=DAY, language=language) == tell(parse_rule(rule), as_of=DAY, language=language)


@pytest.mark.parametrize(
    ("between", "nl", "fr"),
    [
        (["-P12M", "P1D"], "in de voorbije 12 maanden (nu van 20 november 2025 tot en met 20 november 2026)",
         "au cours des 12 mois jusqu’à aujourd’hui (aujourd’hui : du 20 novembre 2025 au 20 novembre 2026)"),
        (["-P18M", "-P1M"], "tussen 1 maand en 18 maanden geleden (nu van 20 mei 2025 tot en met 19 oktober 2026)",
         "il y a entre 1 mois et 18 mois (aujourd’hui : du 20 mai 2025 au 19 octobre 2026)"),
        ([None, "-P3Y"], "meer dan 3 jaar geleden (nu tot en met 19 november 2023)",
         "il y a plus de 3 ans (aujourd’hui : jusqu’au 19 novembre 2023)"),
        ([None, "P1D"], "tot vandaag", "jusqu’à aujourd’hui"),
        (["2024-09-01", "P1D"], "van 1 september 2024 tot en met 20 november 2026",
         "du 1er septembre 2024 au 20 novembre 2026"),
    ],
)  # fmt: skip
def test_a_rule_that_goes_on_is_told_as_it_moves_with_the_day(between: list[str | None], nl: str, fr: str) -> None:
    rule = parse_rule({"type": "participation", "at_least": 3, "between": between})
    for language, expected in (("nl", nl), ("fr", fr)):
        assert tell_phrase(rule, as_of=DAY, language=language, is_lasting=True).endswith(f" {expected}")
