"""What comes in as JSON becomes nodes, or a clear answer at the right place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from app.segments.language import rules
from app.segments.language.schemas import MAX_DEPTH, MAX_LEAVES, parse_rule
from app.segments.language.windows import Duration, Window
from app.segments.problems import InvalidRuleError, Message
from tests.segments import worlds


def problems_of(rule: object) -> dict[str, list[str]]:
    with pytest.raises(InvalidRuleError) as refused:
        parse_rule(rule)
    return refused.value.by_field()


def test_a_participation_rule_is_read_with_its_defaults() -> None:
    assert parse_rule({"type": "participation", "at_least": 3}) == rules.Participation(
        bounds=rules.Bounds(at_least=Decimal(3)),
        measure=rules.Measure.COUNT,
        window=Window(),
        date_of=rules.DateOf.ACTIVITY,
        where=rules.Where(),
    )


def test_a_full_participation_rule_is_read_whole() -> None:
    rule = {
        "type": "participation",
        "measure": "spend",
        "at_least": 10.5,
        "at_most": 99,
        "between": ["-P18M", "P1D"],
        "date": "booking",
        "where": {"genres": ["dans"], "weekdays": [6, 7], "lead_days_between": [0, None], "activities": [3, "4"]},
    }
    assert parse_rule(rule) == rules.Participation(
        bounds=rules.Bounds(Decimal("10.5"), Decimal(99)),
        measure=rules.Measure.SPEND,
        window=Window(Duration(-18), Duration(days=1)),
        date_of=rules.DateOf.BOOKING,
        where=rules.Where(
            genres=("dans",), weekdays=(6, 7), lead_days=rules.Range(Decimal(0), None), activities=(3, 4)
        ),
    )


def test_null_says_the_same_as_leaving_a_key_out() -> None:
    spoken = {"type": "participation", "at_least": 1, "at_most": None, "between": None, "where": None}
    assert parse_rule(spoken) == parse_rule({"type": "participation", "at_least": 1})


def test_every_problem_is_said_at_its_own_path() -> None:
    rule = {
        "type": "all",
        "rules": [
            {"type": "participation", "at_least": "3"},
            {"type": "any", "rules": [{"type": "share", "of": {"genres": []}, "where": {"weekdays": [1, 8]}}]},
            {"type": "not", "rule": {"type": "profile", "field": "shoe_size", "op": "is", "value": 1}},
        ],
    }
    assert set(problems_of(rule)) == {
        "rules.0.at_least",
        "rules.1.rules.0.of.genres",
        "rules.1.rules.0.where.weekdays.1",
        "rules.2.rule.field",
    }


def test_a_condition_on_mails_is_read_whole() -> None:
    rule = {
        "type": "engagement", "event": "clicked", "measure": "count", "at_least": 2, "between": ["-P12M", "P1D"],
        "skip_closed": True, "mailing": "7",
    }  # fmt: skip
    assert parse_rule(rule) == rules.Engagement(
        "clicked",
        rules.Bounds(Decimal(2)),
        window=Window(Duration(-12), Duration(days=1), skips_closed=True),
        mailing_id=7,
    )


def test_a_condition_on_a_pass_is_read_whole() -> None:
    rule = {
        "type": "pass", "programme": " UiTPAS ", "is": "active", "expires": ["P0D", "P1M"], "points_at_least": 5
    }  # fmt: skip
    assert parse_rule(rule) == rules.Pass("UiTPAS", "active", Window(Duration(), Duration(1)), Decimal(5))


def test_conditions_on_journeys_mailboxes_and_other_people_are_read() -> None:
    assert parse_rule({"type": "journey", "journey": 4, "is": "never"}) == rules.InJourney(4, "never")
    assert parse_rule({"type": "deliverability", "is": "bouncing"}) == rules.Deliverability("bouncing")
    asked = {"type": "tag", "tag": "vip"}
    assert parse_rule({"type": "likely_same", "rule": asked}) == rules.LikelySame(rules.Tag("vip"), "person")
    assert parse_rule({"type": "likely_same", "rule": asked, "who": "household"}).who == "household"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        (None, "rule"),
        ([], "rule"),
        ({}, "type"),
        ({"type": "lapser"}, "type"),
        ({"type": ["all"]}, "type"),
        ({"type": "all"}, "rules"),
        ({"type": "all", "rules": {}}, "rules"),
        ({"type": "all", "rules": [], "extra": 1}, "extra"),
        ({"type": "not"}, "rule"),
        ({"type": "participation"}, "at_least"),
        ({"type": "participation", "at_least": True}, "at_least"),
        ({"type": "participation", "at_least": float("nan")}, "at_least"),
        ({"type": "participation", "at_least": 3, "at_most": 2}, "at_most"),
        ({"type": "participation", "at_least": 3, "measure": "joy"}, "measure"),
        ({"type": "participation", "at_least": 3, "date": "birthday"}, "date"),
        ({"type": "participation", "at_least": 3, "between": ["-PT1H", None]}, "between"),
        ({"type": "participation", "at_least": 3, "skip_closed": "yes"}, "skip_closed"),
        ({"type": "engagement", "at_least": 1}, "event"),
        ({"type": "engagement", "event": "read", "at_least": 1}, "event"),
        ({"type": "engagement", "event": "opened"}, "at_least"),
        ({"type": "engagement", "event": "opened", "at_least": 1, "measure": "days"}, "measure"),
        ({"type": "engagement", "event": "opened", "at_least": 1, "mailing": "x"}, "mailing"),
        ({"type": "engagement", "event": "opened", "at_least": 1, "campaign": " "}, "campaign"),
        ({"type": "engagement", "event": "opened", "at_least": 1, "where": {}}, "where"),
        ({"type": "pass", "is": "active"}, "programme"),
        ({"type": "pass", "programme": "uitpas", "is": "mine"}, "is"),
        ({"type": "pass", "programme": "uitpas", "is": "none", "expires": ["P0D", None]}, "expires"),
        ({"type": "pass", "programme": "uitpas", "is": "none", "points_at_least": 1}, "points_at_least"),
        ({"type": "pass", "programme": "uitpas", "is": "active", "expires": "P1D"}, "expires"),
        ({"type": "journey", "is": "active"}, "journey"),
        ({"type": "journey", "journey": 1, "is": "paused"}, "is"),
        ({"type": "deliverability", "is": "full"}, "is"),
        ({"type": "likely_same"}, "rule"),
        ({"type": "likely_same", "rule": {"type": "tag"}}, "rule.tag"),
        ({"type": "likely_same", "rule": {"type": "all", "rules": []}, "who": "friend"}, "who"),
        ({"type": "participation", "at_least": 3, "where": {"statuses": ["lost"]}}, "where.statuses.0"),
        ({"type": "participation", "at_least": 3, "where": {"price_between": [2, 1]}}, "where.price_between"),
        ({"type": "participation", "at_least": 3, "where": {"price_between": 2}}, "where.price_between"),
        ({"type": "participation", "at_least": 3, "where": {"lead_days_between": [0.5, 1]}}, "where.lead_days_between"),
        ({"type": "participation", "at_least": 3, "where": {"activities": ["x"]}}, "where.activities.0"),
        ({"type": "participation", "at_least": 3, "where": {"genres": "dans"}}, "where.genres"),
        ({"type": "participation", "at_least": 3, "where": {"genres": [" "]}}, "where.genres.0"),
        ({"type": "participation", "at_least": 3, "where": {"colour": ["red"]}}, "where.colour"),
        ({"type": "share", "at_least": 0.4}, "of"),
        ({"type": "share", "of": {}, "at_least": 40}, "at_least"),
        ({"type": "share", "of": {}, "at_least": 0.4, "min_count": -1}, "min_count"),
        ({"type": "profile", "field": "age", "op": "contains", "value": 1}, "op"),
        ({"type": "profile", "field": "age", "op": "is", "value": "old"}, "value"),
        ({"type": "profile", "field": "birth_date", "op": "is", "value": "31/12/1999"}, "value"),
        ({"type": "profile", "field": "email", "op": "in", "value": "x"}, "value"),
        ({"type": "profile", "field": "email", "op": "is"}, "value"),
        ({"type": "profile", "field": "email", "op": "between", "value": [1]}, "value"),
        ({"type": "profile", "field": "attributes.", "op": "known"}, "field"),
        ({"type": "anniversary", "field": "created_on"}, "field"),
        ({"type": "permission", "channel": "pigeon", "purpose": "newsletter", "is": "allowed"}, "channel"),
        ({"type": "permission", "channel": "email", "purpose": "newsletter"}, "is"),
        ({"type": "permission", "channel": "email", "purpose": "newsletter", "is": "maybe"}, "is"),
        ({"type": "tag", "tag": ""}, "tag"),
        ({"type": "tag", "tag": "a\x00b"}, "rule"),
        ({"type": "profile", "field": "email", "op": "is", "value": "\ud800"}, "rule"),
        ({"type": "share", "of": {}, "at_least": 0.4, "min_count": 10**20}, "min_count"),
        ({"type": "segment", "segment": "lapsers"}, "segment"),
        ({"type": "segment", "segment": 1, "is": "sometimes"}, "is"),
        ({"type": "sample", "percent": 101, "seed": "a"}, "percent"),
        ({"type": "sample", "percent": 10, "seed": 3}, "seed"),
    ],
)
def test_a_wrong_rule_is_refused_where_it_is_wrong(rule: object, path: str) -> None:
    assert set(problems_of(rule)) == {path}


def test_a_rule_nested_too_deep_is_refused_and_not_a_crash() -> None:
    rule: dict[str, Any] = {"type": "tag", "tag": "x"}
    for _ in range(5000):
        rule = {"type": "not", "rule": rule}
    [path] = problems_of(rule)
    assert path.count("rule") == MAX_DEPTH + 1


def test_a_rule_with_too_many_conditions_is_refused() -> None:
    rule = {"type": "any", "rules": [{"type": "tag", "tag": "x"}] * (MAX_LEAVES + 1)}
    assert list(problems_of(rule)) == ["rule"]


def test_a_problem_can_be_said_in_another_language() -> None:
    with pytest.raises(InvalidRuleError) as refused:
        parse_rule({"type": "deliverability", "is": "full"})
    dutch = {"Choose one of %(allowed)s.": "Kies uit %(allowed)s."}
    assert refused.value.by_field(dutch.__getitem__) == {"is": ["Kies uit unknown, working, soft_bouncing, bouncing."]}


def test_a_message_survives_the_formatting_of_marshmallow() -> None:
    assert Message("%(a)s {b}", a=1).format(b=2) == "1 {b}"


@settings(deadline=None)
@given(rule=worlds.rules(depth=2, segments=(1,)))
def test_every_rule_of_the_language_is_understood(rule: dict[str, Any]) -> None:
    assert parse_rule(rule) == parse_rule(rule)
