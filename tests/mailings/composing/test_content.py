"""What is content, and what is refused, where and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from app.mailings.composing.content import language_for, languages_of, marketing_blocks_of
from app.mailings.composing.content_schemas import blank_content, content_json, parse_content
from app.mailings.composing.problems import InvalidContentError
from tests.mailings.composing.letters_of_content import content_json_of, content_of, words_block

EVERYTHING: tuple[dict[str, Any], ...] = (
    words_block("<p>Dag <strong>{{ given_name or &#34;bezoeker&#34; }}</strong></p>"),
    {"type": "image", "image": "abcdefghijklmnop.png", "alt": "De zaal", "url": "https://a.example/", "width_pct": 50},
    {"type": "button", "label": "Koop", "url": "https://a.example/koop"},
    {"type": "activities", "mode": "automatic", "genre": "dans", "count": 4, "layout": "grid"},
    {"type": "activities", "chosen": [{"activity_id": 3, "note": "Bijna vol"}]},
    {"type": "columns", "columns": [[{"type": "text", "id": "in1", "html": "<p>a</p>"}], []]},
    {"type": "divider", "only_if": {"field": "language", "test": "is_not", "value": "fr"}},
    {"type": "spacer", "height": 40},
    {"type": "survey", "question": "Hoe was het?", "url": "https://s.example/", "answers": ["Goed", "Slecht"]},
    {"type": "survey", "question": "Kom je terug?", "field": "attributes.komt_terug", "answers": ["Ja", "Nee"]},
)


def refused(data: object) -> dict[str, list[str]]:
    with pytest.raises(InvalidContentError) as problem:
        parse_content(data)
    return problem.value.by_field()


def test_content_is_read_back_as_it_was_written() -> None:
    content = parse_content(content_json_of(*EVERYTHING))
    assert parse_content(content_json(content)) == content
    assert [type(block).__name__ for block in content.variants[0].texts["nl"].blocks] == [
        "Header", "TextBlock", "ImageBlock", "Button", "Activities", "Activities", "Columns", "Divider", "Spacer",
        "Survey", "Survey", "Footer",
    ]  # fmt: skip


def test_a_problem_says_where_it_is() -> None:
    data = content_json_of({"type": "spacer", "height": 4000}, {"type": "poem"}, words_block("{{ shoe_size }}"))
    found = refused(data)
    assert set(found) == {f"variants.0.texts.nl.blocks.{place}" for place in ("1.height", "2.type", "3.html")}
    assert "shoe_size" in found["variants.0.texts.nl.blocks.3.html"][0]


@pytest.mark.parametrize("data", [None, [], "x", 3, {}, {"variants": []}, {"variants": [{}]}, {"variants": "x"}])
def test_what_is_no_content_is_refused_in_words(data: object) -> None:
    assert refused(data)


@pytest.mark.parametrize("field", ["email", "attributes.", "attributes.a b", "attributes.a.b", "birth_date"])
def test_an_answer_is_kept_in_a_field_of_the_houses_own_and_in_no_other(field: str) -> None:
    found = refused(content_json_of({"type": "survey", "question": "Kom je terug?", "field": field}))
    assert set(found) == {"variants.0.texts.nl.blocks.1.field"}


@pytest.mark.parametrize("condition", [{"field": "shoe_size"}, {"field": "segment.x"}, {"field": "segment.0"}, {},
                                       {"field": "language", "test": "like"}, "language"])  # fmt: skip
def test_a_condition_asks_what_is_known(condition: object) -> None:
    found = refused(content_json_of({"type": "divider", "only_if": condition}))
    assert all(path.startswith("variants.0.texts.nl.blocks.1.only_if") for path in found)


def test_a_subject_is_one_line() -> None:
    content = content_of(subject="Nieuws\r\nBcc: iedereen@example.org")
    assert content.variants[0].texts["nl"].subject == "Nieuws Bcc: iedereen@example.org"


def test_no_two_blocks_have_one_id() -> None:
    twice = [{"type": "divider", "id": "x"}, {"type": "divider", "id": "x"}]
    assert refused(content_json_of(*twice))


def test_limits_keep_a_mail_a_mail() -> None:
    assert refused(content_json_of(*({"type": "divider"} for _ in range(70))))
    assert refused(content_json_of(words_block("x" * 20_000)))
    assert refused(content_json_of(subject="x" * 400))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "https://", "file:///etc/passwd",
                                 "https://bank.example@evil.example/", "vbscript:x"])  # fmt: skip
def test_what_is_no_link_is_refused(url: str) -> None:
    assert refused(content_json_of({"type": "button", "label": "x", "url": url}))


def test_a_bare_domain_becomes_a_link() -> None:
    content = content_of({"type": "button", "label": "x", "url": " www.deproef.example/nu "})
    assert content.variants[0].texts["nl"].blocks[1].url == "https://www.deproef.example/nu"  # type: ignore[union-attr]


def test_who_reads_another_language_gets_the_house_s() -> None:
    data = blank_content(["nl", "fr"])
    data["variants"][0]["texts"]["nl"]["subject"] = "Nieuws"
    content = parse_content(data)
    assert languages_of(content) == ("nl",)
    assert language_for(content, variant="A", wanted="fr", house_language="nl") == "nl"
    assert language_for(content, variant="A", wanted=None, house_language="en") == "nl"
    with pytest.raises(KeyError):
        language_for(parse_content(blank_content(["nl"])), variant="A", wanted="nl", house_language="nl")


def test_blocks_that_sell_are_named_for_service_mails() -> None:
    assert marketing_blocks_of(content_of(*EVERYTHING)) == ["b3", "b4", "b8", "b9"]
