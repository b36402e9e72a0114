"""Publishing: what is said before, and what becomes of people inside."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.journeys.checking import problems_of
from app.journeys.problems import ImpossibleFateError, JourneyStateError, NotPublishableError
from app.journeys.publishing import publish, publish_preview
from app.journeys.running import archive_journey, overdue_of, pause_journey, resume_journey
from app.mailings.mailings import remove_mailing
from app.mailings.problems import NotThatState
from app.runtime import Runtime
from app.segments.definitions import delete_segment
from app.segments.problems import SegmentInUseError
from tests.journeys.moving.house import API, Json, Walks, tag, wait, when

OPENED = {"type": "engagement", "event": "opened", "at_least": 1}
BOOKED = {"type": "participation", "on": "booked"}


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> Walks:
    return Walks(runtime, organisation)


def found(house: Walks, *steps: Json, **more: Any) -> list[tuple[str | None, str, str]]:
    definition = {"trigger": API, "purpose": "newsletter", "steps": list(steps), **more}
    findings = house.do(lambda session: problems_of(session, definition))
    assert all(str(one.message).endswith((".", "?")) for one in findings)
    return [(one.step_id, one.severity, one.code) for one in findings]


def published(house: Walks, journey: int, **more: Any) -> Any:
    return house.do(lambda session: publish(session, journey, actor=SYSTEM, **more))


def test_what_stands_in_the_way_is_said_at_its_step(house: Walks) -> None:
    campaign = house.mailing("Nieuwsbrief", kind="campaign")
    other = house.mailing("Praktisch", purpose="service")
    assert found(house) == [(None, "stops", "no_steps")]
    assert found(house, {"id": "m", "type": "send", "mailing": 404}) == [("m", "stops", "mailing_gone")]
    assert found(house, {"id": "m", "type": "send", "mailing": campaign}) == [("m", "stops", "mailing_is_campaign")]
    blank = house.mailing("Leeg", content={"style": {}, "variants": [{"name": "A", "texts": {}}]})
    assert [one[2] for one in found(house, {"id": "m", "type": "send", "mailing": blank})] == ["mailing_empty"]
    assert found(house, {"id": "m", "type": "send", "mailing": other}) == [("m", "stops", "mailing_other_purpose")]
    assert found(house, {"id": "a", "type": "audience", "audience": 4, "do": "add"}) == [
        ("a", "stops", "audience_gone")
    ]
    assert found(house, tag("x"), purpose="nonsense") == [(None, "stops", "purpose_unknown")]
    assert found(house, tag("x"), trigger={"type": "segment", "segment": 9}) == [(None, "stops", "segment_gone")]
    assert found(house, tag("x"), trigger={"type": "form", "form": 9}) == [(None, "stops", "form_gone")]
    consent = {"type": "consent", "channel": "email", "purpose": "zzz"}
    assert found(house, tag("x"), trigger=consent) == [(None, "stops", "purpose_unknown")]
    gone = when("c", {"type": "segment", "segment": 404}, [tag("x")])
    assert found(house, gone) == [("c", "stops", "rule_invalid")]
    until = {"id": "u", "type": "wait_until", "offset": "-PT4H"}
    assert found(house, until, tag("x")) == [("u", "stops", "no_activity")]
    assert found(house, until, tag("x"), trigger=BOOKED) == []


def test_opens_never_decide_anything_also_not_through_a_segment(house: Walks) -> None:
    """I17"""
    segment = house.segment(OPENED)
    inside = {"type": "segment", "segment": segment}
    assert found(house, when("c", OPENED, [tag("x")])) == [("c", "stops", "looks_at_opens")]
    assert found(house, when("c", {"type": "not", "rule": inside}, [tag("x")])) == [("c", "stops", "looks_at_opens")]
    assert found(house, tag("x"), only=inside) == [(None, "stops", "looks_at_opens")]
    assert found(house, tag("x"), goal={"rule": OPENED, "within": "P1D"}) == [(None, "stops", "looks_at_opens")]
    assert found(house, tag("x"), trigger={"type": "segment", "segment": segment}) == [
        (None, "stops", "looks_at_opens")
    ]


def test_what_may_be_meant_so_is_only_said(house: Walks) -> None:
    empty = {"name": "B", "weight": 0, "steps": []}
    split = {"id": "s", "type": "split", "branches": [{"name": "A", "weight": 1, "steps": [tag("x")]}, empty]}
    assert found(house, split) == [("s", "warns", "weightless_branch"), ("s", "warns", "empty_branch")]
    assert found(house, wait("w", "P0D"), tag("x")) == [("w", "warns", "waits_for_nothing")]
    assert found(house, {"id": "e", "type": "exit"}, tag("x")) == [("e", "warns", "ends_too_early")]
    assert found(house, tag("x"), quiet={"from": "08:00", "until": "07:00"}) == [(None, "warns", "quiet_all_day")]
    note = {"id": "n", "type": "notify", "to": "desk@example.org", "text": "Hallo"}
    assert found(house, note) == [("n", "warns", "not_a_colleague")]
    nothing = when("c", {"type": "tag", "tag": "x"}, [])
    assert found(house, nothing) == [("c", "stops", "empty_branches")]
    late = {"id": "u", "type": "wait_until", "offset": "-P2D"}
    after = {"type": "activity", "offset": "P1D"}
    assert found(house, late, tag("x"), trigger=after) == [("u", "warns", "always_past")]


def test_a_field_takes_values_of_the_kind_that_people_have_in_it(house: Walks) -> None:
    house.person("An", attributes={"seat": "A1", "subscriptions": 3, "since": "2019-09-01", "volunteer": True})

    def said(field: str, value: Any) -> list[str]:
        step = {"id": "s", "type": "set", "field": f"attributes.{field}", "value": value}
        return [f"{severity} {code}" for _step, severity, code in found(house, step)]

    assert said("seta", "A1") == ["warns field_unknown"], "perhaps it is misspelled"
    fits = {"seat": ["B2", 7], "subscriptions": [4, 4.5], "since": ["2026-11-20"], "volunteer": [False]}
    assert {field: [said(field, one) for one in (*values, None)] for field, values in fits.items()} == {
        field: [[]] * (len(values) + 1) for field, values in fits.items()
    }
    for field, value in (("subscriptions", "four"), ("since", "last year"), ("volunteer", "yes"), ("since", 2026)):
        assert said(field, value) == ["stops value_of_another_kind"]


def test_people_inside_are_kept_moved_or_ended_as_it_is_said(house: Walks) -> None:
    for name in ("an", "ben", "cas"):
        house.friend(name)
    journey = house.run(when("c", {"type": "tag", "tag": "x"}, [wait("a", "P2D")], [wait("b", "P2D")]), tag("old"))
    house.set("contact", house.names["an"], tags=["x"])
    an, ben = house.come_in(journey, "an", "ben")
    house.move()
    house.edit(journey, when("c", {"type": "tag", "tag": "x"}, [wait("a", "P5D")], [wait("b", "P2D")]), tag("new"))
    seen = house.do(lambda session: publish_preview(session, journey))
    assert [(one.step_id, one.people, one.is_changed, one.can_move) for one in seen.inside] == [
        ("a", 1, True, True), ("b", 1, False, True),
    ]  # fmt: skip
    assert (seen.version, seen.can_publish) == (2, True)
    done = published(house, journey, inside={"a": "move", "b": "end"})
    assert (done.version, done.moved, done.ended) == (2, 1, 1)
    assert (house.where(ben).state, house.where(ben).left_because) == ("exited", "ended_by_publishing")
    assert ("b", "skipped", "ended_by_publishing") in house.log(ben)
    house.later(days=2)
    house.move()
    assert house.where(an).is_waiting, "the new wait is three days longer"
    house.later(days=3)
    house.move()
    assert house.tags("an") == ["new", "x"]


def test_who_is_not_named_finishes_on_the_version_they_entered(house: Walks) -> None:
    house.friend("an")
    journey = house.run(wait("w"), tag("old"))
    house.come_in(journey, "an")
    house.move()
    house.edit(journey, wait("w"), tag("new"))
    assert published(house, journey).version == 2
    assert published(house, journey).version == 2, "nothing changed, so no new version"
    house.later(days=1)
    house.move()
    assert house.tags("an") == ["old"]


def test_a_step_that_was_done_is_not_done_again_on_another_version(house: Walks) -> None:
    house.friend("an")
    mail = house.send("m")
    journey = house.run(mail, wait("w"))
    house.come_in(journey, "an")
    house.move()
    house.edit(journey, wait("w"), mail, tag("end"))
    published(house, journey, inside={"w": "move"})
    house.later(days=1)
    house.move()
    assert house.tags("an") == ["end"]
    assert len(house.mails()) == 1


def test_a_wait_that_became_something_else_is_done_as_what_it_is_now(house: Walks) -> None:
    house.friend("an")
    journey = house.run(wait("s", "P9D"), tag("end"))
    [an] = house.come_in(journey, "an")
    house.move()
    house.edit(journey, tag("s", "now"), tag("end"))
    published(house, journey, inside={"s": "move"})
    house.move()
    assert house.tags("an") == ["end", "now"]
    assert house.where(an).state == "completed"


def test_nobody_is_moved_to_a_step_that_is_not_there_and_nothing_unfinished_is_published(house: Walks) -> None:
    journey = house.run(wait("w"), tag("x"))
    house.edit(journey, tag("x"))
    with pytest.raises(ImpossibleFateError):
        published(house, journey, inside={"w": "move"})
    house.edit(journey)
    with pytest.raises(NotPublishableError) as refused:
        published(house, journey)
    assert refused.value.codes == ("no_steps",)


@pytest.mark.parametrize(("overdue", "tags"), [("run", ["first", "second"]), ("skip", ["second"])])
def test_taking_a_journey_up_again_asks_about_who_became_due(house: Walks, overdue: Any, tags: list[str]) -> None:
    house.friend("an")
    journey = house.run(wait("w"), tag("first"), wait("w2"), tag("second"))
    [an] = house.come_in(journey, "an")
    house.move()
    house.do(lambda session: pause_journey(session, journey, actor=SYSTEM))
    house.later(days=3)
    assert house.move() == 0
    [one] = house.do(lambda session: overdue_of(session, journey))
    assert (one.step_id, one.people) == ("w", 1)
    house.do(lambda session: resume_journey(session, journey, overdue=overdue, actor=SYSTEM))
    house.move()
    house.later(days=1)
    house.move()
    assert house.tags("an") == tags
    assert house.where(an).state == "completed"
    with pytest.raises(JourneyStateError):
        house.do(lambda session: resume_journey(session, journey, overdue=overdue, actor=SYSTEM))


def test_what_a_running_journey_works_with_stays_until_it_is_put_away(house: Walks) -> None:
    segment = house.segment({"type": "tag", "tag": "x"})
    mail = house.send("m")
    journey = house.run(mail, trigger={"type": "segment", "segment": segment})
    with pytest.raises(SegmentInUseError) as used:
        house.do(lambda session: delete_segment(session, segment))
    assert used.value.users == (("journey", journey),)
    with pytest.raises(NotThatState):
        house.do(lambda session: remove_mailing(session, mail["mailing"], actor=SYSTEM))
    house.do(lambda session: archive_journey(session, journey, actor=SYSTEM))
    house.do(lambda session: delete_segment(session, segment))
    house.do(lambda session: remove_mailing(session, mail["mailing"], actor=SYSTEM))


def test_what_is_gone_all_the_same_holds_people_at_the_step_with_the_reason(house: Walks) -> None:
    house.friend("an")
    segment = house.segment({"type": "tag", "tag": "x"})
    rule = {"type": "segment", "segment": segment, "is": "not_member"}
    journey = house.run(when("c", rule, [tag("yes")]), tag("end"))
    [an] = house.come_in(journey, "an")
    house.do(lambda session: session.execute(sa.text("DELETE FROM journey_use")))
    house.do(lambda session: delete_segment(session, segment))
    house.move()
    way = house.where(an)
    assert (way.state, way.step_id, way.held_because) == ("active", "c", "segment_gone")
    assert house.tags("an") == []
    house.later(minutes=10)
    house.move()
    assert house.where(an).held_because == "segment_gone", "it is tried again, and nobody is skipped in silence"
