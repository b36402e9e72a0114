"""What people write becomes one form, or is refused; nothing is guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contacts import normalise
from app.contacts.normalise import Unreadable

READERS = (
    normalise.day, normalise.moment, normalise.amount, normalise.whole_number, normalise.yes_no, normalise.phone,
    normalise.postcode, normalise.country, normalise.language, normalise.gender,
)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("03/04/1985", date(1985, 4, 3)),
        ("3-4-1985", date(1985, 4, 3)),
        ("3.4.1985", date(1985, 4, 3)),
        ("1985-04-03", date(1985, 4, 3)),
        ("1985/04/03", date(1985, 4, 3)),
        ("31/12/2024 20:15", date(2024, 12, 31)),
        ("2024-12-31T20:15:00Z", date(2024, 12, 31)),
        ("2024-12-31 20:15:00+01:00", date(2024, 12, 31)),
        ("3 april 1985", date(1985, 4, 3)),
        ("1er février 2020", date(2020, 2, 1)),
        ("5 août 2021", date(2021, 8, 5)),
        ("12 mrt. 2021", date(2021, 3, 12)),
        ("2 March 2021", date(2021, 3, 2)),
        ("  ", None),
        (None, None),
    ],
)
def test_a_day_is_read_as_it_is_written_here(written: str | None, meant: date | None) -> None:
    assert normalise.day(written) == meant


@pytest.mark.parametrize("written", ["04/13/1985", "31/02/2020", "1/1/85", "gisteren", "2024", "0/0/0000", "1-1-99999"])
def test_a_day_that_cannot_be_meant_is_refused(written: str) -> None:
    with pytest.raises(Unreadable, match="date"):
        normalise.day(written)


@given(st.dates(date(1000, 1, 1), date(2999, 12, 31)), st.sampled_from(["%d/%m/{y}", "%d-%m-{y}", "{y}-%m-%d"]))
def test_every_day_written_out_is_read_back(on: date, pattern: str) -> None:
    assert normalise.day(on.strftime(pattern.format(y=f"{on.year:04}"))) == on


@given(st.text())
def test_no_text_makes_reading_fail_with_anything_but_unreadable(text: str) -> None:
    for read in READERS:
        try:
            read(text)
        except Unreadable:
            continue


@given(st.text())
def test_cleaning_twice_changes_nothing_and_leaves_nothing_unprintable(text: str) -> None:
    once = normalise.cleaned(text)
    assert once is None or (once == normalise.cleaned(once) and "\x00" not in once and once == once.strip())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1.234,50 €", Decimal("1234.50")),
        ("€ 12,5", Decimal("12.50")),
        ("1,234.50", Decimal("1234.50")),
        ("12", Decimal("12.00")),
        ("1.234", Decimal("1234.00")),
        ("0.125", Decimal("0.12")),
        ("1.234.567", Decimal("1234567.00")),
        ("12,-", Decimal("12.00")),
        ("-3,20", Decimal("-3.20")),
        ("EUR 7,00", Decimal("7.00")),
        ("1 234,50", Decimal("1234.50")),
        ("(5,00)", Decimal("-5.00")),
    ],
)
def test_an_amount_is_read_with_its_own_decimal_mark(written: str, meant: Decimal) -> None:
    assert normalise.amount(written) == meant


@pytest.mark.parametrize("written", ["gratis", "12,34,5", "1.2.3", "--", "1e9", "99999999999999"])
def test_an_amount_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(Unreadable, match="amount"):
        normalise.amount(written)


@given(st.decimals(0, 9_999_999, places=2))
def test_every_belgian_amount_is_read_back(value: Decimal) -> None:
    written = f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")
    assert normalise.amount(f"{written} €") == value
    assert normalise.amount(str(value)) == value


@pytest.mark.parametrize(
    ("written", "country", "meant"),
    [
        ("9000", "BE", "9000"),
        ("B-9000", "BE", "9000"),
        ("1012ab", "NL", "1012 AB"),
        ("1012 AB", None, "1012 AB"),
        ("L-1234", "LU", "1234"),
        ("SW1A 1AA", "GB", "SW1A 1AA"),
        ("59000", "FR", "59000"),
        ("9000.0", "BE", "9000"),
    ],
)
def test_a_postcode_is_written_as_its_country_does(written: str, country: str | None, meant: str) -> None:
    assert normalise.postcode(written, country) == meant


@pytest.mark.parametrize(("written", "country"), [("90000", "BE"), ("ABCD", "NL"), ("0123", "BE")])
def test_a_postcode_of_another_shape_is_refused_where_the_shape_is_known(written: str, country: str) -> None:
    with pytest.raises(Unreadable, match="postcode"):
        normalise.postcode(written, country)


@pytest.mark.parametrize(
    ("written", "country", "meant"),
    [
        ("0470 12 34 56", "BE", "+32470123456"),
        ("0032 470/12.34.56", "BE", "+32470123456"),
        ("+31 (0)6 12345678", "NL", "+31612345678"),
        ("06-12345678", "NL", "+31612345678"),
        ("0470123456", None, "0470123456"),
    ],
)
def test_a_phone_number_gets_its_country_where_that_is_known(written: str, country: str | None, meant: str) -> None:
    assert normalise.phone(written, country) == meant


def test_words_for_country_language_and_gender_are_understood_in_three_languages() -> None:
    assert [normalise.country(word) for word in ("België", "Belgique", "belgium", "BE", "Pays-Bas")] == [
        "BE", "BE", "BE", "BE", "NL",
    ]  # fmt: skip
    assert [normalise.language(word) for word in ("Nederlands", "nl-BE", "Français", "EN", "dut")] == [
        "nl", "nl", "fr", "en", "nl",
    ]  # fmt: skip
    assert [normalise.gender(word) for word in ("Mevr.", "De heer", "V", "M", "homme", "X", "onbekend")] == [
        "female", "male", "female", "male", "male", "other", None,
    ]  # fmt: skip


def test_yes_and_no_are_understood_in_three_languages_and_unknown_is_neither() -> None:
    assert all(normalise.yes_no(word) is True for word in ("Ja", "oui", "YES", "1", "waar", "x", "vrai"))
    assert all(normalise.yes_no(word) is False for word in ("nee", "Neen", "non", "No", "0", "onwaar", "faux"))
    assert normalise.yes_no("onbekend") is None
    with pytest.raises(Unreadable):
        normalise.yes_no("misschien")


def test_a_moment_keeps_its_offset_and_is_naive_without_one() -> None:
    assert normalise.moment("20/11/2026 20u30") == datetime(2026, 11, 20, 20, 30)  # noqa: DTZ001  no zone is written
    assert normalise.moment("2026-11-20T19:30:00Z") == datetime(2026, 11, 20, 19, 30, tzinfo=UTC)


def test_a_dutch_prefix_stands_before_the_family_name() -> None:
    assert normalise.family_name("van der", "Berg") == "van der Berg"
    assert normalise.family_name(" ", "Peeters") == "Peeters"
    assert normalise.family_name(None, None) is None
