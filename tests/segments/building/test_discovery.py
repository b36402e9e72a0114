"""From an activity to the people who would like it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from app.activities.models import Activity as ActivityRow
from app.db import ScopedSession
from app.segments.building.discovery import not_yet_rule
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import Scope
from app.segments.definitions import read_rule
from app.segments.problems import ActivityMissingError, NothingInCommonError
from tests.segments.evaluator import Activity
from tests.segments.people import DAY, ZONE, at_noon, move_in, person, visits

DANCE = Activity(id=1, genres=("dans",), starts_at=at_noon(DAY))
OPERA = Activity(id=2, genres=("opera",), starts_at=at_noon(DAY))
SERIES = Activity(id=3, series="Abo A", starts_at=at_noon(DAY))
HALL = Activity(id=4, venue="Kelder", starts_at=at_noon(DAY))


def an_activity(session: ScopedSession, title: str, **facts: Any) -> int:
    values = {"title": title, "organisation_id": session.organisation_id, "source": "test", "external_id": title}
    stamps = {"created_at": at_noon(DAY), "updated_at": at_noon(DAY)}
    row = sa.insert(ActivityRow).values({**values, **stamps, **facts}).returning(ActivityRow.id)
    return session.execute(row).scalar_one()


def found_by(session: ScopedSession, rule: dict[str, Any]) -> list[int]:
    statement = select_members(read_rule(session, rule), Scope(session.organisation_id, DAY, ZONE.key))
    return sorted(session.scalars(statement))


def test_who_loves_the_genre_and_has_no_place_yet_is_found(session: ScopedSession) -> None:
    filled = move_in(
        session,
        person(1, *visits(10, 11, activity=DANCE)),
        person(2, *visits(10, activity=DANCE)),
        person(3, *visits(10, 11, activity=DANCE), *visits(1, 2, 3, 4, activity=OPERA)),
    )
    activity = an_activity(session, "Rosas", genres=["Dans"], venue="Kelder")
    assert found_by(session, not_yet_rule(session, activity)) == [filled.world.contacts[0].id]


def test_a_place_on_another_date_of_the_same_production_is_a_place(session: ScopedSession) -> None:
    filled = move_in(session, *(person(number, *visits(10, 11, activity=DANCE)) for number in (1, 2)))
    first = an_activity(session, "Rosas", genres=["dans"])
    other = an_activity(session, " rosas", genres=["dans"], external_id="2")
    by_now = session.execute(sa.text("SELECT max(id) FROM participation WHERE contact_id = :id"), {
        "id": filled.world.contacts[1].id
    }).scalar_one()  # fmt: skip
    session.execute(sa.text("UPDATE participation SET activity_id = :a WHERE id = :id"), {"a": other, "id": by_now})
    rule = not_yet_rule(session, first)
    assert rule["rules"][1]["where"]["activities"] == [first, other]
    assert found_by(session, rule) == [filled.world.contacts[0].id]


def test_a_visit_in_its_series_is_affinity_too(session: ScopedSession) -> None:
    filled = move_in(session, person(1, *visits(10, activity=SERIES)), person(2, *visits(10, activity=HALL)))
    activity = an_activity(session, "Vierde concert", series="abo a", venue="Kelder")
    assert found_by(session, not_yet_rule(session, activity)) == [filled.world.contacts[0].id]


def test_the_venue_speaks_only_where_nothing_else_does(session: ScopedSession) -> None:
    filled = move_in(session, person(1, *visits(10, 20, activity=HALL)), person(2, *visits(10, activity=HALL)))
    activity = an_activity(session, "Vreemd", venue="kelder")
    assert found_by(session, not_yet_rule(session, activity)) == [filled.world.contacts[0].id]


def test_an_activity_that_shares_nothing_is_refused_instead_of_guessed(session: ScopedSession) -> None:
    with pytest.raises(NothingInCommonError):
        not_yet_rule(session, an_activity(session, "Zonder iets"))
    with pytest.raises(ActivityMissingError):
        not_yet_rule(session, 10**9)
