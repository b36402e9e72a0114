"""Telling apart what comes back: the common servers' shapes, and nonsense."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mailings.returns.classifying import classify
from app.mailings.returns.statuses import status_in, verdict_of
from tests.mailings.returns import samples

NUMBER = "d1.42.1.abcdefghijklmnop"

BOUNCES = [
    (samples.postfix(NUMBER), "dead", "5.1.1"),
    (samples.postfix(NUMBER, status="5.0.0", said="550 <an@example.org> No such user here"), "dead", "5.0.0"),
    (
        samples.postfix(
            NUMBER, status="5.0.0", said="550-5.1.1 The email account that you tried to reach does not exist."
        ),
        "dead",
        "5.1.1",
    ),
    (samples.postfix(NUMBER, status="5.0.0", said="550 Mailbox unavailable"), "unknown", "5.0.0"),
    (
        samples.postfix(NUMBER, status="5.7.1", said="550 5.7.1 Message rejected due to content restrictions"),
        "policy",
        "5.7.1",
    ),
    (
        samples.postfix(NUMBER, status="5.1.1", said="550 5.1.1 Blocked, see https://spamhaus.example/"),
        "policy",
        "5.1.1",
    ),
    (
        samples.postfix(
            NUMBER, status="5.1.1", said="550 5.1.1 <no-spam@example.org>: User unknown", to="no-spam@example.org"
        ),
        "dead",
        "5.1.1",
    ),
    (
        samples.postfix(NUMBER, status="4.4.1", said="connect to mail.example.org[192.0.2.7]:25: Connection timed out"),
        "soft",
        "4.4.1",
    ),
    (samples.postfix(NUMBER, status="5.4.4", said="Host or domain name not found"), "soft", "5.4.4"),
    (samples.postfix(NUMBER, status="5.3.4", said="552 5.3.4 Message size exceeds fixed limit"), "mail", "5.3.4"),
    (samples.postfix(NUMBER, status="5.1.8", said="550 5.1.8 Sender domain does not exist"), "policy", "5.1.8"),
    (samples.postfix(NUMBER, status="5.9.9", said="550 5.9.9 The moon is in the wrong house"), "unknown", "5.9.9"),
    (samples.exim_text(NUMBER), "dead", None),
    (samples.qmail_text(NUMBER), "dead", "5.1.1"),
    (samples.exchange_online(NUMBER), "dead", "5.1.10"),
    (samples.exchange_online(NUMBER, code="5.4.1", said="Recipient address rejected: Access denied."), "dead", "5.4.1"),
    (
        samples.exchange_online(NUMBER, code="5.7.606", said="Access denied, banned sending IP [192.0.2.9]"),
        "policy",
        "5.7.606",
    ),
    (samples.sendmail(NUMBER), "soft", "5.2.2"),
]


@pytest.mark.parametrize(("raw", "verdict", "status"), BOUNCES)
def test_a_bounce_says_what_it_means_for_the_address(raw: bytes, verdict: str, status: str | None) -> None:
    found = classify(raw)
    assert (found.kind, found.verdict, found.status) == ("bounce", verdict, status)
    assert NUMBER in found.named
    assert found.recipient in ("an@example.org", "no-spam@example.org", None)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (samples.postfix(NUMBER, action="delayed", status="4.4.1"), "delay"),
        (samples.postfix(NUMBER, action="delivered", status="2.0.0"), "notice"),
        (samples.complaint(NUMBER), "complaint"),
        (samples.complaint(NUMBER, about="fraud"), "complaint"),
        (samples.complaint(NUMBER, about="not-spam"), "notice"),
        (samples.complaint(NUMBER, about="auth-failure"), "notice"),
        (samples.complaint(NUMBER, about="opt-out-list"), "unsubscribe"),
        (samples.out_of_office(NUMBER), "auto_reply"),
        (samples.out_of_office(NUMBER, subject="Re: Nieuws", headers="Precedence: auto_reply"), "auto_reply"),
        (samples.out_of_office(NUMBER, subject="Re: Nieuws", headers="X-Autoreply: yes"), "auto_reply"),
        (samples.out_of_office(NUMBER, subject="Absence du bureau", headers="X-Mailer: x"), "auto_reply"),
        (samples.out_of_office(NUMBER, subject="Re: Nieuws", headers="Auto-Submitted: no"), "reply"),
        (samples.reply(NUMBER), "reply"),
        (samples.reply(NUMBER, subject="Re: unsubscribe from what exactly?"), "reply"),
        (samples.unsubscribe(NUMBER), "unsubscribe"),
        (samples.unsubscribe(NUMBER, subject="UITSCHRIJVEN"), "unsubscribe"),
        (samples.unsubscribe(NUMBER, subject="=?utf-8?q?se_d=C3=A9sabonner?="), "unsubscribe"),
    ],
)
def test_everything_else_is_told_apart(raw: bytes, kind: str) -> None:
    found = classify(raw)
    assert found.kind == kind
    assert NUMBER in found.named


def test_a_person_who_writes_back_is_read_as_they_wrote() -> None:
    found = classify(samples.reply(NUMBER, text="Zijn er nog kaarten? – An"))
    assert found.text == "Zijn er nog kaarten? – An"
    assert found.sender == "an@example.org"


def test_a_report_that_talks_about_several_is_read_by_the_one_that_failed() -> None:
    raw = samples.postfix(NUMBER).replace(
        b"Final-Recipient: rfc822; an@example.org",
        b"Final-Recipient: rfc822; bo@example.org\r\nAction: relayed\r\nStatus: 2.0.0\r\n\r\n"
        b"Final-Recipient: rfc822; an@example.org",
    )
    found = classify(raw)
    assert (found.verdict, found.recipient) == ("dead", "an@example.org")


@pytest.mark.parametrize("keep", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_half_a_mail_is_read_as_far_as_it_goes(keep: float) -> None:
    raw = samples.exchange_online(NUMBER)
    found = classify(raw[: int(len(raw) * keep)])
    assert found.verdict in (None, "unknown", "dead")


def test_the_headers_of_a_mail_within_a_mail_do_not_make_it_a_bounce() -> None:
    inner = samples.postfix(NUMBER).decode().replace("\r\n", "\n")
    raw = (
        "From: an@example.org\nTo: bounces@deproef.example\nSubject: Kijk wat ik kreeg\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\nDit kreeg ik.\n'
        f"--b\nContent-Type: message/rfc822\n\n{inner}\n--b--\n"
    )
    assert classify(raw.encode()).kind == "reply"


HOSTILE = [
    b"",
    b"\x00" * 1000,
    b"\xff\xfe" * 5000,
    b"Subject: =?utf-99?b?%%%?=\r\n\r\n\xff",
    b"Content-Type: text/plain; charset=\xff\xfe\r\n\r\nhallo",
    b"Content-Type: text/plain; charset*=utf-8''%zz\r\n\r\nhallo",
    b"Content-Type: text/html\r\n\r\n" + b"<style" * 40_000,
    b"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n----\r\n",
    b"From: " + b"(" * 50_000 + b"\r\n\r\n",
    b"From: " + b"a@" * 50_000 + b"\r\n\r\n",
    b"Subject: " + b"=?utf-8?q?" * 10_000 + b"\r\n\r\n",
    b"Subject: " + b"a\r\n " * 50_000 + b"\r\n\r\n",
    b"\r\n".join(b"To: d1.%d.1.abcdefghijklmnop@x.example" % number for number in range(5000)) + b"\r\n\r\n",
    b"Content-Type: message/delivery-status\r\n\r\n" + b"Status: 5.1.1\r\n\r\n" * 10_000,
    b"Content-Type: message/global-delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nStatus: 5.1.1\r\n",
    b"Content-Type: multipart/report\r\n\r\n" + b"x" * 300_000,
    b"Content-Transfer-Encoding: base64\r\nContent-Type: text/plain\r\n\r\n" + b"====" * 10_000,
]  # fmt: skip


def nested(depth: int) -> bytes:
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(depth)
    )
    return head + b"Content-Type: text/plain\r\n\r\nhallo\r\n"


@pytest.mark.parametrize("raw", [*HOSTILE, nested(50), nested(900), b"Content-Type: message/rfc822\r\n\r\n" * 3000])
def test_nonsense_is_read_in_no_time_and_never_fails(raw: bytes) -> None:
    began = time.process_time()
    found = classify(raw)
    assert time.process_time() - began < 3
    assert found.verdict in (None, "unknown", "dead")
    assert len(found.text) <= 2000


def test_eighty_megabytes_are_read_as_their_beginning() -> None:
    began = time.process_time()
    found = classify(samples.postfix(NUMBER) + b"x" * 80_000_000)
    assert found.verdict == "dead"
    assert time.process_time() - began < 3


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=3000))
def test_any_octets_are_something(raw: bytes) -> None:
    assert classify(raw).kind in ("reply", "unknown", "auto_reply", "unsubscribe", "bounce", "notice")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(BOUNCES),
    st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=20)), min_size=1, max_size=8),
)
def test_a_report_with_holes_shot_in_it_is_still_read(
    sample: tuple[bytes, str, str | None], holes: list[tuple[int, bytes]]
) -> None:
    raw = bytearray(sample[0])
    for place, octets in holes:
        raw[place % len(raw) : place % len(raw) + len(octets)] = octets
    found = classify(bytes(raw))
    assert found.verdict in (None, "dead", "soft", "policy", "mail", "unknown")
    assert "\n" not in found.subject
    assert "\r" not in found.sender


HEADER_NAMES = st.sampled_from(
    ["From", "To", "Subject", "Content-Type", "Auto-Submitted", "Precedence", "X-Failed-Recipients", "Return-Path"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(HEADER_NAMES, st.binary(max_size=60)), max_size=12))
def test_any_headers_are_read(headers: list[tuple[str, bytes]]) -> None:
    raw = b"\r\n".join(name.encode() + b": " + value for name, value in headers) + b"\r\n\r\nhallo\r\n"
    assert classify(raw).text is not None


@given(st.integers(0, 999), st.integers(0, 999), st.text(max_size=40))
def test_whatever_is_5_7_is_about_us(middle: int, last: int, said: str) -> None:
    assert verdict_of(f"5.7.{last}", said) == "policy"
    assert verdict_of(f"4.7.{last}", said) == "policy"
    assert verdict_of(f"4.{middle}.{last}", "") in ("soft", "policy")


def test_words_are_asked_only_where_the_code_says_nothing() -> None:
    assert verdict_of("5.2.2", "user unknown") == "soft"
    assert verdict_of("5.0.0", "user unknown") == "dead"
    assert verdict_of(None, "450 user unknown") == "soft"
    assert verdict_of(None, "gibberish") == "unknown"
    assert verdict_of("5.1.0", "550 Sender address unknown user") == "policy"


def test_a_status_is_no_number_of_something_else() -> None:
    assert status_in("version 15.1.1 of 192.5.1.1") is None
    assert status_in("smtp;550 5.1.1 gone", instead_of="5.0.0") == "5.1.1"
    assert status_in("smtp;550 5.1.1 gone", instead_of="5.2.2") == "5.2.2"
    assert status_in("2.0.0 ok then 5.3.0") == "5.3.0"
