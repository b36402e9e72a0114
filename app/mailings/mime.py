"""Putting a mail together: headers that cannot be broken out of, text and HTML side by side, signed.

Pure: the same input gives the same octets. Whatever a person wrote (a name, a subject) goes through the standard
library's header objects, which refuse a line break.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from app.mailings.dkim import signed
from app.mailings.mail_settings import Sender
from app.mailings.return_paths import return_path


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
        message["Date"] = format_datetime(at.astimezone(ZoneInfo(sender.time_zone)))
        message["Message-ID"] = f"<{number}@{sender.domain}>"
        for name, value in content.headers.items():
            message[name] = _one_line(value)
    except ValueError:
        raise Unwritable("bad_header") from None
    message.set_content(content.text, cte="quoted-printable")
    message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    # The standard library draws the boundary by chance; from the mail's number it is the same every time.
    message.set_boundary(f"={sha256(number.encode()).hexdigest()[:32]}=")
    return signed(message.as_bytes(), sender.signers, at=at)


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
