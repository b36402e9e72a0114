"""A mail built once per mailing and language, and filled for each person in a fraction of the time (performance.md).

Where a person's words go, the mailing holds a mark (``hole("name")``). Lines without one are encoded once; a line with
one is encoded anew for each person, which is all that quoted-printable asks for. The filled mail equals, byte for byte,
what ``mime.message_of`` makes of ``filled(content, words)``: a property test says so. What does not fit (words of
several lines, an address too long for one line) returns None, and takes that slow path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import quoprimime
from typing import NamedTuple

from markupsafe import escape

from app.mailings.dkim import relaxed_lines, signed
from app.mailings.mail_settings import Sender
from app.mailings.mime import Content, boundary_of, date_line, header_lines, message_of, subject_line

_HOLE = re.compile("\ue000([a-z][a-z0-9_]*)\ue001")
_ADDRESS, _NUMBER, _AT = "hole@hole.invalid", "hole", datetime(2020, 1, 1, tzinfo=UTC)
_SUBJECT, _TEXT, _HTML = "zaallicht-subject-hole", "zaallicht-text-hole", "zaallicht-html-hole"
# Longer, and the standard library would break the line.
HEADER_OCTETS_MAX = 78
_MARK = b"\x00\x00"


class _Encoded(NamedTuple):
    """Encoded lines that nothing is put in any more: as they travel, and as they are hashed."""

    octets: bytes
    relaxed: bytes


# Lines encoded already, or one that waits for words: its texts between the names of its holes.
_Line = _Encoded | tuple[str, ...]


def hole(name: str) -> str:
    """Return the mark that stands for a person's words; private characters that no keyboard types."""
    return f"\ue000{name}\ue001"


def filled(content: Content, words: Mapping[str, str]) -> Content:
    """Return a content with everybody's marks replaced by one person's words, escaped in the HTML."""
    escaped = {name: str(escape(value)) for name, value in words.items()}
    return Content(
        subject=_subject(content.subject, words),
        text=_put(content.text, words),
        html=_put(content.html, escaped),
        headers={name: _put(value, words) for name, value in content.headers.items()},
    )


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A mail with holes, ready to be filled. Made by ``skeleton_of``.

    ``frame`` is what stands around the texts, cut after the mail's own headers (``head``); ``is_relaxed``: it is hashed
    just as it is.
    """

    sender: Sender
    head: Sequence[bytes]
    frame: Sequence[bytes]
    headers: Mapping[str, str]
    subject: str
    text: Sequence[_Line]
    html: Sequence[_Line]
    is_relaxed: bool

    def fill(self, words: Mapping[str, str], *, to_address: str, number: str, at: datetime) -> bytes | None:
        """Return the signed mail for one person, or None where it does not fit and must be built the slow way.

        Its lines are such as SMTP carries (``Envelope.has_good_lines``).

        Raises KeyError for a hole that no words are given for, Unwritable as ``message_of`` does.
        """
        to_line = f"To: {to_address}\r\n".encode()
        id_line = f"Message-ID: <{number}@{self.sender.domain}>\r\n".encode()
        if not to_address.isascii() or max(len(to_line), len(id_line)) - 2 > HEADER_OCTETS_MAX:
            return None
        if any("\n" in value or "\r" in value for value in words.values()):
            return None
        escaped = {name: str(escape(value)) for name, value in words.items()}
        text, html = _encoded(self.text, words), _encoded(self.html, escaped)
        known = {
            b"to": to_line,
            b"subject": subject_line(_subject(self.subject, words)) if self.subject else b"",
            b"date": date_line(self.sender, at),
            b"id": id_line,
            b"boundary": boundary_of(number).encode(),
        }
        head = header_lines({name: _put(value, words) for name, value in self.headers.items()})
        head += _assembled(self.head, known)
        body = _assembled(self.frame, known | {b"text": text.octets, b"html": html.octets})
        relaxed = None
        if self.is_relaxed and self.sender.signers:
            relaxed = _assembled(self.frame, known | {b"text": text.relaxed, b"html": html.relaxed})
        return signed(head + body, self.sender.signers, at=at, relaxed=relaxed)


def skeleton_of(sender: Sender, content: Content) -> Skeleton | None:
    """Return the skeleton of a mail, or None where only the slow path will do.

    That is for a text whose last line does not end (filled with nothing, it is no line), and for a carriage return,
    which ends a line or half of one, by what follows.
    """
    texts = (content.text, content.html)
    if not all(each.endswith("\n") and "\r" not in each for each in texts):
        return None
    unsigned = replace(sender, signers=())
    subject = content.subject if _HOLE.search(content.subject) else ""
    plain = Content(_SUBJECT if subject else _subject(content.subject, {}), _TEXT, _HTML)
    sample = message_of(unsigned, plain, to_address=_ADDRESS, number=_NUMBER, at=_AT)
    head, frame = _frame(sample, unsigned)
    text, html = _lines(content.text), _lines(content.html)
    fixed = b"".join(each for each in frame if not each.startswith(_MARK))
    return Skeleton(
        sender,
        head,
        frame,
        content.headers,
        subject,
        text,
        html,
        is_relaxed=relaxed_lines(fixed) == fixed,
    )


def _frame(sample: bytes, sender: Sender) -> tuple[list[bytes], list[bytes]]:
    """Cut a sample mail at what differs from person to person; a piece after two NULs names what goes there.

    Returns the headers, with the empty line behind them, and the body.
    """
    marks = {
        f"To: {_ADDRESS}\r\n".encode(): b"to",
        date_line(sender, _AT): b"date",
        f"Message-ID: <{_NUMBER}@{sender.domain}>\r\n".encode(): b"id",
        boundary_of(_NUMBER).encode(): b"boundary",
        f"Subject: {_SUBJECT}\r\n".encode(): b"subject",
        f"{_TEXT}\r\n".encode(): b"text",
        f"{_HTML}\r\n".encode(): b"html",
    }
    head, end, body = sample.partition(b"\r\n\r\n")

    def cut(octets: bytes) -> list[bytes]:
        pieces = re.split(b"(" + b"|".join(map(re.escape, marks)) + b")", octets)
        return [_MARK + marks[piece] if piece in marks else piece for piece in pieces]

    return cut(head + end), cut(body)


def _assembled(frame: Sequence[bytes], known: Mapping[bytes, bytes]) -> bytes:
    return b"".join([known[piece[2:]] if piece.startswith(_MARK) else piece for piece in frame])


def _lines(text: str) -> list[_Line]:
    """Return the lines of a text; those that are the same for everybody are encoded, neighbours as one."""
    lines: list[_Line] = []
    for octets in text.encode().splitlines() or [b""]:
        pieces = tuple(_HOLE.split(octets.decode()))
        last = lines[-1] if lines else ()
        if len(pieces) > 1:
            lines.append(pieces)
        else:
            before = lines.pop().octets if isinstance(last, _Encoded) else b""  # type: ignore[union-attr]
            same = before + _quoted(pieces[0])
            lines.append(_Encoded(same, relaxed_lines(same)))
    return lines


def _encoded(lines: Sequence[_Line], words: Mapping[str, str]) -> _Encoded:
    octets, relaxed = [], []
    for line in lines:
        if isinstance(line, _Encoded):
            octets.append(line.octets)
            relaxed.append(line.relaxed)
        else:
            own = _quoted(_joined(line, words))
            octets.append(own)
            relaxed.append(relaxed_lines(own))
    return _Encoded(b"".join(octets), b"".join(relaxed))


def _joined(pieces: Sequence[str], words: Mapping[str, str]) -> str:
    return "".join(words[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def _quoted(line: str) -> bytes:
    """Return one line as the standard library writes it in quoted-printable, with its end."""
    encoded = quoprimime.body_encode(line.encode().decode("latin-1"), HEADER_OCTETS_MAX, eol="\r\n")
    return encoded.encode("ascii") + b"\r\n"


def _subject(subject: str, words: Mapping[str, str]) -> str:
    """Return a subject with a person's words; where somebody has none, no gap is left."""
    return re.sub(" +", " ", _put(subject, words)).strip(" ")


def _put(text: str, words: Mapping[str, str]) -> str:
    return _HOLE.sub(lambda match: words[match[1]], text)
