"""The fragment other rooms include: every code has words, and proof is shown."""

from __future__ import annotations

import pytest
from flask import Flask, render_template_string

from app.consent.explain import why_of
from app.consent.ledger import record_events
from app.consent.precedence import ENDING, NEGATIVE
from app.db import ScopedSession
from app.keyring import Keyring
from app.ui.languages import speak
from tests.consent.people import WORDING, a_grant, a_withdrawal, make_contact

PAGE = '{% import "consent/why.html" as consent with context %}{{ consent.permissions(why) }}{{ consent.history(why) }}'
REASONS = [
    "consent", "soft_opt_in", "impersonal_address", "service", "lapsed", "outdated", "unconfirmed", "incomplete",
    "basis_not_allowed", "noted", "paused", "no_record", "suppressed", "restricted", "no_address",
    "purpose_inactive", "child", "merged", "erased", *sorted(NEGATIVE | ENDING),
]  # fmt: skip


def test_the_fragment_shows_answers_with_proof_and_the_whole_history(
    app: Flask, session: ScopedSession, keyring: Keyring
) -> None:
    contact_id = make_contact(session, keyring, "an@example.org")
    record_events(session, keyring, [a_grant("an@example.org"), a_withdrawal("an@example.org", purpose="survey")])
    with app.test_request_context("/"):
        speak("nl", time_zone="Europe/Brussels")
        page = render_template_string(PAGE, why=why_of(session, contact_id, language="nl"))
    for words in (
        WORDING,
        "Nieuwsbrief",
        "Toestemming gegeven",
        "Toestemming ingetrokken: Vragenlijsten",
        "op een formulier",
    ):
        assert words in page


def test_a_customer_who_was_offered_an_opt_out_is_not_said_to_have_consented(
    app: Flask, session: ScopedSession, keyring: Keyring
) -> None:
    contact_id = make_contact(session, keyring, "an@example.org")
    evidence = {"transaction": "A-1", "seller": "De Proef"}
    record_events(session, keyring, [a_grant("an@example.org", basis="soft_opt_in", evidence=evidence)])
    with app.test_request_context("/"):
        speak("nl", time_zone="Europe/Brussels")
        page = render_template_string(PAGE, why=why_of(session, contact_id, language="nl"))
    assert "Toestemming gegeven" not in page
    assert page.count("Eigen klant") == 2


def test_a_yes_that_changed_nothing_says_so(app: Flask, session: ScopedSession, keyring: Keyring) -> None:
    contact_id = make_contact(session, keyring, "an@example.org")
    record_events(
        session,
        keyring,
        [
            a_grant("an@example.org", actor="import"),
            a_withdrawal("an@example.org"),
            a_grant("an@example.org", actor="import"),
            a_grant("an@example.org", method="preference_page"),
        ],
    )
    why = why_of(session, contact_id, language="en")
    assert [line.is_heard for line in why.history] == [True, False, True, True]
    with app.test_request_context("/"):
        speak("en", time_zone="Europe/Brussels")
        assert render_template_string(PAGE, why=why).count("only the person takes back a no") == 1


def test_somebody_without_a_history_gets_a_sentence(app: Flask, session: ScopedSession, keyring: Keyring) -> None:
    contact_id = make_contact(session, keyring)
    with app.test_request_context("/"):
        page = render_template_string(PAGE, why=why_of(session, contact_id, language="en"))
    assert "<ol" not in page


@pytest.mark.parametrize("language", ["nl", "fr", "en"])
def test_every_reason_has_words_in_every_language(app: Flask, language: str) -> None:
    source = '{% import "consent/why.html" as consent with context %}{{ consent.reason(code) }}'
    with app.test_request_context("/"):
        speak(language, time_zone="Europe/Brussels")
        for code in REASONS:
            assert render_template_string(source, code=code) != code
