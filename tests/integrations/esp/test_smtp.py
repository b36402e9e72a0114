"""Handing over mail: every way a relay can fail, told apart as exactly as the protocol allows."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from integrations.base import ConnectorError, Permanent, Transient, UnknownOutcome
from integrations.esp.smtp import CAPABILITIES, OF_RELAY, Accepted, Envelope, Relay, SmtpPost
from tests.standins.smtp import Certificate, Fault, SmtpStandIn

FROM, TO = "post@huis.example", "an@example.org"


def message(body: str = "Dag An,\n\n.een regel met een punt ervoor\n") -> bytes:
    built = EmailMessage(policy=SMTP)
    built["Subject"] = "Welkom"
    built.set_content(body, cte="quoted-printable")
    return built.as_bytes()


def envelope(**changes: Any) -> Envelope:
    return Envelope(**({"sender": FROM, "recipient": TO, "message": message()} | changes))


@pytest.fixture(params=[True, False], ids=["at once", "one by one"])
def relay(request: pytest.FixtureRequest) -> Iterator[SmtpStandIn]:
    """A relay that takes commands at once, and one that takes them one by one."""
    with SmtpStandIn(offers_pipelining=request.param) as standin:
        yield standin
    assert standin.violations == []


def post_to(standin: SmtpStandIn, *, answer_s: float = 5.0, mails_per_connection: int = 200, **more: Any) -> SmtpPost:
    settings = {"host": "127.0.0.1", "port": standin.port, "security": standin.security, "allows_loopback": True}
    return SmtpPost(Relay(**(settings | more)), answer_s=answer_s, mails_per_connection=mails_per_connection)


def test_a_mail_arrives_octet_for_octet(relay: SmtpStandIn) -> None:
    with post_to(relay) as post:
        assert post.send(envelope()) == Accepted("250 2.0.0")
    (mail,) = relay.delivered
    assert (mail.sender, mail.recipient, mail.octets) == (FROM, TO, message())


def test_one_connection_serves_many_mails(relay: SmtpStandIn) -> None:
    with post_to(relay) as post:
        for _ in range(20):
            post.send(envelope())
    assert relay.connections == 1
    assert len(relay.delivered) == 20


def test_a_connection_is_renewed_after_so_many_mails(relay: SmtpStandIn) -> None:
    with post_to(relay, mails_per_connection=2) as post:
        for _ in range(5):
            post.send(envelope())
    assert [mail.connection for mail in relay.delivered] == [1, 1, 2, 2, 3]


def to(*names: str) -> list[Envelope]:
    return [envelope(recipient=f"{name}@example.org") for name in names]


def test_many_mails_arrive_once_each_and_in_order(relay: SmtpStandIn) -> None:
    people = [f"an{number}" for number in range(25)]
    with post_to(relay, mails_per_connection=10) as post:
        answers = list(post.hand_over(to(*people)))
    assert answers == [Accepted("250 2.0.0")] * 25
    assert [mail.recipient.partition("@")[0] for mail in relay.delivered] == people
    assert relay.connections == 3


@pytest.mark.parametrize("fault", sorted(set(Fault) - {Fault.BUSY, Fault.BREAKS_TLS, Fault.ASKS_ANYWAY}))
def test_whatever_becomes_of_one_mail_the_others_go_once_each(relay: SmtpStandIn, fault: Fault) -> None:
    """I21"""
    big = b"Subject: a\r\n\r\n" + b"Een lange brief.\r\n" * 800_000
    going = to("an", "bo", "cis", "dre")
    if fault is Fault.DROP_IN_DATA:
        going[2] = envelope(recipient="cis@example.org", message=big)
    relay.at_dot = lambda: relay.plan(fault) if len(relay.delivered) == 2 else None
    with post_to(relay, answer_s=0.5) as post:
        answers = list(post.hand_over(going))
    assert len(answers) == 4
    told = {each.recipient[0]: answer for each, answer in zip(going, answers, strict=True)}
    got = [mail.recipient[0] for mail in relay.delivered]
    assert [each for each in got if each != "c"] == ["a", "b", "d"], "nobody twice, nobody lost"
    assert [isinstance(told[name], Accepted) for name in "abd"] == [True] * 3
    assert got.count("c") == (1 if isinstance(told["c"], (Accepted, UnknownOutcome)) else 0), (
        "and nobody told otherwise"
    )


def test_what_was_not_asked_for_has_not_left(relay: SmtpStandIn) -> None:
    """I21"""
    with post_to(relay) as post:
        going = post.hand_over(to("an", "bo", "cis"))
        next(going)
        going.close()
        post.send(envelope(recipient="dre@example.org"))
    assert [mail.recipient[0] for mail in relay.delivered] == ["a", "d"]


def test_a_relay_that_is_gone_takes_no_mails_try(relay: SmtpStandIn) -> None:
    with post_to(relay) as post:
        going = post.hand_over(to("an", "bo", "cis"))
        next(going)
        relay.stop()
        told: list[Accepted | ConnectorError] = []
        with pytest.raises(Transient) as raised:
            told.extend(going)
        assert raised.value.code == "unreachable"
        # Whom the relay waited for when it went may have been heard.
        assert [type(each) for each in told] in ([], [UnknownOutcome])
        assert len(relay.delivered) == 1


def test_the_null_return_path_can_be_said(relay: SmtpStandIn) -> None:
    with post_to(relay) as post:
        post.send(envelope(sender=""))
    assert relay.delivered[0].sender == ""


@pytest.mark.parametrize(
    ("fault", "kind", "code", "hint"),
    [
        (Fault.BUSY, Transient, "busy", "421 4.3.2"),
        (Fault.CLOSING, Transient, "busy", "421 4.3.2"),
        (Fault.REFUSED_SENDER, Permanent, "refused_sender", "550 5.7.1"),
        (Fault.MAILBOX_FULL, Transient, "busy", "452 4.2.2"),
        (Fault.UNKNOWN_MAILBOX, Permanent, "refused_recipient", "550 5.1.1"),
        (Fault.POLICY, Permanent, "refused_recipient", "550 5.7.1"),
        (Fault.REFUSED_MAIL, Permanent, "refused_mail", "554 5.6.0"),
        (Fault.TRY_LATER, Transient, "busy", "451 4.3.0"),
        (Fault.DROP_AT_RCPT, Transient, "dropped", "SMTPServerDisconnected"),
        (Fault.DROP_IN_DATA, Transient, "dropped", ""),
        (Fault.HANG_AT_RCPT, Transient, "dropped", ""),
        (Fault.DROP_AFTER_DOT, UnknownOutcome, "no_answer", ""),
        (Fault.HANG_AFTER_DOT, UnknownOutcome, "no_answer", ""),
        (Fault.GARBAGE_AFTER_DOT, UnknownOutcome, "no_answer", ""),
    ],
)
def test_every_failure_says_whether_the_mail_may_be_tried_again(
    relay: SmtpStandIn, fault: Fault, kind: type[ConnectorError], code: str, hint: str
) -> None:
    """I21"""
    relay.plan(fault)
    # More than a connection holds on its way, so that it breaks while we are still talking.
    big = b"Subject: a\r\n\r\n" + b"Een lange brief.\r\n" * 800_000 if fault is Fault.DROP_IN_DATA else message()
    with post_to(relay, answer_s=0.5) as post:
        with pytest.raises(kind) as raised:
            post.send(envelope(message=big))
        assert raised.value.code == code
        assert hint in raised.value.hint
        assert TO not in str(raised.value)
        was_taken = len(relay.delivered)
        assert was_taken == (1 if kind is UnknownOutcome else 0), "nobody may be told otherwise than what happened"
        post.send(envelope())
    assert len(relay.delivered) == was_taken + 1, "after any failure the next mail goes"


def test_a_relay_that_asks_for_a_mail_to_nobody_gets_none() -> None:
    with SmtpStandIn(offers_pipelining=True) as relay, post_to(relay) as post:
        relay.plan(Fault.UNKNOWN_MAILBOX, Fault.ASKS_ANYWAY)
        with pytest.raises(Permanent) as raised:
            post.send(envelope())
        assert (raised.value.code, relay.delivered) == ("refused_recipient", [])
        post.send(envelope())
    assert (len(relay.delivered), relay.connections, relay.violations) == (1, 1, [])


def test_a_recipient_that_is_refused_does_not_stop_the_connection(relay: SmtpStandIn) -> None:
    relay.plan(Fault.UNKNOWN_MAILBOX)
    with post_to(relay) as post:
        with pytest.raises(Permanent):
            post.send(envelope())
        post.send(envelope(recipient="bo@example.org"))
    assert relay.connections == 1


def test_a_connection_that_went_stale_is_renewed_before_anything_is_said(relay: SmtpStandIn) -> None:
    with post_to(relay) as post:
        post.send(envelope())
        for each in list(relay._open):  # as a relay that is restarted
            each.shutdown(2)
        post.send(envelope())
    assert [mail.connection for mail in relay.delivered] == [1, 2]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encryption_comes_before_the_password_and_the_mail(security: str, tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    with SmtpStandIn(security=security, account=("huis", "geheim"), certificate=certificate) as standin:
        with post_to(
            standin, host="localhost", user="huis", password="geheim", tls_context=certificate.client_context
        ) as post:
            post.send(envelope())
        assert [(mail.is_encrypted, mail.user) for mail in standin.delivered] == [(True, "huis")]
        assert standin.violations == []


def test_encryption_that_breaks_is_worth_another_try_and_nothing_is_said_in_the_open(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    with SmtpStandIn(security="starttls", account=("huis", "geheim"), certificate=certificate) as standin:
        standin.plan(Fault.BREAKS_TLS)
        ours = {"host": "localhost", "user": "huis", "password": "geheim", "tls_context": certificate.client_context}
        with post_to(standin, **ours) as post:
            with pytest.raises(Transient) as raised:
                post.send(envelope())
            assert (raised.value.code, standin.delivered) == ("unreachable", [])
            post.send(envelope())
        assert [mail.is_encrypted for mail in standin.delivered] == [True]
        assert standin.violations == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("name", "context"),
    [("relay.elsewhere.example", "trusted"), ("localhost", "unknown")],
    ids=["another name", "a stranger's"],
)
def test_a_certificate_that_does_not_fit_stops_everything(
    security: str, tmp_path: Path, name: str, context: str
) -> None:
    certificate = Certificate(tmp_path, name)
    trusts: Callable[[], ssl.SSLContext] = (
        certificate.client_context if context == "trusted" else ssl.create_default_context
    )
    with SmtpStandIn(security=security, account=("huis", "geheim"), certificate=certificate) as standin:
        with (
            post_to(standin, host="localhost", user="huis", password="geheim", tls_context=trusts) as post,
            pytest.raises(Permanent) as raised,
        ):
            post.send(envelope())
        assert raised.value.code == "bad_certificate"
        assert raised.value.code in OF_RELAY
        assert standin.delivered == []


def test_a_relay_that_does_not_encrypt_gets_no_password_and_no_mail(relay: SmtpStandIn) -> None:
    with post_to(relay, security="starttls", user="huis", password="geheim") as post:
        with pytest.raises(Permanent) as raised:
            post.send(envelope())
        assert raised.value.code == "no_encryption"
    assert relay.delivered == []


def test_a_wrong_password_is_about_the_relay_and_not_about_the_mail(tmp_path: Path) -> None:
    with SmtpStandIn(account=("huis", "geheim")) as standin, post_to(standin, user="huis", password="fout") as post:
        with pytest.raises(Permanent) as raised:
            post.send(envelope())
        assert raised.value.code == "unauthorised"
        assert "fout" not in str(raised.value)


def test_a_relay_that_wants_a_log_in_says_so() -> None:
    with SmtpStandIn(account=("huis", "geheim")) as standin, post_to(standin) as post:
        with pytest.raises(Permanent) as raised:
            post.send(envelope())
        assert raised.value.code == "unauthorised"


def test_nobody_there_is_worth_another_try() -> None:
    with SmtpStandIn() as standin:
        port = standin.port
    with SmtpPost(Relay("127.0.0.1", port, "none", allows_loopback=True)) as post, pytest.raises(Transient) as raised:
        post.connect()
    assert raised.value.code == "unreachable"


@pytest.mark.parametrize(
    "bad",
    [
        "an@example.org>\r\nRCPT TO:<all@example.org",
        "an@example.org\r\nDATA",
        "an@example.org bo@example.org",
        "an,bo@example.org",
        "an",
        "@example.org",
        "an@exa mple.org",
        "an@-.example",
    ],
)
def test_an_address_cannot_say_more_than_an_address(relay: SmtpStandIn, bad: str) -> None:
    with post_to(relay) as post:
        for wrong in (envelope(recipient=bad), envelope(sender=bad)):
            with pytest.raises(Permanent) as raised:
                post.send(wrong)
            assert raised.value.code == "bad_address"
    assert relay.delivered == []


@pytest.mark.parametrize("bad", [b"Subject: a\r\n\r\n" + b"x" * 999, b"a\nb\r\n", b"a\rb\r\n", b"a\x00b\r\n"])
def test_a_message_that_smtp_cannot_carry_is_refused_whole(relay: SmtpStandIn, bad: bytes) -> None:
    with post_to(relay) as post, pytest.raises(Permanent) as raised:
        post.send(envelope(message=bad))
    assert raised.value.code == "bad_message"
    assert relay.delivered == []


def test_a_message_cannot_end_itself_early(relay: SmtpStandIn) -> None:
    hidden = b"Subject: a\r\n\r\nhello\r\n.\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<all@example.org>\r\nDATA\r\n"
    with post_to(relay) as post:
        post.send(envelope(message=hidden))
    (mail,) = relay.delivered
    assert mail.octets == hidden


def test_domains_travel_in_ascii_and_local_parts_as_they_are(relay: SmtpStandIn) -> None:
    with post_to(relay) as post:
        post.send(envelope(recipient="an@théâtre.example"))
        post.send(envelope(recipient="zoë@example.org"))
    assert [mail.recipient for mail in relay.delivered] == ["an@xn--thtre-4qa2c.example", "zoë@example.org"]


def test_an_international_address_is_refused_where_the_relay_cannot_carry_it() -> None:
    with SmtpStandIn(offers_smtputf8=False) as standin, post_to(standin) as post:
        with pytest.raises(Permanent) as raised:
            post.send(envelope(recipient="zoë@example.org"))
        assert raised.value.code == "no_international_addresses"
        post.send(envelope())
        assert len(standin.delivered) == 1


@pytest.mark.parametrize(
    ("relay_settings", "code"),
    [
        ({"host": "relay.example", "security": "none"}, "insecure_relay"),
        ({"host": "relay.example", "security": "none", "is_trusted": True, "password": "x"}, "insecure_relay"),
        ({"host": "relay.example\r\nEHLO x"}, "bad_relay"),
        ({"host": ""}, "bad_relay"),
        ({"host": "relay.example", "port": 70000}, "bad_relay"),
        ({"host": "relay.example", "greets_as": "a\r\nMAIL"}, "bad_relay"),
    ],
)
def test_a_relay_that_cannot_be_right_is_refused_before_it_is_spoken_to(
    relay_settings: dict[str, Any], code: str
) -> None:
    with pytest.raises(Permanent) as raised:
        SmtpPost(Relay(**relay_settings))
    assert raised.value.code == code


def test_a_house_cannot_have_us_knock_on_this_machine(relay: SmtpStandIn) -> None:
    with post_to(relay, allows_loopback=False) as post, pytest.raises(Permanent) as raised:
        post.connect()
    assert raised.value.code == "private_address"


def test_what_it_can_do_is_declared() -> None:
    assert CAPABILITIES.recipients_per_mail == 1
    assert CAPABILITIES.documentation.startswith("https://")
