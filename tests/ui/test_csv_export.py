"""Files a spreadsheet opens well and cannot be harmed by."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ui.csv_export import RISKY_STARTS, ROWS_PER_CHUNK, csv_chunks


def written(rows: list[list[Any]], language: str = "nl") -> str:
    return b"".join(csv_chunks(["naam"], rows, language=language)).decode("utf-8")


@pytest.mark.parametrize("text", ["=1+1", "+32", "-1", "@sum", "\t=1", "\r=1", " =1", "＝1"])
def test_no_cell_is_taken_for_a_formula(text: str) -> None:
    assert next(iter(csv.reader(io.StringIO(written([[text]])[1:], newline=""), delimiter=";"))) == ["naam"]
    rows = list(csv.reader(io.StringIO(written([[text]])[1:], newline=""), delimiter=";"))
    assert rows[1][0] == f"'{text}"


@given(st.text())
def test_whatever_text_comes_in_no_cell_begins_riskily(text: str) -> None:
    rows = list(csv.reader(io.StringIO(written([[text]])[1:], newline=""), delimiter=";"))
    cell = rows[1][0] if len(rows) > 1 and rows[1] else ""
    assert not cell.startswith(RISKY_STARTS)


def test_numbers_stay_numbers_in_the_language() -> None:
    row = [[-3, Decimal("-1.50"), 2.5, True, None]]
    assert written(row).splitlines()[1] == "-3;-1,50;2,5;1;"
    assert written(row, "en").splitlines()[1] == "-3,-1.50,2.5,1,"


def test_dates_are_written_so_that_they_sort() -> None:
    row = [[date(2026, 11, 20), datetime(2026, 11, 20, 9, tzinfo=UTC)]]
    assert written(row).splitlines()[1] == "2026-11-20;2026-11-20 09:00:00+00:00"


def test_the_file_begins_with_the_mark_that_excel_needs() -> None:
    assert written([]).startswith("\ufeff")


def test_a_long_file_comes_in_pieces() -> None:
    pieces = list(csv_chunks(["n"], ([n] for n in range(2 * ROWS_PER_CHUNK + 1)), language="en"))
    assert len(pieces) == 3
    assert b"".join(pieces).count(b"\r\n") == 2 * ROWS_PER_CHUNK + 2
