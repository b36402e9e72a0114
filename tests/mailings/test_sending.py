"""Letters and mailings on their way: what goes, what waits, what is given up, and what a no does to it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from app import clock
from app.accounts.letters import cancel_letters_to
from app.accounts.models import Letter, Organisation
from app.consent.gate import RULES_VERSION
from app.consent.subjects import email_subject
from app.consent.suppressions import suppress
from app.contacts.models import Contact, ContactIdentity
from app.mailings import places
from app.mailings.deliveries import queue_of
from app.mailings.models import Delivery, MailSetting
from app.mailings.return_paths import read_delivery_number
from app.mailings.sending import BEAT_S, RESERVED_LEAST, TRIES_MAX, forget_old_letters
from tests.conftest import NOW, make_house
from tests.consent.people import a_grant
from tests.mailings.house_with_post import ADDRESS, FROM, HouseWithPost
from tests.standins.smtp import Fault

LATER = timedelta(hours=5)


def test_a_letter_goes_out_and_forgets_where_it_went(house: HouseWithPost) -> None:
    letter_id = house.ask()
    assert house.send() == 1
    (mail,) = house.relay.delivered
    assert (mail.sender, mail.recipient) == (FROM, "an@example.org")
    assert mail.message["From"] == f"De Proef <{FROM}>"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    number = read_delivery_number(house.runtime.keyring, mail.message["Message-ID"])
    delivery = house.delivery(letter_id=letter_id)
    assert number == (house.organisation.id, delivery.id)
    assert (delivery.state, delivery.answer_code, delivery.rules_version) == ("accepted", "250 2.0.0", "letters 1")
    letter = house.letter(letter_id)
    assert (letter.state, letter.sealed, letter.done_at) == ("sent", None, NOW)
    assert house.send() == 0
    assert len(house.relay.delivered) == 1


def test_every_mail_shows_the_postal_address(house: HouseWithPost) -> None:
    """I13"""
    house.ask()
    house.send()
    (mail,) = house.relay.delivered
    for part in ("plain", "html"):
        body = mail.message.get_body((part,))
        assert body is not None
        assert ADDRESS in body.get_content()


@pytest.mark.parametrize("missing", ["relay", "from", "address", "place"])
def test_without_settings_letters_wait_and_nothing_is_lost(house: HouseWithPost, missing: str) -> None:
    letter_id = house.ask()
    with house.transaction() as session:
        setting, organisation = session.scalars(select(MailSetting)).one(), session.scalars(select(Organisation)).one()
        match missing:
            case "relay":
                setting.relay_host = None
            case "from":
                setting.from_address = None
            case "address":
                organisation.legal_address = None
            case _:
                setting.confirmed_place = None
    assert house.send() == 0
    assert house.letter(letter_id).state == "waiting"
    with house.transaction() as session:
        assert queue_of(session) == (1, NOW)
        setting, organisation = session.scalars(select(MailSetting)).one(), session.scalars(select(Organisation)).one()
        setting.relay_host, setting.from_address, organisation.legal_address = "127.0.0.1", FROM, ADDRESS
        places.confirm_place(session, house.runtime.settings)
    assert house.send(later=LATER) == 1
    assert house.recipients() == ["an@example.org"]


def test_a_house_next_door_sends_nothing_of_ours(house: HouseWithPost) -> None:
    house.ask()
    other = make_house(house.runtime, "De Buren")
    from app.mailings.sending import send_due

    assert send_due(house.runtime, other.id) == 0
    assert house.send() == 1


def test_a_refused_recipient_fails_and_the_others_go(house: HouseWithPost) -> None:
    refused, fine = house.ask(to="weg@example.org"), house.ask(to="bo@example.org")
    house.relay.plan(Fault.UNKNOWN_MAILBOX)
    assert house.send() == 2
    delivery = house.delivery(letter_id=refused)
    assert (delivery.state, delivery.answer_code, delivery.problem_code) == ("failed", "550 5.1.1", "refused_recipient")
    assert house.letter(refused).sealed is None
    assert house.delivery(letter_id=fine).state == "accepted"


def test_a_policy_refusal_leaves_the_recipient_as_they_were(house: HouseWithPost) -> None:
    """I20"""
    house.person("an@example.org")
    house.ask()
    house.relay.plan(Fault.POLICY)
    house.send()
    with house.transaction() as session:
        assert session.scalars(select(ContactIdentity.deliverability)).one() == "unknown"
    assert house.states() == ["failed"]


def test_what_should_be_tried_again_is_tried_later_and_later_and_once_given_up(house: HouseWithPost) -> None:
    letter_id = house.ask()
    waits, moment = [], clock.now()
    for _ in range(TRIES_MAX):
        house.relay.plan(Fault.MAILBOX_FULL)
        with clock.set_to(moment):
            house.send()
        delivery = house.delivery(letter_id=letter_id)
        waits.append((delivery.next_try_at - moment).total_seconds())
        moment = max(moment, delivery.next_try_at)
        if delivery.state == "failed":
            break
        assert delivery.state == "planned"
        with clock.set_to(moment - timedelta(seconds=1)):
            assert house.send() == 0, "not before its time"
    assert 36 <= waits[0] <= 60
    assert waits[5] > waits[0]
    assert delivery.state == "failed"
    assert house.letter(letter_id).state == "failed"
    assert house.relay.delivered == []


def test_a_relay_that_fails_rests_and_its_mails_lose_nothing(house: HouseWithPost) -> None:
    letter_id = house.ask()
    house.relay.plan(Fault.BUSY)
    assert house.send() == 0
    with house.transaction() as session:
        setting = session.scalars(select(MailSetting)).one()
        assert (setting.failures, setting.problem_code, setting.failing_since) == (1, "busy", NOW)
        assert setting.next_try_at is not None
        assert setting.next_try_at > NOW
    connections = house.relay.connections
    house.send()
    assert house.relay.connections == connections, "nobody knocks before its time"
    assert house.delivery(letter_id=letter_id).attempts == 0
    assert house.send(later=timedelta(minutes=1)) == 1
    with house.transaction() as session:
        setting = session.scalars(select(MailSetting)).one()
        assert (setting.failures, setting.failing_since, setting.problem_code) == (0, None, None)
        assert setting.last_accepted_at == NOW + timedelta(minutes=1)


def test_a_sender_that_is_refused_fails_nobodys_mail(house: HouseWithPost) -> None:
    first, second = house.ask(to="an@example.org"), house.ask(to="bo@example.org")
    house.relay.plan(Fault.REFUSED_SENDER)
    house.send()
    assert house.recipients() == []
    assert {house.letter(each).state for each in (first, second)} == {"taken"}
    assert house.send(later=LATER) == 2
    assert sorted(house.recipients()) == ["an@example.org", "bo@example.org"]


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_DOT, Fault.GARBAGE_AFTER_DOT])
def test_what_may_have_gone_is_never_sent_again_by_itself(house: HouseWithPost, fault: Fault) -> None:
    """I21"""
    house.mail_to(house.person("an@example.org"))
    house.relay.plan(fault)
    house.send()
    assert house.states() == ["uncertain"]
    for days in range(1, 8):
        house.send(later=timedelta(days=days))
    assert house.recipients() == ["an@example.org"]
    assert house.states() == ["uncertain"]


def test_a_mailing_goes_to_whom_the_gate_allows_with_the_decision_recorded(house: HouseWithPost) -> None:
    yes, silent = house.person("an@example.org"), house.person("bo@example.org", says_yes=False)
    house.mail_to(yes, silent)
    house.send()
    assert house.recipients() == ["an@example.org"]
    sent, denied = house.delivery(contact_id=yes), house.delivery(contact_id=silent)
    assert (sent.state, sent.rules_version, sent.decision_reason) == ("accepted", f"gate {RULES_VERSION}", "consent")
    assert sent.decided_by is not None
    assert sent.address_hash is not None
    assert (denied.state, denied.problem_code, denied.handed_over_at) == ("cancelled", "denied", None)


@pytest.mark.parametrize("how", ["withdraw", "suppress", "restrict", "bounce"])
def test_whoever_must_not_be_mailed_any_more_is_not(house: HouseWithPost, how: str) -> None:
    """I1"""
    contact_id = house.person("an@example.org")
    house.mail_to(contact_id)
    with house.transaction() as session:
        match how:
            case "withdraw":
                pass
            case "suppress":
                addresses = ["an@example.org"]
                suppress(session, house.runtime.keyring, addresses, channel="email", reason="x", source="x", at=NOW)
            case "restrict":
                session.execute(update(Contact).values(is_restricted=True))
            case _:
                session.execute(update(ContactIdentity).values(deliverability="bouncing"))
    if how == "withdraw":
        house.withdraw("an@example.org")
    if how in ("withdraw", "suppress"):
        assert house.states()[0] == "cancelled", "at once, not when its turn comes"
    house.send()
    assert "cancelled" in house.states()
    assert not any(mail.message["Subject"] == "Nieuws" for mail in house.relay.delivered)


def test_a_withdrawal_stops_a_mail_that_was_claimed_and_has_not_left(house: HouseWithPost) -> None:
    """I1"""
    house.mail_to(house.person("an@example.org"))

    def say_no(step: str) -> None:
        if step == "claimed":
            house.withdraw("an@example.org", purpose="newsletter", source="import", actor="import")

    house.send(reached=say_no)
    assert house.recipients() == []
    assert house.states() == ["cancelled"]


def test_a_no_to_one_purpose_leaves_what_is_queued_for_another(house: HouseWithPost) -> None:
    contact_id = house.person("an@example.org")
    house.mail_to(contact_id)
    house.withdraw("an@example.org", purpose="survey", actor="import")
    assert house.states() == ["planned"]


def test_a_suppressed_address_still_gets_what_it_asked_for(house: HouseWithPost) -> None:
    """I15"""
    with house.transaction() as session:
        addresses = ["an@example.org"]
        suppress(session, house.runtime.keyring, addresses, channel="email", reason="manual", source="x", at=NOW)
    house.ask("preferences_link")
    house.ask("data_ready", facts={"path": "/d/abc", "until": "2026-12-01"})
    assert house.send() == 2


def test_cancelled_letters_do_not_go(house: HouseWithPost) -> None:
    house.ask()
    with house.transaction() as session:
        key = email_subject(session, house.runtime.keyring, "an@example.org")
        assert key is not None
        cancel_letters_to(session, [key], problem_code="erased")
    house.send()
    assert house.recipients() == []


def test_a_letter_cancelled_while_it_lies_ready_does_not_go(house: HouseWithPost) -> None:
    house.ask()

    def cancel(step: str) -> None:
        if step == "written":
            with house.transaction() as session:
                session.execute(update(Letter).values(state="cancelled", sealed=None))

    house.send(reached=cancel)
    assert house.recipients() == []
    assert house.states() == ["cancelled"]


def test_a_letter_about_something_past_is_not_sent(house: HouseWithPost) -> None:
    house.ask("data_ready", facts={"path": "/d/abc", "until": "2026-11-19"})
    house.ask("password_reset", facts={"path": "/invitation/abc", "link_id": 12345})
    house.ask("confirmation", facts={"event_id": 12345})
    house.send()
    assert house.recipients() == []
    assert house.states() == ["cancelled"] * 3


@pytest.mark.parametrize(
    ("changed", "constraint"),
    [
        ({"state": "handed_over", "handed_over_at": NOW, "lease_until": NOW}, "handed_over_has_decision"),
        ({"state": "accepted", "handed_over_at": NOW}, "handed_over_has_decision"),
        ({"state": "accepted"}, "gone_was_handed_over"),
        ({"state": "uncertain"}, "gone_was_handed_over"),
        ({"state": "claimed", "lease_until": NOW}, "handed_over_has_decision"),
        (
            {
                "state": "handed_over",
                "handed_over_at": NOW,
                "lease_until": NOW,
                "decided_at": NOW,
                "rules_version": "gate 1",
                "decision_reason": "consent",
            },
            "handed_over_has_decision",
        ),
        (
            {
                "state": "claimed",
                "lease_until": NOW + timedelta(seconds=31),
                "decided_at": NOW,
                "rules_version": "gate 1",
                "decision_reason": "consent",
                "decided_by": 1,
                "address_hash": b"x",
            },
            "claim_is_short",
        ),
    ],
)
def test_the_database_itself_refuses_a_hand_over_without_a_decision(
    house: HouseWithPost, changed: dict[str, Any], constraint: str
) -> None:
    """I3"""
    house.mail_to(house.person("an@example.org"))
    with pytest.raises(IntegrityError, match=constraint), house.transaction() as session:
        session.execute(update(Delivery).values(**changed))


def test_whatever_a_relay_does_in_the_middle_of_a_mailing_everybody_gets_it_once_or_is_told_about(
    house: HouseWithPost,
) -> None:
    """I21"""
    faults = [
        Fault.TRY_LATER,
        Fault.MAILBOX_FULL,
        Fault.UNKNOWN_MAILBOX,
        Fault.REFUSED_MAIL,
        Fault.CLOSING,
        Fault.DROP_AT_RCPT,
        Fault.DROP_IN_DATA,
        Fault.DROP_AFTER_DOT,
        Fault.GARBAGE_AFTER_DOT,
    ]
    for turn, fault in enumerate(faults):
        people = [house.person(f"{name}{turn}@huis{turn}{name}.example") for name in ("an", "bo", "cis", "dre")]
        before, planned = len(house.relay.delivered), house.mail_to(*people, purpose="newsletter")
        house.relay.at_dot = lambda fault=fault, before=before: (  # type: ignore[misc]
            house.relay.plan(fault) if len(house.relay.delivered) == before + 1 else None
        )
        with clock.set_to(NOW + timedelta(days=10 * turn)):
            house.send()
        house.relay.at_dot = lambda: None
        house.relay.faults.clear()
        with clock.set_to(NOW + timedelta(days=10 * turn, hours=6)):
            house.send()
        states = sorted(house.delivery(id=each).state for each in planned)
        got = [mail.recipient for mail in house.relay.delivered[before:]]
        assert len(got) == len(set(got)), f"{fault}: nobody twice"
        if fault is Fault.DROP_IN_DATA:
            # All of a small mail may be on its way when the relay hangs up: then nobody knows.
            assert states.count("accepted") == len(got)
            assert states.count("accepted") + states.count("uncertain") == 4
            continue
        is_lost = fault in (Fault.UNKNOWN_MAILBOX, Fault.REFUSED_MAIL)
        is_unsure = fault in (Fault.DROP_AFTER_DOT, Fault.GARBAGE_AFTER_DOT)
        fourth = "failed" if is_lost else "uncertain" if is_unsure else "accepted"
        assert states == sorted(["accepted"] * 3 + [fourth]), fault
        assert len(got) == (3 if is_lost else 4), fault


def test_old_letters_go_after_three_months_and_what_waits_stays(house: HouseWithPost) -> None:
    house.ask(to="an@example.org")
    house.send()
    house.relay.plan(Fault.DROP_AFTER_DOT)
    lost = house.ask(to="bo@example.org")
    house.send()
    with clock.set_to(NOW + timedelta(days=91)):
        house.ask(to="cis@example.org")
        assert forget_old_letters(house.runtime, house.organisation.id) == 2
    assert house.letter(lost).sealed is None
    with house.transaction() as session:
        assert queue_of(session)[0] == 1


def test_a_house_with_much_to_send_leaves_the_others_their_turn(
    house: HouseWithPost, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(RESERVED_LEAST + 5):
        house.ask(to=f"an{number}@example.org")
    monkeypatch.setattr("app.mailings.sending.RESERVED_AT_ONCE", RESERVED_LEAST)

    def passing() -> float:
        return BEAT_S + 1 if house.relay.delivered else 0.0

    monkeypatch.setattr("app.mailings.sending.time", SimpleNamespace(monotonic=passing))
    assert house.send() == RESERVED_LEAST, "what is begun is finished, and the rest waits"
    monkeypatch.undo()
    assert house.send() == 5


def test_a_mail_says_nothing_personal_in_the_log(house: HouseWithPost, capsys: pytest.CaptureFixture[str]) -> None:
    house.ask(to="weg@example.org")
    house.relay.plan(Fault.BUSY)
    house.send()
    assert "weg@example.org" not in "".join(capsys.readouterr())
    with house.transaction() as session:
        assert "weg@" not in str(session.execute(text("SELECT delivery::text FROM delivery")).all())


def test_somebody_who_comes_back_gets_the_next_mailing(house: HouseWithPost) -> None:
    contact_id = house.person("an@example.org")
    house.withdraw("an@example.org", actor="import", occurred_at=NOW)
    with clock.set_to(NOW + timedelta(hours=1)):
        house.record(a_grant("an@example.org"))
        house.mail_to(contact_id)
        house.send()
    assert house.recipients() == ["an@example.org"]
