"""Reading what a vendor says, row by row: what every source needs, whoever the vendor is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from integrations.base import RowProblem, SourcePage, Transient

Record = TypeVar("Record")
# What goes wrong where a vendor's JSON has another shape than it should.
MISSHAPEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def read_each(
    rows: Iterable[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], Record | None], *, number: str
) -> tuple[tuple[Record, ...], tuple[RowProblem, ...]]:
    """Return the records that ``read`` makes of rows (None: nothing to keep), and the rows that nobody can read.

    A row that cannot be read is a problem of its own, known by its field ``number``, and keeps none of the others.
    """
    records: list[Record] = []
    problems: list[RowProblem] = []
    for row in rows:
        try:
            record = read(row)
        except MISSHAPEN:
            problems.append(RowProblem(str(row.get(number) or "?")))
        else:
            if record is not None:
                records.append(record)
    return tuple(records), tuple(problems)


def understood(pages: Iterator[SourcePage]) -> Iterator[SourcePage]:
    """Pass pages on; an answer of another shape than the vendor gives is told as such, without what was in it.

    Raises Transient("unexpected_answer").
    """
    problem = ""
    try:
        yield from pages
    except MISSHAPEN as error:
        problem = type(error).__name__
    if problem:
        raise Transient("unexpected_answer", hint=problem)


def text_of(value: Any) -> str | None:
    """Return a text without blanks around it, or None where nothing is left."""
    return (str(value).strip() or None) if value is not None else None
