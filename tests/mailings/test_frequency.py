"""How often and when a person gets marketing, over all mailings and journeys of a house."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.contacts.engagement import MailEventRecord, record_engagement
from app.mailings.claiming import claim_written
from app.mailings.frequency import Limits
from app.mailings.mail_settings import Sender, sender_of
from app.mailings.models import Delivery, MailSetting
from app.mailings.outgoing import Written
from app.mailings.reserving import reserve
from tests.conftest import NOW
from tests.consent.people import a_grant
from tests.mailings.house_with_post import HouseWithPost, write_mailings

DAY = timedelta(days=1)


def state_of(house: HouseWithPost, delivery_id: int) -> tuple[str, str | None, datetime]:
    with house.transaction() as session:
        row = session.scalars(select(Delivery).where(Delivery.id == delivery_id)).one()
        return row.state, row.problem_code, row.next_try_at


def test_the_third_mail_in_a_week_is_held_back_and_says_why(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    for _ in range(2):
        house.mail_to(an)
        house.send()
    (third,) = house.mail_to(an)
    house.send()
    assert len(house.recipients()) == 2
    assert state_of(house, third)[:2] == ("cancelled", "capped")
    with clock.set_to(NOW + 7 * DAY + timedelta(minutes=1)):
        house.mail_to(an)
        house.send()
    assert len(house.recipients()) == 3, "a week later there is room again"


def test_a_mail_waits_where_there_is_room_within_the_patience_of_the_house(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    for _ in range(2):
        house.mail_to(an)
        house.send()
    with clock.set_to(NOW + 6.5 * DAY):
        (third,) = house.mail_to(an)
        house.send()
        assert state_of(house, third) == ("planned", "capped", NOW + 7 * DAY)
    with clock.set_to(NOW + 7 * DAY + timedelta(seconds=1)):
        house.send()
    assert state_of(house, third)[0] == "accepted"


def test_a_mail_of_a_journey_waits_until_it_is_allowed_and_then_goes(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    for _ in range(2):
        house.mail_to(an)
        house.send()
    (third,) = house.mail_to(an, kind="journey")
    house.send()
    assert state_of(house, third)[:2] == ("planned", "capped")
    with clock.set_to(NOW + 7 * DAY + timedelta(minutes=1)):
        house.send()
    assert state_of(house, third)[0] == "accepted"


def test_service_mails_are_neither_counted_nor_held_back(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    house.record(a_grant("an@example.org", purpose="service", basis="service"))
    for _ in range(3):
        house.mail_to(an, purpose="service")
        house.send()
    house.mail_to(an)
    house.send()
    assert len(house.recipients()) == 4


def test_mails_that_a_connected_system_delivered_count_too(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    with house.transaction() as session:
        events = [
            MailEventRecord(
                contact_id=an,
                event="delivered",
                occurred_at=NOW - timedelta(days=number + 1),
                campaign=f"c{number}",
                source="mailchimp",
                external_id=f"e{number}",
            )
            for number in range(2)
        ]
        record_engagement(session, events, at=NOW)
    (mail,) = house.mail_to(an)
    house.send()
    assert state_of(house, mail)[:2] == ("cancelled", "capped")


def test_two_mails_in_one_batch_count_each_other(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    with house.transaction() as session:
        session.scalars(select(MailSetting)).one().cap_mails = 1
    house.mail_to(an)
    house.mail_to(an)
    house.send()
    assert len(house.recipients()) == 1
    assert sorted(house.states()) == ["accepted", "cancelled"]


def test_two_workers_that_claim_for_one_person_at_once_do_not_both_pass(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    with house.transaction() as session:
        session.scalars(select(MailSetting)).one().cap_mails = 1
    house.mail_to(an)
    house.mail_to(an)
    with house.transaction() as session:
        first, second = reserve(session, kinds=["mailing"], limit=2)
        sender = sender_of(session, house.runtime)
        assert isinstance(sender, Sender)
        written = write_mailings(session, house.runtime, sender, [first, second])
    assert all(isinstance(each, Written) for each in written)
    one, other = (each for each in written if isinstance(each, Written))
    with house.transaction() as here, house.transaction() as there:
        claimed, _ = claim_written(here, [one])
        meanwhile, _ = claim_written(there, [other])
    assert (len(claimed), len(meanwhile)) == (1, 0)
    assert state_of(house, second.id)[:2] == ("planned", "changing"), "asked again in a moment, and then counted"
    house.send(later=timedelta(seconds=10))
    assert state_of(house, second.id)[:2] == ("cancelled", "capped")


def test_without_a_cap_everything_goes(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    with house.transaction() as session:
        session.scalars(select(MailSetting)).one().cap_mails = None
    for _ in range(4):
        house.mail_to(an)
    house.send()
    assert len(house.recipients()) == 4


def test_journeys_keep_still_in_the_quiet_hours_and_campaigns_do_not(house: HouseWithPost) -> None:
    an, bo = house.person("an@example.org"), house.person("bo@example.org")
    (of_journey,), (of_campaign,) = house.mail_to(an, kind="journey"), house.mail_to(bo)
    night = NOW.replace(hour=21, minute=30)  # half past ten in the evening in Brussels
    with clock.set_to(night):
        house.send()
    assert state_of(house, of_journey)[0] == "planned"
    assert state_of(house, of_campaign)[0] == "accepted"
    with clock.set_to(night + timedelta(hours=10)):
        house.send()
    assert state_of(house, of_journey)[0] == "accepted"


@pytest.mark.parametrize(
    ("start", "end", "local", "is_quiet"),
    [
        (time(21), time(8), "20:59", False),
        (time(21), time(8), "21:00", True),
        (time(21), time(8), "00:00", True),
        (time(21), time(8), "07:59", True),
        (time(21), time(8), "08:00", False),
        (time(12), time(13), "12:30", True),
        (time(12), time(13), "13:00", False),
        (time(9), time(9), "09:00", False),
        (None, None, "03:00", False),
    ],
)
def test_quiet_hours_are_of_the_house_clock(start: time | None, end: time | None, local: str, is_quiet: bool) -> None:
    limits = Limits(time_zone="Europe/Brussels", quiet_from=start, quiet_until=end)
    hour, minute = map(int, local.split(":"))
    for offset, month in ((1, 11), (2, 7)):  # winter and summer
        at = datetime(2026, month, 20, hour, minute, tzinfo=UTC) - timedelta(hours=offset)
        assert limits.is_quiet(at) is is_quiet


def test_urgent_mails_go_first_and_campaigns_share(house: HouseWithPost) -> None:
    people = [house.person(f"an{number}@example.org") for number in range(4)]
    house.record(a_grant("an3@example.org", purpose="service", basis="service"))
    big = house.mail_to(*people[:3])
    small = house.mail_to(people[0])
    urgent = house.mail_to(people[1], priority=90)
    of_journey = house.mail_to(people[2], kind="journey")
    service = house.mail_to(people[3], purpose="service")
    with house.transaction() as session:
        order = [each.id for each in reserve(session, kinds=["letter", "mailing"], limit=5)]
    assert order[:3] == [*service, *of_journey, *urgent]
    assert set(order[3:]) == {big[0], small[0]}, "the large one leaves room for the small one"
