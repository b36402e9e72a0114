"""Lapsers without false alarms: whom a rule leaves out, why, and who these people are."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from app.db import ScopedSession
from app.segments.building.left_out import LeftOut
from app.segments.building.preview import EXCLUSIONS_MAX, preview_rule
from app.segments.building.recipes import BY_KEY
from app.segments.closures import set_closed_periods
from app.segments.definitions import read_rule
from app.segments.language.windows import ClosedPeriod
from app.segments.problems import InvalidRuleError
from tests.segments.evaluator import World
from tests.segments.filling import fill
from tests.segments.people import DAY, ZONE, person, visits

LAPSER, _ = BY_KEY["lapser"].rule({})
LONG_AGO = visits(800, 900, 1000)
# Closed for sixty days: what lies 600 days back was 540 open days ago, and eighteen months are 549 days.
CLOSED = ((DAY - timedelta(days=160), DAY - timedelta(days=101)),)

BOOKED, CLOSED_THEN, ANOTHER, HOUSEHOLD, BOUNCING = range(5)


def lapsers(session: ScopedSession) -> dict[str, int]:
    """One true lapser, one false one for each reason, and who makes them false; ids by name."""
    people = {
        "lapser": person(1, *LONG_AGO, given_name="Echt"),
        "booked": person(2, *LONG_AGO, *visits(-20)),
        "closed": person(3, *LONG_AGO, *visits(600)),
        "another": person(4, *LONG_AGO, given_name="Éva", family_name="De Smet", postcode="9000"),
        "anothers new address": person(5, *visits(30), given_name="eva", family_name="DeSmet", postcode="9000"),
        "household": person(6, *LONG_AGO, street="Kerkstraat 12", postcode="9050"),
        "households buyer": person(7, *visits(-3), street="kerkstraat 12", postcode="9050"),
        "bouncing": person(8, *LONG_AGO, mailbox="bouncing"),
        "both": person(9, *LONG_AGO, *visits(-20), mailbox="bouncing"),
    }
    world = fill(session, World(tuple(people.values()), DAY, ZONE, closed=CLOSED)).world
    set_closed_periods(session, [ClosedPeriod(first, last) for first, last in CLOSED])
    ids = {name: one.id for name, one in zip(people, world.contacts, strict=True)}
    assert {one for one in ids.values() if one in members(session, LAPSER)} == world.members(LAPSER)
    return ids


def members(session: ScopedSession, rule: object) -> set[int]:
    return {one.id for one in preview_rule(session, rule, at=DAY).sample}


def by_reason(session: ScopedSession, rule: dict[str, Any]) -> list[LeftOut]:
    left_out = preview_rule(session, rule, at=DAY, language="en").left_out
    assert left_out is not None
    return list(left_out)


def test_only_the_true_lapser_stays_and_every_other_is_shown_with_the_reason(session: ScopedSession) -> None:
    ids = lapsers(session)
    assert members(session, LAPSER) == {ids["lapser"]}
    reasons = by_reason(session, LAPSER)
    assert [one.count for one in reasons] == [2, 1, 1, 1, 2]
    people = [members(session, one.rule) for one in reasons]
    assert [{one.id for one in reason.sample} for reason in reasons] == people
    assert people[BOOKED] == {ids["booked"], ids["both"]}
    assert people[CLOSED_THEN] == {ids["closed"]}
    assert people[ANOTHER] == {ids["another"]}
    assert people[HOUSEHOLD] == {ids["household"]}
    assert people[BOUNCING] == {ids["bouncing"], ids["both"]}


def test_the_reasons_are_said_in_words_with_their_place_in_the_rule(session: ScopedSession) -> None:
    reasons = by_reason(session, LAPSER)
    assert [one.path for one in reasons] == [f"rules.2.rule.rules.{place}" for place in range(5)]
    assert reasons[BOUNCING].told == "has an address that bounces"
    assert reasons[ANOTHER].told.startswith("is likely the same person as somebody else who came or will come at least")
    assert reasons[CLOSED_THEN].told.endswith("(not counting the days on which the house was closed)")


@pytest.mark.parametrize(
    ("switch", "comes_back"),
    [
        ("not_booked", "booked"),
        ("not_closed", "closed"),
        ("not_another", "another"),
        ("not_household", "household"),
        ("not_bouncing", "bouncing"),
    ],
)
def test_a_reason_that_is_switched_off_leaves_nobody_out(session: ScopedSession, switch: str, comes_back: str) -> None:
    ids = lapsers(session)
    rule, _ = BY_KEY["lapser"].rule({switch: "0"})
    assert members(session, rule) == {ids["lapser"], ids[comes_back]}


def test_a_rule_that_excludes_nobody_leaves_nobody_out(session: ScopedSession) -> None:
    assert by_reason(session, LAPSER["rules"][0]) == []
    assert by_reason(session, {"type": "all", "rules": LAPSER["rules"][:2]}) == []


def test_a_single_denied_condition_is_a_reason_too(session: ScopedSession) -> None:
    ids = lapsers(session)
    bounces = {"type": "deliverability", "is": "bouncing"}
    rule = {"type": "all", "rules": [LAPSER["rules"][0], {"type": "not", "rule": bounces}]}
    (reason,) = by_reason(session, rule)
    assert (reason.path, reason.count) == ("rules.1.rule", 2)
    assert members(session, reason.rule) == {ids["bouncing"], ids["both"]}


def test_a_wrong_rule_is_refused(session: ScopedSession) -> None:
    with pytest.raises(InvalidRuleError):
        preview_rule(session, {"type": "all", "rules": [{"type": "not"}]})


def test_more_exclusions_than_can_be_counted_one_by_one_are_said_to_be_so(session: ScopedSession) -> None:
    ids = lapsers(session)
    nots = [{"type": "not", "rule": {"type": "tag", "tag": f"tag {number}"}} for number in range(EXCLUSIONS_MAX)]
    most: dict[str, Any] = {"type": "all", "rules": [LAPSER["rules"][0], *nots]}
    assert len(by_reason(session, most)) == EXCLUSIONS_MAX
    most["rules"].append({"type": "not", "rule": {"type": "deliverability", "is": "bouncing"}})
    shown = preview_rule(session, most, at=DAY)
    assert shown.left_out is None
    assert ids["bouncing"] not in {one.id for one in shown.sample}


def test_closed_days_are_known_wherever_a_rule_is_read(session: ScopedSession) -> None:
    set_closed_periods(session, [ClosedPeriod(DAY - timedelta(days=40), DAY - timedelta(days=31))])
    rule = {"type": "last_participation", "between": ["-P30D", None], "skip_closed": True}
    assert read_rule(session, rule).window.around(DAY).since == date(2026, 10, 21)  # type: ignore[union-attr]
    rule["between"] = ["-P31D", None]
    assert read_rule(session, rule).window.around(DAY).since == DAY - timedelta(days=41)  # type: ignore[union-attr]
