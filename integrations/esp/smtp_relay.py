"""The way to a relay: who it is, whether it may be spoken to at all, and a connection, encrypted and logged in.

What goes wrong on the way is ``Transient`` (try again later) or ``Permanent`` with a code in ``OF_RELAY``: somebody
must mend it, and then everything goes.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from integrations.base import ConnectorError, Permanent, Transient
from integrations.json_api import is_reachable

Security = Literal["starttls", "tls", "none"]

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


def opened(relay: Relay, *, connect_s: float) -> smtplib.SMTP:
    """Connect, encrypt and log in. Raises Transient or Permanent (``OF_RELAY``)."""
    smtp = _GuardedSMTPS if relay.security == "tls" else _GuardedSMTP
    connection = smtp(local_hostname=relay.greets_as, timeout=connect_s)
    connection.allows_private, connection.allows_loopback = relay.is_trusted, relay.allows_loopback
    if isinstance(connection, _GuardedSMTPS):
        connection.context = relay.tls_context()
    try:
        _greet(connection, relay)
    except BaseException:
        connection.close()
        raise
    return connection


def _greet(connection: smtplib.SMTP, relay: Relay) -> None:
    """Connect, encrypt and log in; turn what goes wrong into our words."""
    try:
        code, text = connection.connect(relay.host, relay.port)
        if code != 220:
            raise refusal_of(code, text, refused="bad_relay")
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
        raise refusal_of(problem.smtp_code, _octets(problem.smtp_error), refused="bad_relay") from None
    except (ssl.SSLError, OSError, smtplib.SMTPException) as problem:
        raise Transient("unreachable", hint=type(problem).__name__) from None


def _start_tls(connection: smtplib.SMTP, relay: Relay) -> None:
    if not connection.has_extn("starttls"):
        raise Permanent("no_encryption")
    # The name on the certificate is compared with the one a person typed.
    connection._host = relay.host  # type: ignore[attr-defined]
    code, text = connection.starttls(context=relay.tls_context())
    if code != 220:
        raise refusal_of(code, text, refused="no_encryption")
    connection.ehlo_or_helo_if_needed()


def _log_in(connection: smtplib.SMTP, relay: Relay) -> None:
    try:
        connection.login(relay.user, relay.password)
    except smtplib.SMTPAuthenticationError as problem:
        raise refusal_of(problem.smtp_code, _octets(problem.smtp_error), refused="unauthorised") from None
    except (smtplib.SMTPNotSupportedError, UnicodeError):
        raise Permanent("unauthorised", hint="the relay offers no way to log in") from None


def refusal_of(code: int, text: bytes, *, refused: str) -> ConnectorError:
    """Return what an answer of 4xx or 5xx means. The relay's words stay out: they may hold an address."""
    said = code_of(code, text)
    if 400 <= code < 500:
        return Transient("busy", hint=said)
    if code in (530, 535) or (code == 534):
        return Permanent("unauthorised", hint=said)
    if code < 500:
        return Transient("bad_relay", hint=said)
    return Permanent(refused, hint=said)


def code_of(code: int, text: bytes) -> str:
    """Return the answer's code with the enhanced status behind it (RFC 3463), where the relay gives one."""
    enhanced = re.match(rb"[245]\.\d{1,3}\.\d{1,3}\b", text)
    return f"{code} {enhanced[0].decode()}" if enhanced else str(code)


def _octets(said: bytes | str) -> bytes:
    return said if isinstance(said, bytes) else said.encode(errors="replace")


_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+")


def check_relay(relay: Relay) -> None:
    """Raise Permanent ``bad_relay`` or ``insecure_relay`` for one that is not spoken to, before anything is said."""
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
