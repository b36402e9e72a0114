"""A mail as it travels: its addresses as commands may carry them, its octets as DATA does (RFC 5321)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

import idna

from integrations.base import Permanent

LINE_OCTETS_MAX = 998  # RFC 5322 section 2.1.1, without CRLF
DOT = b"\r\n.\r\n"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One mail to one person. ``sender`` is where bounces go; empty for nowhere (the null return path).

    ``has_good_lines``: whoever wrote it knows that its lines end in CRLF and that none is too long (quoted-printable
    sees to it), so that nobody looks through forty thousand octets again.
    """

    sender: str
    recipient: str
    message: bytes = field(repr=False)
    has_good_lines: bool = False


@dataclass(frozen=True, slots=True)
class Mail:
    """An envelope made ready for the wire."""

    sender: str
    recipient: str
    octets: int
    data: bytes = field(repr=False)

    @property
    def is_international(self) -> bool:
        """Whether its addresses need SMTPUTF8 (RFC 6531)."""
        return not (self.sender.isascii() and self.recipient.isascii())


def made_ready(envelope: Envelope) -> Mail:
    """Return a mail as it is said to a relay. Raises Permanent ``bad_address`` or ``bad_message``."""
    sender = _path(envelope.sender) if envelope.sender else ""
    body = envelope.message.removesuffix(b"\r\n")
    if not envelope.has_good_lines and not _is_carried(body):
        raise Permanent("bad_message")
    # A dot that begins a line is doubled (RFC 5321 section 4.5.2).
    data = body.replace(b"\r\n.", b"\r\n..")
    return Mail(sender, _path(envelope.recipient), len(envelope.message), b"." + data if data[:1] == b"." else data)


def _is_carried(body: bytes) -> bool:
    """Whether no line is too long for SMTP and no CR or LF stands alone."""
    ends = body.count(b"\r\n")
    # Counting is many times faster than a pattern over forty thousand octets.
    is_broken = body.count(b"\r") != ends or body.count(b"\n") != ends or b"\0" in body
    return not is_broken and max(map(len, body.split(b"\r\n"))) <= LINE_OCTETS_MAX


def _path(address: str) -> str:
    """Return an address as SMTP may carry it, its domain in ASCII. Nothing in it can end the command it stands in."""
    local, at, domain = address.rpartition("@")
    if not at or not local or _FORBIDDEN.search(address):
        raise Permanent("bad_address")
    return f"{local}@{_in_ascii(domain)}"


_FORBIDDEN = re.compile(r"[\s<>\x00-\x1f\x7f,;:\\\"()\[\]]")


@lru_cache(maxsize=4096)
def _in_ascii(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise Permanent("bad_address") from None
