"""Text files with a delimiter, as every system exports them, and none by the book (RFC 4180).

The encoding is found by what decodes, the delimiter by what cuts the lines evenly. A quote that is never closed costs
its own line, not the rest of the file.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, deque
from collections.abc import Iterator

from app.contacts.importing.limits import COLUMNS_MAX, LINE_CHARS_MAX
from app.contacts.importing.rows import Row, UnreadableFile

DELIMITERS = (";", ",", "\t", "|")
SNIFFED_BYTES = 256 * 1024
SNIFFED_LINES = 100
# A cell may hold line breaks; with more lines than this its quote was a typing error.
QUOTED_LINES_MAX = 100
LINE_KEPT_CHARS = 1000
DECODED_AT_ONCE_CHARS = 1024 * 1024

SIGNATURES = {
    b"%pdf": "pdf",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "old_workbook",
    b"\x89png": "not_a_table",
    b"\xff\xd8\xff": "not_a_table",
    b"gif8": "not_a_table",
    b"{\\rtf": "not_a_table",
    b"\x1f\x8b": "compressed",
    b"rar!": "compressed",
    b"7z\xbc\xaf": "compressed",
    b"<!doctype": "web_page",
    b"<html": "web_page",
    b"<?xml": "web_page",
}


def refuse_other_formats(content: bytes) -> None:
    """Raise UnreadableFile for a file that is evidently no text with a delimiter, with the code of what it is."""
    start = content[:64].lstrip().lower()
    for signature, code in SIGNATURES.items():
        if start.startswith(signature):
            raise UnreadableFile(code)


def find_encoding(content: bytes) -> str:
    """Return the encoding of a text file: by its byte order mark, else UTF-8 where it decodes, else Windows-1252.

    Raises UnreadableFile for bytes that are no text.
    """
    if content.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    sample = content[:SNIFFED_BYTES]
    if (wide := _wide_encoding(sample)) is not None:
        return wide
    control = sum(sample.count(byte) for byte in (*range(9), *range(14, 32)))
    if control * 50 > len(sample):
        raise UnreadableFile("not_a_table")
    return "utf-8" if _decodes(content, "utf-8") else "cp1252"


def find_delimiter(content: bytes, encoding: str) -> str:
    """Return the delimiter that cuts the first lines most evenly; a comma for a file of one column."""
    lines = [line for _, line in _lines(content[:SNIFFED_BYTES], encoding)][:SNIFFED_LINES]
    if lines and _is_separator_line(lines[0]):
        return lines[0].strip()[4]
    return max(DELIMITERS, key=lambda delimiter: (*_evenness(lines, delimiter), delimiter == ","))


def rows(content: bytes, encoding: str, delimiter: str) -> Iterator[Row]:
    """Yield every row with its line number. A line with a quote that is never closed has ``broken_quotes``."""
    waiting: deque[tuple[int, str]] = deque()
    source = _lines(content, encoding)
    while (numbered := waiting.popleft() if waiting else next(source, None)) is not None:
        number, line = numbered
        if number == 1 and _is_separator_line(line):
            continue
        taken, is_open = [line], _ends_open(line, delimiter, is_open=False)
        while is_open and len(taken) < QUOTED_LINES_MAX:
            more = waiting.popleft() if waiting else next(source, None)
            if more is None:
                break
            taken.append(more[1])
            is_open = _ends_open(more[1], delimiter, is_open=True)
        if is_open:
            # What was taken along belongs to rows of its own.
            waiting.extendleft(reversed([(number + place, each) for place, each in enumerate(taken)][1:]))
            yield Row(number, tuple(line.rstrip("\n").split(delimiter))[:COLUMNS_MAX], "broken_quotes")
        else:
            yield _row(number, taken, delimiter)


def _row(number: int, lines: list[str], delimiter: str) -> Row:
    try:
        return Row(number, _cells(lines, delimiter))
    except csv.Error:  # a quoted cell of more than 128 kB
        return Row(number, (lines[0][:LINE_KEPT_CHARS],), "broken_quotes")


def _cells(lines: list[str], delimiter: str) -> tuple[str, ...]:
    if len(lines) == 1 and '"' not in lines[0]:
        return tuple(lines[0].rstrip("\n").split(delimiter))
    return tuple(next(csv.reader(lines, delimiter=delimiter), ()))


def _ends_open(line: str, delimiter: str, *, is_open: bool) -> bool:
    """Whether a line ends within a quoted cell. A quote opens at the start of a cell only; two within are one."""
    if '"' not in line:
        return is_open
    at_start, place = not is_open, 0
    while place < len(line):
        character = line[place]
        if is_open and character == '"':
            if line[place + 1 : place + 2] == '"':
                place += 1
            else:
                is_open = False
        elif at_start and character == '"':
            is_open = True
        at_start = not is_open and character == delimiter
        place += 1
    return is_open


def _lines(content: bytes, encoding: str) -> Iterator[tuple[int, str]]:
    stream = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, errors="replace", newline=None)
    number = 0
    while line := stream.readline(LINE_CHARS_MAX):
        number += 1
        if len(line) >= LINE_CHARS_MAX:
            raise UnreadableFile("line_too_long")
        yield number, line.replace("\x00", "")


def _is_separator_line(line: str) -> bool:
    """Whether a line tells Excel the delimiter (``sep=;``)."""
    return line.lower().startswith("sep=") and len(line.strip("\n")) == 5


def _evenness(lines: list[str], delimiter: str) -> tuple[int, int]:
    """Return on how many lines the usual number of cells stands (0 where that is one), and that number."""
    widths = Counter(len(_cells([line], delimiter)) for line in lines if line.strip())
    parted = {width: often for width, often in widths.items() if width > 1}
    if not parted:
        return 0, 0
    usual = max(parted, key=lambda width: (parted[width], width))
    return parted[usual], usual


def _wide_encoding(sample: bytes) -> str | None:
    """Return UTF-16 without a byte order mark, known by every other byte being NUL."""
    half = max(len(sample) // 2, 1)
    if sample[1::2].count(0) * 10 > half * 7:
        return "utf-16-le"
    if sample[0::2].count(0) * 10 > half * 7:
        return "utf-16-be"
    return None


def _decodes(content: bytes, encoding: str) -> bool:
    stream = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, errors="strict", newline="")
    try:
        while stream.read(DECODED_AT_ONCE_CHARS):
            pass
    except UnicodeDecodeError:
        return False
    return True
