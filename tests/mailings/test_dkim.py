"""Our signatures, looked at by somebody else's verifier."""

from __future__ import annotations

import dkim
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.dkim import Signer, relaxed_body, signed
from app.mailings.dkim_keys import create_keys, record_of, signers_of
from tests.conftest import NOW

DOMAIN = "huis.example"
MESSAGE = (
    b"From: De Proef <post@huis.example>\r\nTo: an@example.org\r\nSubject: =?utf-8?q?Na_het_caf=C3=A9?=\r\n"
    b"Date: Fri, 20 Nov 2026 10:00:00 +0100\r\nMessage-ID: <d1.2@huis.example>\r\nMIME-Version: 1.0\r\n"
    b"List-Unsubscribe: <https://huis.example/u/abc>,\r\n <mailto:stop@huis.example>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nContent-Type: text/plain\r\n\r\n"
    b"Dag  An, \t \r\n\r\n tot   gauw\t\r\n.\r\n\r\n\r\n"
)


@pytest.fixture
def records(session: ScopedSession, keyring: Keyring) -> dict[str, str]:
    keys = create_keys(session, keyring, DOMAIN)
    for key in keys:
        key.published_at = NOW
    session.flush()
    return dict(record_of(key) for key in keys)


def verified(message: bytes, records: dict[str, str]) -> list[bool]:
    """What an independent verifier (dkimpy) says of each signature, topmost first."""

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        return records.get(name.decode().rstrip("."), "").encode()

    count = message.lower().count(b"dkim-signature:")
    results = []
    for index in range(count):
        try:
            results.append(bool(dkim.DKIM(message).verify(idx=index, dnsfunc=look_up)))
        except dkim.DKIMException:
            results.append(False)
    return results


def test_both_signatures_stand_before_an_independent_verifier(
    session: ScopedSession, keyring: Keyring, records: dict[str, str]
) -> None:
    message = signed(MESSAGE, signers_of(session, keyring, DOMAIN), at=NOW)
    assert message.endswith(MESSAGE)
    assert verified(message, records) == [True, True]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"an@example.org", b"bo@example.org"),
        (b"tot   gauw", b"tot nooit"),
        (b"One-Click", b"One-Clock"),
        (b"https://huis.example/u/abc", b"https://huis.example/u/abd"),
        (b"Subject:", b"Subject: more\r\nSubject:"),
        (b"From: De", b"From: evil@example.org\r\nFrom: De"),
        (b"MIME-Version", b"Reply-To: evil@example.org\r\nMIME-Version"),
    ],
)
def test_nothing_that_counts_can_be_changed_or_added(
    session: ScopedSession, keyring: Keyring, records: dict[str, str], before: bytes, after: bytes
) -> None:
    message = signed(MESSAGE, signers_of(session, keyring, DOMAIN), at=NOW)
    head, _, rest = message.partition(b"From: De Proef")
    tampered = head + (b"From: De Proef" + rest).replace(before, after, 1)
    assert tampered != message
    assert verified(tampered, records) == [False, False]


def test_what_a_relay_may_tidy_does_not_break_it(
    session: ScopedSession, keyring: Keyring, records: dict[str, str]
) -> None:
    message = signed(MESSAGE, signers_of(session, keyring, DOMAIN), at=NOW)
    tidied = message.replace(b"Dag  An, \t \r\n", b"Dag An,\r\n").replace(b"\r\n\r\n\r\n", b"\r\n")
    tidied = b"Received: from a by b\r\n" + tidied.replace(b"abc>,\r\n <mailto", b"abc>, <mailto")
    assert verified(tidied, records) == [True, True]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.text(st.sampled_from(" \tab.é"), max_size=12), max_size=8),
    subject=st.text(st.sampled_from(" \tab:"), max_size=30),
)
def test_any_body_and_subject_verify(
    session: ScopedSession, keyring: Keyring, records: dict[str, str], lines: list[str], subject: str
) -> None:
    body = "".join(f"{line}\r\n" for line in lines).encode()
    message = b"From: a@huis.example\r\nSubject: x" + subject.encode() + b"\r\n\r\n" + body
    made = signed(message, signers_of(session, keyring, DOMAIN)[:1], at=NOW)
    assert verified(made, records) == [True]


def test_without_keys_a_message_stays_as_it_is() -> None:
    assert signed(MESSAGE, (), at=NOW) == MESSAGE


def test_a_signer_does_not_show_its_key() -> None:
    assert "secret" not in repr(Signer(DOMAIN, "a", "rsa-sha256", "secret"))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"  ", b" \t ", b"=\r\n"]), max_size=40))
def test_a_body_is_relaxed_as_an_independent_library_does(pieces: list[bytes]) -> None:
    body = b"".join(pieces) + b"\r\n"
    assert relaxed_body(body) == dkim.canonicalization.Relaxed.canonicalize_body(body)
