"""Files as people upload them, made in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

from openpyxl import Workbook


def csv_file(*lines: str, encoding: str = "utf-8", newline: str = "\r\n") -> bytes:
    """Return the bytes of a text file."""
    return newline.join((*lines, "")).encode(encoding)


def workbook(rows: Iterable[Sequence[Any]], *, first_row: int = 1) -> bytes:
    """Return the bytes of an XLSX workbook with one sheet."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for number, row in enumerate(rows, start=first_row):
        for place, value in enumerate(row, start=1):
            sheet.cell(number, place, value)
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


def bomb(*, name: str = "xl/sharedStrings.xml", unpacked_mb: int = 300) -> bytes:
    """Return a small zip file, in the shape of a workbook, that unpacks to a lot."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open(name, "w") as entry:
            for _ in range(unpacked_mb):
                entry.write(b" " * 1024 * 1024)
    return held.getvalue()
