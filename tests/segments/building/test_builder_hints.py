"""What a maker is told about a rule: what it names that is gone, and what makes it slow."""

from __future__ import annotations

from typing import Any

from app.db import ScopedSession
from app.segments.building.absences import absences_in
from app.segments.building.cost import READS_TICKETS, READS_VISITS, SEARCHES_TEXT, estimate_cost
from app.segments.definitions import read_rule
from tests.segments.evaluator import Activity
from tests.segments.people import DAY, at_noon, move_in, person, visits

DANCE = Activity(id=7, genres=("Dans", "circus"), venue=" Grote Zaal", series="Abo", starts_at=at_noon(DAY))


def told(session: ScopedSession, rule: dict[str, Any]) -> dict[str, str]:
    return {problem.path: str(problem.message) for problem in absences_in(session, read_rule(session, rule))}


def came(**where: Any) -> dict[str, Any]:
    return {"type": "participation", "at_least": 1, "between": [None, None], "where": where}


def test_what_is_there_is_not_mentioned_whatever_its_capitals(session: ScopedSession) -> None:
    filled = move_in(session, person(1, *visits(3, activity=DANCE)))
    activities = list(filled.activities.values())
    rule = came(genres=["DANS "], venues=["grote zaal"], series=["abo"], kinds=["performance"], activities=activities)
    assert told(session, rule) == {}


def test_a_genre_that_is_gone_is_named_at_its_condition(session: ScopedSession) -> None:
    move_in(session, person(1, *visits(3, activity=DANCE)))
    share = {"type": "share", "of": {"genres": ["opera", "dans"]}, "at_least": 0.4}
    rule = {
        "type": "all",
        "rules": [came(venues=["Kelder"]), {"type": "not", "rule": share}, came(activities=[999999])],
    }
    assert told(session, rule) == {
        "rules.0.where.venues": "No activity has the venue “kelder” any more.",
        "rules.1.rule.of.genres": "No activity has the genre “opera” any more.",
        "rules.2.where.activities": "There is no activity “999999” any more.",
    }


def test_many_names_that_are_gone_are_cut_short(session: ScopedSession) -> None:
    [sentence] = told(session, came(genres=["a", "b", "c", "d"])).values()
    assert sentence == "No activity has the genre “a”, “b”, “c”, … any more."


def test_a_quick_rule_is_not_called_slow(session: ScopedSession) -> None:
    cost = estimate_cost(session, read_rule(session, came()))
    assert not cost.is_slow
    assert 0 < cost.seconds < 3


def test_a_slow_rule_names_what_makes_it_slow_and_why(session: ScopedSession) -> None:
    move_in(session, person(1, *visits(3)))
    for rule, why in (
        (came(channels=["web"]), READS_TICKETS),
        (came(), READS_VISITS),
        ({"type": "profile", "field": "email", "op": "contains", "value": "x"}, SEARCHES_TEXT),
    ):
        whole = {"type": "all", "rules": [{"type": "any", "rules": [rule]}]}
        cost = estimate_cost(session, read_rule(session, whole), slow_from_s=0.0)
        assert [(one.path, one.message) for one in cost.slow] == [("rules.0.rules.0", why)]
