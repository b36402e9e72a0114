"""Reading a mailbox over IMAP (RFC 3501, RFC 6851, RFC 4315): bounded, read without a trace, moved when it is stored.

Knows IMAP and plain records, and nothing of whose mail it is. A server may be anybody's, so nothing it sends is
trusted: a line and a mail have a size, the whole conversation has a deadline, and the machine must be in the open.

``Transient``: no connection, dropped, too slow. ``Permanent``: wrong password, certificate, folder or settings.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Literal, Self

from integrations.base import ConnectorError, Permanent, Transient
from integrations.json_api import is_reachable

Security = Literal["starttls", "tls", "none"]

CONNECT_S, ANSWER_S, FAREWELL_S = 15.0, 30.0, 2.0
LINE_OCTETS_MAX = 16 * 1024 * 1024
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_FOLDER = re.compile(r"[ -~]{1,200}")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """How to reach a mailbox. ``security`` ``none`` is spoken on this machine only (``allows_loopback``).

    ``octets_max`` is how much of one mail is read, ``deadline_s`` how long a conversation may take in all.
    """

    host: str
    user: str
    port: int = 993
    security: Security = "tls"
    password: str = field(default="", repr=False)
    folder: str = "INBOX"
    octets_max: int = 256 * 1024
    deadline_s: float = 120.0
    allows_loopback: bool = False
    tls_context: Callable[[], ssl.SSLContext] = field(default=ssl.create_default_context, repr=False)


class _BoundedIMAP(imaplib.IMAP4):
    """A connection that looks where it arrived before it says a word, and reads no more than was agreed."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._ends_at = time.monotonic() + mailbox.deadline_s
        super().__init__(mailbox.host, mailbox.port, timeout=CONNECT_S)
        self.sock.settimeout(ANSWER_S)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        mailbox = self._mailbox
        sock = socket.create_connection((mailbox.host, mailbox.port), timeout)
        peer = ip_address(str(sock.getpeername()[0]).partition("%")[0])
        if not is_reachable(peer, allows_loopback=mailbox.allows_loopback):
            sock.close()
            raise Permanent("private_address")
        if mailbox.security != "tls":
            return sock
        return mailbox.tls_context().wrap_socket(sock, server_hostname=mailbox.host)

    def read(self, size: int) -> bytes:
        """Read a literal; one that is larger than what was asked for ends the connection."""
        if size > self._mailbox.octets_max + 4096:
            raise self.abort("a literal larger than asked for")
        octets = bytearray()
        while len(octets) < size:
            more = self._file.read1(size - len(octets))
            if not more:
                raise self.abort("dropped")
            octets += more
            self._keep_to_the_deadline()
        return bytes(octets)

    def readline(self) -> bytes:
        """Read one line, however slowly it comes, within the bounds."""
        line = bytearray()
        while not line.endswith(b"\n"):
            ahead = self._file.peek(1)
            if not ahead:
                break
            line += self._file.read1(ahead.find(b"\n") + 1 or len(ahead))
            if len(line) > LINE_OCTETS_MAX:
                raise self.abort("a line without an end")
            self._keep_to_the_deadline()
        return bytes(line)

    @property
    def _file(self) -> Any:
        return self.file

    def _keep_to_the_deadline(self) -> None:
        if time.monotonic() > self._ends_at:
            raise self.abort("too slow")


class ImapMailbox:
    """One connection to a mailbox, its folder open. Use it in a ``with``; it is not for several threads."""

    def __init__(self, mailbox: Mailbox) -> None:
        """Make no connection yet. Raises Permanent ``bad_mailbox`` or ``insecure_mailbox``."""
        _check(mailbox)
        self._mailbox = mailbox
        self._imap: _BoundedIMAP | None = None
        self.uid_validity = 0

    def __enter__(self) -> Self:
        self._imap = self._opened()
        return self

    def __exit__(self, *_problem: object) -> None:
        imap, self._imap = self._imap, None
        if imap is not None:
            with suppress(OSError, imaplib.IMAP4.error):
                imap.sock.settimeout(FAREWELL_S)
                imap.logout()
            with suppress(OSError):
                imap.shutdown()

    def uids_after(self, last_uid: int) -> list[int]:
        """Return the mails that came after one, oldest first."""
        # The range n:* names the last mail also where its number is smaller (RFC 3501 section 6.4.8).
        return sorted(uid for uid in self._search(f"UID {last_uid + 1}:*") if uid > last_uid)

    def uids_up_to(self, last_uid: int) -> list[int]:
        """Return the mails up to one that are still in the folder."""
        return sorted(uid for uid in self._search(f"UID 1:{last_uid}") if uid <= last_uid) if last_uid else []

    def fetch(self, uid: int) -> bytes | None:
        """Return the beginning of a mail without marking it as read; None where it is gone."""
        parts = self._uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{self._mailbox.octets_max}>)")
        literals = [part[1] for part in parts if isinstance(part, tuple)]
        return literals[0] if literals else None

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Move mails to another folder, which is made where it is not there."""
        if not uids:
            return
        _check_folder(folder)
        named, imap = ",".join(map(str, uids)), self._connection
        with suppress(Permanent):
            self._moved(named, folder)
            return
        with _translated():
            imap.create(_quoted(folder))
        self._moved(named, folder)

    def mark_seen(self, uids: Sequence[int]) -> None:
        """Mark mails as read."""
        if uids:
            self._uid("STORE", ",".join(map(str, uids)), "+FLAGS.SILENT", r"(\Seen)")

    def _moved(self, named: str, folder: str) -> None:
        if "MOVE" in self._connection.capabilities:
            self._uid("MOVE", named, _quoted(folder))
            return
        self._uid("COPY", named, _quoted(folder))
        self._uid("STORE", named, "+FLAGS.SILENT", r"(\Deleted)")
        if "UIDPLUS" in self._connection.capabilities:
            self._uid("EXPUNGE", named)

    def _search(self, criterion: str) -> list[int]:
        found = self._uid("SEARCH", criterion)
        return [int(uid) for part in found if isinstance(part, bytes) for uid in part.split() if uid.isdigit()]

    def _uid(self, command: str, *arguments: str) -> list[Any]:
        with _translated():
            answer, parts = self._connection.uid(command, *arguments)
        if answer != "OK":
            raise Permanent("refused_by_mailbox", hint=command)
        return list(parts)

    @property
    def _connection(self) -> _BoundedIMAP:
        if self._imap is None:
            raise Transient("dropped")
        return self._imap

    def _opened(self) -> _BoundedIMAP:
        mailbox = self._mailbox
        with _translated():
            imap = _BoundedIMAP(mailbox)
        try:
            with _translated():
                if mailbox.security == "starttls":
                    if "STARTTLS" not in imap.capabilities:
                        raise Permanent("no_encryption")
                    imap.starttls(mailbox.tls_context())
            _log_in(imap, mailbox)
            with _translated():
                answer, _parts = imap.select(_quoted(mailbox.folder))
                said = imap.response("UIDVALIDITY")[1]
            if answer != "OK":
                raise Permanent("no_such_folder")
            self.uid_validity = int(said[0]) if said and said[0] else 0
        except BaseException:
            with suppress(OSError, imaplib.IMAP4.error):
                imap.shutdown()
            raise
        return imap


class _translated:  # noqa: N801 - reads as what it does, in a with
    """Turns what imaplib and sockets raise into our words."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> None:
        match problem:
            case None | ConnectorError():
                return
            case ssl.SSLCertVerificationError():
                raise Permanent("bad_certificate", hint=problem.verify_message) from None
            case imaplib.IMAP4.abort() | OSError() | EOFError():
                raise Transient("unreachable", hint=type(problem).__name__) from None
            case imaplib.IMAP4.error():
                raise Permanent("refused_by_mailbox", hint=type(problem).__name__) from None


def _log_in(imap: _BoundedIMAP, mailbox: Mailbox) -> None:
    """Log in with whatever letters the password has; a refusal is told apart from a connection that breaks."""
    try:
        if "AUTH=PLAIN" in imap.capabilities:
            secret = f"\0{mailbox.user}\0{mailbox.password}".encode()
            imap.authenticate("PLAIN", lambda _challenge: secret)
        else:
            imap.login(mailbox.user, mailbox.password)
    except (imaplib.IMAP4.abort, OSError) as problem:
        raise Transient("unreachable", hint=type(problem).__name__) from None
    except (imaplib.IMAP4.error, UnicodeError):
        raise Permanent("unauthorised") from None


def _check(mailbox: Mailbox) -> None:
    if not _HOST.fullmatch(mailbox.host) or not 0 < mailbox.port < 65536:
        raise Permanent("bad_mailbox")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in mailbox.user + mailbox.password):
        raise Permanent("bad_mailbox")
    if mailbox.security == "none" and not (mailbox.allows_loopback and _is_here(mailbox.host)):
        raise Permanent("insecure_mailbox")
    _check_folder(mailbox.folder)


def _check_folder(folder: str) -> None:
    if not _FOLDER.fullmatch(folder):
        raise Permanent("no_such_folder")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _quoted(folder: str) -> str:
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
