"""A pause keeps the gate shut for a while and takes nothing away; only the person and the clock end it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app import clock
from app.consent.explain import explain
from app.consent.gate import claim, contactable
from app.consent.ledger import NewEvent, record_event
from app.consent.models import ConsentEvent
from app.consent.pauses import pause, paused_until, resume
from app.consent.purposes import PurposeRulesChange, create_purpose
from app.consent.rebuild import differences
from app.consent.subjects import email_subject
from app.db import ScopedSession
from app.keyring import Keyring
from tests.conftest import NOW
from tests.consent.people import a_grant, make_contact

AN, AN_AT_WORK = "an@example.org", "an@werk.example"
THREE_MONTHS = NOW.replace(year=2027, month=2)


def key_of(session: ScopedSession, keyring: Keyring, address: str) -> bytes:
    return email_subject(session, keyring, address) or b""


def tell_the_time(session: ScopedSession) -> None:
    """Let the transaction that is open see the clock as it is set now."""
    session.execute(text("SELECT set_config('zaallicht.now', :at, true)"), {"at": clock.now().isoformat()})


def answers(session: ScopedSession, contact_id: int) -> tuple[str, bool, bool]:
    """Return what the explanation, the view and a claim say; they must always agree."""
    told = explain(session, contact_id, channel="email", purpose="newsletter")
    gate = contactable.c
    is_in_view = session.scalar(select(func.count()).where(gate.contact_id == contact_id, gate.purpose == "newsletter"))
    (decision,) = claim(session, channel="email", purpose="newsletter", contact_ids=[contact_id], at=clock.now())
    return told.reason, bool(is_in_view), decision.is_allowed


@pytest.mark.parametrize("asked_at", [AN, AN_AT_WORK])
def test_a_pause_at_any_address_keeps_the_gate_shut_until_it_is_over(
    session: ScopedSession, keyring: Keyring, asked_at: str
) -> None:
    an = make_contact(session, keyring, AN, AN_AT_WORK)
    record_event(session, keyring, a_grant(AN))
    pause(session, keyring, key_of(session, keyring, asked_at))
    assert answers(session, an) == ("paused", False, False)
    assert explain(session, an, channel="email", purpose="newsletter").paused_until == THREE_MONTHS
    with clock.set_to(THREE_MONTHS):
        tell_the_time(session)
        assert answers(session, an) == ("consent", True, True)
        assert paused_until(session, key_of(session, keyring, AN)) is None
    assert differences(session) == []


def test_a_pause_of_an_address_that_joins_a_person_later_counts(session: ScopedSession, keyring: Keyring) -> None:
    pause(session, keyring, key_of(session, keyring, AN_AT_WORK))
    an = make_contact(session, keyring, AN, AN_AT_WORK)
    record_event(session, keyring, a_grant(AN))
    assert answers(session, an) == ("paused", False, False)


def test_asking_again_adds_nothing_and_ending_it_brings_everything_back(
    session: ScopedSession, keyring: Keyring
) -> None:
    an = make_contact(session, keyring, AN)
    record_event(session, keyring, a_grant(AN))
    key = key_of(session, keyring, AN)
    assert len(pause(session, keyring, key)) == 1
    assert pause(session, keyring, key) == []
    with clock.set_to(NOW + timedelta(days=30)):
        assert len(pause(session, keyring, key)) == 1
    with clock.set_to(NOW + timedelta(days=40)):
        assert len(resume(session, keyring, key)) == 1
        assert resume(session, keyring, key) == []
        tell_the_time(session)
        assert answers(session, an) == ("consent", True, True)


@pytest.mark.parametrize("actor", ["import", "system", "staff", "api"])
def test_nobody_else_ends_a_pause(session: ScopedSession, keyring: Keyring, actor: str) -> None:
    an = make_contact(session, keyring, AN)
    record_event(session, keyring, a_grant(AN))
    pause(session, keyring, key_of(session, keyring, AN))
    ended = NewEvent(
        address=AN, channel="email", purpose=None, action="resumed", occurred_at=clock.now(), actor=actor,
        method="preference_page", source="elsewhere",
    )  # fmt: skip
    record_event(session, keyring, ended)
    record_event(session, keyring, a_grant(AN, actor=actor))
    assert answers(session, an) == ("paused", False, False)


def test_a_purpose_that_is_made_during_a_pause_is_paused_too(session: ScopedSession, keyring: Keyring) -> None:
    an = make_contact(session, keyring, AN)
    pause(session, keyring, key_of(session, keyring, AN))
    names = dict.fromkeys(("nl", "fr", "en"), "Volunteers")
    change = PurposeRulesChange(
        names=names, allowed_bases=["consent"], needs_confirmation=False, retention_days=None, is_active=True
    )
    purpose = create_purpose(session, change)
    record_event(session, keyring, a_grant(AN, purpose=purpose.code))
    assert explain(session, an, channel="email", purpose=purpose.code).reason == "paused"
    assert differences(session) == []


def test_a_pause_without_an_end_cannot_be_stored(session: ScopedSession, keyring: Keyring) -> None:
    endless = NewEvent(
        address=AN, channel="email", purpose=None, action="paused", actor="contact", method="preference_page",
        source="zaallicht",
    )  # fmt: skip
    with pytest.raises(DBAPIError, match="pause_ends"), session.begin_nested():
        record_event(session, keyring, endless)
    assert session.scalar(select(func.count()).select_from(ConsentEvent)) == 0
