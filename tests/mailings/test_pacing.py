"""How fast mail leaves for one receiver: buckets that all workers share, and that listen to answers."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.db import ScopedSession
from app.mailings.models import MailSetting, Pace
from app.mailings.pacing import OTHER_RATE, RATES, receiver_of, slow_down, take_turns
from tests.conftest import NOW
from tests.mailings.house_with_post import HouseWithPost
from tests.standins.smtp import Fault

SECOND = timedelta(seconds=1)


def test_who_finds_no_token_gets_a_turn_each_after_the_other(session: ScopedSession) -> None:
    wanted = [(number, "hotmail.com") for number in range(100)]
    waits = take_turns(session, wanted, at=NOW)
    assert sorted(waits) == list(range(40, 100)), "four seconds' worth at once"
    turns = [waits[number] for number in sorted(waits)]
    assert turns[0] == NOW + SECOND / RATES["microsoft"]
    assert turns == sorted(set(turns))
    assert turns[-1] == NOW + 60 * SECOND / RATES["microsoft"]
    later = take_turns(session, [(200, "outlook.com")], at=NOW)
    assert later[200] > turns[-1], "the same provider under another name, and nobody jumps the queue"


def test_tokens_come_back_with_time_and_are_kept_in_the_database(session: ScopedSession) -> None:
    wanted = [(number, "hotmail.com") for number in range(40)]
    assert take_turns(session, wanted, at=NOW) == {}
    session.expire_all()
    assert len(take_turns(session, wanted, at=NOW + SECOND)) == 30
    assert take_turns(session, wanted[:10], at=NOW + 60 * SECOND) == {}


def test_domains_do_not_slow_one_another(session: ScopedSession) -> None:
    wanted = [(number, f"{number % 10}.example.org") for number in range(200)]
    assert take_turns(session, wanted, at=NOW) == {}
    assert len(take_turns(session, wanted, at=NOW)) == 200


def test_a_domain_is_stored_as_nothing_that_names_somebody(session: ScopedSession) -> None:
    take_turns(session, [(number, "familie-peeters.example") for number in range(9)], at=NOW)
    (receiver,) = session.scalars(select(Pace.receiver))
    assert "peeters" not in receiver
    assert receiver == receiver_of("Familie-Peeters.example")


def test_a_receiver_that_asks_for_patience_gets_half_and_recovers(session: ScopedSession) -> None:
    take_turns(session, [(1, "hotmail.com")], at=NOW)
    slow_down(session, ["hotmail.com"], at=NOW)
    slow_down(session, ["hotmail.com"], at=NOW)
    at = NOW + 100 * SECOND
    first = take_turns(session, [(number, "hotmail.com") for number in range(60)], at=at)
    assert len(first) > 40, "a quarter of the pace"
    after = NOW + timedelta(minutes=40)
    assert take_turns(session, [(number, "hotmail.com") for number in range(40)], at=after) == {}


def test_the_house_relay_has_a_limit_of_its_own(session: ScopedSession) -> None:
    wanted = [(number, f"{number}.example.org") for number in range(10)]
    waits = take_turns(session, wanted, at=NOW, relay_a_minute=60)
    assert sorted(waits) == list(range(4, 10))
    assert waits[9] == NOW + 6 * SECOND


def test_mails_that_must_wait_are_put_off_and_all_arrive(house: HouseWithPost) -> None:
    with house.transaction() as session:
        session.scalars(select(MailSetting)).one().mails_a_minute = 60
    house.mail_to(*(house.person(f"an{number}@huis{number}.example") for number in range(12)))
    house.send()
    assert len(house.recipients()) == 4
    for seconds in range(1, 20):
        house.send(later=seconds * SECOND)
    assert len(set(house.recipients())) == 12
    assert len(house.recipients()) == 12


def test_a_4xx_slows_the_receiver_that_gave_it(house: HouseWithPost) -> None:
    house.mail_to(house.person("an@hotmail.com"))
    house.relay.plan(Fault.MAILBOX_FULL)
    house.send()
    with house.transaction() as session:
        row = session.scalars(select(Pace).where(Pace.receiver == "microsoft")).one()
        assert (row.rate, row.slowed_at) == (RATES["microsoft"] / 2, NOW)
    assert OTHER_RATE > 0
