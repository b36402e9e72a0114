"""Those who are in a segment already, those whom other programs bring, and how many are expected."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from app.journeys import entering
from app.journeys.entering import enrolling, hearing
from app.journeys.entering.at_the_door import PROBLEMS, REASONS, AtTheDoor, at_the_door
from app.journeys.entering.by_api import OtherTriggerError, enrol_by_api
from app.journeys.entering.existing import let_in_existing, problem_at_entrance, waiting_at_entrance
from app.journeys.entering.expected import Expected, expected_entries
from app.journeys.problems import JourneyMissingError, JourneyStateError
from app.journeys.schemas import parse_definition
from app.segments.problems import FailedRuleError
from tests.conftest import make_user, signed_in
from tests.journeys.entering.house import SEND, House, Json, born

FRIENDS = {"type": "tag", "tag": "friend"}
API = {"type": "api"}


def test_those_who_are_in_the_segment_enter_where_it_is_asked_and_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.journeys.entering.from_segments.PEOPLE_A_STEP", 2)
    for name in ("an", "bob", "cas"):
        house.person(name, tags=("friend",))
    segment = house.segment(FRIENDS)
    house.beat()
    house.later(minutes=1)
    journey = house.publish({"type": "segment", "segment": segment, "on": "enter"})
    house.later(minutes=1)
    house.person("dirk", tags=("friend",))
    assert house.do(lambda session: let_in_existing(session, journey))
    house.beat()
    assert house.entered(journey) == ["an", "bob", "cas", "dirk"]
    house.finish(journey)
    assert house.do(lambda session: let_in_existing(session, journey))
    house.beat()
    assert house.entered(journey) == ["an", "bob", "cas", "dirk"]
    assert house.away(journey) == {}


def test_those_who_are_in_the_segment_enter_so_many_a_day_where_that_is_asked(house: House) -> None:
    names = ["an", "bob", "cas", "dirk", "els"]
    for name in names:
        house.person(name, tags=("friend",))
    segment = house.segment(FRIENDS)
    house.beat()
    house.later(minutes=1)
    journey = house.publish({"type": "segment", "segment": segment, "on": "enter"})
    house.do(lambda session: let_in_existing(session, journey, per_day=2))
    entered = []
    for hours in (0, 1, 24, 1, 24, 24):
        house.later(hours=hours)
        house.beat()
        entered.append(len(house.entered(journey)))
    assert entered == [2, 2, 4, 4, 5, 5]
    house.person("fien", tags=("friend",))
    house.beat()
    assert house.entered(journey) == [*names, "fien"], "who comes into it later is not counted among them"


def test_nobody_who_is_in_the_segment_already_enters_a_journey_that_is_paused(house: House) -> None:
    house.person("an", tags=("friend",))
    segment = house.segment(FRIENDS)
    house.beat()
    house.later(minutes=1)
    journey = house.publish({"type": "segment", "segment": segment, "on": "enter"})
    house.do(lambda session: let_in_existing(session, journey))
    house.turn(journey, "paused")
    house.beat()
    assert house.entered(journey) == []
    house.person("bob", tags=("friend",))
    house.beat()
    assert house.do(lambda session: waiting_at_entrance(session, journey)) == 1
    assert house.do(lambda session: problem_at_entrance(session, journey)) is None
    house.turn(journey, "published")
    house.beat()
    assert house.entered(journey) == ["an", "bob"]


def test_only_journeys_that_run_and_begin_with_a_segment_have_people_in_it_already(house: House) -> None:
    journey = house.publish(API)
    assert not house.do(lambda session: let_in_existing(session, journey))
    house.turn(journey, "archived")
    with pytest.raises(JourneyStateError):
        house.do(lambda session: let_in_existing(session, journey))
    with pytest.raises(JourneyMissingError):
        house.do(lambda session: let_in_existing(session, journey + 1))


def test_another_program_lets_people_in_once_per_key(house: House) -> None:
    an, bob = house.person("an"), house.person("bob")
    journey = house.publish(API)
    first = house.do(lambda session: enrol_by_api(session, journey, an, key="order 1"))
    again = house.do(lambda session: enrol_by_api(session, journey, an, key="order 1"))
    assert (first.outcome, again.outcome) == ("entered", "entered_before")
    assert first.enrolment_id == again.enrolment_id is not None
    assert house.do(lambda session: enrol_by_api(session, journey, an, key="order 2")).outcome == "inside"
    assert house.do(lambda session: enrol_by_api(session, journey, bob, key="order 1")).outcome == "entered"
    assert house.do(lambda session: enrol_by_api(session, journey, bob + 100, key="order 1")).outcome == "gone"
    assert house.entered(journey) == ["an", "bob"]


def test_what_cannot_be_asked_of_a_journey_is_refused(house: House) -> None:
    an = house.person("an")
    booked = house.publish({"type": "participation", "on": "booked"})
    with pytest.raises(OtherTriggerError):
        house.do(lambda session: enrol_by_api(session, booked, an, key="1"))
    journey = house.publish(API, SEND)
    assert house.do(lambda session: enrol_by_api(session, journey, an, key="1")).outcome == "no_permission"
    for key in (" ", "k" * 201):
        with pytest.raises(ValueError, match="key"):
            house.do(partial(enrol_by_api, journey_id=journey, contact_id=an, key=key))
    house.turn(journey, "paused")
    with pytest.raises(JourneyStateError):
        house.do(lambda session: enrol_by_api(session, journey, an, key="1"))
    with pytest.raises(JourneyMissingError):
        house.do(lambda session: enrol_by_api(session, 999, an, key="1"))


def expected(house: House, trigger: Json) -> Expected:
    definition = parse_definition({"trigger": trigger, "purpose": "newsletter", "steps": [SEND]})
    return house.do(lambda session: expected_entries(session, definition))


def test_how_many_enter_is_judged_by_what_happened(house: House) -> None:
    assert expected(house, API) == Expected()
    for number in range(1, 53):
        house.show(number, house.now - timedelta(days=7 * number))
        for _ in range(2):
            house.book("an", number, status="attended", booked_at=house.now - timedelta(days=7 * number + 3))
    attended = {"type": "participation", "on": "attended"}
    assert expected(house, attended) == Expected(per_week=1.0)
    assert expected(house, attended | {"where": {"activities": [10**6]}}) == Expected(per_week=0.0)
    assert expected(house, attended | {"nth": 5}) == Expected(per_week=0.0)
    assert expected(house, {"type": "activity", "offset": "P1D"}) == Expected(per_week=1.0)
    for number in range(52):
        house.person(f"p{number}", attributes={"since": "2020-02-03"}, **born(1990, 1, 2))
    assert expected(house, {"type": "anniversary", "field": "birth_date"}) == Expected(per_week=1.0)
    assert expected(house, {"type": "anniversary", "field": "attributes.since"}) == Expected(per_week=1.0)
    house.hold_pass("p1", "1", valid_from=house.now.date(), expires_on=date(2027, 1, 1))
    for turn in ({"on": "issued"}, {"on": "expiring", "offset": "-P30D"}):
        assert expected(house, {"type": "pass", "programme": "uitpas"} | turn) == Expected(per_week=0.0)
    assert expected(house, {"type": "pass", "programme": "uitpas", "on": "point"}) == Expected()
    assert expected(house, {"type": "consent", "channel": "email", "purpose": "newsletter"}) == Expected(per_week=0.0)
    assert expected(house, {"type": "form", "form": 1}) == Expected(per_week=0.0)


def test_who_is_in_the_segment_now_is_told_beside_how_many_come_in_a_week(house: House) -> None:
    segment = house.segment(FRIENDS)
    house.person("an", tags=("friend",))
    house.beat()
    house.later(days=7)
    house.person("bob", tags=("friend",))
    house.beat()
    assert expected(house, {"type": "segment", "segment": segment, "on": "enter"}) == Expected(2, 1.0)
    assert expected(house, {"type": "segment", "segment": segment, "on": "leave"}) == Expected(None, 0.0)


def test_every_reason_not_to_let_somebody_in_has_words(house: House) -> None:
    house.show(1, house.now + timedelta(days=60))
    journey = house.publish({"type": "participation", "on": "booked"}, SEND)
    house.book("an", 1)
    house.book("bob", 1)
    house.beat()
    door = house.do(lambda session: at_the_door(session, journey))
    assert door.not_let_in == (("They may not be mailed for what the journey is for.", 2),)
    assert (door.waiting, door.problem) == (0, None)
    # Whatever is counted anywhere in the code can be told.
    folder = Path(entering.__file__).parent
    code = "".join(file.read_text() for file in folder.glob("*.py") if file.name != "at_the_door.py")
    counted = set(re.findall(r"THEN '(\w+)'", code)) | set(re.findall(r'refused\["(\w+)"\]', code))
    assert counted - {"already"} <= REASONS.keys()
    assert REASONS.keys() - counted <= {"rule_changed"}


def test_the_page_of_a_journey_says_who_was_not_let_in(house: House, client: FlaskClient) -> None:
    house.show(1, house.now + timedelta(days=60))
    journey = house.publish({"type": "participation", "on": "booked"}, SEND)
    house.book("an", 1)
    house.beat()
    house.turn(journey, "paused")
    house.says("bob", "granted")
    house.book("bob", 1)
    house.beat()
    page = signed_in(client, make_user(house.runtime, house.organisation)).get(f"/journeys/{journey}").text
    assert "Ze mogen niet gemaild worden voor het doel van het traject." in page
    assert "1 persoon wacht om binnengelaten te worden." in page


def test_a_rule_that_cannot_be_worked_out_lets_people_wait_and_holds_no_other_journey_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.show(1, house.now + timedelta(days=60))
    booked = {"type": "participation", "on": "booked"}
    broken = house.publish(booked, only={"type": "tag", "tag": "friend"})
    sound = house.publish(booked)

    def fail(*_: object, **__: object) -> None:
        raise FailedRuleError("22012")

    house.person("an", tags=("friend",))
    house.book("an", 1)
    with monkeypatch.context() as patched:
        patched.setattr(enrolling, "select_members", fail)
        house.beat()
    assert (house.entered(broken), house.entered(sound)) == ([], ["an"])
    door = house.do(lambda session: at_the_door(session, broken))
    assert (door.waiting, door.problem) == (1, PROBLEMS["rule_failed"])
    house.beat()
    assert house.entered(broken) == ["an"]
    assert house.do(lambda session: at_the_door(session, broken)) == AtTheDoor(0, ())


def test_data_that_nobody_foresaw_is_said_at_its_journey_and_stops_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.show(1, house.now + timedelta(days=60))
    broken = house.publish({"type": "consent", "channel": "email", "purpose": "newsletter", "on": "granted"})
    sound = house.publish({"type": "participation", "on": "booked"})

    def fail(*_: object) -> None:
        raise OverflowError

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(hearing, "consents_heard", fail)
        house.says("an", "granted")
        house.book("an", 1)
        house.beat()
    assert [entry["event"] for entry in logs if entry.get("journey_id") == broken] == ["a trigger failed"]
    assert (house.entered(broken), house.entered(sound)) == ([], ["an"])
    assert house.do(lambda session: at_the_door(session, broken)).problem == PROBLEMS["hearing_failed"]
