"""Reading what a vendor says, row by row: what every source needs, whoever the vendor is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from integrations.base import RowProblem, SourcePage, Transient

Record = TypeVar("Record")
Asked = TypeVar("Asked")
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


def numbers_of(rows: Iterable[Mapping[str, Any]], *, number: str) -> tuple[str, ...]:
    """Return the numbers of all rows, by which problems with them are known."""
    return tuple(str(row.get(number) or "?") for row in rows)


def whole_page(ask: Callable[[], Asked], *, count: Callable[[Asked], int], expected: Callable[[Asked], int]) -> Asked:
    """Return what ``ask`` brings, asked a second time where it has fewer rows than it should: the longer of both.

    A proxy or a replica that lags may show half a page and call it whole. Where both answers are as short, the vendor
    means it, so that a page size of its own keeps nobody waiting.
    """
    answer = ask()
    if count(answer) >= expected(answer):
        return answer
    again = ask()
    return again if count(again) > count(answer) else answer


def latest_stamp(stamps: Iterable[Any], *, known: str | None, until: datetime) -> str | None:
    """Return the latest of a vendor's stamps and the one known before, None where there is none.

    A stamp that cannot be read, or that lies in the future (``until``, aware), counts for nothing: as a cursor it would
    hide all that changes until then. Stamps of one vendor have one form, so they sort as texts do.
    """
    sound = [known] if known else []
    for stamp in stamps:
        try:
            at = datetime.fromisoformat(str(stamp))
        except ValueError:
            continue
        if (at if at.tzinfo else at.replace(tzinfo=UTC)) <= until:
            sound.append(str(stamp))
    return max(sound, default=None)


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
