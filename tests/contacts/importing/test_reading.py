"""Files as they come: any delimiter, any encoding, any mess."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contacts.importing import limits
from app.contacts.importing.reading import Reading, data_rows, read_file
from app.contacts.importing.rows import Row, UnreadableFile
from tests.contacts.importing.files import bomb, csv_file, workbook

HEADERS = ("E-mail", "Voornaam", "Naam")


def rows_of(content: bytes) -> list[Row]:
    """Return the data rows of a file as it is read by itself."""
    return list(data_rows(content, read_file(content)))


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_every_delimiter_is_found_in_every_encoding(delimiter: str, encoding: str) -> None:
    lines = [delimiter.join(HEADERS), *(delimiter.join((f"p{n}@example.org", "Zoë", "Crèvecœur")) for n in range(9))]
    content = csv_file(*lines, encoding=encoding)
    reading = read_file(content)
    assert (reading.delimiter, reading.headers, reading.header_row) == (delimiter, HEADERS, 1)
    assert [row.cells[1:] for row in rows_of(content)] == [("Zoë", "Crèvecœur")] * 9


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_line_ending_is_one(newline: str) -> None:
    content = csv_file("E-mail;Naam", "an@example.org;An", "", "bo@example.org;Bo", newline=newline)
    assert [(row.number, row.cells[1]) for row in rows_of(content)] == [(2, "An"), (4, "Bo")]


def test_a_decimal_comma_does_not_make_the_comma_the_delimiter() -> None:
    content = csv_file("E-mail;Bedrag", "an@example.org;12,50", "bo@example.org;7,00", "cy@example.org;1,25")
    assert rows_of(content)[0].cells == ("an@example.org", "12,50")


def test_titles_above_the_headers_are_passed_over() -> None:
    content = csv_file("Export 20/11/2026;;", ";;", "E-mail;Voornaam;Naam", "an@example.org;An;Peeters")
    reading = read_file(content)
    assert (reading.header_row, reading.headers) == (3, HEADERS)
    assert [row.number for row in data_rows(content, reading)] == [4]


def test_a_file_without_headers_gets_numbered_columns_and_loses_no_row() -> None:
    content = csv_file("an@example.org;9000", "bo@example.org;9050")
    assert read_file(content).headers == ("#1", "#2")
    assert len(rows_of(content)) == 2


def test_one_column_of_addresses_is_a_file() -> None:
    content = csv_file("E-mail", "an@example.org", "bo@example.org")
    assert [row.cells for row in rows_of(content)] == [("an@example.org",), ("bo@example.org",)]


def test_repeated_and_missing_headers_are_told_apart() -> None:
    content = csv_file("E-mail;Naam;naam;", "an@example.org;An;Peeters;x")
    assert read_file(content).headers == ("E-mail", "Naam", "naam (2)", "#4")


def test_a_line_that_names_the_separator_for_excel_is_obeyed() -> None:
    content = csv_file("sep=,", "E-mail,Naam", "an@example.org,An; of Anna")
    assert [row.cells for row in rows_of(content)] == [("an@example.org", "An; of Anna")]


def test_a_cell_may_hold_line_breaks_quotes_and_the_delimiter() -> None:
    content = csv_file("E-mail;Nota", 'an@example.org;"Eerste; regel', 'met ""quotes"""', 'bo@example.org;5" disc')
    assert [row.cells[1] for row in rows_of(content)] == ['Eerste; regel\nmet "quotes"', '5" disc']


def test_a_quote_that_is_never_closed_costs_its_own_row_only() -> None:
    content = csv_file("E-mail;Naam", 'an@example.org;"An', *(f"p{n}@example.org;P" for n in range(400)))
    rows = rows_of(content)
    assert [(row.number, row.problem) for row in rows if row.problem] == [(2, "broken_quotes")]
    assert len(rows) == 401


def test_a_row_with_more_cells_than_columns_is_marked_and_a_shorter_one_filled_up() -> None:
    content = csv_file("E-mail;Naam;Gemeente", "an@example.org;An", "bo@example.org;Bo;Gent;extra", "c@example.org;C;;")
    rows = rows_of(content)
    assert [row.problem for row in rows] == [None, "too_many_cells", None]
    assert rows[0].cells == ("an@example.org", "An", "")


def test_nul_bytes_in_a_text_file_are_left_out() -> None:
    content = csv_file("E-mail;Naam", "an@example.org;A\x00n", *(f"p{n}@example.org;Peeters" for n in range(50)))
    assert rows_of(content)[0].cells[1] == "An"


def test_a_workbook_is_read_with_its_dates_and_numbers_as_text() -> None:
    content = workbook(
        [
            ("E-mail", "Postcode", "Geboren", "Bedrag", "Gescand", "Lid"),
            ("an@example.org", 9000, date(1980, 2, 29), 12.5, datetime(2026, 11, 20, 20, 15), True),  # noqa: DTZ001
            ("bo@example.org", "#N/A", None, 7.0, "", False),
        ]
    )
    reading = read_file(content)
    assert (reading.form, reading.header_row) == ("xlsx", 1)
    assert [row.cells for row in data_rows(content, reading)] == [
        ("an@example.org", "9000", "1980-02-29", "12.5", "2026-11-20 20:15:00", "1"),
        ("bo@example.org", "", "", "7", "", "0"),
    ]


def test_a_workbook_of_hardly_anything_but_empty_rows_is_read_and_ended() -> None:
    content = workbook([("E-mail",), ("an@example.org",), *((None,) for _ in range(3)), ("bo@example.org",)])
    assert [(row.number, row.cells) for row in rows_of(content)] == [(2, ("an@example.org",)), (6, ("bo@example.org",))]
    far = workbook([("E-mail",), ("an@example.org",)], first_row=1_048_000)
    with pytest.raises(UnreadableFile, match="empty"):
        read_file(far)


def test_a_reading_survives_being_stored() -> None:
    reading = read_file(csv_file("E-mail;Naam", "an@example.org;An"))
    assert Reading.from_json(reading.as_json()) == reading


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\r\n\r\n;;;\r\n", "empty"),
        (bytes(range(256)) * 40, "not_a_table"),
        (b"\x89PNG\r\n\x1a\n" + bytes(300), "not_a_table"),
        (b"%PDF-1.7 ...", "pdf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, "old_workbook"),
        (b"<html><body><table>", "web_page"),
        (b"PK\x03\x04 not really", "broken_workbook"),
        (b"a" * 2_000_000, "line_too_long"),
        (csv_file(";".join(f"k{n}" for n in range(10_000)), ";".join("x" * 10_000)), "too_many_columns"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_table_is_refused_with_its_reason(content: bytes, code: str) -> None:
    with pytest.raises(UnreadableFile, match=code):
        read_file(content)


@pytest.mark.parametrize("name", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"])
def test_a_workbook_that_unpacks_to_far_too_much_is_refused_unread(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.contacts.importing.spreadsheets.UNPACKED_BYTES_MAX", 3 * 1024 * 1024)
    content = bomb(name=name, unpacked_mb=4)
    assert len(content) < 100_000
    with pytest.raises(UnreadableFile, match="too_much_unpacked"):
        read_file(content)


def test_a_file_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.FILE_BYTES_MAX == 64 * 1024 * 1024
    monkeypatch.setattr("app.contacts.importing.reading.FILE_BYTES_MAX", 10)
    with pytest.raises(UnreadableFile, match="too_large"):
        read_file(b"E-mail\nan@example.org")


@given(st.binary(max_size=4000))
def test_no_bytes_make_reading_fail_with_anything_but_unreadable(content: bytes) -> None:
    try:
        rows_of(content)
    except UnreadableFile:
        return


@given(st.text(max_size=2000))
def test_no_text_makes_reading_fail_with_anything_but_unreadable(text: str) -> None:
    try:
        rows_of(text.encode("utf-8", "surrogatepass"))
    except UnreadableFile:
        return


CELL = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=20), st.sampled_from([";", ",", "\t"]))
def test_whatever_a_program_writes_is_read_back(cells: list[tuple[str, str]], delimiter: str) -> None:
    held = io.StringIO()
    writer = csv.writer(held, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(("E-mail", "Voornaam", "Nota"))
    for number, row in enumerate(cells):
        writer.writerow((f"p{number}@example.org", *row))
    content = held.getvalue().encode()
    reading = read_file(content)
    if reading.delimiter != delimiter:
        return  # another one cut these few lines just as evenly
    assert [row.cells[1:] for row in data_rows(content, reading)] == cells
