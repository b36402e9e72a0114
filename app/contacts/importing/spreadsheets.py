"""Workbooks (XLSX), read row by row without ever holding one whole, and refused where they would unpack to too much."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from app.contacts.importing.limits import (
    COLUMNS_MAX,
    EMPTY_ROWS_IN_A_ROW_MAX,
    SHARED_TEXT_BYTES_MAX,
    UNPACKED_BYTES_MAX,
    ZIP_ENTRIES_MAX,
)
from app.contacts.importing.rows import Row, UnreadableFile

# What openpyxl and zipfile raise on files that are not what they claim to be.
BROKEN = (
    zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, TypeError, AttributeError, IndexError,
    EOFError, OSError, NotImplementedError, RuntimeError,
)  # fmt: skip
CELL_ERRORS = frozenset({"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!"})

# openpyxl warns of styles and extensions it leaves out, and of dates it cannot read with their value; none may be
# printed.
warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")


def is_workbook(content: bytes) -> bool:
    """Whether these bytes are a zip file, as every XLSX workbook is."""
    return content.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def first_sheet_with_rows(content: bytes) -> str:
    """Return the name of the first sheet that holds anything; raises UnreadableFile."""
    _refuse_bombs(content)
    for name in _opened(content).sheetnames:
        if next(rows(content, name), None) is not None:
            return str(name)
    raise UnreadableFile("empty")


def rows(content: bytes, sheet: str, *, width: int | None = None) -> Iterator[Row]:
    """Yield the rows of a sheet that hold anything; values as text, dates as ISO 8601. Raises UnreadableFile."""
    try:
        yield from _rows(content, sheet, width)
    except UnreadableFile:
        raise
    except BROKEN:
        raise UnreadableFile("broken_workbook") from None


def as_text(value: Any) -> str:
    """Return a cell as text that reads back the same: whole numbers without point, dates as ISO 8601, errors blank."""
    if (isinstance(value, float) and value.is_integer() and abs(value) < 1e15) or isinstance(value, bool):
        value = int(value)
    elif isinstance(value, datetime):
        value = value.date() if value.time() == time(0) else value.replace(microsecond=0)
    text = "" if value is None else str(value).replace("_x000D_", " ").strip()
    return "" if text in CELL_ERRORS else text


def _rows(content: bytes, sheet: str, width: int | None) -> Iterator[Row]:
    worksheet = _opened(content)[sheet]
    worksheet.reset_dimensions()
    empty = 0
    for number, values in enumerate(worksheet.iter_rows(values_only=True, max_col=width or COLUMNS_MAX + 1), start=1):
        cells = tuple(as_text(value) for value in values)
        if any(cells):
            empty = 0
            yield Row(number, cells)
        elif (empty := empty + 1) > EMPTY_ROWS_IN_A_ROW_MAX:
            return


def _opened(content: bytes) -> Any:
    try:
        return load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    except BROKEN:
        raise UnreadableFile("broken_workbook") from None


def _refuse_bombs(content: bytes) -> None:
    """Add up what the archive says it unpacks to; zipfile never unpacks more than an entry says."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except BROKEN:
        raise UnreadableFile("broken_workbook") from None
    names = {entry.filename for entry in entries}
    if "xl/workbook.xml" not in names:
        raise UnreadableFile("open_document" if "content.xml" in names else "compressed")
    shared = sum(entry.file_size for entry in entries if entry.filename.lower().endswith("sharedstrings.xml"))
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > ZIP_ENTRIES_MAX or unpacked > UNPACKED_BYTES_MAX or shared > SHARED_TEXT_BYTES_MAX:
        raise UnreadableFile("too_much_unpacked")
