"""Putting a mail together: headers that cannot be broken out of, text and HTML side by side, signed.

Pure: the same input gives the same octets. Whatever a person wrote (a name, a subject) goes through the standard
library's header objects, which refuse a line break.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from urllib.parse import quote
from zoneinfo import ZoneInfo

from app.mailings.dkim import signed
from app.mailings.mail_settings import Sender
from app.mailings.return_paths import return_path

# RFC 5322 section 2.1.1, without CRLF.
LINE_OCTETS_MAX = 998


class Unwritable(Exception):
    """A mail cannot be put together as it is; ``code`` says why. It concerns this one mail."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Content:
    """What a person reads. ``headers`` come on top of the usual ones (Auto-Submitted, the one-click pair)."""

    subject: str
    text: str
    html: str
    headers: Mapping[str, str] = field(default_factory=dict)


def message_of(sender: Sender, content: Content, *, to_address: str, number: str, at: datetime) -> bytes:
    """Return a mail as it is handed over: lines end in CRLF, nothing but ASCII in the body, signed.

    Raises Unwritable for a line break or another control character in a header.
    """
    message = EmailMessage(policy=policy.SMTP if to_address.isascii() else policy.SMTPUTF8)
    try:
        message["From"] = Address(_one_line(sender.from_name), addr_spec=sender.from_address)
        message["To"] = to_address
        if sender.reply_to:
            message["Reply-To"] = _one_line(sender.reply_to)
        message["Subject"] = _one_line(content.subject)
        message["Date"] = _date(sender, at)
        message["Message-ID"] = f"<{number}@{sender.domain}>"
    except ValueError:
        raise Unwritable("bad_header") from None
    message.set_content(content.text, cte="quoted-printable")
    message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    # The standard library draws the boundary by chance; from the mail's number it is the same every time.
    message.set_boundary(boundary_of(number))
    return signed(header_lines(content.headers) + message.as_bytes(), sender.signers, at=at)


def one_click_headers(unsubscribe_url: str, *, mail_to: str | None = None) -> dict[str, str]:
    """Return the header pair by which a mail program unsubscribes with one press (RFC 8058, RFC 2369).

    ``mail_to`` is where one that does not speak the web may write to (``unsubscribe_mail``).
    """
    ways = f"<{unsubscribe_url}>" if mail_to is None else f"<{unsubscribe_url}>, <{mail_to}>"
    return {"List-Unsubscribe": ways, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def unsubscribe_mail(sender: Sender, *, number: str) -> str | None:
    """Return the ``mailto:`` by which a mail of this number unsubscribes, where the house reads what comes back."""
    if sender.bounces_go != "to_mailbox" or not sender.bounce_address:
        return None
    address = return_path(sender.bounce_address, number)
    return f"mailto:{quote(address, safe='@+')}?subject=unsubscribe" if address.isascii() else None


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Return headers as they stand in a mail, each on one line: a link that is broken up is no link any more.

    Raises Unwritable for what is not printable ASCII, or too long for a line.
    """
    lines = b""
    for name, value in headers.items():
        line = f"{name}: {value}"
        if not re.fullmatch(r"[!-9;-~]+: [ -~]+", line) or len(line) > LINE_OCTETS_MAX:
            raise Unwritable("bad_header")
        lines += line.encode("ascii") + b"\r\n"
    return lines


def boundary_of(number: str) -> str:
    """Return what stands between the parts of a mail; no line of quoted-printable can begin so."""
    return f"={sha256(number.encode()).hexdigest()[:32]}="


def subject_line(subject: str) -> bytes:
    """Return the header of a subject as ``message_of`` writes it to an address in ASCII. Raises Unwritable."""
    try:
        name, value = policy.SMTP.header_store_parse("Subject", _one_line(subject))
    except ValueError:
        raise Unwritable("bad_header") from None
    return policy.SMTP.fold_binary(name, value)


def date_line(sender: Sender, at: datetime) -> bytes:
    """Return the header that tells when a mail was written, in the house's zone."""
    return f"Date: {_date(sender, at)}\r\n".encode()


def _date(sender: Sender, at: datetime) -> str:
    return format_datetime(at.astimezone(ZoneInfo(sender.time_zone)))


def envelope_sender(sender: Sender, *, number: str) -> str:
    """Return where bounces go: to the sender, to the mailbox for bounces with the mail's number, or nowhere."""
    match sender.bounces_go:
        case "to_mailbox" if sender.bounce_address:
            return return_path(sender.bounce_address, number)
        case "nowhere":
            return ""
        case _:
            return sender.from_address


def _one_line(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("a header is one line")
    return text
