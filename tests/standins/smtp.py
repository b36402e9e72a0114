"""A mail relay on loopback that can fail in every way a relay fails, and keeps what it accepted.

It speaks enough of RFC 5321, 3207 (STARTTLS), 4954 (AUTH PLAIN and LOGIN), 1870 (SIZE), 2920 (PIPELINING) and 6531
(SMTPUTF8) to tell whether a client does. ``violations`` lists what a client did that the protocol does not allow.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum

from tests.standins.line_server import Certificate, Dialogue, Gone, LineServer

__all__ = ["Certificate", "Delivered", "Fault", "SmtpStandIn"]


class Fault(StrEnum):
    """A way to fail, used once each in the order they were planned."""

    BUSY = "421 instead of a greeting"
    REFUSED_SENDER = "550 to MAIL"
    MAILBOX_FULL = "452 to RCPT"
    UNKNOWN_MAILBOX = "550 5.1.1 to RCPT"
    POLICY = "550 5.7.1 to RCPT"
    REFUSED_MAIL = "554 after the dot"
    TRY_LATER = "451 after the dot"
    DROP_AT_RCPT = "closed at RCPT"
    DROP_IN_DATA = "closed in the middle of DATA"
    DROP_AFTER_DOT = "accepted and closed without an answer"
    HANG_AT_RCPT = "no answer to RCPT"
    HANG_AFTER_DOT = "accepted without an answer"
    GARBAGE_AFTER_DOT = "accepted, and an answer that is none"
    CLOSING = "421 to MAIL"
    BREAKS_TLS = "nonsense instead of encryption"
    ASKS_ANYWAY = "354 though nobody was accepted"


@dataclass(frozen=True)
class Delivered:
    """A mail the relay took: its envelope, its octets, and which connection it came by."""

    sender: str
    recipient: str
    octets: bytes
    connection: int
    is_encrypted: bool
    user: str

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.octets, policy=policy.SMTP)  # type: ignore[return-value]


@dataclass
class SmtpStandIn(LineServer):
    """``account``: who must log in before anything is taken. ``at_dot`` is called before the relay answers a mail."""

    account: tuple[str, str] | None = None
    offers_smtputf8: bool = True
    offers_pipelining: bool = True
    delivered: list[Delivered] = field(default_factory=list)
    at_dot: Callable[[], None] = lambda: None

    def dialogue(self, sock: socket.socket, number: int) -> Dialogue:
        return _Dialogue(self, sock, number)


class _Dialogue(Dialogue):
    def __init__(self, house: SmtpStandIn, sock: socket.socket, number: int) -> None:
        super().__init__(house, sock)
        self.house, self.number = house, number
        self.is_greeted = False
        self.user = ""
        self.sender: str | None = None
        self.recipient: str | None = None

    def run(self) -> None:
        if self.house.security == "tls":
            self.encrypt()
        if self.house.next_fault(Fault.BUSY):
            self.say("421 4.3.2 come back later")
            return
        self.say("220 relay.example ESMTP stand-in")
        while True:
            line = self.line().decode()
            verb, _, rest = line.partition(" ")
            handler = getattr(self, f"do_{verb.lower()}", None)
            if handler is None:
                self.say("500 5.5.2 what?")
            else:
                handler(rest)

    def do_ehlo(self, name: str) -> None:
        self.is_greeted = bool(name)
        offers = ["relay.example", "SIZE 1000000", "8BITMIME"]
        if self.house.security == "starttls" and not self.is_encrypted:
            offers.append("STARTTLS")
        if self.house.account and (self.is_encrypted or self.house.security == "none"):
            offers.append("AUTH PLAIN LOGIN")
        if self.house.offers_pipelining:
            offers.append("PIPELINING")
        if self.house.offers_smtputf8:
            offers.append("SMTPUTF8")
        for offer in offers[:-1]:
            self.say(f"250-{offer}")
        self.say(f"250 {offers[-1]}")

    def do_starttls(self, _rest: str) -> None:
        self.say("220 go ahead")
        if self.house.next_fault(Fault.BREAKS_TLS):
            self.say("this is no handshake")
            raise Gone
        self.encrypt()
        self.is_greeted = False

    def do_auth(self, rest: str) -> None:
        method, _, given = rest.partition(" ")
        if method.upper() == "PLAIN":
            _zero, user, password = base64.b64decode(given or self.asked("")).decode().split("\x00")
        else:
            user = base64.b64decode(given or self.asked("VXNlcm5hbWU6")).decode()
            password = base64.b64decode(self.asked("UGFzc3dvcmQ6")).decode()
        if (user, password) == self.house.account:
            self.user = user
            self.say("235 2.7.0 welcome")
        else:
            self.say("535 5.7.8 no")

    def asked(self, prompt: str) -> bytes:
        self.say(f"334 {prompt}")
        return self.line()

    def do_mail(self, rest: str) -> None:
        if not self.is_greeted:
            self.house.violations.append("MAIL before EHLO")
        if self.house.security != "none" and not self.is_encrypted:
            self.house.violations.append("MAIL before encryption")
        if self.house.account and not self.user:
            self.say("530 5.7.0 log in first")
        elif self.house.next_fault(Fault.REFUSED_SENDER):
            self.say("550 5.7.1 not this sender")
        elif self.house.next_fault(Fault.CLOSING):
            self.say("421 4.3.2 closing")
            raise Gone
        else:
            self.sender = _path(rest, "FROM:")
            self.say("250 2.1.0 ok")

    def do_rcpt(self, rest: str) -> None:
        possible = (Fault.MAILBOX_FULL, Fault.UNKNOWN_MAILBOX, Fault.POLICY, Fault.DROP_AT_RCPT, Fault.HANG_AT_RCPT)
        match self.house.next_fault(*possible):
            case Fault.MAILBOX_FULL:
                self.say("452 4.2.2 mailbox full")
            case Fault.UNKNOWN_MAILBOX:
                self.say(f"550 5.1.1 {_path(rest, 'TO:')} is unknown here")
            case Fault.POLICY:
                self.say("550 5.7.1 we do not like your network")
            case Fault.DROP_AT_RCPT:
                raise Gone
            case Fault.HANG_AT_RCPT:
                self.house.hang()
                raise Gone
            case _:
                if self.sender is None:
                    # Said before the answer to MAIL was known, as pipelining allows; without it nobody does that.
                    if not self.house.offers_pipelining:
                        self.house.violations.append("RCPT before MAIL")
                    self.say("503 5.5.1 MAIL first")
                    return
                self.recipient = _path(rest, "TO:")
                self.say("250 2.1.5 ok")

    def do_data(self, _rest: str) -> None:
        if self.sender is None or self.recipient is None:
            if not self.house.next_fault(Fault.ASKS_ANYWAY):
                self.say("503 5.5.1 RCPT first")
                return
            self.say("354 go on")
            if self.line() != b".":
                self.house.violations.append("a mail to nobody")
            self.say("554 5.5.1 no valid recipients")
            return
        self.say("354 go on")
        if self.house.next_fault(Fault.DROP_IN_DATA):
            self.receive()
            raise Gone
        while b"\r\n.\r\n" not in self.buffer:
            self.receive()
        body, _, self.buffer = self.buffer.partition(b"\r\n.\r\n")
        self.take(body)

    def take(self, body: bytes) -> None:
        fault = self.house.next_fault(
            Fault.REFUSED_MAIL,
            Fault.TRY_LATER,
            Fault.DROP_AFTER_DOT,
            Fault.HANG_AFTER_DOT,
            Fault.GARBAGE_AFTER_DOT,
        )
        if fault is Fault.REFUSED_MAIL:
            self.say("554 5.6.0 we do not want this")
        elif fault is Fault.TRY_LATER:
            self.say("451 4.3.0 try later")
        else:
            self.keep(body)
            self.house.at_dot()
            if fault is Fault.DROP_AFTER_DOT:
                raise Gone
            if fault is Fault.HANG_AFTER_DOT:
                self.house.hang()
                raise Gone
            self.say("tomatoes" if fault is Fault.GARBAGE_AFTER_DOT else "250 2.0.0 ok: queued as 4D5E")
        self.sender = self.recipient = None

    def keep(self, body: bytes) -> None:
        lines = body.split(b"\r\n")
        if any(len(line) > 1000 for line in lines) or b"\n" in b"".join(lines) or b"\r" in b"".join(lines):
            self.house.violations.append("a line that is too long or ends wrongly")
        plain = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines) + b"\r\n"
        self.house.delivered.append(
            Delivered(self.sender or "", self.recipient or "", plain, self.number, self.is_encrypted, self.user)
        )

    def do_rset(self, _rest: str) -> None:
        self.sender = self.recipient = None
        self.say("250 2.0.0 ok")

    def do_quit(self, _rest: str) -> None:
        self.say("221 2.0.0 bye")
        raise Gone


def _path(rest: str, word: str) -> str:
    assert rest.upper().startswith(word), rest
    return rest[len(word) :].partition(">")[0].removeprefix("<")
