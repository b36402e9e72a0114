"""Recognising a person in whatever was stored: addresses, numbers and names, in every spelling systems use. Pure.

Content is decoded rather than the person encoded: text in any capitals, JSON escapes, percent encoding, HTML entities,
quoted-printable, base64, UTF-16 and the files of a zip (a workbook is one). Short numbers are looked for as a whole,
names only as first and last name together, so that a namesake's address is nobody's trace.
"""

from __future__ import annotations

import base64
import binascii
import html
import io
import json
import quopri
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

SHORTEST_KEY = 5
SHORTEST_PHONE = 8
NESTED_MAX = 3
UNPACKED_BYTES_MAX = 200 * 1024 * 1024
ERASED = "erased"

_BASE64 = re.compile(r"[A-Za-z0-9+/_-](?:[A-Za-z0-9+/_-]|\r?\n(?=[A-Za-z0-9+/_-])){14,}={0,2}")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_BETWEEN_DIGITS = r"[ \t\u00a0./()-]{0,3}"


@dataclass(frozen=True, slots=True)
class Traces:
    """What gives a person away. ``exact`` are addresses, ``keys`` numbers of cards and systems, ``phones`` digits,
    ``names`` pairs of first and last name. All folded to small letters."""

    exact: frozenset[str]
    keys: frozenset[str]
    phones: frozenset[str]
    names: frozenset[tuple[str, str]]

    def are_in(self, content: bytes | str, *, by_name: bool = True) -> bool:
        """Whether any view of the content gives the person away; ``by_name`` False leaves names out of account."""
        return any(self._in_text(view, by_name=by_name) for view in views(content))

    def blackened(self, value: Any) -> Any:
        """Return JSON data with every text that gives the person away replaced by a word, its shape unchanged."""
        match value:
            case str():
                return ERASED if self.are_in(value) else value
            case list():
                return [self.blackened(each) for each in value]
            case dict():
                return {self.blackened(name): self.blackened(each) for name, each in value.items()}
            case int() | float() if self.are_in(str(value)):
                return 0
            case _:
                return value

    def without_names(self, value: Any) -> Any:
        """Return JSON data with every text replaced that holds a first or last name, for data that gives both apart."""
        match value:
            case str():
                folded = _folded(value)
                words = {word for pair in self.names for word in pair}
                return ERASED if any(_as_word(word).search(folded) for word in words) else value
            case list():
                return [self.without_names(each) for each in value]
            case dict():
                return {name: self.without_names(each) for name, each in value.items()}
            case _:
                return value

    def likenesses(self) -> list[str]:
        """Return SQL LIKE patterns, for lowered text, that match wherever plain text or JSON may hold a trace."""
        words = [*self.exact, *self.keys]
        spelt = {form for word in words for form in (word, json.dumps(word)[1:-1], word.replace("@", "%40"))}
        spelt |= {word.replace("@", "\\u0040") for word in self.exact}
        patterns = {f"%{_like(form)}%" for form in spelt}
        patterns |= {"%" + "%".join(phone[-SHORTEST_PHONE:]) + "%" for phone in self.phones}
        for first, last in self.names:
            patterns |= {f"%{_like(first)}%{_like(last)}%", f"%{_like(last)}%{_like(first)}%"}
        return sorted(patterns)

    def _in_text(self, text: str, *, by_name: bool) -> bool:
        if any(_as_address(address).search(text) for address in self.exact if address in text):
            return True
        if any(_as_word(key).search(text) for key in self.keys if key in text):
            return True
        if self.phones and _names_phone(text, self.phones):
            return True
        return by_name and any(_names_person(text, first, last) for first, last in self.names)


def traces_of(
    *, addresses: Iterable[str], keys: Iterable[str], phones: Iterable[str], names: Iterable[tuple[str, str]]
) -> Traces:
    """Return what gives a person away; what is too short to mean anybody is left out."""
    return Traces(
        exact=frozenset(_folded(each) for each in addresses if each.strip()),
        keys=frozenset(_folded(each) for each in keys if len(each.strip()) >= SHORTEST_KEY),
        phones=frozenset(form for each in phones for form in _phone_forms(each)),
        names=frozenset((_folded(a), _folded(b)) for a, b in names if a.strip() and b.strip()),
    )


def views(content: bytes | str, *, depth: int = 0) -> Iterator[str]:
    """Yield the content as folded text, in every reading that differs from those before."""
    if isinstance(content, bytes):
        yield from _views_of_bytes(content, depth=depth)
        return
    seen = {content}
    yield _folded(content)
    for decoded in _decoded(content):
        if decoded not in seen:
            seen.add(decoded)
            yield _folded(decoded)
    if depth < NESTED_MAX:
        for inner in _unwrapped(seen):
            yield from views(inner, depth=depth + 1)


def _views_of_bytes(content: bytes, *, depth: int) -> Iterator[str]:
    if content.startswith(b"PK\x03\x04"):
        for part in _unzipped(content):
            yield from views(part, depth=depth + 1)
        return
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or content[:64].count(b"\x00") > 8:
        yield from views(content.decode("utf-16", errors="ignore").replace("\x00", ""), depth=depth)
    try:
        yield from views(content.decode(), depth=depth)
    except UnicodeDecodeError:
        yield from views(content.decode("utf-8", errors="ignore"), depth=depth)
        yield from views(content.decode("cp1252", errors="ignore"), depth=depth)


def _decoded(text: str) -> Iterator[str]:
    if "=" in text:
        yield quopri.decodestring(text.encode()).decode(errors="ignore")
    if "\\" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).replace("\\/", "/")
        yield text
    if "%" in text or "+" in text:
        text = unquote_plus(text)
        yield text
    if "&" in text:
        yield html.unescape(text)


def _unwrapped(texts: Iterable[str]) -> Iterator[bytes]:
    """Yield what runs of base64 hold; a run that is none is somebody's word."""
    for run in {match[0] for text in texts for match in _BASE64.finditer(text)}:
        packed = re.sub(r"\s", "", run).rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
        except (binascii.Error, ValueError):
            continue


def _unzipped(content: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) <= UNPACKED_BYTES_MAX:
                for part in packed.infolist():
                    yield packed.read(part)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return


def _folded(text: str) -> str:
    return text.strip().casefold() if len(text) < 400 else text.casefold()


def _phone_forms(phone: str) -> Iterator[str]:
    digits = re.sub(r"\D", "", phone)
    if len(digits) < SHORTEST_PHONE:
        return
    yield digits
    for prefix in ("32", "31", "33", "49", "352"):
        if digits.startswith(prefix) and phone.strip().startswith(("+", "00")):
            yield digits.removeprefix(prefix)


def _names_phone(text: str, phones: frozenset[str]) -> bool:
    return any(_as_phone(phone).search(text) for phone in phones)


@lru_cache(maxsize=64)
def _as_phone(phone: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\d)(?:00)?0?{_BETWEEN_DIGITS.join(phone)}(?!\d)")


def _names_person(text: str, first: str, last: str) -> bool:
    if first not in text or last not in text:
        return False
    between = r"\W{1,40}(?:\w{1,20}\W{1,20}){0,3}"
    one, other = _word(first), _word(last)
    return re.search(f"{one}{between}{other}|{other}{between}{one}", text) is not None


@lru_cache(maxsize=64)
def _as_address(address: str) -> re.Pattern[str]:
    # jan@… is not an@…, and an@house.example is not an@house.example.org.
    return re.compile(rf"(?<![\w.+-]){re.escape(address)}(?![\w-]|\.\w)")


@lru_cache(maxsize=64)
def _as_word(key: str) -> re.Pattern[str]:
    return re.compile(_word(key))


def _word(text: str) -> str:
    return rf"(?<!\w){re.escape(text)}(?!\w)"


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
