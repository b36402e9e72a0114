"""A row of a file as text, and why a file or a row cannot be read."""

from __future__ import annotations

from dataclasses import dataclass


class UnreadableFile(ValueError):
    """A file that cannot be read at all; ``code`` says why, and pages say what to do about it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number in the file as a spreadsheet shows it, its cells, and what is wrong with its form."""

    number: int
    cells: tuple[str, ...]
    problem: str | None = None
