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

Where the relay offers PIPELINING (RFC 2920) the commands of a mail travel with the dot of the one before it: one way
there and back a mail, instead of five. What is said ahead are commands; no mail's own octets leave before its turn.
"""

from __future__ import annotations

import smtplib
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import Literal, Self

from integrations.base import ConnectorError, Permanent, Transient, UnknownOutcome
from integrations.esp.smtp_data import DOT, Envelope, Mail, made_ready
from integrations.esp.smtp_relay import OF_RELAY, Relay, Security, check_relay, code_of, opened, refusal_of

__all__ = ["CAPABILITIES", "OF_RELAY", "Accepted", "Capabilities", "Envelope", "Relay", "Security", "SmtpPost"]

CONNECT_S = 15.0
# RFC 5321 section 4.5.3.2 asks for minutes; a relay that needs them is in trouble, and the mail is tried again.
ANSWER_S = 60.0
FAREWELL_S = 2.0
_WENT_WRONG = (OSError, smtplib.SMTPException)


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
        return refusal_of(code, text, refused=self.refused)


class SmtpPost:
    """One connection to a relay, opened when needed and kept. Use it in a ``with``; it is not for several threads."""

    def __init__(
        self, relay: Relay, *, connect_s: float = CONNECT_S, answer_s: float = ANSWER_S, mails_per_connection: int = 200
    ) -> None:
        """Make no connection yet. Raises Permanent ``bad_relay`` or ``insecure_relay``."""
        check_relay(relay)
        self.relay = relay
        self._connect_s, self._answer_s = connect_s, answer_s
        self._mails_max = mails_per_connection
        self._smtp: smtplib.SMTP | None = None
        self._sent = 0
        self._introduced: Mail | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> None:
        """Connect, encrypt and log in, where that is not done already. Raises Transient or Permanent (``OF_RELAY``)."""
        if self._has_room() and self._is_alive():
            return
        self._open()

    def send(self, envelope: Envelope) -> Accepted:
        """Hand over one mail and return the relay's yes. Raises as the module says; never hands over twice."""
        answer = next(self.hand_over([envelope]))
        if isinstance(answer, ConnectorError):
            raise answer
        return answer

    def hand_over(self, envelopes: Iterable[Envelope]) -> Generator[Accepted | ConnectorError]:
        """Hand over mails one after the other and yield what became of each, in order.

        Stop asking at any time: of a mail whose answer was not asked for, nothing has left. Raises Transient or
        Permanent where the way to the relay cannot be opened (again); then nothing of the next mail has left either.
        """
        mails = map(_ready, envelopes)
        mail = next(mails, None)
        try:
            while mail is not None:
                following = next(mails, None)
                if isinstance(mail, ConnectorError):
                    yield mail
                else:
                    ahead = following if isinstance(following, Mail) else None
                    yield self._answer(mail, ahead)
                mail = following
        finally:
            if self._introduced is not None:
                self._drop()

    def close(self) -> None:
        """End the connection politely; never raises."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            with suppress(*_WENT_WRONG):
                if smtp.sock is not None:
                    smtp.sock.settimeout(FAREWELL_S)
                smtp.quit()
            smtp.close()

    def _answer(self, mail: Mail, following: Mail | None) -> Accepted | ConnectorError:
        was_open = self._has_room()
        if not was_open:
            self._open()
        refusal = self._introduce(mail)
        if isinstance(refusal, Transient) and was_open and self._smtp is None:
            # A relay may close a connection it has kept for long; nothing of the mail itself was said yet.
            self._open()
            refusal = self._introduce(mail)
        if refusal is not None:
            return refusal
        try:
            answer = self._finish(mail, following)
        except ConnectorError as problem:
            return problem
        self._sent += 1
        return answer

    @property
    def _open_connection(self) -> smtplib.SMTP:
        if self._smtp is None:
            raise Transient("dropped")
        return self._smtp

    def _has_room(self) -> bool:
        return self._smtp is not None and (self._sent < self._mails_max or self._introduced is not None)

    def _is_alive(self) -> bool:
        try:
            return self._open_connection.rset()[0] == 250
        except _WENT_WRONG:
            return False

    def _open(self) -> None:
        self.close()
        self._introduced, self._sent = None, 0
        self._smtp = opened(self.relay, connect_s=self._connect_s)
        if self._smtp.sock is not None:
            self._smtp.sock.settimeout(self._answer_s)

    def _introduce(self, mail: Mail) -> ConnectorError | None:
        """Say everything before the mail and take the answers; whatever goes wrong here, nothing was accepted."""
        was_said, self._introduced = self._introduced is mail, None
        smtp = self._open_connection
        try:
            commands = self._commands(mail)
            if smtp.has_extn("pipelining"):
                if not was_said:
                    smtp.send(_said(commands))
                self._listen(commands)
            else:
                for command in commands:
                    smtp.send(_said([command]))
                    self._listen([command])
        except ConnectorError as problem:
            return problem
        except _WENT_WRONG as problem:
            self._drop()
            return Transient("dropped", hint=type(problem).__name__)
        return None

    def _commands(self, mail: Mail) -> list[_Command]:
        smtp = self._open_connection
        options = f" SIZE={mail.octets}" if smtp.has_extn("size") else ""
        if mail.is_international:
            if not smtp.has_extn("smtputf8"):
                raise Permanent("no_international_addresses")
            options += " SMTPUTF8 BODY=8BITMIME"
        return [
            _Command(f"MAIL FROM:<{mail.sender}>{options}", "refused_sender"),
            _Command(f"RCPT TO:<{mail.recipient}>", "refused_recipient"),
            _Command("DATA", "refused_mail", expects=354),
        ]

    def _listen(self, commands: Sequence[_Command]) -> None:
        """Take the answers to commands that were said at once, in order. The first refusal is what counts.

        A relay that waits for the mail all the same gets an empty one, to nobody.
        """
        smtp, first, code = self._open_connection, None, 0
        try:
            for command in commands:
                code, text = smtp.getreply()
                refusal = command.refusal(code, text)
                first = first or refusal
                if code == 421:
                    break
            if first is not None and code == 354:
                smtp.send(b".\r\n")
                smtp.getreply()
        except _WENT_WRONG as problem:
            self._drop()
            raise first or Transient("dropped", hint=type(problem).__name__) from None
        if first is not None:
            self._leave_off(code)
            raise first

    def _leave_off(self, code: int) -> None:
        """Have the connection forget the mail that was refused, or close it where the relay is about to."""
        if code == 421:
            self._drop()
        else:
            with suppress(*_WENT_WRONG):
                self._open_connection.rset()

    def _finish(self, mail: Mail, following: Mail | None) -> Accepted:
        """Say the mail and its dot, and behind the dot the commands of the one that follows."""
        smtp = self._open_connection
        try:
            smtp.send(mail.data)
        except _WENT_WRONG as problem:
            # Without the dot the relay may not take it for a whole mail (RFC 5321 section 4.1.1.4).
            self._drop()
            raise Transient("dropped", hint=type(problem).__name__) from None
        ahead = self._ahead(following)
        try:
            smtp.send(DOT + ahead)
            code, text = smtp.getreply()
        except _WENT_WRONG as problem:
            self._drop()
            raise UnknownOutcome("no_answer", hint=type(problem).__name__) from None
        if ahead:
            self._introduced = following
        if 200 <= code < 300:
            return Accepted(code_of(code, text))
        if 400 <= code < 600:
            if code == 421:
                self._drop()
            raise refusal_of(code, text, refused="refused_mail")
        self._drop()
        raise UnknownOutcome("no_answer", hint="an answer that is none")

    def _ahead(self, following: Mail | None) -> bytes:
        if following is None or self._sent + 1 >= self._mails_max:
            return b""
        if not self._open_connection.has_extn("pipelining"):
            return b""
        try:
            return _said(self._commands(following))
        except Permanent:
            return b""  # it is told so when its turn comes

    def _drop(self) -> None:
        self._introduced = None
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def _ready(envelope: Envelope) -> Mail | ConnectorError:
    try:
        return made_ready(envelope)
    except Permanent as problem:
        return problem


def _said(commands: Iterable[_Command]) -> bytes:
    return "".join(f"{command.line}\r\n" for command in commands).encode()
