"""What follows from what comes back: for the address, the ledger, the sender, and nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app import clock
from app.accounts.models import Letter
from app.consent.gate import contactable
from app.keyring import Keyring
from app.mailings.models import Delivery, Mailing
from app.mailings.reserving import reserve
from app.mailings.returns import processing
from app.mailings.returns.alarms import let_go_on, level_of, watch
from app.mailings.returns.breakers import breaker_open, must_wait, note_refusals
from app.mailings.returns.healing import heal_addresses
from app.mailings.returns.models import MailingAlarm
from app.mailings.returns.processing import process_returns
from app.mailings.returns.receiving import forget_old_returns, take_in, unsealed
from app.mailings.sending import send_due
from tests.conftest import NOW, make_house
from tests.mailings.returns import samples
from tests.mailings.returns.conftest import HouseWithReturns, make_mailing

DOMAIN = "deproef.example"


def test_a_mailbox_that_does_not_exist_stops_the_address(back: HouseWithReturns) -> None:
    delivery_id = back.mailed()
    found = back.comes_back(samples.postfix(back.number(delivery_id)))
    assert (found.state, found.kind, found.verdict) == ("done", "bounce", "dead")
    assert (found.delivery_id, found.mailing_id) == (delivery_id, back.mailing_id)
    assert back.identity().deliverability == "bouncing"
    (event,) = back.events()
    assert (event.event, event.delivery_id, event.mailing_id) == ("bounced", delivery_id, back.mailing_id)
    delivery = back.delivery(delivery_id)
    assert (delivery.came_back, delivery.came_back_code, delivery.state) == ("bounced", "5.1.1", "accepted")
    assert back.noes() == []


def test_the_same_bounce_by_every_way_in_is_one(back: HouseWithReturns) -> None:
    number = back.number(back.mailed())
    for raw in (
        samples.postfix(number),
        samples.postfix(number),
        samples.exim_text(number),
        samples.qmail_text(number),
    ):
        assert back.comes_back(raw).state == "done"
    assert len(back.mails()) == 3
    assert len(back.events()) == 1


def test_a_bounce_that_is_faster_than_the_relays_answer_is_kept(back: HouseWithReturns) -> None:
    delivery_id = back.mailed(state="handed_over")
    back.comes_back(samples.postfix(back.number(delivery_id)))
    with back.house.transaction() as session:
        session.execute(update(Delivery).values(state="accepted", lease_until=None))
    delivery = back.delivery(delivery_id)
    assert (delivery.state, delivery.came_back) == ("accepted", "bounced")
    assert len(back.events()) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("5.7.1", "550 5.7.1 rejected by policy"),
        ("5.9.9", "550 5.9.9 odd"),
        ("5.6.1", "554 5.6.1 media"),
        ("5.0.0", "?"),
    ],
)
def test_what_is_about_us_or_not_understood_leaves_the_person_as_they_were(
    back: HouseWithReturns, status: str, said: str
) -> None:
    delivery_id = back.mailed()
    before = back.identity()
    found = back.comes_back(samples.postfix(back.number(delivery_id), status=status, said=said))
    after = back.identity()
    assert (after.deliverability, after.soft_bounces, after.bounced_at) == (before.deliverability, 0, None)
    assert back.events() == []
    assert back.noes() == []
    assert back.delivery(delivery_id).came_back == "refused"
    assert found.state == ("to_look_at" if found.verdict == "unknown" else "done")


def test_a_mailbox_that_is_full_three_times_pauses_and_heals_by_itself(back: HouseWithReturns) -> None:
    for day in range(3):
        with clock.set_to(NOW + timedelta(days=2 * day)):
            delivery_id = back.mailed() if day == 0 else again(back)
            back.comes_back(samples.sendmail(back.number(delivery_id)))
            assert back.identity().soft_bounces == day + 1
            assert back.identity().deliverability == ("soft_bouncing" if day == 2 else "unknown")
    assert not is_deliverable(back)
    runtime, organisation_id = back.house.runtime, back.house.organisation.id
    with clock.set_to(NOW + timedelta(days=10)):
        heal_addresses(runtime, organisation_id)
        assert not is_deliverable(back)
    with clock.set_to(NOW + timedelta(days=20)):
        assert heal_addresses(runtime, organisation_id) == 1
        assert is_deliverable(back)
        back.comes_back(samples.sendmail(back.number(again(back)), status="5.2.2") + b"later")
        assert back.identity().deliverability == "soft_bouncing"


def test_several_mails_that_come_back_on_one_day_count_once(back: HouseWithReturns) -> None:
    number = back.number(back.mailed())
    for other in range(5):
        back.comes_back(samples.sendmail(number) + f"{other}".encode())
    assert back.identity().soft_bounces == 1


def test_a_mail_that_arrives_ends_the_count(back: HouseWithReturns) -> None:
    back.comes_back(samples.sendmail(back.number(back.mailed())))
    with clock.set_to(NOW + timedelta(days=3)):
        again(back)
    with clock.set_to(NOW + timedelta(days=5)):
        assert heal_addresses(back.house.runtime, back.house.organisation.id) == 0
    with clock.set_to(NOW + timedelta(days=8)):
        assert heal_addresses(back.house.runtime, back.house.organisation.id) == 1
    identity = back.identity()
    assert (identity.soft_bounces, identity.deliverability) == (0, "working")


def test_an_address_that_does_not_exist_never_heals_by_time(back: HouseWithReturns) -> None:
    back.comes_back(samples.postfix(back.number(back.mailed())))
    with clock.set_to(NOW + timedelta(days=400)):
        heal_addresses(back.house.runtime, back.house.organisation.id)
    assert back.identity().deliverability == "bouncing"


def test_a_letter_that_arrives_proves_that_the_mailbox_is_there_after_all(back: HouseWithReturns) -> None:
    back.comes_back(samples.postfix(back.number(back.mailed())))
    with clock.set_to(NOW + timedelta(days=10)):
        back.house.ask(to="an@example.org")
        send_due(back.house.runtime, back.house.organisation.id)
        assert heal_addresses(back.house.runtime, back.house.organisation.id) == 0
    with clock.set_to(NOW + timedelta(days=15)):
        assert heal_addresses(back.house.runtime, back.house.organisation.id) == 1
    assert back.identity().deliverability == "working"


def test_mail_that_was_passed_on_to_a_dead_mailbox_is_counted_and_does_not_stop_the_address(
    back: HouseWithReturns,
) -> None:
    number = back.number(back.mailed())
    back.comes_back(samples.postfix(number, to="oud@elders.example"))
    identity = back.identity()
    assert (identity.deliverability, identity.soft_bounces) == ("unknown", 1)


def test_a_complaint_is_an_objection_once(back: HouseWithReturns) -> None:
    delivery_id = back.mailed()
    number = back.number(delivery_id)
    assert back.comes_back(samples.complaint(number)).state == "done"
    back.comes_back(samples.complaint(number) + b"again")
    (no,) = back.noes()
    assert (no.action, no.purpose, no.source, no.channel) == ("objected", None, "complaint", "email")
    assert back.delivery(delivery_id).came_back == "complained"
    assert not is_contactable(back)


def test_a_complaint_outlives_a_bounce_that_comes_later(back: HouseWithReturns) -> None:
    delivery_id = back.mailed()
    back.comes_back(samples.complaint(back.number(delivery_id)))
    back.comes_back(samples.postfix(back.number(delivery_id)))
    assert back.delivery(delivery_id).came_back == "complained"


def test_a_mail_that_unsubscribes_stops_what_it_was_for_with_one_receipt(back: HouseWithReturns) -> None:
    number = back.number(back.mailed())
    back.comes_back(samples.unsubscribe(number))
    back.comes_back(samples.unsubscribe(number, subject="Uitschrijven"))
    assert {(no.action, no.purpose, no.method) for no in back.noes()} == {("withdrawn", "newsletter", "mail")}
    assert not is_contactable(back)
    with back.house.transaction() as session:
        assert list(session.scalars(select(Letter.kind))) == ["unsubscribe_receipt"]


@pytest.mark.parametrize(
    "make",
    [samples.postfix, samples.complaint, samples.unsubscribe, samples.exim_text, samples.reply],
)
def test_a_forged_report_does_nothing_but_wait_for_a_person(back: HouseWithReturns, make: object) -> None:
    delivery_id = back.mailed()
    number = back.number(delivery_id)
    for forged in ("", number[:-1] + ("a" if number[-1] != "a" else "b"), number.replace(f".{delivery_id}.", ".999.")):
        assert back.comes_back(make(forged)).state == "to_look_at"  # type: ignore[operator]
    assert back.noes() == []
    assert back.events() == []
    assert back.identity().deliverability == "unknown"
    assert back.delivery(delivery_id).came_back is None
    assert {mail.delivery_id for mail in back.mails()} == {None}


def test_a_number_of_another_house_means_nothing_here(back: HouseWithReturns) -> None:
    other = make_house(back.house.runtime, "De Buren")
    delivery_id = back.mailed()
    raw = samples.complaint(back.number(delivery_id, organisation_id=other.id))
    assert back.comes_back(raw).state == "to_look_at"
    assert back.noes() == []


def test_a_number_that_we_signed_is_found_whatever_stands_before_it(back: HouseWithReturns) -> None:
    delivery_id = back.mailed()
    noise = " ".join(f"d{place}.{place}.1.abcdefghijklmnop" for place in range(50))
    raw = b"References: " + noise.encode() + b"\r\n" + samples.postfix(back.number(delivery_id))
    assert back.comes_back(raw).delivery_id == delivery_id


def test_whom_the_server_took_it_for_names_the_mail_too(back: HouseWithReturns) -> None:
    delivery_id = back.mailed()
    recipient = f"bounces+{back.number(delivery_id)}@{DOMAIN}"
    assert back.comes_back(samples.postfix("nobody"), recipient=recipient).delivery_id == delivery_id
    assert back.comes_back(samples.sendmail("x"), recipient="a\r\nSubject: unsubscribe").delivery_id is None


@pytest.mark.parametrize("raw", [b"\xff" * 900, b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" * 500])
def test_a_mail_that_cannot_be_read_waits_for_a_person(back: HouseWithReturns, raw: bytes) -> None:
    assert back.comes_back(raw).state in ("to_look_at", "done")


def test_one_bad_mail_does_not_stop_the_others(
    back: HouseWithReturns, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    good = samples.postfix(back.number(back.mailed()))
    real = processing.classify

    def classify(raw: bytes) -> object:
        if b"burst" in raw:
            raise RuntimeError("bang")
        return real(raw)

    monkeypatch.setattr(processing, "classify", classify)
    with back.house.transaction() as session:
        take_in(session, back.house.runtime.keyring, b"Subject: burst\r\n\r\n", came_by="hook")
        take_in(session, back.house.runtime.keyring, good, came_by="hook")
    process_returns(back.house.runtime, back.house.organisation.id)
    assert [mail.state for mail in back.mails()] == ["waiting", "done"]
    for hour in range(1, 10):
        with clock.set_to(NOW + timedelta(hours=hour)):
            process_returns(back.house.runtime, back.house.organisation.id)
    bad = back.mails()[0]
    assert (bad.state, bad.problem_code) == ("to_look_at", "internal_error")


def test_a_reader_that_is_killed_leaves_a_mail_for_the_next(back: HouseWithReturns) -> None:
    with back.house.transaction() as session:
        take_in(session, back.house.runtime.keyring, samples.postfix(back.number(back.mailed())), came_by="hook")
    assert processing._claim(back.house.runtime, back.house.organisation.id)
    assert process_returns(back.house.runtime, back.house.organisation.id) == 0
    with clock.set_to(NOW + timedelta(minutes=4)):
        assert process_returns(back.house.runtime, back.house.organisation.id) == 1
    assert back.identity().deliverability == "bouncing"


def test_automatic_answers_are_passed_over_and_people_are_read(back: HouseWithReturns) -> None:
    number = back.number(back.mailed())
    assert back.comes_back(samples.out_of_office(number)).state == "done"
    assert back.comes_back(samples.out_of_office("")).state == "done"
    assert back.comes_back(samples.postfix(number, action="delayed", status="4.4.1")).state == "done"
    found = back.comes_back(samples.reply(number))
    assert (found.state, found.kind) == ("to_look_at", "reply")
    assert back.identity().soft_bounces == 0


def test_what_came_back_is_kept_sealed_and_forgotten(back: HouseWithReturns, keyring: Keyring) -> None:
    found = back.comes_back(samples.reply(back.number(back.mailed())))
    assert found.sealed is not None
    assert b"An Peeters" not in bytes(found.sealed)
    assert b"An Peeters" in unsealed(keyring, bytes(found.sealed))
    with clock.set_to(NOW + timedelta(days=31)):
        forget_old_returns(back.house.runtime, back.house.organisation.id)
    (left,) = back.mails()
    assert (left.sealed, left.state, left.problem_code) == (None, "done", "never_looked_at")
    with clock.set_to(NOW + timedelta(days=200)):
        forget_old_returns(back.house.runtime, back.house.organisation.id)
    assert back.mails() == []


def test_a_bounced_letter_stops_its_address_too(back: HouseWithReturns) -> None:
    back.house.person("bo@example.org")
    letter_id = back.house.ask(to="bo@example.org")
    send_due(back.house.runtime, back.house.organisation.id)
    delivery = back.house.delivery(letter_id=letter_id)
    back.comes_back(samples.postfix(back.number(delivery.id), to="bo@example.org"))
    assert back.identity("bo@example.org").deliverability == "bouncing"


# --- alarms -----------------------------------------------------------------------------------------------------------


def test_one_complaint_about_a_small_mailing_pauses_nothing() -> None:
    assert level_of("complaints", 1, 20) is None
    assert level_of("complaints", 2, 20) == "warned"
    assert level_of("complaints", 3, 20) == "paused"
    assert level_of("complaints", 3, 10_000) is None
    assert level_of("complaints", 8, 10_000) == "warned"
    assert level_of("complaints", 25, 10_000) == "paused"
    assert level_of("complaints", 24, 10_000) == "warned"
    assert level_of("bounces", 19, 100) == "warned"
    assert level_of("bounces", 20, 400) == "paused"
    assert level_of("bounces", 5, 0) is None


def test_too_many_complaints_pause_the_mailing_and_say_why(back: HouseWithReturns) -> None:
    for who in ("an", "bo", "cas"):
        assert back.mailing().state == "sending"
        back.comes_back(samples.complaint(back.number(back.mailed(f"{who}@example.org"))))
    paused = back.mailing()
    assert (paused.state, paused.paused_because) == ("paused", "complaints")
    with back.house.transaction() as session:
        alarm = session.scalars(select(MailingAlarm)).one()
        assert (alarm.level, alarm.counted, alarm.of_mails) == ("paused", 3, 3)


def test_somebody_who_goes_on_is_not_stopped_again_by_the_same_complaints(back: HouseWithReturns) -> None:
    for who in ("an", "bo", "cas"):
        back.comes_back(samples.complaint(back.number(back.mailed(f"{who}@example.org"))))
    with back.house.transaction() as session:
        session.execute(update(Mailing).values(state="sending", paused_because=None))
    back.comes_back(samples.complaint(back.number(back.mailed("dirk@example.org"))))
    assert back.mailing().state == "sending"
    for who in ("els", "fien"):
        back.comes_back(samples.complaint(back.number(back.mailed(f"{who}@example.org"))))
    assert back.mailing().state == "paused"


def test_a_mailing_that_is_sent_already_is_only_told_about(back: HouseWithReturns) -> None:
    with back.house.transaction() as session:
        session.execute(update(Mailing).values(state="sent"))
    for who in ("an", "bo", "cas"):
        back.comes_back(samples.complaint(back.number(back.mailed(f"{who}@example.org"))))
    assert back.mailing().state == "sent"
    with back.house.transaction() as session:
        assert session.scalars(select(MailingAlarm.level)).one() == "paused"
        watch(session, [back.mailing_id], at=NOW)


def test_a_mailing_that_journeys_send_is_held_until_somebody_lets_it_go_on(back: HouseWithReturns) -> None:
    with back.house.transaction() as session:
        session.execute(update(Mailing).values(kind="journey", state="draft"))
    waiting = back.mailed("wacht@example.org")
    with back.house.transaction() as session:
        planned = {"state": "planned", "handed_over_at": None, "decided_at": None, "next_try_at": NOW}
        session.execute(update(Delivery).where(Delivery.id == waiting).values(**planned))
        assert [each.id for each in reserve(session, kinds=["mailing"], limit=5)] == [waiting]
        session.execute(update(Delivery).where(Delivery.id == waiting).values(lease_until=None))
    for who in ("an", "bo", "cas"):
        back.comes_back(samples.complaint(back.number(back.mailed(f"{who}@example.org"))))
    assert (back.mailing().state, back.mailing().paused_because) == ("draft", "complaints")
    with back.house.transaction() as session:
        assert reserve(session, kinds=["mailing"], limit=5) == []
        assert let_go_on(session, back.mailing_id)
        assert not let_go_on(session, back.mailing_id)
        assert [each.id for each in reserve(session, kinds=["mailing"], limit=5)] == [waiting]


def test_mail_to_a_domain_that_refuses_us_is_not_taken_up(back: HouseWithReturns) -> None:
    waiting = back.mailed("wacht@example.org")
    with back.house.transaction() as session:
        planned = {"state": "planned", "handed_over_at": None, "decided_at": None, "next_try_at": NOW}
        session.execute(update(Delivery).where(Delivery.id == waiting).values(**planned))
        note_refusals(session, [("example.org", "5.7.1")] * 3, sending_domain=DOMAIN, at=NOW)
        assert reserve(session, kinds=["mailing"], limit=5) == []
    assert back.delivery(waiting).next_try_at == NOW + timedelta(minutes=10)
    with clock.set_to(NOW + timedelta(minutes=11)), back.house.transaction() as session:
        assert [each.id for each in reserve(session, kinds=["mailing"], limit=5)] == [waiting]


# --- breakers ---------------------------------------------------------------------------------------------------------


def test_refusals_for_policy_make_mail_to_that_domain_wait(back: HouseWithReturns) -> None:
    for who in ("an", "bo", "cas"):
        with back.house.transaction() as session:
            assert not breaker_open(session, "example.org", sending_domain=DOMAIN, at=NOW)
        address = f"{who}@example.org"
        raw = samples.postfix(back.number(back.mailed(address)), status="5.7.1", said="550 5.7.1 no", to=address)
        back.comes_back(raw)
    with back.house.transaction() as session:
        assert breaker_open(session, "example.org", sending_domain=DOMAIN, at=NOW)
        assert not breaker_open(session, "example.net", sending_domain=DOMAIN, at=NOW)
        assert not breaker_open(session, "example.org", sending_domain="elders.example", at=NOW)
        waits = must_wait(session, {1: "example.org", 2: "example.net"}, sending_domain=DOMAIN, at=NOW)
        assert waits == {1: NOW + timedelta(minutes=10)}


def test_one_person_cannot_stop_mail_to_a_domain_with_reports_about_their_own_mail(back: HouseWithReturns) -> None:
    number = back.number(back.mailed())
    for times in range(10):
        back.comes_back(samples.postfix(number, status="5.7.1", said=f"550 5.7.1 no, {times}"))
    with back.house.transaction() as session:
        assert not breaker_open(session, "example.org", sending_domain=DOMAIN, at=NOW)


def test_a_domain_is_tried_again_one_mail_a_minute_and_rests_longer_when_it_refuses(back: HouseWithReturns) -> None:
    domains = {7: "example.org", 8: "Example.org.", 9: "example.net"}
    with back.house.transaction() as session:
        note_refusals(session, [("example.org", "5.7.1")] * 3, sending_domain=DOMAIN, at=NOW)
        tried = NOW + timedelta(minutes=10)
        assert must_wait(session, domains, sending_domain=DOMAIN, at=tried) == {8: tried + timedelta(minutes=1)}
        assert set(must_wait(session, domains, sending_domain=DOMAIN, at=tried)) == {7, 8}
        later = tried + timedelta(minutes=1)
        assert set(must_wait(session, domains, sending_domain=DOMAIN, at=later)) == {8}
        note_refusals(session, [("example.org", "5.7.1")], sending_domain=DOMAIN, at=later)
        waits = must_wait(session, domains, sending_domain=DOMAIN, at=later)
        assert waits == dict.fromkeys((7, 8), later + timedelta(minutes=20))
        closed = later + timedelta(minutes=41)
        assert must_wait(session, domains, sending_domain=DOMAIN, at=closed) == {}


def test_many_temporary_refusals_open_it_and_few_do_not(back: HouseWithReturns) -> None:
    with back.house.transaction() as session:
        note_refusals(session, [("example.org", "4.2.1")] * 29, sending_domain=DOMAIN, at=NOW)
        assert not breaker_open(session, "example.org", sending_domain=DOMAIN, at=NOW)
        note_refusals(session, [("example.org", "5.1.1"), ("example.org", "5.2.2")] * 50, sending_domain=DOMAIN, at=NOW)
        assert not breaker_open(session, "example.org", sending_domain=DOMAIN, at=NOW)
        much_later = NOW + timedelta(hours=2)
        note_refusals(session, [("example.org", "4.2.1")], sending_domain=DOMAIN, at=much_later)
        assert not breaker_open(session, "example.org", sending_domain=DOMAIN, at=much_later)
        note_refusals(session, [("example.org", "4.2.1")] * 29, sending_domain=DOMAIN, at=much_later)
        assert breaker_open(session, "example.org", sending_domain=DOMAIN, at=much_later)


def again(back: HouseWithReturns) -> int:
    """Another mail to An, of another mailing; returns its delivery."""
    with back.house.transaction() as session:
        first = session.scalars(select(Delivery).order_by(Delivery.id)).first()
        assert first is not None
        mailing_id = make_mailing(session, f"Nog een van {clock.now():%d/%m}")
        values = {column.name: getattr(first, column.name) for column in Delivery.__table__.columns}
        values |= dict.fromkeys(("came_back", "came_back_at", "came_back_code"))
        values |= {"handed_over_at": clock.now(), "planned_at": clock.now(), "decided_at": clock.now()}
        delivery = Delivery(**{**values, "id": None, "mailing_id": mailing_id})
        session.add(delivery)
        session.flush()
        return delivery.id


def is_deliverable(back: HouseWithReturns) -> bool:
    with back.house.transaction() as session:
        rows = select(contactable.c.is_deliverable).where(contactable.c.purpose == "newsletter")
        return bool(session.scalar(rows))


def is_contactable(back: HouseWithReturns) -> bool:
    with back.house.transaction() as session:
        rows = select(contactable.c.contact_id).where(contactable.c.purpose == "newsletter")
        return bool(session.scalar(rows))
