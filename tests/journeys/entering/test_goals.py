"""Goals: reached at once, whatever the rule looks at, and counted after the last step as well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app import clock
from app.contacts.tagging import change_tags, set_attribute
from app.journeys.effect import journey_effect
from app.journeys.entering.goals import look_at_goals
from app.journeys.models import Enrolment
from tests.journeys.entering.house import House, Json

API: Json = {"type": "api"}
WAIT = {"id": "wait", "type": "wait", "for": "P60D"}
TAGGED = {"type": "tag", "tag": "friend"}


def _goal(rule: Json, within: str = "P30D") -> Json:
    return {"rule": rule, "within": within}


def _enter(house: House, journey_id: int, *names: str) -> None:
    rows = [
        {
            "organisation_id": house.organisation.id, "journey_id": journey_id, "version": 1, "occurrence": name,
            "contact_id": house.names[name], "entered_at": house.now, "entered_on": house.now.date(),
            "wake_at": house.now + timedelta(days=60), "updated_at": house.now,
        }
        for name in names
    ]  # fmt: skip
    house.do(lambda session: session.execute(sa.insert(Enrolment), rows))


def _reached(house: House, journey_id: int) -> list[str]:
    names = {number: name for name, number in house.names.items()}
    way = Enrolment
    found = sa.select(way.contact_id).where(way.journey_id == journey_id, way.reached_at.is_not(None))
    return sorted(names[one] for one in house.do(lambda session: session.scalars(found).all()))


def _tag(house: House, name: str) -> None:
    ids = [house.names[name]]
    house.do(lambda session: change_tags(session, ids, add=["friend"], remove=[], at=house.now))


def _fill_in(house: House, name: str) -> None:
    house.do(lambda session: set_attribute(session, [house.names[name]], key="seat", value="A1", at=house.now))


@pytest.mark.parametrize(
    ("rule", "act"),
    [
        (TAGGED, _tag),
        ({"type": "profile", "field": "attributes.seat", "op": "is", "value": "A1"}, _fill_in),
        ({"type": "not", "rule": {"type": "not", "rule": TAGGED}}, _tag),
    ],
    ids=["tag", "field", "nested"],
)
def test_a_goal_is_reached_at_once_by_whatever_its_rule_looks_at(
    house: House, rule: Json, act: Callable[[House, str], None]
) -> None:
    segment = house.segment(rule)
    for name in ("an", "bo", "late"):
        house.person(name)
    by_rule, by_segment = (
        house.publish(API, WAIT, goal=_goal(one)) for one in (rule, {"type": "segment", "segment": segment})
    )
    for journey in (by_rule, by_segment):
        _enter(house, journey, "an", "bo", "late")
    house.beat()
    act(house, "an")
    house.later(minutes=1)
    house.beat()
    house.later(days=31)
    act(house, "late")
    house.beat()
    for journey in (by_rule, by_segment):
        assert _reached(house, journey) == ["an"]


def test_a_goal_counts_within_its_time_also_after_the_last_step_and_on_either_side(house: House) -> None:
    for name in ("an", "bo", "held", "late"):
        house.person(name)
    journey = house.publish(API, WAIT, goal=_goal({"type": "participation", "at_least": 1}), holdout_percent=10)
    _enter(house, journey, "an", "bo", "held", "late")
    kept = sa.update(Enrolment).where(Enrolment.contact_id == house.names["held"]).values(is_held_out=True)
    house.do(lambda session: session.execute(kept))
    house.show(1, house.now + timedelta(days=90))
    house.beat()
    house.finish(journey)
    house.later(days=10)
    house.book("an", 1)
    house.book("held", 1)
    house.beat()
    assert _reached(house, journey) == ["an", "held"]
    house.later(days=21)
    house.book("late", 1)
    house.beat()
    assert _reached(house, journey) == ["an", "held"]
    effect = house.do(lambda session: journey_effect(session, journey, at=house.now))
    assert effect is not None
    assert [one.reached for one in effect.versions] == [2]


def test_what_the_passing_of_a_day_brings_is_looked_for_once_a_day(house: House) -> None:
    for name in ("an", "bo"):
        house.person(name)
    came = {"type": "participation", "measure": "days", "at_least": 1, "between": [None, "P1D"], "date": "activity"}
    journey = house.publish(API, WAIT, goal=_goal(came))
    _enter(house, journey, "an", "bo")
    house.show(1, house.now + timedelta(days=20))
    for name in ("an", "bo"):
        house.book(name, 1)
    house.beat()

    def look() -> int:
        with clock.set_to(house.now):
            return look_at_goals(house.runtime, house.organisation.id)

    assert (look(), _reached(house, journey)) == (0, [])
    gone = sa.update(Enrolment).where(Enrolment.contact_id == house.names["bo"])
    ended = gone.values(state="completed", left_at=house.now, left_on=house.now.date(), wake_at=None)
    house.do(lambda session: session.execute(ended))
    house.later(days=20)
    assert look() == 2
    assert _reached(house, journey) == ["an", "bo"]
    house.book("an", 1, ticket=1, status="cancelled")
    assert look() == 0, "what was reached stays"
    assert _reached(house, journey) == ["an", "bo"]
