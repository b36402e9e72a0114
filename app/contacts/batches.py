"""Rows of a batch of the REST API: each checked by itself, so that good rows are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError

from app.ui.forms import translated_errors


@dataclass(frozen=True, slots=True)
class Checked:
    """A row that the schema accepted, with its place in the batch."""

    index: int
    value: dict[str, Any]


def check_rows(rows: Sequence[Any], schema: Schema) -> tuple[list[Checked], list[dict[str, Any]]]:
    """Return the rows that can be taken, and what is wrong with the others."""
    good: list[Checked] = []
    bad: list[dict[str, Any]] = []
    for index, row in enumerate(rows):
        try:
            good.append(Checked(index, schema.load(row)))
        except ValidationError as problem:
            errors = translated_errors(problem.messages)
            bad.append({"index": index, "error": "invalid", "errors": errors})
    return good, bad


def answered(bad: list[dict[str, Any]], good: Sequence[Checked], answer: Callable[[int], dict[str, Any]]) -> list[Any]:
    """Return one answer per row, in the order of the batch; ``answer`` says what became of the nth good one."""
    rows = [{"index": checked.index, **answer(place)} for place, checked in enumerate(good)]
    return sorted([*bad, *rows], key=lambda row: row["index"])
