"""Finding out what kind of file somebody uploaded, and reading its rows as text: one at a time, whatever its size.

A ``Reading`` is what was found out; it is kept with the job, so that the rows are numbered the same every time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Self

from app.contacts.importing import spreadsheets, text_files
from app.contacts.importing.limits import COLUMNS_MAX, FILE_BYTES_MAX
from app.contacts.importing.rows import Row, UnreadableFile
from app.contacts.normalise import Unreadable, day, folded

HEADER_WITHIN_ROWS = 10
SAMPLE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read. ``header_row`` is the number of the row with the headers, 0 where there is none.

    ``encoding`` and ``delimiter`` are of text files, ``sheet`` is of workbooks.
    """

    form: str
    headers: tuple[str, ...]
    header_row: int
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored with the job."""
        return asdict(self) | {"headers": list(self.headers)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Return what ``as_json`` stored."""
        return cls(**(stored | {"headers": tuple(stored["headers"])}))


def read_file(content: bytes) -> Reading:
    """Return how a file is to be read; raises UnreadableFile with a code that says why it cannot be."""
    if len(content) > FILE_BYTES_MAX:
        raise UnreadableFile("too_large")
    if not content.strip(b"\x00\r\n\t ;,"):
        raise UnreadableFile("empty")
    if spreadsheets.is_workbook(content):
        sheet = spreadsheets.first_sheet_with_rows(content)
        header_row, headers = _find_header(islice(spreadsheets.rows(content, sheet), SAMPLE_ROWS))
        return Reading("xlsx", headers, header_row, sheet=sheet)
    text_files.refuse_other_formats(content)
    encoding = text_files.find_encoding(content)
    delimiter = text_files.find_delimiter(content, encoding)
    header_row, headers = _find_header(islice(text_files.rows(content, encoding, delimiter), SAMPLE_ROWS))
    return Reading("csv", headers, header_row, encoding=encoding, delimiter=delimiter)


def data_rows(content: bytes, reading: Reading) -> Iterator[Row]:
    """Yield every row below the headers that holds anything, with its number in the file and one cell per header.

    A row that cannot be taken apart has a ``problem``. Raises UnreadableFile where the file breaks off half-way.
    """
    width = len(reading.headers)
    if reading.form == "xlsx":
        found = spreadsheets.rows(content, reading.sheet or "", width=width)
    else:
        found = text_files.rows(content, reading.encoding or "utf-8", reading.delimiter or ",")
    for row in found:
        if row.number > reading.header_row and (row.problem or any(cell.strip() for cell in row.cells)):
            yield _fitted(row, width)


def _fitted(row: Row, width: int) -> Row:
    if row.problem is None and any(cell.strip() for cell in row.cells[width:]):
        return Row(row.number, row.cells[:COLUMNS_MAX], "too_many_cells")
    return Row(row.number, row.cells[:width] + ("",) * (width - len(row.cells)), row.problem)


def _find_header(sample: Iterable[Row]) -> tuple[int, tuple[str, ...]]:
    rows = [row for row in sample if any(cell.strip() for cell in row.cells)]
    if not rows:
        raise UnreadableFile("empty")
    widths = Counter(_used_width(row.cells) for row in rows)
    if max(widths) > COLUMNS_MAX:
        raise UnreadableFile("too_many_columns")
    usual = max(widths, key=lambda width: (widths[width], width))
    for row in rows[:HEADER_WITHIN_ROWS]:
        if _looks_like_header(row.cells, usual):
            width = max(_used_width(row.cells), usual)
            return row.number, _named(row.cells[:width] + ("",) * (width - len(row.cells)))
    return 0, _named(("",) * max(widths))


def _used_width(cells: Sequence[str]) -> int:
    return max((place for place, cell in enumerate(cells, start=1) if cell.strip()), default=0)


def _looks_like_header(cells: Sequence[str], usual: int) -> bool:
    """Whether a row names columns: as wide as the rest, and no cell in it is an address, a number or a date."""
    named = [cell.strip() for cell in cells if cell.strip()]
    return len(named) * 2 >= usual and not any(_is_value(cell) for cell in named)


def _is_value(cell: str) -> bool:
    if "@" in cell or not any(character.isalpha() for character in cell):
        return True
    try:
        return day(cell) is not None
    except Unreadable:
        return False


def _named(cells: Sequence[str]) -> tuple[str, ...]:
    """Return one name per column: unnamed ones get their number, repeated ones the number of the repetition."""
    names: list[str] = []
    taken: Counter[str] = Counter()
    for place, cell in enumerate(cells, start=1):
        name = " ".join(cell.replace("\x00", "").split())[:120] or f"#{place}"
        taken[folded(name)] += 1
        names.append(name if taken[folded(name)] == 1 else f"{name} ({taken[folded(name)]})")
    return tuple(names)
