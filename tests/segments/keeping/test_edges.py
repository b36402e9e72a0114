"""The edges of windows: whoever changes sides because days went by stands on one of them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st

from app.db import ScopedSession
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import Scope
from app.segments.keeping.edge_people import EdgePeople
from app.segments.keeping.edges import (
    AlikeTo,
    BirthDays,
    Edge,
    EnrolmentDates,
    MailDates,
    ParticipationDates,
    PassDates,
    edges_between,
)
from app.segments.language.rules import DateOf
from app.segments.language.schemas import parse_rule
from tests.segments import worlds
from tests.segments.compiling.test_compiler_against_evaluator import compiled_from
from tests.segments.evaluator import World
from tests.segments.filling import fill

FRIDAY, SATURDAY = date(2026, 11, 20), date(2026, 11, 21)
MONTHS = {"type": "participation", "at_least": 1, "between": ["-P18M", "-P6M"]}


def edges(rule: dict[str, Any], before: date = FRIDAY, after: date = SATURDAY) -> set[Edge] | None:
    found = edges_between(parse_rule(rule), before, after)
    return None if found is None else set(found)


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "participation", "at_least": 3},
        {"type": "deliverability", "is": "bouncing"},
        {"type": "likely_same", "rule": {"type": "tag", "tag": "vip"}},
        {"type": "participation", "at_least": 3, "between": ["2026-01-01", "2026-12-31"]},
        {"type": "first_participation"},
        {"type": "tag", "tag": "vip"},
        {"type": "sample", "percent": 10, "seed": "x"},
        {"type": "profile", "field": "birth_date", "op": "known"},
        {"type": "profile", "field": "created_on", "op": "between", "value": ["2026-11-20", None]},
        {"type": "anniversary", "field": "birth_date", "between": [None, "P7D"]},
        {"type": "all", "rules": []},
    ],
)
def test_a_rule_that_time_cannot_change_has_no_edges(rule: dict[str, Any]) -> None:
    assert edges(rule) == set()


def test_each_side_of_a_window_has_its_edge_on_the_date_it_is_about() -> None:
    assert edges(MONTHS) == {
        ParticipationDates(DateOf.ACTIVITY, date(2025, 5, 20), date(2025, 5, 21)),
        ParticipationDates(DateOf.ACTIVITY, date(2026, 5, 20), date(2026, 5, 21)),
    }
    booked = {
        "type": "share",
        "of": {"genres": ["dans"]},
        "at_least": 0.4,
        "between": ["-P7D", None],
        "date": "booking",
    }
    assert edges(booked) == {ParticipationDates(DateOf.BOOKING, date(2026, 11, 13), date(2026, 11, 14))}


def test_days_that_went_by_together_have_one_long_edge() -> None:
    found = edges({"type": "last_participation", "between": ["P0D", None]}, FRIDAY, date(2026, 12, 20))
    assert found == {ParticipationDates(DateOf.ACTIVITY, FRIDAY, date(2026, 12, 20))}


def test_an_edge_stands_still_at_the_end_of_a_month_and_then_leaps() -> None:
    month = {"type": "participation", "at_least": 1, "between": ["-P1M", None]}
    assert edges(month, date(2026, 3, 30), date(2026, 3, 31)) == set()
    assert edges(month, date(2026, 3, 31), date(2026, 4, 1)) == {
        ParticipationDates(DateOf.ACTIVITY, date(2026, 2, 28), date(2026, 3, 1))
    }
    assert edges(month, date(2027, 2, 28), date(2027, 3, 1)) == {
        ParticipationDates(DateOf.ACTIVITY, date(2027, 1, 28), date(2027, 2, 1))
    }


def test_birthdays_are_edges_of_ages_and_29_february_is_one_of_two_days() -> None:
    adult = {"type": "profile", "field": "age", "op": "between", "value": [18, None]}
    assert edges(adult) == {BirthDays(frozenset({1121}))}
    assert edges(adult, date(2027, 2, 27), date(2027, 2, 28)) == {BirthDays(frozenset({228, 229}))}
    assert edges(adult, date(2027, 2, 28), date(2027, 3, 1)) == {BirthDays(frozenset({301, 229}))}


def test_the_gate_only_minds_birthdays_at_which_it_asks_for_no_guardian_any_more() -> None:
    allowed = {"type": "permission", "channel": "email", "purpose": "newsletter", "is": "allowed"}
    assert edges(allowed) == {BirthDays(frozenset({1121}), 2026, (13, 15, 16))}


def test_mails_passes_journeys_and_likely_same_people_have_edges_of_their_own() -> None:
    opened = {"type": "engagement", "event": "opened", "at_most": 0, "between": ["-P12M", None]}
    assert edges(opened) == {MailDates("opened", date(2025, 11, 20), date(2025, 11, 21))}
    has_pass = {"type": "pass", "programme": "uitpas", "is": "active", "expires": ["P0D", "P30D"]}
    assert edges(has_pass) == {
        PassDates("uitpas", FRIDAY, date(2026, 11, 22)),
        PassDates("uitpas", FRIDAY, SATURDAY),
        PassDates("uitpas", date(2026, 12, 20), date(2026, 12, 21)),
    }
    inside = {"type": "journey", "journey": 7, "is": "active"}
    assert edges(inside) == {EnrolmentDates(7, SATURDAY, date(2026, 11, 22))}
    assert edges({"type": "likely_same", "rule": inside}) == {
        AlikeTo("person", EnrolmentDates(7, SATURDAY, date(2026, 11, 22)))
    }


def test_a_date_in_a_field_of_the_house_s_own_cannot_be_looked_for() -> None:
    assert edges({"type": "anniversary", "field": "attributes.since", "between": ["P0D", "P7D"]}) is None
    inside = {"type": "any", "rules": [MONTHS, {"type": "anniversary", "field": "attributes.since"}]}
    assert edges(inside) is None


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    world=worlds.worlds(),
    wanted=st.lists(worlds.rules(depth=1, segments=(1, 2)), min_size=1, max_size=8),
    days=st.sampled_from([1, 1, 1, 2, 3, 28, 31, 365, 366, 400, -1, -30]),
)
def test_whoever_changes_sides_between_two_days_stands_on_an_edge(
    session: ScopedSession, world: World, wanted: list[dict[str, Any]], days: int
) -> None:
    later = world.day + timedelta(days=days)
    with session.begin_nested() as savepoint:
        filled = fill(session, world)
        for rule in wanted:
            complete = compiled_from(filled.world, filled.rule(rule))
            between = edges_between(complete, world.day, later)
            event("cannot say" if between is None else "edges" if between else "no edges")
            if between is None:
                continue
            before, after = (
                set(session.scalars(select_members(complete, Scope(session.organisation_id, day, world.zone.key))))
                for day in (world.day, later)
            )
            note(f"{rule}: {between}")
            assert before ^ after <= set(EdgePeople().on(session, between)), rule
        savepoint.rollback()
