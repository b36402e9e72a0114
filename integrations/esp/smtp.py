"""Handing mail to a relay over SMTP (RFC 5321): what goes wrong is told apart as exactly as the protocol allows.

Knows SMTP and plain records, and nothing of whose mail it is. One ``SmtpPost`` is one connection, kept open from mail
to mail. The moment that counts is the dot that ends DATA: before it the relay has accepted nothing, whatever happened
(``Transient``); once it is on its way and no answer came, nobody knows (``UnknownOutcome``).

=====================================  ============================================================================
``Transient``                          no connection, 4xx, dropped before the dot; the same mail may be tried again
``Permanent``, code in ``OF_RELAY``    the relay or the way to it is set up wrong; no mail at all will go
``Permanent``, any other               5xx to this recipient or this mail
``UnknownOutcome``                     no answer after the dot
=====================================  ============================================================================
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from ipaddress import ip_address
from types import TracebackType
from typing import Literal, Self

import idna

from integrations.base import ConnectorError, Permanent, Transient, UnknownOutcome
from integrations.json_api import is_reachable

Security = Literal["starttls", "tls", "none"]

CONNECT_S = 15.0
# RFC 5321 section 4.5.3.2 asks for minutes; a relay that needs them is in trouble, and the mail is tried again.
ANSWER_S = 60.0
FAREWELL_S = 2.0
LINE_OCTETS_MAX = 998  # RFC 5322 section 2.1.1, without CRLF
_DOT = b"\r\n.\r\n"

# What these say is about the relay and not about one mail: somebody must mend it, and then everything goes.
OF_RELAY = frozenset(
    {
        "unauthorised",
        "refused_sender",
        "bad_certificate",
        "no_encryption",
        "insecure_relay",
        "private_address",
        "bad_relay",
    }
)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this way of sending does and does not do. There is no vendor; the pages are the standards."""

    recipients_per_mail: int
    takes_raw_messages: bool
    says_per_recipient: bool
    tells_what_bounced: Literal["by mail to the envelope's sender"]
    international_addresses: Literal["where the relay offers SMTPUTF8"]
    documentation: str
    read_on: date


CAPABILITIES = Capabilities(
    recipients_per_mail=1,
    takes_raw_messages=True,
    says_per_recipient=True,
    tells_what_bounced="by mail to the envelope's sender",
    international_addresses="where the relay offers SMTPUTF8",
    documentation="https://www.rfc-editor.org/rfc/rfc5321",
    read_on=date(2026, 11, 20),
)


@dataclass(frozen=True, slots=True)
class Relay:
    """How to reach a relay. ``security`` ``none`` is spoken on this machine only, and where the operator says so.

    ``is_trusted``: the operator chose it, so that it may be on a private network. ``greets_as`` is what we call
    ourselves in EHLO. ``tls_context`` makes the context that verifies certificates; the system's own by default.
    """

    host: str
    port: int = 587
    security: Security = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    greets_as: str = "localhost"
    is_trusted: bool = False
    allows_loopback: bool = False
    tls_context: Callable[[], ssl.SSLContext] = field(default=ssl.create_default_context, repr=False)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One mail to one person. ``sender`` is where bounces go; empty for nowhere (the null return path)."""

    sender: str
    recipient: str
    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The relay took responsibility. ``code`` is its answer without its words, such as ``250 2.0.0``."""

    code: str


@dataclass(frozen=True, slots=True)
class _Command:
    """One command before the mail, what a refusal of it is called, and the answer that it hopes for."""

    line: str
    refused: str
    expects: int = 250

    def refusal(self, code: int, text: bytes) -> ConnectorError | None:
        """Return what an answer means, or None where it is the one hoped for."""
        if code == self.expects or (self.expects == 250 and code == 251):
            return None
        return _refusal(code, text, refused=self.refused)


class _GuardedSMTP(smtplib.SMTP):
    """A connection that looks where it arrived before it says a word."""

    allows_private = False
    allows_loopback = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = socket.create_connection((host, port), timeout)
        peer = ip_address(str(sock.getpeername()[0]).partition("%")[0])
        is_open = self.allows_loopback if peer.is_loopback else self.allows_private
        if not is_open and not is_reachable(peer, allows_loopback=self.allows_loopback):
            sock.close()
            raise Permanent("private_address")
        # The dot follows the mail in a packet of its own, and must not wait until the mail is acknowledged.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._wrapped(sock, host)

    def _wrapped(self, sock: socket.socket, _host: str) -> socket.socket:
        return sock


class _GuardedSMTPS(_GuardedSMTP):
    """The same with TLS from the first byte (RFC 8314)."""

    context: ssl.SSLContext

    def _wrapped(self, sock: socket.socket, host: str) -> socket.socket:
        return self.context.wrap_socket(sock, server_hostname=host)


class SmtpPost:
    """One connection to a relay, opened when needed and kept. Use it in a ``with``; it is not for several threads."""

    def __init__(
        self, relay: Relay, *, connect_s: float = CONNECT_S, answer_s: float = ANSWER_S, mails_per_connection: int = 200
    ) -> None:
        """Make no connection yet. Raises Permanent ``bad_relay`` or ``insecure_relay``."""
        _check_relay(relay)
        self._relay = relay
        self._connect_s, self._answer_s = connect_s, answer_s
        self._mails_max = mails_per_connection
        self._smtp: smtplib.SMTP | None = None
        self._sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> None:
        """Connect, encrypt and log in, where that is not done already. Raises Transient or Permanent (``OF_RELAY``)."""
        if self._smtp is not None and self._sent < self._mails_max and self._is_alive():
            return
        self.close()
        self._smtp = self._opened()
        self._sent = 0

    def send(self, envelope: Envelope) -> Accepted:
        """Hand over one mail and return the relay's yes. Raises as the module says; never hands over twice."""
        sender, recipient, is_international = _envelope_addresses(envelope)
        data = _transparent(envelope.message)
        self.connect()
        smtp = self._open_connection
        options = [f"SIZE={len(envelope.message)}"] if smtp.has_extn("size") else []
        if is_international:
            if not smtp.has_extn("smtputf8"):
                raise Permanent("no_international_addresses")
            options += ["SMTPUTF8", "BODY=8BITMIME"]
            smtp.command_encoding = "utf-8"
        try:
            commands = [
                _Command(" ".join([f"MAIL FROM:<{sender}>", *options]), "refused_sender"),
                _Command(f"RCPT TO:<{recipient}>", "refused_recipient"),
                _Command("DATA", "refused_mail", expects=354),
            ]
            if smtp.has_extn("pipelining"):
                self._say_at_once(commands)
            else:
                for command in commands:
                    self._say(command)
            answer = self._finish(data)
        finally:
            smtp.command_encoding = "ascii"
        self._sent += 1
        return answer

    def close(self) -> None:
        """End the connection politely; never raises."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            with suppress(OSError, smtplib.SMTPException):
                if smtp.sock is not None:
                    smtp.sock.settimeout(FAREWELL_S)
                smtp.quit()
            smtp.close()

    @property
    def _open_connection(self) -> smtplib.SMTP:
        if self._smtp is None:
            raise Transient("dropped")
        return self._smtp

    def _is_alive(self) -> bool:
        try:
            return self._open_connection.rset()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def _opened(self) -> smtplib.SMTP:
        relay = self._relay
        smtp = _GuardedSMTPS if relay.security == "tls" else _GuardedSMTP
        connection = smtp(local_hostname=relay.greets_as, timeout=self._connect_s)
        connection.allows_private, connection.allows_loopback = relay.is_trusted, relay.allows_loopback
        if isinstance(connection, _GuardedSMTPS):
            connection.context = relay.tls_context()
        try:
            _greet(connection, relay)
            if connection.sock is not None:
                connection.sock.settimeout(self._answer_s)
        except BaseException:
            connection.close()
            raise
        return connection

    def _say(self, command: _Command) -> None:
        """Say one thing before the dot and take the answer; whatever goes wrong here, nothing was accepted."""
        try:
            code, text = self._open_connection.docmd(command.line)
        except (OSError, smtplib.SMTPException) as problem:
            self._drop()
            raise Transient("dropped", hint=type(problem).__name__) from None
        refusal = command.refusal(code, text)
        if refusal is not None:
            self._leave_off(code, refusal)
            raise refusal

    def _say_at_once(self, commands: Sequence[_Command]) -> None:
        """Say everything before the mail in one go (RFC 2920), and take the answers in order.

        The first refusal is what counts. A relay that waits for the mail all the same gets an empty one, to nobody.
        """
        smtp, first, code = self._open_connection, None, 0
        try:
            smtp.send("".join(f"{command.line}\r\n" for command in commands))
            for command in commands:
                code, text = smtp.getreply()
                refusal = command.refusal(code, text)
                first = first or refusal
                if code == 421:
                    break
            if first is not None and code == 354:
                smtp.send(b".\r\n")
                smtp.getreply()
        except (OSError, smtplib.SMTPException) as problem:
            self._drop()
            raise first or Transient("dropped", hint=type(problem).__name__) from None
        if first is not None:
            self._leave_off(code, first)
            raise first

    def _leave_off(self, code: int, refusal: ConnectorError) -> None:
        """Have the connection forget the mail that was refused, or close it where the relay is about to."""
        if code == 421 or isinstance(refusal, Transient):
            self._drop()
        else:
            with suppress(OSError, smtplib.SMTPException):
                self._open_connection.rset()

    def _finish(self, data: bytes) -> Accepted:
        smtp = self._open_connection
        try:
            smtp.send(data)
        except (OSError, smtplib.SMTPException) as problem:
            # Without the dot the relay may not take it for a whole mail (RFC 5321 section 4.1.1.4).
            self._drop()
            raise Transient("dropped", hint=type(problem).__name__) from None
        try:
            smtp.send(_DOT)
            code, text = smtp.getreply()
        except (OSError, smtplib.SMTPException) as problem:
            self._drop()
            raise UnknownOutcome("no_answer", hint=type(problem).__name__) from None
        if 200 <= code < 300:
            return Accepted(_code_of(code, text))
        if 400 <= code < 600:
            if code == 421:
                self._drop()
            raise _refusal(code, text, refused="refused_mail")
        self._drop()
        raise UnknownOutcome("no_answer", hint="an answer that is none")

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def _greet(connection: smtplib.SMTP, relay: Relay) -> None:
    """Connect, encrypt and log in; turn what goes wrong into our words."""
    try:
        code, text = connection.connect(relay.host, relay.port)
        if code != 220:
            raise _refusal(code, text, refused="bad_relay")
        connection.ehlo_or_helo_if_needed()
        if relay.security == "starttls":
            _start_tls(connection, relay)
        if relay.user:
            _log_in(connection, relay)
    except ConnectorError:
        raise
    except ssl.SSLCertVerificationError as problem:
        raise Permanent("bad_certificate", hint=problem.verify_message) from None
    except smtplib.SMTPHeloError as problem:
        raise _refusal(problem.smtp_code, _octets(problem.smtp_error), refused="bad_relay") from None
    except (ssl.SSLError, OSError, smtplib.SMTPException) as problem:
        raise Transient("unreachable", hint=type(problem).__name__) from None


def _start_tls(connection: smtplib.SMTP, relay: Relay) -> None:
    if not connection.has_extn("starttls"):
        raise Permanent("no_encryption")
    # The name on the certificate is compared with the one a person typed.
    connection._host = relay.host  # type: ignore[attr-defined]
    code, text = connection.starttls(context=relay.tls_context())
    if code != 220:
        raise _refusal(code, text, refused="no_encryption")
    connection.ehlo_or_helo_if_needed()


def _log_in(connection: smtplib.SMTP, relay: Relay) -> None:
    try:
        connection.login(relay.user, relay.password)
    except smtplib.SMTPAuthenticationError as problem:
        raise _refusal(problem.smtp_code, _octets(problem.smtp_error), refused="unauthorised") from None
    except (smtplib.SMTPNotSupportedError, UnicodeError):
        raise Permanent("unauthorised", hint="the relay offers no way to log in") from None


def _refusal(code: int, text: bytes, *, refused: str) -> ConnectorError:
    """Return what an answer of 4xx or 5xx means. The relay's words stay out: they may hold an address."""
    said = _code_of(code, text)
    if 400 <= code < 500:
        return Transient("busy", hint=said)
    if code in (530, 535) or (code == 534):
        return Permanent("unauthorised", hint=said)
    if code < 500:
        return Transient("bad_relay", hint=said)
    return Permanent(refused, hint=said)


def _code_of(code: int, text: bytes) -> str:
    """Return the answer's code with the enhanced status behind it (RFC 3463), where the relay gives one."""
    enhanced = re.match(rb"[245]\.\d{1,3}\.\d{1,3}\b", text)
    return f"{code} {enhanced[0].decode()}" if enhanced else str(code)


def _octets(said: bytes | str) -> bytes:
    return said if isinstance(said, bytes) else said.encode(errors="replace")


_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+")


def _check_relay(relay: Relay) -> None:
    if not _HOST.fullmatch(relay.host) or not 0 < relay.port < 65536:
        raise Permanent("bad_relay")
    if not re.fullmatch(r"[A-Za-z0-9.\[\]:-]+", relay.greets_as):
        raise Permanent("bad_relay")
    if relay.security == "none" and not (relay.is_trusted or _is_here(relay.host)):
        raise Permanent("insecure_relay")
    if relay.security == "none" and relay.password and not _is_here(relay.host):
        raise Permanent("insecure_relay")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _envelope_addresses(envelope: Envelope) -> tuple[str, str, bool]:
    sender = _path(envelope.sender) if envelope.sender else ""
    recipient = _path(envelope.recipient)
    return sender, recipient, not (sender + recipient).isascii()


def _path(address: str) -> str:
    """Return an address as SMTP may carry it, its domain in ASCII. Nothing in it can end the command it stands in."""
    local, at, domain = address.rpartition("@")
    if not at or not local or re.search(r"[\s<>\x00-\x1f\x7f,;:\\\"()\[\]]", address):
        raise Permanent("bad_address")
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        raise Permanent("bad_address") from None


def _transparent(message: bytes) -> bytes:
    """Return a message as DATA carries it, without the dot that ends it: lines end in CRLF, a leading dot is doubled.

    Raises Permanent ``bad_message`` for a line that is too long for SMTP or a CR or LF alone in it.
    """
    body = message.removesuffix(b"\r\n")
    ends = body.count(b"\r\n")
    # Counting is many times faster than a pattern over forty thousand octets.
    is_broken = body.count(b"\r") != ends or body.count(b"\n") != ends or b"\0" in body
    if is_broken or max(map(len, body.split(b"\r\n"))) > LINE_OCTETS_MAX:
        raise Permanent("bad_message")
    stuffed = body.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
