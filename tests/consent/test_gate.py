"""Who may be contacted, and why: the view, the claim and the explanation say the same."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from app import clock
from app.consent import countries
from app.consent.explain import explain, history_of, permissions_of
from app.consent.gate import claim, contactable, contactable_by
from app.consent.ledger import record_event, record_events
from app.consent.models import Purpose
from app.consent.suppressions import suppress
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from tests.conftest import NOW, make_house
from tests.consent.people import a_grant, a_withdrawal, make_contact

AN, AN_AT_WORK = "an@example.org", "an@werk.example"


def why(session: ScopedSession, contact_id: int, purpose: str = "newsletter") -> str:
    """Return the reason, having checked that view, claim and explanation agree on yes or no."""
    gate = contactable.c
    listed = session.execute(
        select(contactable).where(gate.contact_id == contact_id, gate.purpose == purpose, gate.channel == "email")
    ).all()
    (decision,) = claim(session, channel="email", purpose=purpose, contact_ids=[contact_id], at=clock.now())
    explanation = explain(session, contact_id, channel="email", purpose=purpose)
    assert len(listed) <= 1
    assert decision.is_allowed == bool(listed) == explanation.is_allowed
    if listed:
        assert decision.decided_by == listed[0].decided_by == explanation.decided_by
        assert (decision.identity_id, decision.basis) == (listed[0].identity_id, explanation.basis)
    return explanation.reason


@pytest.fixture
def an(session: ScopedSession, keyring: Keyring) -> int:
    """A contact with two addresses who said yes at the first."""
    contact_id = make_contact(session, keyring, AN, AN_AT_WORK)
    record_event(session, keyring, a_grant(AN))
    return contact_id


def test_a_yes_opens_the_gate_for_its_purpose_alone(session: ScopedSession, an: int) -> None:
    assert why(session, an) == "consent"
    assert why(session, an, "survey") == "no_record"


def test_a_no_or_a_note_at_the_main_address_opens_nothing(session: ScopedSession, keyring: Keyring, an: int) -> None:
    record_event(session, keyring, a_grant(AN, purpose="survey", wording=None))
    assert why(session, an, "survey") == "noted"
    record_event(session, keyring, a_withdrawal(AN, purpose="newsletter"))
    assert why(session, an) == "withdrawn"


def test_a_yes_at_another_address_opens_nothing_for_the_main_one(session: ScopedSession, keyring: Keyring) -> None:
    contact_id = make_contact(session, keyring, "bo@example.org", "bo@werk.example")
    record_event(session, keyring, a_grant("bo@werk.example"))
    assert why(session, contact_id) == "no_record"


def test_nobody_unknown_is_ever_allowed(session: ScopedSession, an: int) -> None:
    """I2."""
    assert why(session, an + 1) == "unknown_contact"
    assert why(session, an, "nonsense") == "purpose_inactive"


def test_a_no_at_one_address_counts_for_all_of_a_person(session: ScopedSession, keyring: Keyring, an: int) -> None:
    record_event(session, keyring, a_withdrawal(AN_AT_WORK))
    assert why(session, an) == "withdrawn"


def test_a_suppressed_address_gets_no_marketing_but_what_was_booked(
    session: ScopedSession, keyring: Keyring, an: int
) -> None:
    """I15."""
    record_event(session, keyring, a_grant(AN, purpose="service", basis="service"))
    assert suppress(session, keyring, [AN], channel="email", reason="manual", source="test", at=NOW) == 1
    assert suppress(session, keyring, [" AN@example.org"], channel="email", reason="other", source="test", at=NOW) == 0
    assert why(session, an) == "suppressed"
    assert why(session, an, "service") == "service"


def test_a_suppression_is_of_one_person_on_one_channel(session: ScopedSession, keyring: Keyring, an: int) -> None:
    for address, channel in ((AN, "sms"), ("bo@example.org", "email")):
        suppress(session, keyring, [address], channel=channel, reason="manual", source="test", at=NOW)
    assert why(session, an) == "consent"


def test_a_suppression_of_any_address_of_a_person_stands_in_the_way(
    session: ScopedSession, keyring: Keyring, an: int
) -> None:
    record_event(session, keyring, a_grant(AN, purpose="service", basis="service"))
    suppress(session, keyring, [AN_AT_WORK], channel="email", reason="manual", source="test", at=NOW)
    assert why(session, an) == "suppressed"
    assert why(session, an, "service") == "service"


def test_a_yes_by_post_stands_apart_from_one_by_mail(session: ScopedSession, keyring: Keyring, an: int) -> None:
    record_event(session, keyring, a_grant(AN, purpose="survey", channel="post"))
    assert session.execute(select(contactable.c.purpose, contactable.c.channel)).all() == [("newsletter", "email")]
    otherwise = contactable_by("post").c
    assert session.execute(select(otherwise.purpose, otherwise.channel)).all() == [("survey", "post")]
    (decision,) = claim(session, channel="post", purpose="survey", contact_ids=[an], at=clock.now())
    assert (decision.is_allowed, decision.is_deliverable) == (True, False), "no street is known"


def test_what_was_said_at_another_address_stands_in_the_way_only_where_it_is_a_no_to_the_same(
    session: ScopedSession, keyring: Keyring, an: int
) -> None:
    make_contact(session, keyring, "bo@werk.example", "bo@example.org")
    record_events(
        session,
        keyring,
        [
            a_grant(AN_AT_WORK),
            a_withdrawal(AN_AT_WORK, purpose="survey"),
            a_withdrawal(AN_AT_WORK, channel="sms"),
            a_withdrawal("bo@example.org"),
        ],
    )
    assert why(session, an) == "consent"
    record_event(session, keyring, a_grant(AN_AT_WORK, purpose="newsletter", wording=None))
    assert why(session, an) == "consent"


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"is_restricted": True}, "restricted"), ({"state": "erased"}, "erased")],
)
def test_restricted_and_gone_people_are_not_contacted(
    session: ScopedSession, an: int, change: dict[str, Any], reason: str
) -> None:
    session.execute(update(Contact).where(Contact.id == an).values(change))
    assert why(session, an) == reason


def test_a_purpose_that_is_switched_off_reaches_nobody(session: ScopedSession, an: int) -> None:
    session.execute(update(Purpose).where(Purpose.code == "newsletter").values(is_active=False))
    assert why(session, an) == "purpose_inactive"


def test_a_yes_ends_at_its_date_by_itself(session: ScopedSession, keyring: Keyring, an: int) -> None:
    record_event(session, keyring, a_grant(AN, purpose="survey", valid_until=NOW + timedelta(days=30)))
    assert why(session, an, "survey") == "consent"
    with clock.set_to(NOW + timedelta(days=30)):
        session.execute(text("SELECT set_config('zaallicht.now', :at, true)"), {"at": clock.now().isoformat()})
        assert why(session, an, "survey") == "lapsed"


@pytest.mark.parametrize(
    ("state", "is_deliverable"), [("working", True), ("soft_bouncing", False), ("bouncing", False)]
)
def test_an_address_that_bounces_is_permitted_but_not_deliverable(
    session: ScopedSession, an: int, state: str, is_deliverable: bool
) -> None:
    """Two reasons not to mail, kept apart."""
    session.execute(update(ContactIdentity).where(ContactIdentity.contact_id == an).values(deliverability=state))
    (decision,) = claim(session, channel="email", purpose="newsletter", contact_ids=[an], at=clock.now())
    assert (decision.is_allowed, decision.is_deliverable) == (True, is_deliverable)


@pytest.mark.parametrize(
    ("country", "years"), [(None, 13), ("BE", 13), ("be", 13), ("NL", 16), ("FR", 15), ("DE", 16), ("US", 16)]
)
def test_a_child_is_not_contacted_until_the_birthday(
    session: ScopedSession, an: int, country: str | None, years: int
) -> None:
    """I28: the ages of the view are those of the table of countries."""
    today = date(2026, 11, 20)
    assert countries.rules_of(country or "BE").consents_alone_from_years == years
    for born, reason in (
        (date(today.year - years, 11, 20), "consent"),
        (date(today.year - years, 11, 21), "child"),
        (date(today.year - years - 1, 11, 21), "consent"),
    ):
        session.execute(update(Contact).where(Contact.id == an).values(birth_date=born, country=country))
        assert why(session, an) == reason


def test_a_child_is_grown_from_the_first_instant_of_the_birthday_in_the_house(session: ScopedSession, an: int) -> None:
    """I28."""
    session.execute(update(Contact).where(Contact.id == an).values(birth_date=date(2013, 11, 20), country="BE"))
    midnight = datetime(2026, 11, 19, 23, tzinfo=UTC)
    for at, reason in ((midnight - timedelta(seconds=1), "child"), (midnight, "consent")):
        with clock.set_to(at):
            session.execute(text("SELECT set_config('zaallicht.now', :at, true)"), {"at": at.isoformat()})
            assert why(session, an) == reason


def test_a_guardian_may_confirm_for_a_child(session: ScopedSession, keyring: Keyring, an: int) -> None:
    """I28."""
    session.execute(update(Contact).where(Contact.id == an).values(birth_date=date(2020, 1, 1)))
    record_event(session, keyring, a_grant(AN, actor="guardian", valid_until=NOW + timedelta(days=5000)))
    assert why(session, an) == "child"
    record_event(session, keyring, a_grant("bo@example.org", actor="guardian", action="confirmed"))
    record_event(session, keyring, a_grant(AN, action="confirmed"))
    assert why(session, an) == "child"
    record_event(session, keyring, a_withdrawal(AN))
    record_event(session, keyring, a_grant(AN, actor="guardian", action="confirmed", method="confirmation_page"))
    assert why(session, an) == "consent"


def test_service_mail_reaches_a_child(session: ScopedSession, keyring: Keyring, an: int) -> None:
    session.execute(update(Contact).where(Contact.id == an).values(birth_date=date(2020, 1, 1)))
    record_event(session, keyring, a_grant(AN, purpose="service", basis="service"))
    assert why(session, an, "service") == "service"


def test_the_claim_answers_each_in_the_order_asked(session: ScopedSession, keyring: Keyring, an: int) -> None:
    bo = make_contact(session, keyring, "bo@example.org")
    answers = claim(session, channel="email", purpose="newsletter", contact_ids=[bo, an, bo], at=NOW)
    assert [(each.contact_id, each.is_allowed, each.reason) for each in answers] == [
        (bo, False, "denied"),
        (an, True, "consent"),
        (bo, False, "denied"),
    ]


def test_the_claim_judges_validity_at_the_moment_given(session: ScopedSession, an: int) -> None:
    (late,) = claim(session, channel="email", purpose="newsletter", contact_ids=[an], at=NOW + timedelta(days=4000))
    assert not late.is_allowed


def test_a_database_error_is_no_permission(runtime: Runtime, session: ScopedSession, an: int) -> None:
    """I2."""
    with pytest.raises(DBAPIError):
        session.execute(text("SELECT 1 / 0"))
    with pytest.raises(DBAPIError):
        claim(session, channel="email", purpose="newsletter", contact_ids=[an], at=NOW)
    session.rollback()


def test_the_gate_of_one_house_says_nothing_about_another(runtime: Runtime, keyring: Keyring) -> None:
    """I23."""
    one, two = make_house(runtime, "De Proef"), make_house(runtime, "Het Pand")
    with transaction(runtime.engine, one.id) as session:
        contact_id = make_contact(session, keyring, AN)
        record_event(session, keyring, a_grant(AN))
    with transaction(runtime.engine, two.id) as session:
        assert session.execute(select(contactable)).all() == []
        assert why(session, contact_id) == "unknown_contact"


def test_the_answers_for_a_contact_list_every_purpose_and_what_was_said(
    session: ScopedSession, keyring: Keyring, an: int
) -> None:
    record_events(session, keyring, [a_withdrawal(AN, purpose="survey"), a_grant(AN, channel="sms")])
    found = [(each.channel, each.purpose, each.is_allowed, each.reason) for each in permissions_of(session, an)]
    assert found == [
        ("email", "newsletter", True, "consent"),
        ("email", "recommendations", False, "no_record"),
        ("email", "partner_offers", False, "no_record"),
        ("email", "survey", False, "withdrawn"),
        ("email", "track_open", False, "no_record"),
        ("email", "track_click", False, "no_record"),
        ("sms", "newsletter", True, "consent"),
    ]


def test_the_history_shows_what_happened_at_every_address_with_the_wording(
    session: ScopedSession, keyring: Keyring, an: int
) -> None:
    record_event(session, keyring, a_withdrawal(AN_AT_WORK))
    lines = history_of(session, an)
    assert [line.event.action for line in lines] == ["withdrawn", "granted"]
    assert lines[1].notice is not None
    assert lines[0].notice is None


@pytest.fixture
def readers(session: ScopedSession, keyring: Keyring, an: int) -> tuple[int, int]:
    """An, and Bo who reads An's mailbox beside one of his own; An's said yes."""
    bo = make_contact(session, keyring, "bo@example.org")
    (theirs,) = session.scalars(select(ContactIdentity).where(ContactIdentity.value == AN)).all()
    theirs.is_shared = True
    session.flush()
    copied = {name: getattr(theirs, name) for name in ("organisation_id", "kind", "value", "value_key", "subject_key")}
    session.add(ContactIdentity(contact_id=bo, is_holder=False, is_shared=True, source="t", created_at=NOW, **copied))
    session.flush()
    return an, bo


def test_who_reads_the_mailbox_stops_it_by_what_they_say_elsewhere(
    session: ScopedSession, keyring: Keyring, readers: tuple[int, int]
) -> None:
    an, bo = readers
    assert why(session, an) == "consent"
    record_event(session, keyring, a_withdrawal("bo@example.org", purpose="survey"))
    assert why(session, an) == "consent"
    record_event(session, keyring, a_withdrawal("bo@example.org", purpose="newsletter"))
    assert (why(session, an), why(session, bo)) == ("shared_mailbox", "withdrawn")


def test_a_pause_or_a_block_of_who_reads_the_mailbox_counts_too(
    session: ScopedSession, keyring: Keyring, readers: tuple[int, int]
) -> None:
    an, _bo = readers
    until = clock.now() + timedelta(days=7)
    pause(session, keyring, "bo@example.org", until)
    assert why(session, an) == "shared_mailbox"
    with clock.set_to(until + timedelta(seconds=1)):
        session.execute(text("SELECT set_config('zaallicht.now', :at, true)"), {"at": clock.now().isoformat()})
        assert why(session, an) == "consent"
        suppress(session, keyring, ["bo@example.org"], channel="email", reason="manual", source="t", at=clock.now())
        assert why(session, an) == "shared_mailbox"


def pause(session: ScopedSession, keyring: Keyring, address: str, until: datetime) -> None:
    paused = {"action": "paused", "basis": None, "wording": None, "method": "preference_page", "valid_until": until}
    record_event(session, keyring, a_grant(address, **paused))
