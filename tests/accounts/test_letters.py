"""Letters on their way: asked for once, to an address that can exist, and not too often."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import select, text

from app import clock
from app.accounts.letters import LIMITS, Contents, cancel_letters_to, open_letter, request_letter
from app.accounts.models import Letter, Organisation
from app.consent.subjects import email_subject
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from tests.conftest import NOW

ADDRESS = "An.Peeters@Example.org"


def _ask(session: ScopedSession, keyring: Keyring, **wanted: Any) -> int | None:
    asked = {"kind": "invitation", "to_address": ADDRESS, "language": "nl", "facts": {"path": "/invitation/abc"}}
    return request_letter(session, keyring, **(asked | wanted))


def test_a_letter_waits_with_its_address_sealed(session: ScopedSession, keyring: Keyring) -> None:
    letter_id = _ask(session, keyring)
    letter = session.scalars(select(Letter)).one()
    assert (letter.id, letter.state, letter.requested_at) == (letter_id, "waiting", NOW)
    assert letter.sealed is not None
    assert open_letter(keyring, letter.sealed) == Contents("an.peeters@example.org", {"path": "/invitation/abc"})
    assert bytes(letter.address_hash) == email_subject(session, keyring, ADDRESS)
    row = session.execute(text("SELECT letter::text FROM letter")).scalar_one()
    assert "peeters" not in row.lower()
    assert "invitation/abc" not in row


def test_asking_again_about_the_same_thing_gives_the_same_letter(session: ScopedSession, keyring: Keyring) -> None:
    first = _ask(session, keyring, kind="confirmation", facts={"event_id": 7}, about="event 7")
    assert _ask(session, keyring, kind="confirmation", facts={"event_id": 7}, about="event 7") == first
    assert _ask(session, keyring, kind="preferences_link", facts={}, about="event 7") != first
    assert len(session.scalars(select(Letter)).all()) == 2


def test_two_who_ask_about_the_same_thing_at_once_get_one_letter(runtime: Runtime, organisation: Organisation) -> None:
    barrier, ids = Barrier(2), []

    def ask() -> None:
        with clock.set_to(NOW), transaction(runtime.engine, organisation.id) as session:
            barrier.wait(timeout=10)
            ids.append(_ask(session, runtime.keyring, about="the same"))

    threads = [Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(ids) == 2
    assert ids[0] == ids[1] is not None


def test_an_address_gets_so_many_confirmations_a_day_and_not_more(session: ScopedSession, keyring: Keyring) -> None:
    """I14"""
    most, within = LIMITS["confirmation"]
    asked = [_ask(session, keyring, kind="confirmation", about=f"event {each}") for each in range(most + 2)]
    assert asked[most:] == [None, None]
    assert None not in asked[:most]
    spelt_otherwise = _ask(session, keyring, kind="confirmation", to_address="AN.PEETERS@example.org", about="again")
    assert spelt_otherwise is None
    assert _ask(session, keyring, kind="confirmation", to_address="bo@example.org", about="other") is not None
    with clock.set_to(NOW + within + timedelta(seconds=1)):
        assert _ask(session, keyring, kind="confirmation", about="the day after") is not None


def test_two_confirmations_at_once_do_not_both_count_as_the_last(runtime: Runtime, organisation: Organisation) -> None:
    most, _within = LIMITS["confirmation"]
    barrier = Barrier(most + 3)
    ids: list[int | None] = []

    def ask(number: int) -> None:
        with clock.set_to(NOW), transaction(runtime.engine, organisation.id) as session:
            barrier.wait(timeout=10)
            ids.append(_ask(session, runtime.keyring, kind="confirmation", about=f"event {number}"))

    threads = [Thread(target=ask, args=(number,)) for number in range(most + 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len([each for each in ids if each is not None]) == most


@pytest.mark.parametrize(
    "address", ["", "nobody", "an@example.org\nBcc: all@example.org", "an@@example.org", "a b@example.org"]
)
def test_no_letter_goes_to_what_is_no_address(session: ScopedSession, keyring: Keyring, address: str) -> None:
    assert _ask(session, keyring, to_address=address) is None
    assert session.scalars(select(Letter)).all() == []


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "newsletter"}, {"language": "de"}, {"facts": {"path": "//evil.example"}}, {"facts": {"path": "https:"}}],
)
def test_a_letter_that_cannot_be_written_is_refused(
    session: ScopedSession, keyring: Keyring, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="letter"):
        _ask(session, keyring, **wrong)


def test_cancelled_letters_forget_where_they_would_have_gone(session: ScopedSession, keyring: Keyring) -> None:
    _ask(session, keyring)
    other = _ask(session, keyring, to_address="bo@example.org")
    key = email_subject(session, keyring, ADDRESS)
    assert key is not None
    assert cancel_letters_to(session, [key], problem_code="erased") == 1
    assert cancel_letters_to(session, [key], problem_code="erased") == 0
    rows = session.execute(select(Letter.id, Letter.state, Letter.sealed).order_by(Letter.id)).all()
    assert [(state, sealed is None) for _id, state, sealed in rows] == [("cancelled", True), ("waiting", False)]
    assert rows[1].id == other
