"""CSV files a spreadsheet opens well and cannot be harmed by.

A cell that a spreadsheet would run as a formula is led by an apostrophe (OWASP, "CSV Injection", read 2026-11-20).
The file begins with a byte order mark, without which Excel reads UTF-8 as Windows-1252, and separates with the
character Excel expects in the language: a semicolon where the comma is for decimals.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

RISKY_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
DELIMITERS = {"nl": ";", "fr": ";", "en": ","}
ROWS_PER_CHUNK = 500


def csv_chunks(header: Sequence[str], rows: Iterable[Sequence[Any]], *, language: str) -> Iterator[bytes]:
    """Yield the bytes of a CSV file, a few hundred rows at a time; numbers are written with the language's comma."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=DELIMITERS.get(language, ","), lineterminator="\r\n")
    buffer.write("\ufeff")
    writer.writerow([harmless(cell) for cell in header])
    for number, row in enumerate(rows, start=1):
        writer.writerow([_cell(value, language) for value in row])
        if number % ROWS_PER_CHUNK == 0:
            yield _drained(buffer)
    yield _drained(buffer)


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(RISKY_STARTS) else text


def _cell(value: Any, language: str) -> str:
    match value:
        case bool() | int():
            return str(int(value))
        case float() | Decimal():
            return str(value).replace(".", ",") if DELIMITERS.get(language) == ";" else str(value)
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds")
        case date():
            return value.isoformat()
        case _:
            return "" if value is None else harmless(str(value))


def _drained(buffer: io.StringIO) -> bytes:
    chunk = buffer.getvalue().encode("utf-8")
    buffer.seek(0)
    buffer.truncate()
    return chunk
