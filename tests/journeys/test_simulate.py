"""Walking somebody through a journey in thought: as it would be, with reasons, and without writing anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import InternalError

from app.db import ScopedSession, tenant_tables
from app.journeys.drafts import find_journey
from app.journeys.invented import Invented
from app.journeys.models import Visit
from app.journeys.simulate import Nobody, Simulation, Somebody, simulate, without_writing
from tests.journeys.moving.house import Walks, tag, wait, when

Json = dict[str, Any]
HAS_TAG: Json = {"type": "tag", "tag": "vriend"}
SOMEBODY_NEW = {"type": "participation", "at_most": 0}


def walk(house: Walks, journey_id: int, name: str, **more: Any) -> Simulation:
    def walked(session: ScopedSession) -> Simulation:
        draft = find_journey(session, journey_id).draft
        return simulate(session, draft, Somebody(house.names[name]), at=house.now, journey_id=journey_id, **more)

    return house.do(walked)


def ids(walked: Simulation) -> list[str]:
    return [step.step_id for step in walked.steps]


def test_the_way_in_thought_is_the_way_in_fact(house: Walks) -> None:
    house.friend("An", tags=["vriend"])
    journey = house.run(
        wait("w", "P2D", at="10:00"), when("c", HAS_TAG, [house.send("a")], [house.send("b")]), tag("t"), wait("v")
    )
    walked = walk(house, journey, "An")
    [enrolment] = house.come_in(journey, "An")
    for _ in range(8):
        house.move()
        house.now += timedelta(hours=12)
    visits = house.do(
        lambda session: [
            (one.step_id, one.branch)
            for one in session.scalars(
                sa.select(Visit).where(Visit.enrolment_id == enrolment).order_by(Visit.arrived_at, Visit.step_id)
            )
        ]
    )
    assert sorted(ids(walked)) == sorted(step for step, _branch in visits)
    assert {step.step_id: step.branch for step in walked.steps}["c"] == 0
    assert dict(visits)["c"] == "0"


def test_it_says_why_a_branch_was_taken(house: Walks) -> None:
    house.friend("An")
    journey = house.run(when("c", HAS_TAG, [tag("x")], [tag("y")]))
    [choice, then] = walk(house, journey, "An").steps
    assert choice.branch == 1
    assert [(one.told, one.holds) for one in choice.answers[0].conditions] == [("heeft het label “vriend”", False)]
    assert then.step_id == "y"


def test_the_database_refuses_every_write_and_nothing_is_different_afterwards(house: Walks) -> None:
    house.friend("An")
    journey = house.run(wait("w"), house.send("m"), tag("t"))
    before = house.do(counts)
    walk(house, journey, "An")
    assert house.do(counts) == before

    def write(session: ScopedSession) -> None:
        with without_writing(session):
            session.execute(sa.text("UPDATE journey SET name = 'anders'"))

    with pytest.raises(InternalError, match="read-only"):
        house.do(write)


def test_the_rest_of_the_transaction_may_write_again(house: Walks) -> None:
    def write(session: ScopedSession) -> int:
        with without_writing(session):
            session.execute(sa.text("SELECT 1"))
        return session.execute(sa.text("UPDATE organisation SET name = name WHERE id = :id"), {"id": 0}).rowcount

    assert house.do(write) == 0


def counts(session: ScopedSession) -> dict[str, int]:
    return {table.name: session.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in tenant_tables()}


def test_mails_wait_for_quiet_hours_and_for_the_cap(house: Walks) -> None:
    house.friend("An")
    house.now = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
    journey = house.run(house.send("a"), house.send("b"), house.send("c"))
    first, second, third = walk(house, journey, "An").steps
    morning = datetime(2026, 11, 21, 7, tzinfo=UTC)
    assert (first.leaves_at, first.notes) == (morning, ("quiet",))
    assert second.leaves_at == morning
    assert third.notes == ("capped",)
    assert third.leaves_at == morning + timedelta(days=7)


def test_who_may_not_be_mailed_does_not_come_in(house: Walks) -> None:
    house.person("Bob")
    journey = house.run(house.send("a"))
    assert (walk(house, journey, "Bob").entry, walk(house, journey, "Bob").steps) == ("no_permission", [])


def test_a_journey_that_does_more_than_mail_takes_in_who_may_not_be_mailed(house: Walks) -> None:
    house.person("Bob")
    walked = walk(house, house.run(tag("t")), "Bob")
    assert (walked.entry, ids(walked)) == ("yes", ["t"])
    mixed = walk(house, house.run(tag("t"), house.send("m")), "Bob")
    assert (mixed.entry, mixed.ended) == ("yes", "no_permission")


def test_the_rule_of_who_may_enter_is_asked_first(house: Walks) -> None:
    house.friend("An")
    journey = house.run(tag("t"), only=HAS_TAG)
    walked = walk(house, journey, "An")
    assert walked.entry == "only"
    assert walked.only is not None
    assert not walked.only.holds


def test_what_is_waited_for_happens_only_where_somebody_says_so(house: Walks) -> None:
    house.friend("An")
    step = {
        "id": "f",
        "type": "wait_for",
        "trigger": {"type": "participation", "on": "booked"},
        "timeout": "P7D",
        "then": [tag("yes")],
        "otherwise": [tag("no")],
    }
    journey = house.run(step)
    assert ids(walk(house, journey, "An")) == ["f", "no"]
    assert ids(walk(house, journey, "An", answers={"f": "then"})) == ["f", "yes"]
    assert walk(house, journey, "An").assumptions == ["nothing_happens"]


def test_a_moment_around_an_activity_follows_its_start(house: Walks) -> None:
    house.friend("An")
    starts = house.now + timedelta(days=10)
    until = {"id": "u", "type": "wait_until", "relative_to": "activity", "offset": "-P2D", "if_past": "skip"}
    journey = house.run(
        until, tag("t"), trigger={"type": "activity", "offset": "-P30D", "where": {}}, purpose="newsletter"
    )
    [waits, _tag] = walk(house, journey, "An", starts_at=starts).steps
    assert waits.until == starts - timedelta(days=2)
    late = walk(house, journey, "An", starts_at=house.now + timedelta(days=1)).steps
    assert [(one.step_id, one.outcome) for one in late] == [("u", "passed_over")]
    nothing_booked = walk(house, journey, "An")
    assert nothing_booked.ended == "no_activity"


def test_who_reaches_the_goal_leaves(house: Walks) -> None:
    house.friend("An", tags=["vriend"])
    journey = house.run(wait("w"), goal={"rule": HAS_TAG, "within": "P30D"})
    assert (walk(house, journey, "An").ended, ids(walk(house, journey, "An"))) == ("goal_reached", [])


@pytest.mark.parametrize(
    ("rule", "facts", "holds"),
    [
        ({"type": "profile", "field": "language", "op": "in", "value": ["fr"]}, {"language": "fr"}, True),
        ({"type": "profile", "field": "language", "op": "in", "value": ["fr"]}, {"language": "nl"}, False),
        ({"type": "profile", "field": "postcode", "op": "starts_with", "value": "90"}, {"postcode": "9000"}, True),
        ({"type": "profile", "field": "age", "op": "between", "value": [18, 30]}, {"birth_date": "2000-01-01"}, True),
        ({"type": "profile", "field": "age", "op": "between", "value": [18, 30]}, {}, False),
        ({"type": "not", "rule": {"type": "tag", "tag": "vip"}}, {}, True),
        (SOMEBODY_NEW, {}, True),
        ({"type": "participation", "at_least": 1}, {}, False),
    ],
)
def test_somebody_invented_is_what_is_said_of_them_and_never_came(
    house: Walks, rule: Json, facts: Json, holds: bool
) -> None:
    journey = house.run(when("c", rule, [tag("yes")], [tag("no")]))
    born = facts.get("birth_date")
    fields = facts | ({"birth_date": datetime.fromisoformat(born).date()} if born else {})

    def walked(session: ScopedSession) -> Simulation:
        draft = find_journey(session, journey).draft
        return simulate(session, draft, Nobody(Invented(fields)), at=house.now)

    assert ids(house.do(walked)) == ["c", "yes" if holds else "no"]
