"""Checks before sending: each finding at its place, and none where all is well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.mailings.composing.checking import Checker, Finding
from app.mailings.composing.content import Card, MailContent, Style
from app.mailings.composing.content_schemas import parse_content
from app.mailings.composing.images import ImageFacts
from tests.conftest import NOW
from tests.mailings.composing.letters_of_content import FRAME, content_json_of, content_of, words_block

IMAGE = "1-abcdefghijklmnop.png"
HELD = {IMAGE: ImageFacts(IMAGE, 600, 400, 90_000, "")}
FINE: tuple[dict[str, Any], ...] = (
    words_block('<p>Dag {{ given_name or "bezoeker" }}</p>'),
    {"type": "image", "image": IMAGE, "alt": "De zaal"},
    {"type": "button", "label": "Koop", "url": "https://deproef.be/koop"},
)


def found(content: MailContent, *, is_service: bool = False, **frame: Any) -> list[Finding]:
    checker = Checker(content, replace(FRAME, **frame), images=HELD, segments={12}, at=NOW, is_service=is_service)
    return list(checker.findings())


def codes(*blocks: dict[str, Any], is_service: bool = False, **more: Any) -> set[str]:
    content = content_of(*blocks, **({"subject": "Nieuws", "preheader": "Kijk eens"} | more))
    return {each.code for each in found(content, is_service=is_service)}


def test_a_good_mail_has_nothing_to_mend() -> None:
    assert codes(*FINE) == set()


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ({"type": "image"}, "no_image"),
        ({"type": "image", "image": IMAGE}, "no_alt"),
        ({"type": "image", "image": IMAGE.replace("a", "z"), "alt": "x"}, "unknown_image"),
        ({"type": "button", "label": "", "url": "https://deproef.be"}, "no_label"),
        ({"type": "button", "label": "x", "url": ""}, "no_link"),
        ({"type": "button", "label": "x", "url": "http://deproef.be"}, "insecure_link"),
        ({"type": "button", "label": "x", "url": "https://theatre.example/x"}, "example_link"),
        ({"type": "button", "label": "x", "url": "{{ activity.url }}"}, "journey_field"),
        (words_block("<p>Dag {{ given_name }}</p>"), "no_fallback"),
        (words_block("<p>Zaal: {{ activity.venue }}</p>"), "journey_field"),
        ({"type": "activities"}, "no_activities"),
        ({"type": "survey", "question": "", "url": "https://q.be"}, "no_question"),
        ({"type": "columns", "columns": [[], []]}, "empty_columns"),
        (words_block("<p>Dag</p>") | {"only_if": {"field": "segment.13"}}, "no_segment"),
        (words_block("<p>Dag</p>") | {"only_if": {"field": "language", "test": "is"}}, "no_value"),
        (words_block("<p>Dag</p>") | {"only_if": {"field": "party_size"}}, "journey_field"),
    ],
)
def test_what_is_missing_is_found_in_its_block(block: dict[str, Any], code: str) -> None:
    content = content_of(*FINE, {"id": "here", **block}, subject="Nieuws", preheader="Kijk eens")
    wrong = found(content)
    assert [(each.code, each.block_id, each.language, each.variant) for each in wrong if each.code == code] == [
        (code, "here", "nl", "A")
    ]


def test_a_mail_that_is_empty_for_who_fits_nothing_is_told() -> None:
    some = {"only_if": {"field": "segment.12", "test": "unknown"}}
    assert codes(words_block("<p>Dag</p>") | some) == {"empty_for_some"}
    assert codes(words_block("<p>Dag</p>") | some, words_block("<p>Tot dan</p>")) == set()


def test_a_decoration_needs_no_words() -> None:
    assert codes(*FINE, {"type": "image", "image": IMAGE, "is_decorative": True}) == set()


def test_a_mail_without_subject_or_words_is_stopped() -> None:
    assert "no_subject" in codes(*FINE, subject="")
    assert codes(subject="Nieuws") == {"no_words"}
    assert {each.code for each in found(parse_content({"variants": [{"name": "A", "texts": {}}]}))} == {"empty"}


def test_a_mail_that_gmail_would_cut_off_is_told() -> None:
    long = words_block("<p>" + "Een lange zin over het programma. " * 300 + "</p>")
    assert "clipped" in codes(*FINE, *(dict(long) for _ in range(10)))


def test_text_that_is_too_light_and_a_house_without_address_are_told() -> None:
    content = content_of(*FINE, subject="Nieuws", preheader="x")
    pale = replace(content, style=Style(text_colour="#cccccc"))
    assert [each.code for each in found(pale)] == ["contrast"]
    assert [(each.code, each.severity) for each in found(content, legal_address="")] == [("no_postal_address", "stop")]


def test_a_service_mail_may_not_sell() -> None:
    """I15."""
    sells = {"type": "activities", "mode": "automatic", "id": "sells"}
    assert "marketing_in_service" in codes(*FINE, sells, is_service=True)
    assert codes(*FINE, is_service=True) == set()


def test_activities_that_are_over_or_cancelled_are_told() -> None:
    content = content_of({"type": "activities", "chosen": [{"activity_id": 1}, {"activity_id": 2}, {"activity_id": 3}]})
    text = content.variants[0].texts["nl"]
    cards = (
        Card(activity_id=1, title="Oud", starts_at="2020-01-01T20:00:00+00:00", url="https://deproef.be/1"),
        Card(activity_id=2, title="Af", starts_at="2027-01-01T20:00:00+00:00", is_cancelled=True),
    )
    blocks = tuple(replace(each, cards=cards) if each.id == "b0" else each for each in text.blocks)
    variant = replace(content.variants[0], texts={"nl": replace(text, blocks=blocks, preheader="x")})
    assert {each.code for each in found(replace(content, variants=(variant,)))} == {
        "activity_past", "activity_cancelled", "activity_no_link", "activity_gone",
    }  # fmt: skip


def test_variants_speak_the_same_languages() -> None:
    data = content_json_of(*FINE, preheader="x")
    text = data["variants"][0]["texts"]["nl"]
    data["variants"].append({"name": "B", "texts": {"fr": text}})
    assert {(each.code, each.language) for each in found(parse_content(data))} == {
        ("variant_language", "fr"), ("variant_language", "nl"),
    }  # fmt: skip
