"""The shared vocabulary: whole, in three languages, and recognised in the words of houses."""

from __future__ import annotations

import pytest

from app.activities.vocabulary import BY_VALUE, TERMS, genre_name, recognised


def test_every_term_has_one_number_and_a_name_of_its_own_in_each_language() -> None:
    assert len(BY_VALUE) == len(TERMS)
    for language in ("nl", "fr", "en"):
        names = [term.name(language).casefold() for term in TERMS]
        assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("Dans", "0.54.0.0.0"),
        ("  POP / rock ", "1.8.3.1.0"),
        ("Opéra", "1.5.0.0.0"),
        ("Poezie", "1.10.5.0.0"),
        ("Jazz et blues", "1.8.2.0.0"),
        ("1.8.1.0.0", "1.8.1.0.0"),
        ("uitdatabank:0.52.0.0.0", "0.52.0.0.0"),
    ],
)
def test_a_word_that_plainly_is_a_term_is_recognised(word: str, number: str) -> None:
    term = recognised(word)
    assert term is not None
    assert term.number == number


@pytest.mark.parametrize("word", ["", "!", "Jeugd", "Jazz & co", "dance", "Van alles"])
def test_a_word_that_may_mean_something_else_is_not(word: str) -> None:
    assert recognised(word) is None


def test_a_term_is_shown_in_the_language_of_whoever_reads_and_a_word_of_the_house_as_it_is() -> None:
    assert [genre_name("uitdatabank:1.8.1.0.0", one) for one in ("nl", "fr", "en", "de")] == [
        "Klassieke muziek", "Musique classique", "Classical music", "Classical music",
    ]  # fmt: skip
    assert genre_name("Jazz & co", "fr") == "Jazz & co"
