"""What becomes of people who are due."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from app.journeys.models import WebhookCall
from app.segments.definitions import delete_segment
from tests.journeys.moving.house import Walks, tag, wait, when

HAS_X = {"type": "tag", "tag": "x"}


def test_somebody_passes_every_step_that_takes_no_time_in_one_beat(house: Walks) -> None:
    house.friend("an")
    journey = house.run(tag("x"), when("c", HAS_X, [tag("y")], [tag("z")]), house.send("m"), tag("last"))
    [an] = house.come_in(journey, "an")
    assert house.move() == 1
    assert house.tags("an") == ["last", "x", "y"]
    assert [step for step, outcome, _ in house.log(an) if outcome == "done"] == ["c", "last", "m", "x", "y"]
    assert house.where(an).state == "completed"
    assert house.mails() == [(house.names["an"], "m", "planned")]
    assert house.move() == 0


def test_a_wait_lets_go_at_its_end_and_not_before(house: Walks) -> None:
    house.friend("an")
    journey = house.run(wait("w", "P2D", at="10:00"), tag("after"))
    [an] = house.at("2026-03-27 15:00").come_in(journey, "an")
    house.move()
    assert house.where(an).is_waiting
    house.at("2026-03-29 09:59").move()
    assert house.tags("an") == []
    house.at("2026-03-29 10:00").move()
    assert house.tags("an") == ["after"]
    assert house.log(an) == [("w", "done", None), ("after", "done", None)]


def test_the_held_out_pass_through_every_step_and_receive_nothing(house: Walks) -> None:
    house.friend("an")
    journey = house.run(house.send("m"), tag("x"), {"id": "h", "type": "webhook", "url": "https://example.org/x"})
    [an] = house.come_in(journey, "an", is_held_out=True)
    house.move()
    assert house.mails() == []
    assert house.tags("an") == []
    assert set(house.log(an)) == {(step, "skipped", "held_out") for step in ("m", "x", "h")}
    assert house.where(an).state == "completed"


def test_a_rehearsal_makes_drafts_of_mails_and_does_nothing_else(house: Walks) -> None:
    house.friend("an")
    journey = house.run(house.send("m"), tag("x"))
    [an] = house.come_in(journey, "an", is_rehearsal=True)
    house.move()
    assert house.mails() == [(house.names["an"], "m", "draft")]
    assert house.tags("an") == []
    assert set(house.log(an)) == {("m", "done", "rehearsed"), ("x", "skipped", "rehearsed")}


def test_who_withdraws_leaves_before_the_next_step(house: Walks) -> None:
    house.friend("an")
    journey = house.run(wait("w"), house.send("m"))
    [an] = house.come_in(journey, "an")
    house.move()
    house.says("an", "withdrawn")
    house.later(days=1)
    house.move()
    assert house.mails() == []
    assert (house.where(an).state, house.where(an).left_because) == ("exited", "no_permission")
    assert house.log(an) == [("w", "skipped", "no_permission")]


def test_a_journey_that_sends_nothing_is_left_by_who_says_no_and_not_by_who_never_spoke(house: Walks) -> None:
    house.person("an")
    house.friend("ben")
    house.says("ben", "withdrawn")
    journey = house.run(tag("x"))
    an, ben = house.come_in(journey, "an", "ben")
    house.move()
    assert (house.where(an).state, house.tags("an")) == ("completed", ["x"])
    assert (house.where(ben).left_because, house.tags("ben")) == ("no_permission", [])


def test_who_asked_for_a_pause_stays_and_the_gate_keeps_the_mail(house: Walks) -> None:
    house.friend("an")
    journey = house.run(wait("w"), house.send("m"))
    [an] = house.come_in(journey, "an")
    house.move()
    pause = sa.text("UPDATE permission SET paused_until = :until")
    house.do(lambda session: session.execute(pause, {"until": house.now.replace(year=2027)}))
    house.later(days=1)
    house.move()
    assert house.where(an).state == "completed"
    assert len(house.mails()) == 1


def test_who_reaches_the_goal_in_time_leaves(house: Walks) -> None:
    for name in ("an", "ben"):
        house.friend(name)
    journey = house.run(wait("w", "P10D"), tag("late"), goal={"rule": HAS_X, "within": "P20D"})
    an, ben = house.come_in(journey, "an", "ben")
    house.move()
    house.do(
        lambda session: session.execute(
            sa.text("UPDATE contact SET tags = '{x}' WHERE id = :id"), {"id": house.names["an"]}
        )
    )
    house.later(days=10)
    house.move()
    assert (house.where(an).left_because, house.tags("an")) == ("goal_reached", ["x"])
    assert (house.where(ben).state, house.tags("ben")) == ("completed", ["late"])


def test_a_goal_reached_too_late_is_no_goal(house: Walks) -> None:
    house.friend("an")
    journey = house.run(wait("w", "P10D"), tag("late"), goal={"rule": HAS_X, "within": "P9D"})
    [an] = house.come_in(journey, "an")
    house.move()
    house.do(lambda session: session.execute(sa.text("UPDATE contact SET tags = '{x}'")))
    house.later(days=10)
    house.move()
    assert (house.where(an).state, house.tags("an")) == ("completed", ["late", "x"])


def test_an_erased_person_is_mailed_nothing_more(house: Walks) -> None:
    house.friend("an")
    journey = house.run(wait("w"), house.send("m"))
    house.come_in(journey, "an")
    house.move()
    house.set("contact", house.names["an"], state="erased")
    house.later(days=1)
    house.move()
    assert house.mails() == []


@pytest.mark.parametrize("held_out", [False, True])
def test_a_field_is_set_and_emptied_and_tags_are_changed_once(house: Walks, held_out: bool) -> None:
    house.friend("an", tags=("oud", "x"), attributes={"kleur": "rood", "maat": 3})
    steps: list[Any] = [
        {"id": "a", "type": "set", "field": "attributes.kleur", "value": None},
        {"id": "b", "type": "set", "field": "attributes.score", "value": 2.5},
        {"id": "c", "type": "set", "field": "attributes.klant", "value": True},
        {"id": "d", "type": "tag", "add": ["nieuw", "x"], "remove": ["oud"]},
    ]
    house.come_in(house.run(*steps), "an", is_held_out=held_out)
    house.move()
    read = sa.text("SELECT attributes, tags FROM contact")
    attributes, tags = house.do(lambda session: session.execute(read).one())
    if held_out:
        assert (attributes, sorted(tags)) == ({"kleur": "rood", "maat": 3}, ["oud", "x"])
    else:
        assert (attributes, sorted(tags)) == ({"maat": 3, "score": 2.5, "klant": True}, ["nieuw", "x"])


def test_a_split_and_its_branches_come_together_again(house: Walks) -> None:
    names = [f"p{number}" for number in range(40)]
    for name in names:
        house.friend(name)
    ways = [{"name": way, "weight": 1, "steps": [tag(f"t{way}", way)]} for way in "AB"]
    journey = house.run({"id": "s", "type": "split", "branches": ways}, tag("end"))
    house.come_in(journey, *names)
    assert house.move() == 40
    tags = [house.tags(name) for name in names]
    assert {tuple(one) for one in tags} == {("A", "end"), ("B", "end")}


def test_waiting_for_something_goes_one_way_when_it_happens_and_the_other_when_time_is_up(house: Walks) -> None:
    from app.journeys.moving.arrivals import Happening, arrived

    for name in ("an", "ben"):
        house.friend(name)
    step = {"id": "f", "type": "wait_for", "trigger": {"type": "api"}, "timeout": "P7D", "then": [tag("came")],
            "otherwise": [tag("stayed")]}  # fmt: skip
    an, ben = house.come_in(house.run(step, tag("end")), "an", "ben")
    house.move()
    house.later(days=3)
    happening = Happening(an, "f", "api:1", house.now)
    assert house.do(lambda session: arrived(session, [happening])) == 1
    assert house.do(lambda session: arrived(session, [happening])) == 0, "delivered twice"
    house.move()
    assert house.tags("an") == ["came", "end"]
    assert house.tags("ben") == []
    house.later(days=4, seconds=1)
    late = Happening(ben, "f", "api:2", house.now)
    assert house.do(lambda session: arrived(session, [late])) == 0, "after the time was up"
    house.move()
    assert house.tags("ben") == ["end", "stayed"]
    assert house.log(an)[0] == ("f", "done", "happened")
    assert house.log(ben)[0] == ("f", "done", "timed_out")


def test_a_webhook_is_kept_to_be_called_and_a_colleague_is_written_to_once_for_all(house: Walks) -> None:
    for name in ("an", "ben"):
        house.friend(name)
    journey = house.run(
        {"id": "n", "type": "notify", "to": "desk@example.org", "text": "Bel deze mensen."},
        {"id": "h", "type": "webhook", "url": "https://example.org/x"},
    )
    house.come_in(journey, "an", "ben")
    house.move()
    letters = house.do(lambda session: session.scalars(sa.text("SELECT kind FROM letter")).all())
    assert letters == ["journey_note"]
    calls = house.do(lambda session: session.scalars(sa.select(WebhookCall)).all())
    assert {call.contact_id for call in calls} == {house.names["an"], house.names["ben"]}
    assert len({call.call_key for call in calls}) == 2


def test_quiet_hours_of_the_journey_put_the_mail_off_to_the_morning(house: Walks) -> None:
    house.friend("an")
    journey = house.run(house.send("m"), quiet={"from": "21:00", "until": "08:00"})
    house.at("2026-11-20 22:30").come_in(journey, "an")
    house.move()
    when_due = house.do(lambda session: session.scalar(sa.text("SELECT next_try_at FROM delivery")))
    assert when_due.isoformat() == "2026-11-21T07:00:00+00:00"


def test_a_restricted_person_is_left_alone(house: Walks) -> None:
    house.person("an")
    [an] = house.come_in(house.run(tag("x")), "an")
    house.set("contact", house.names["an"], is_restricted=True)
    house.move()
    assert (house.where(an).left_because, house.tags("an")) == ("restricted", [])


def test_a_goal_that_cannot_be_worked_out_holds_people_with_the_reason(house: Walks) -> None:
    house.friend("an")
    segment = house.segment(HAS_X)
    goal = {"rule": {"type": "segment", "segment": segment}, "within": "P30D"}
    [an] = house.come_in(house.run(tag("x"), goal=goal), "an")
    house.do(lambda session: session.execute(sa.text("DELETE FROM journey_use")))
    house.do(lambda session: delete_segment(session, segment))
    house.move()
    assert (house.where(an).state, house.where(an).held_because) == ("active", "segment_gone")
    assert house.tags("an") == []


def test_one_row_that_the_database_will_not_take_holds_only_its_own_person(house: Walks) -> None:
    names = [f"p{number}" for number in range(9)]
    for name in names:
        house.friend(name)
    refuse = sa.text(
        "ALTER TABLE journey_call ADD CONSTRAINT ck_test CHECK (contact_id <> " + str(house.names["p4"]) + ")"
    )
    ways = house.come_in(house.run({"id": "h", "type": "webhook", "url": "https://example.org/x"}), *names)
    house.as_owner(refuse)
    house.move()
    states = {
        name: (house.where(way).state, house.where(way).held_because) for name, way in zip(names, ways, strict=True)
    }
    assert states.pop("p4") == ("active", "step_failed")
    assert set(states.values()) == {("completed", None)}


def test_a_journey_that_cannot_be_read_keeps_no_other_from_moving(house: Walks) -> None:
    for name in ("an", "ben"):
        house.friend(name)
    broken, sound = house.run(tag("x")), house.run(tag("y"))
    house.come_in(broken, "an")
    house.come_in(sound, "ben")
    spoil = sa.text("UPDATE journey_version SET definition = '{}' WHERE journey_id = :id")
    house.do(lambda session: session.execute(spoil, {"id": broken}))
    house.move()
    assert house.tags("ben") == ["y"]
    assert house.tags("an") == []
