"""Who enters because of what they booked, attended or cancelled."""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.entering.house import SEND, TAG, House

BOOKED = {"type": "participation", "on": "booked"}
ATTENDED = {"type": "participation", "on": "attended"}
CANCELLED = {"type": "participation", "on": "cancelled"}


def test_a_booking_lets_its_buyer_in_once_however_often_it_is_told(house: House) -> None:
    house.show(1, house.now + timedelta(days=30))
    journey = house.publish(BOOKED)
    line = house.book("an", 1)
    assert house.beat() == 1
    house.finish(journey)
    house.book("an", 1, ticket=line)
    house.book("an", 1, ticket=line, amount=12)
    house.book("an", 1, ticket=line, status="cancelled")
    house.beat()
    house.book("an", 1, ticket=line, status="booked")
    assert house.beat() == 0
    assert house.entered(journey) == ["an"]


def test_a_party_of_four_with_one_buyer_enters_once_in_whatever_batches_its_lines_come(house: House) -> None:
    house.show(1, house.now + timedelta(days=30))
    journey = house.publish(BOOKED)
    for _ in range(2):
        house.book("an", 1)
    house.beat()
    house.finish(journey)
    for _ in range(2):
        house.book("an", 1)
    house.beat()
    assert house.entered(journey) == ["an"]
    assert house.away(journey) == {"same_party": 1}


def test_eight_years_of_history_that_are_imported_thank_nobody_and_are_counted(house: House) -> None:
    journey, thanked = house.publish(BOOKED), house.publish(ATTENDED)
    for year in range(8):
        house.show(year, house.now - timedelta(days=365 * year + 30))
        house.book(f"p{year}", year, status="attended", booked_at=house.now - timedelta(days=365 * year + 60))
        house.book(f"q{year}", year, booked_at=None)
    house.later(minutes=5)
    assert house.beat() == 0
    assert house.entered(journey) == house.entered(thanked) == []
    assert house.away(journey) == {"before_publishing": 16}
    assert house.away(thanked) == {"before_publishing": 8}


def test_what_happened_more_than_a_week_before_it_is_heard_of_lets_nobody_in(house: House) -> None:
    house.show(1, house.now + timedelta(days=3))
    journey = house.publish(ATTENDED)
    house.later(days=3 + 8)
    house.book("an", 1, status="attended")
    house.beat()
    assert house.entered(journey) == []
    assert house.away(journey) == {"too_old": 1}


def test_only_matching_participations_let_in(house: House) -> None:
    house.show(1, house.now + timedelta(days=30), genres=("Dans",))
    house.show(2, house.now + timedelta(days=30), genres=("Circus",))
    journey = house.publish(BOOKED | {"where": {"genres": ["dans"], "channels": ["web"]}})
    house.book("an", 1, channel="web")
    house.book("bob", 1, channel="counter")
    house.book("cas", 2, channel="web")
    house.beat()
    assert house.entered(journey) == ["an"]


def test_a_booking_that_is_cancelled_before_anybody_looks_lets_nobody_in(house: House) -> None:
    house.show(1, house.now + timedelta(days=30))
    journey, missed = house.publish(BOOKED), house.publish(CANCELLED)
    line = house.book("an", 1)
    house.book("an", 1, ticket=line, status="cancelled")
    house.beat()
    assert house.entered(journey) == []
    assert house.entered(missed) == ["an"]


def test_somebody_who_returns_one_of_two_tickets_has_not_cancelled(house: House) -> None:
    house.show(1, house.now + timedelta(days=30))
    journey = house.publish(CANCELLED)
    lines = [house.book("an", 1) for _ in range(2)]
    house.book("an", 1, ticket=lines[0], status="refunded")
    house.beat()
    assert house.entered(journey) == []
    house.book("an", 1, ticket=lines[1], status="refunded")
    house.beat()
    assert house.entered(journey) == ["an"]


def test_only_what_the_house_cancels_itself_is_called_off(house: House) -> None:
    house.show(1, house.now + timedelta(days=30))
    house.show(2, house.now + timedelta(days=31))
    house.book("an", 1)
    line = house.book("bob", 2)
    journey = house.publish({"type": "participation", "on": "called_off"})
    house.book("bob", 2, ticket=line, status="cancelled")
    assert house.beat() == 0
    house.show(1, house.now + timedelta(days=30), is_cancelled=True)
    house.beat()
    assert house.entered(journey) == ["an"]


def test_who_was_paid_back_just_before_the_house_cancels_hears_of_it_too(house: House) -> None:
    house.show(1, house.now + timedelta(days=30))
    line = house.book("an", 1)
    journey = house.publish({"type": "participation", "on": "called_off"})
    house.book("an", 1, ticket=line, status="refunded")
    house.show(1, house.now + timedelta(days=30), is_cancelled=True)
    house.beat()
    assert house.entered(journey) == ["an"]


def test_a_performance_that_the_house_cancels_is_cancelled_for_everybody_who_was_coming(house: House) -> None:
    house.show(1, house.now + timedelta(days=30))
    journey = house.publish(CANCELLED)
    for name in ("an", "bob", "bob"):
        house.book(name, 1)
    house.book("cas", 1, status="cancelled", booked_at=house.now - timedelta(days=200))
    house.show(1, house.now + timedelta(days=30), is_cancelled=True)
    house.beat()
    assert house.entered(journey) == ["an", "bob"]


def test_the_fifth_visit_is_the_fifth_party_in_whatever_order_visits_are_heard_of(house: House) -> None:
    for number in range(1, 8):
        house.show(number, house.now + timedelta(days=number))
    journey = house.publish(ATTENDED | {"nth": 5})
    house.later(days=6)
    for number in (6, 1, 3):
        house.book("an", number, status="attended", booked_at=house.now - timedelta(days=9))
    house.book("an", 3, status="attended")
    house.beat()
    house.book("an", 2, status="attended")
    assert house.beat() == 0
    house.book("an", 5, status="attended")
    assert house.beat() == 1
    house.finish(journey)
    house.later(days=1)
    house.book("an", 7, status="attended")
    house.book("an", 4, status="attended")
    assert house.beat() == 0
    assert house.entered(journey) == ["an"]


def test_who_may_not_be_mailed_enters_only_a_journey_that_does_more_than_mail(house: House) -> None:
    house.show(1, house.now + timedelta(days=30))
    mails, tags = house.publish(BOOKED, SEND), house.publish(BOOKED, SEND, TAG)
    house.says("an", "granted")
    house.book("an", 1)
    house.book("bob", 1)
    house.beat()
    assert house.entered(mails) == ["an"]
    assert house.entered(tags) == ["an", "bob"]
    assert house.away(mails) == {"no_permission": 1}


def test_only_those_of_the_rule_enter(house: House) -> None:
    house.show(1, house.now + timedelta(days=30))
    house.person("an", tags=("friend",))
    journey = house.publish(BOOKED, only={"type": "tag", "tag": "friend"})
    house.book("an", 1)
    house.book("bob", 1)
    house.beat()
    assert house.entered(journey) == ["an"]
    assert house.away(journey) == {"not_meant": 1}
