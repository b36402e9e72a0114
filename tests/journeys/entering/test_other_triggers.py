"""Who enters because of segments, performances, dates, passes, permissions and forms."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.contacts.forms.models import Signup, SignupForm
from app.contacts.models import ContactIdentity
from app.db import ScopedSession
from app.journeys.entering.models import JourneyWatch
from app.segments.models import SegmentChange, SegmentUpkeep
from tests.journeys.entering.house import House, born

FRIENDS = {"type": "tag", "tag": "friend"}
BEFORE = {"type": "activity", "offset": "-P2D"}
AFTER = {"type": "activity", "offset": "P1D"}
BIRTHDAY = {"type": "anniversary", "field": "birth_date", "offset": "P0D"}
EXPIRING = {"type": "pass", "programme": "UiTPAS", "on": "expiring", "offset": "-P30D"}


def test_entering_and_leaving_a_segment_each_let_in_once(house: House) -> None:
    segment = house.segment(FRIENDS)
    house.beat()
    came = house.publish({"type": "segment", "segment": segment, "on": "enter"})
    left = house.publish({"type": "segment", "segment": segment, "on": "leave"})
    house.person("an", tags=("friend",))
    house.person("bob")
    house.beat()
    house.beat()
    assert (house.entered(came), house.entered(left)) == (["an"], [])
    house.later(minutes=1)
    house.do(lambda session: session.execute(sa.text("UPDATE contact SET tags = '{}'")))
    house.beat()
    assert (house.entered(came), house.entered(left)) == (["an"], ["an"])
    house.finish(came)
    house.later(minutes=1)
    house.person("an", tags=("friend",))
    house.beat()
    assert (house.entered(came), house.entered(left)) == (["an", "an"], ["an"])


def test_who_is_in_the_segment_already_and_who_a_changed_rule_brings_do_not_enter(house: House) -> None:
    house.person("an", tags=("friend",))
    segment = house.segment(FRIENDS)
    journey = house.publish({"type": "segment", "segment": segment, "on": "enter"})
    house.later(minutes=1)
    house.beat()
    assert house.entered(journey) == []
    assert house.away(journey) == {"rule_changed": 1}


def test_a_feed_that_was_forgotten_is_gone_on_with_from_today_and_said(house: House) -> None:
    segment = house.segment(FRIENDS)
    house.beat()
    journey = house.publish({"type": "segment", "segment": segment, "on": "enter"})
    house.person("an", tags=("friend",))
    house.beat()
    house.finish(journey)

    def forget(session: ScopedSession) -> None:
        session.execute(sa.delete(SegmentChange))
        session.execute(sa.update(SegmentUpkeep).values(position=90, forgotten_position=80))

    house.do(forget)
    house.later(minutes=1)
    house.beat()
    watch = house.do(lambda session: session.scalars(sa.select(JourneyWatch)).one())
    assert (watch.problem, watch.position) == ("changes_forgotten", 90)
    house.person("bob", tags=("friend",))
    house.beat()
    assert house.entered(journey) == ["an", "bob"]


def test_two_days_before_a_performance_each_party_enters_once(house: House) -> None:
    starts_at = house.now + timedelta(days=10)
    house.show(1, starts_at)
    for name in ("an", "an", "bob"):
        house.book(name, 1)
    house.book("cas", 1, status="cancelled")
    journey = house.publish(BEFORE)
    house.beat()
    house.now = starts_at - timedelta(days=2, minutes=1)
    house.beat()
    assert house.entered(journey) == []
    house.later(minutes=2)
    house.beat()
    house.beat()
    assert house.entered(journey) == ["an", "bob"]


def test_who_books_after_the_moment_enters_at_once_until_the_performance_begins(house: House) -> None:
    starts_at = house.now + timedelta(days=1)
    house.show(1, starts_at)
    house.book("early", 1, booked_at=house.now - timedelta(days=40))
    journey = house.publish(BEFORE)
    house.later(minutes=5)
    house.book("late", 1)
    house.beat()
    assert house.entered(journey) == ["late"]
    house.now = starts_at + timedelta(minutes=1)
    house.book("counter", 1, booked_at=starts_at - timedelta(minutes=10))
    house.beat()
    assert house.entered(journey) == ["late"]
    assert house.away(journey) == {"before_publishing": 1, "too_old": 1}


def test_a_performance_that_moves_is_due_at_its_new_time_and_once(house: House) -> None:
    house.show(1, house.now + timedelta(days=10))
    house.book("an", 1)
    journey = house.publish(BEFORE)
    house.beat()
    house.later(days=7)
    house.show(1, house.now + timedelta(days=20))
    house.later(days=2)
    house.beat()
    assert house.entered(journey) == []
    house.show(1, house.now + timedelta(days=1))
    house.beat()
    assert house.entered(journey) == ["an"]
    house.finish(journey)
    house.show(1, house.now + timedelta(days=30))
    house.later(days=29)
    house.beat()
    assert house.entered(journey) == ["an"]


def test_nobody_enters_for_a_performance_that_is_cancelled(house: House) -> None:
    starts_at = house.now + timedelta(days=3)
    house.show(1, starts_at)
    house.book("an", 1)
    journey = house.publish(BEFORE)
    house.show(1, starts_at, is_cancelled=True)
    house.later(days=2)
    house.beat()
    assert house.entered(journey) == []
    house.show(1, starts_at, is_cancelled=False)
    house.beat()
    assert house.entered(journey) == ["an"]


def test_the_day_after_counts_what_is_heard_within_a_week(house: House) -> None:
    house.show(1, house.now + timedelta(hours=1))
    journey = house.publish(AFTER)
    house.later(days=2)
    house.beat()
    house.book("an", 1, booked_at=house.now - timedelta(days=2))
    house.beat()
    assert house.entered(journey) == ["an"]
    house.later(days=8)
    house.book("bob", 1, booked_at=house.now - timedelta(days=11))
    house.beat()
    assert house.entered(journey) == ["an"]
    assert house.away(journey) == {"too_old": 1}


@pytest.mark.parametrize(
    ("starts_at", "due"),
    [
        # The clocks go back on 25 October 2026: two days before 20:00 is 20:00, an hour more ago than 48 hours.
        (datetime(2026, 10, 26, 19, tzinfo=UTC), datetime(2026, 10, 24, 18, tzinfo=UTC)),
        # They go forward on 28 March 2027.
        (datetime(2027, 3, 29, 18, tzinfo=UTC), datetime(2027, 3, 27, 19, tzinfo=UTC)),
    ],
)
def test_two_days_before_is_the_same_time_of_day_when_the_clocks_change(
    house: House, starts_at: datetime, due: datetime
) -> None:
    house.now = due - timedelta(days=3)
    house.show(1, starts_at)
    house.book("an", 1)
    journey = house.publish(BEFORE)
    house.now = due - timedelta(minutes=1)
    house.beat()
    assert house.entered(journey) == []
    house.now = due
    house.beat()
    assert house.entered(journey) == ["an"]


def test_birthdays_begin_with_the_local_day_and_come_once_a_year(house: House) -> None:
    house.person("an", **born(1990, 11, 22))
    house.person("bob", **born(1990, 11, 23))
    journey = house.publish(BIRTHDAY)
    house.now = datetime(2026, 11, 21, 22, 59, tzinfo=UTC)
    house.beat()
    assert house.entered(journey) == []
    house.later(minutes=2)
    house.beat()
    house.later(hours=5)
    house.beat()
    assert house.entered(journey) == ["an"]
    house.finish(journey)
    house.now = datetime(2027, 11, 22, 8, tzinfo=UTC)
    house.beat()
    assert house.entered(journey) == ["an", "an"]
    assert house.away(journey) == {}


def test_who_was_born_on_leap_day_has_a_birthday_every_year(house: House) -> None:
    house.person("an", **born(2000, 2, 29))
    house.person("bob", **born(2000, 2, 28))
    journey = house.publish(BIRTHDAY | {"offset": "-P7D"})
    seen: dict[date, list[str]] = {}
    for year in (2027, 2028):
        house.now = datetime(year, 2, 20, 12, tzinfo=UTC)
        house.beat()
        for _ in range(4):
            before = house.entered(journey)
            house.beat()
            house.finish(journey)
            after = house.entered(journey)
            if after != before:
                seen[house.now.date()] = after
            house.later(days=1)
    assert seen == {
        date(2027, 2, 21): ["an", "bob"],
        date(2028, 2, 21): ["an", "bob", "bob"],
        date(2028, 2, 22): ["an", "an", "bob", "bob"],
    }


def test_a_date_of_the_house_s_own_is_a_yearly_return_and_what_is_no_date_is_nobody_s(house: House) -> None:
    house.person("an", attributes={"member_since": "2019-11-22"})
    house.person("bob", attributes={"member_since": "soon: 11-22"})
    house.person("new", attributes={"member_since": "2026-11-22"})
    journey = house.publish(BIRTHDAY | {"field": "attributes.member_since"})
    house.later(days=2)
    house.beat()
    assert house.entered(journey) == ["an"]


def test_passes_expiring_are_told_on_the_day_or_at_once_where_that_is_over(house: House) -> None:
    for name in ("an", "bob"):
        house.person(name)
    house.hold_pass("an", "1", expires_on=date(2026, 12, 22))
    journey = house.publish(EXPIRING)
    house.beat()
    assert house.entered(journey) == []
    house.later(days=2)
    house.beat()
    assert house.entered(journey) == ["an"]
    house.finish(journey)
    house.hold_pass("bob", "2", expires_on=date(2026, 11, 30))
    house.hold_pass("an", "1", expires_on=date(2027, 12, 22))
    house.beat()
    assert house.entered(journey) == ["an", "bob"]
    house.now = datetime(2027, 11, 22, 12, tzinfo=UTC)
    house.beat()
    assert house.entered(journey) == ["an", "an", "bob"]


def test_the_first_passes_of_a_programme_are_no_news_and_later_ones_are(house: House) -> None:
    journey = house.publish({"type": "pass", "programme": "uitpas", "on": "issued"})
    for name in ("an", "bob", "cas", "dirk"):
        house.person(name)
    house.hold_pass("an", "1")
    house.hold_pass("bob", "2", valid_from=house.now.date())
    house.hold_pass("dirk", "4", valid_from=date(2020, 1, 1))
    house.beat()
    assert house.entered(journey) == ["bob"]
    house.later(days=2)
    house.hold_pass("cas", "3")
    house.beat()
    assert house.entered(journey) == ["bob", "cas"]


def test_the_first_point_counts_once_and_rewards_each_time(house: House) -> None:
    house.person("an")
    house.hold_pass("an", "1", points=0, valid_from=house.now.date())
    first = house.publish({"type": "pass", "programme": "uitpas", "on": "point", "nth": 1})
    taken = house.publish({"type": "pass", "programme": "uitpas", "on": "redeemed"})
    for points in (1, 3, 0, 2, 1):
        house.later(minutes=1)
        house.hold_pass("an", "1", points=points)
        house.beat()
        house.finish(first)
        house.finish(taken)
    assert house.entered(first) == ["an"]
    assert house.entered(taken) == ["an", "an"]


def test_only_what_people_say_themselves_welcomes_them(house: House) -> None:
    house.person("an")
    house.person("bob")
    journey = house.publish({"type": "consent", "channel": "email", "purpose": "newsletter", "on": "granted"})
    house.says("an", "granted")
    house.says("bob", "granted", actor="import", method="import")
    house.says("an", "granted", purpose="recommendations")
    house.beat()
    assert house.entered(journey) == ["an"]


def test_a_form_lets_in_when_its_mail_is_confirmed(house: House) -> None:
    an = house.person("an")

    def sent(session: ScopedSession) -> int:
        form = SignupForm(
            organisation_id=session.organisation_id, code="a", name="A", definition={}, created_at=house.now,
            changed_at=house.now,
        )  # fmt: skip
        session.add(form)
        session.flush()
        key = session.scalar(sa.select(ContactIdentity.subject_key).where(ContactIdentity.contact_id == an))
        signup = Signup(
            organisation_id=session.organisation_id, form_id=form.id, subject_key=key, replay_key=b"1", typed={},
            sent_at=house.now,
        )  # fmt: skip
        session.add(signup)
        return form.id

    form = house.do(sent)
    journey = house.publish({"type": "form", "form": form})
    other = house.publish({"type": "form", "form": form + 1})
    house.beat()
    assert house.entered(journey) == []
    done = sa.update(Signup).values(state="confirmed", typed=None, done_at=house.now)
    house.do(lambda session: session.execute(done))
    house.beat()
    assert (house.entered(journey), house.entered(other)) == (["an"], [])


def test_a_paused_journey_remembers_a_week_and_a_journey_of_the_archive_nothing(house: House) -> None:
    house.show(1, house.now + timedelta(days=60))
    journey = house.publish({"type": "participation", "on": "booked"})
    house.turn(journey, "paused")
    house.book("early", 1)
    house.beat()
    house.later(days=8)
    house.book("an", 1)
    house.beat()
    assert house.entered(journey) == []
    house.turn(journey, "published")
    house.beat()
    assert house.entered(journey) == ["an"]
    assert house.away(journey) == {"too_old": 1}
    house.turn(journey, "archived")
    house.book("bob", 1)
    house.beat()
    house.later(minutes=1)
    house.turn(journey, "published")
    house.beat()
    assert house.entered(journey) == ["an"]
    house.book("cas", 1)
    house.beat()
    assert house.entered(journey) == ["an", "cas"]


def test_who_entered_and_left_a_segment_during_a_pause_does_not_enter(house: House) -> None:
    segment = house.segment(FRIENDS)
    house.beat()
    journey = house.publish({"type": "segment", "segment": segment, "on": "enter"})
    house.turn(journey, "paused")
    house.person("an", tags=("friend",))
    house.person("bob", tags=("friend",))
    house.beat()
    house.later(hours=5)
    house.do(lambda session: session.execute(sa.text("UPDATE contact SET tags = '{}' WHERE email LIKE 'an@%'")))
    house.beat()
    house.turn(journey, "published")
    house.beat()
    assert house.entered(journey) == ["bob"]
    assert house.away(journey) == {"left_meanwhile": 1}


def test_another_trigger_begins_anew_and_the_same_one_goes_on(house: House) -> None:
    house.show(1, house.now + timedelta(days=60))
    booked, attended = ({"type": "participation", "on": on} for on in ("booked", "attended"))
    journey = house.publish(booked)
    house.book("an", 1)
    house.later(minutes=1)
    house.publish_again(journey, booked)
    house.beat()
    assert house.entered(journey) == ["an"]
    house.book("bob", 1)
    house.later(minutes=1)
    house.publish_again(journey, attended)
    house.beat()
    assert house.entered(journey) == ["an"]


@pytest.mark.parametrize(
    ("reentry", "times"), [("never", [1, 1, 1]), ("after_exit", [1, 2, 3]), ("P10D", [1, 1, 2]), ("PT200H", [1, 1, 2])]
)
def test_reentry_is_held_to(house: House, reentry: str, times: list[int]) -> None:
    for number in range(3):
        house.show(number, house.now + timedelta(days=60))
    journey = house.publish({"type": "participation", "on": "booked"}, reentry=reentry)
    entered = []
    for number in range(3):
        house.book("an", number)
        house.beat()
        house.finish(journey)
        entered.append(len(house.entered(journey)))
        house.later(days=5)
    assert entered == times


def test_somebody_inside_does_not_enter_again(house: House) -> None:
    for number in range(2):
        house.show(number, house.now + timedelta(days=60))
    journey = house.publish({"type": "participation", "on": "booked"})
    for number in range(2):
        house.book("an", number)
    house.beat()
    assert house.entered(journey) == ["an"]
    assert house.away(journey) == {"inside": 1}


def test_an_activity_at_the_end_of_the_calendar_is_stored_booked_moved_and_never_due(house: House) -> None:
    never = datetime(9999, 12, 31, 22, tzinfo=UTC)
    journeys = [house.publish(trigger) for trigger in (BEFORE, AFTER, {"type": "participation", "on": "booked"})]
    house.show(1, never)
    house.book("an", 1)
    house.show(1, never - timedelta(days=1))
    house.show(1, never)
    house.show(1, never, is_cancelled=True)
    house.show(1, never, is_cancelled=False)
    house.beat()
    assert [house.entered(journey) for journey in journeys] == [[], [], ["an"]]
    house.person("an")
    house.publish(EXPIRING)
    house.hold_pass("an", "1", expires_on=date.max)
    house.later(days=1)
    house.beat()
    house.show(1, house.now + timedelta(days=1))
    house.beat()
    assert house.entered(journeys[0]) == ["an"]
