"""The files themselves: rows with a header, in the separator and encoding somebody chose, harmless in a spreadsheet.

A cell that a spreadsheet would run as a formula is led by an apostrophe (OWASP, "CSV Injection", read 2026-11-20),
which is taken off again when the file is read. An address that begins like a formula is no address for a file. Pure.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

RISKY_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
SEPARATORS: Mapping[str, str] = {"semicolon": ";", "comma": ",", "tab": "\t"}
ENCODINGS: Mapping[str, str] = {"excel": "utf-8-sig", "utf8": "utf-8", "windows": "cp1252"}
ADDRESS = re.compile(r"[^@\s,;<>\"']+@[^@\s,;<>\"']+\.[^@\s,;<>\"']{2,}")
VALUE_MAX = 1_000
EMAIL_HEADS = frozenset({"email", "e-mail", "mail", "emailaddress", "email address", "e-mailadres", "adresse e-mail"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """How files are written: a key of SEPARATORS and one of ENCODINGS."""

    separator: str = "semicolon"
    encoding: str = "excel"


def write_rows(heads: Sequence[str], rows: Iterable[Sequence[str]], dialect: Dialect) -> bytes:
    """Return the bytes of a file. A letter that the encoding does not have becomes a question mark."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=SEPARATORS[dialect.separator], lineterminator="\r\n")
    writer.writerow([harmless(head) for head in heads])
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode(ENCODINGS[dialect.encoding], errors="replace")


def read_rows(content: bytes, dialect: Dialect) -> Iterator[dict[str, str]]:
    """Yield the rows of a file of ours, by its heads."""
    text = content.decode(ENCODINGS[dialect.encoding], errors="replace")
    for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=SEPARATORS[dialect.separator]):
        yield {head: _plain(cell or "") for head, cell in row.items() if head is not None}


def addresses_in(content: bytes) -> list[str]:
    """Return the addresses in somebody else's file of opt-outs, in whatever separator and encoding it is.

    In the column whose head says that it holds addresses; where none does, wherever an address is alone in its cell.
    """
    lines = list(csv.reader(io.StringIO(_decoded(content), newline=""), delimiter=_separator_of(content)))
    if not lines:
        return []
    heads = [cell.strip().lower() for cell in lines[0]]
    column = next((place for place, head in enumerate(heads) if head in EMAIL_HEADS), None)
    found = [
        _plain(cell.strip()) for line in lines for place, cell in enumerate(line) if column is None or place == column
    ]
    return list(dict.fromkeys(each for each in found if ADDRESS.fullmatch(each)))


def harmless(text: str) -> str:
    """Return text on one line that no spreadsheet takes for a formula."""
    line = " ".join(text.split())[:VALUE_MAX]
    return f"'{line}" if line.startswith(RISKY_STARTS) else line


def is_address(email: str) -> bool:
    """Whether an address can stand in a file: one that a spreadsheet would compute cannot."""
    return bool(ADDRESS.fullmatch(email)) and not email.startswith(RISKY_STARTS)


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(RISKY_STARTS) else cell


def _decoded(content: bytes) -> str:
    for encoding in ("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _separator_of(content: bytes) -> str:
    first = _decoded(content).partition("\n")[0]
    return max(SEPARATORS.values(), key=first.count)
