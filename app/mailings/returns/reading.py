"""Reading mails that anybody may have written: bounded, and never failing on what is broken, nested or misnamed.

Pure. Nothing is unpacked or opened; what is beyond the bounds is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email import policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser, HeaderParser
from email.utils import parseaddr
from typing import TYPE_CHECKING

# A report and the headers of the mail it is about come first; whatever comes after this is the mail itself.
READ_OCTETS_MAX = 256 * 1024
PARTS_MAX = 50
TEXT_MAX = 2000
HEADER_MAX = 2000

if TYPE_CHECKING:
    Mail = Message[str, str]
else:
    Mail = Message
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_OFF_THE_TOP = re.compile(r"\A(?:From [^\r\n]*\r?\n|\s+)")


class Unreadable(Exception):
    """Whatever this is, it is no mail that can be read."""


def read_mail(raw: bytes) -> Mail:
    """Return a mail from its octets, the first ``READ_OCTETS_MAX`` of them. Raises Unreadable."""
    cut = _OFF_THE_TOP.sub("", raw[:READ_OCTETS_MAX].decode("ascii", "surrogateescape"))
    try:
        mail: Mail = BytesParser(policy=policy.compat32).parsebytes(cut.encode("ascii", "surrogateescape"))
    except (RecursionError, MessageError, ValueError, LookupError, TypeError, AttributeError, IndexError) as problem:
        raise Unreadable from problem
    return mail


def parts_of(mail: Mail) -> list[Mail]:
    """Return a mail and the parts within, outermost first; parts of a mail that is enclosed are among them."""
    found: list[Mail] = []
    waiting: list[Mail] = [mail]
    while waiting and len(found) < PARTS_MAX:
        each = waiting.pop(0)
        found.append(each)
        inside = each.get_payload()
        if isinstance(inside, list):
            waiting.extend(part for part in inside if isinstance(part, Message))
    return found


def own_parts(mail: Mail) -> list[Mail]:
    """Return the parts of a mail without what is inside a mail it encloses."""
    found: list[Mail] = []
    waiting: list[Mail] = [mail]
    while waiting and len(found) < PARTS_MAX:
        each = waiting.pop(0)
        found.append(each)
        inside = each.get_payload()
        if isinstance(inside, list) and each.get_content_maintype() == "multipart":
            waiting.extend(part for part in inside if isinstance(part, Message))
    return found


def header(mail: Mail, name: str) -> str:
    """Return a header as one readable line; empty where there is none."""
    try:
        return one_line(str(mail.get(name, "")))
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


def headers_of(mail: Mail, names: Sequence[str]) -> Iterator[str]:
    """Return every header of these names."""
    for name in names:
        try:
            yield from (one_line(str(value)) for value in (mail.get_all(name) or [])[:20])
        except (ValueError, LookupError, TypeError, AttributeError):
            continue


def decoded(value: str) -> str:
    """Return a header with its encoded words (RFC 2047) read; as it is where they cannot be."""
    try:
        return one_line(str(make_header(decode_header(value))))
    except (MessageError, ValueError, LookupError, TypeError, AttributeError):
        return one_line(value)


def one_line(text: str) -> str:
    """Return a text without line breaks and without characters that nobody can see, bounded."""
    return _UNPRINTABLE.sub("", re.sub(r"\s+", " ", text[:HEADER_MAX])).strip()


def address_in(value: str) -> str:
    """Return the address in a header such as From; empty where there is none."""
    try:
        found = parseaddr(value)[1]
    except (ValueError, TypeError, AttributeError, IndexError):
        return ""
    return found.strip()[:254] if "@" in found else ""


def text_of(mail: Mail, *, limit: int = TEXT_MAX) -> str:
    """Return what a person would read first: the plain text, else the HTML without its marks."""
    texts = [part for part in own_parts(mail) if part.get_content_maintype() == "text"]
    plain = next((part for part in texts if part.get_content_subtype() == "plain"), None)
    part = plain or next(iter(texts), None)
    if part is None:
        payload = mail.get_payload()
        return _shown(payload, limit=limit) if isinstance(payload, str) else ""
    said = _decoded_text(part)[: 10 * limit]
    return _shown(
        re.sub(r"<(?:style|script).*?</|<[^>]*>", " ", said, flags=re.S) if plain is None else said, limit=limit
    )


def blocks_of(part: Mail) -> list[Mail]:
    """Return the groups of fields in a report (RFC 3464 section 2.1), however the parser cut them."""
    inside = part.get_payload()
    found: list[Mail] = []
    for each in inside if isinstance(inside, list) else []:
        if isinstance(each, Message):
            found.append(each)
            rest = each.get_payload()
            found += _parsed_blocks(rest) if isinstance(rest, str) else []
    if isinstance(inside, str):
        found += _parsed_blocks(inside)
    return found[:PARTS_MAX]


def _parsed_blocks(text: str) -> list[Mail]:
    pieces = re.split(r"\r?\n[ \t]*\r?\n", text.strip()[:READ_OCTETS_MAX])[:PARTS_MAX]
    return [HeaderParser(policy=policy.compat32).parsestr(piece) for piece in pieces if piece.strip()]


def _decoded_text(part: Mail) -> str:
    try:
        octets = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    if not isinstance(octets, bytes):
        return ""
    try:
        return octets.decode(part.get_content_charset() or "utf-8", "replace")
    except (LookupError, ValueError, TypeError):
        return octets.decode("latin-1")


def _shown(text: str, *, limit: int) -> str:
    lines = (_UNPRINTABLE.sub("", line).rstrip() for line in text[: limit * 4].splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:limit]
