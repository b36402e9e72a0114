"""What a mail is made of, and that the fast way of filling it makes what the slow way makes."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from app.mailings.composing.conditions import TESTS, Condition
from app.mailings.mime import message_of, one_click_headers
from app.mailings.skeleton import filled, hole, skeleton_of
from tests.conftest import NOW
from tests.mailings.composing.letters_of_content import FRAME_LINKS, template_with, words_block
from tests.mailings.composing.test_content import EVERYTHING
from tests.mailings.test_letters import SENDER

names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\ue000\ue001"), max_size=40)
literals = st.lists(
    st.one_of(
        st.text(st.sampled_from("ab <>&\"'é\\-%$.=\u0301"), max_size=20),
        st.sampled_from(['{{ given_name or "bezoeker" }}', "{{ family_name }}", '{{ attributes["x y"] or "z" }}']),
    ),
    max_size=6,
).map("".join)
short = literals.filter(lambda each: len(each) <= 160)


@settings(max_examples=120, deadline=None)
@given(subject=literals, words=literals, label=short, name=names, own=names)
def test_filling_holes_makes_the_mail_that_rendering_makes(
    subject: str, words: str, label: str, name: str, own: str
) -> None:
    html = words.replace("&", "&amp;").replace("<", "&lt;")
    template = template_with(
        words_block(f"<p>{html} <b>{html}</b></p>"),
        {"type": "button", "label": label, "url": "https://a.example/?a=1&b=2"},
        subject=subject,
        preheader=label,
    )
    fields = {"given_name": name, "attributes.x y": own}
    links = template.direct_links() | FRAME_LINKS
    person = template.words_of(fields) | links
    headers = one_click_headers(hole("unsubscribe_url"))
    slow = filled(template.rendered(fields, headers=headers), links)
    fast = filled(template.content(headers=headers), person)
    assert (fast.text, fast.html) == (slow.text, slow.html)
    where = {"to_address": "noor@example.org", "number": "d1.2.3", "at": NOW}
    skeleton = skeleton_of(SENDER, template.content(headers=headers))
    made = skeleton and skeleton.fill(person, **where)  # type: ignore[arg-type]
    assert made is None or made == message_of(SENDER, slow, **where)  # type: ignore[arg-type]
    assert made is not None or hole("")[0] in template.subject


asked = st.builds(
    Condition,
    field=st.sampled_from(["segment.3", "given_name", "language"]),
    test=st.sampled_from(TESTS),
    value=st.sampled_from(["fr", "An", ""]),
)
maybe = st.one_of(st.none(), asked.map(asdict))


@settings(max_examples=150, deadline=None)
@given(
    conditions=st.tuples(maybe, maybe, maybe, maybe),
    words=literals,
    name=names,
    language=st.sampled_from(["nl", "fr"]),
    is_in=st.booleans(),
)
def test_a_mail_with_blocks_for_some_is_filled_as_it_is_rendered(
    conditions: tuple[dict[str, str] | None, ...], words: str, name: str, language: str, is_in: bool
) -> None:
    first, second, third, fourth = conditions
    html = f"<p>{words.replace('&', '&amp;').replace('<', '&lt;')}</p>"
    inner = [{"id": "c1", "only_if": third, **words_block(html)}]
    other = [{"id": "c2", "only_if": fourth, **words_block("<p>{% if given_name %}Dag{% endif %} daar</p>")}]
    template = template_with(
        {"only_if": first, **words_block(html)},
        {"type": "button", "label": "Kijk", "url": "https://a.example/", "only_if": second},
        {"type": "columns", "columns": [inner, other], "only_if": first},
    )
    fields = {"given_name": name, "language": language} | ({"segment.3": "1"} if is_in else {})
    seen = template.seen_by(fields)
    links = template.direct_links() | FRAME_LINKS
    slow = filled(template.rendered(fields), links)
    assert filled(seen.rendered(fields), links) == slow
    if not seen.is_simple:
        assert "daar" in slow.text
        return
    person = template.words_of(fields) | links
    fast = filled(seen.content(), person)
    assert (fast.text, fast.html) == (slow.text, slow.html)
    where = {"to_address": "noor@example.org", "number": "d1.2.3", "at": NOW}
    skeleton = skeleton_of(SENDER, seen.content())
    assert skeleton is not None
    assert skeleton.fill(person, **where) == message_of(SENDER, slow, **where)  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(words=literals, name=names)
def test_a_text_says_what_jinja_says(words: str, name: str) -> None:
    """Another reader of the same text, with the person's words as they are cleaned, is the oracle."""
    template = template_with(subject=f"x {words}")
    clean = template_with(subject="{{ given_name }}").words_of({"given_name": name})["field_1"]
    said = (
        Environment(autoescape=False)  # noqa: S701 (plain words)
        .from_string(f"x {' '.join(words.split())}")
        .render(given_name=clean, family_name="", attributes={})
    )
    assert template.rendered({"given_name": name}).subject.split() == said.split()


def test_every_mail_shows_who_sends_it_and_the_way_out() -> None:
    """I13."""
    template = template_with(words_block("<p>Dag</p>"))
    for words in (template.html, template.text):
        assert "De Proef vzw" in words
        assert "Kouter 1" in words
        assert "9000 Gent" in words
        assert all(hole(name) in words for name in FRAME_LINKS)


def test_a_service_mail_offers_nothing_to_unsubscribe_from() -> None:
    template = template_with(words_block("<p>Tot morgen</p>"), is_service=True)
    assert hole("unsubscribe_url") not in template.html + template.text
    assert hole("preferences_url") in template.html
    assert "Kouter 1" in template.html


def test_a_mail_says_its_language_and_knows_the_dark() -> None:
    html = template_with(words_block("<p>Dag</p>"), preheader="Kijk eens").html
    assert '<html lang="nl"' in html
    assert "prefers-color-scheme: dark" in html
    assert 'name="color-scheme"' in html
    assert html.index("Kijk eens") < html.index("Dag</p>")


def test_every_kind_of_block_is_in_html_and_text() -> None:
    template = template_with(*EVERYTHING)
    for words in ("Koop", "Hoe was het?", "Slecht"):
        assert words in template.html
        assert words in template.text
    assert 'alt="De zaal"' in template.html
    assert "https://mail.deproef.example/i/abcdefghijklmnop.png" in template.html
    assert "[De zaal]" in template.text
    assert len(template.links) == len(set(template.urls)) == 4
    assert template.urls[-1] == "https://s.example/?answer=2"


@pytest.mark.parametrize("words", ['--> <script>alert(1)</script>', "</mj-text></mj-column>", "zlslot0z", '" onload="x',
                                   "<![endif]-->", "&lt;b&gt;", "\\u{e000}"])  # fmt: skip
def test_words_are_only_words(words: str) -> None:
    escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    template = template_with(
        words_block(f"<p>{escaped}</p>"),
        {"type": "image", "image": "abcdefghijklmnop.png", "alt": words, "url": "https://a.example"},
        subject=words,
    )
    assert "<script" not in template.html
    assert len(re.findall(r"<body", template.html)) == 1
    assert words in template.text
    assert template.subject == words
    assert "\\u{e000}" not in template.html.replace("\\u{e000}", "", 4) or words == "\\u{e000}"


def test_a_mail_that_differs_in_more_than_a_word_is_rendered_for_each() -> None:
    template = template_with(
        words_block("<p>Dag{% if given_name %} <{{ given_name }}>{% else %} jij{% endif %}</p>".replace("<{", "&lt;{"))
    )
    assert not template.is_simple
    with pytest.raises(ValueError, match="rendered"):
        template.content()
    for name, said in (("An", "Dag &lt;An&gt;</p>"), ("", "Dag jij</p>")):
        assert said in template.rendered({"given_name": name}).html


def test_a_link_may_be_the_page_of_the_activity_the_mail_is_about() -> None:
    template = template_with({"type": "button", "label": "Info", "url": "{{ activity.url }}"})
    assert template.urls == []
    assert template.words_of({"activity.url": "https://a.example/x"})["own_link_1"] == "https://a.example/x"
    assert template.words_of({"activity.url": "javascript:alert(1)"})["own_link_1"] == ""


def test_the_answers_of_our_own_survey_lead_to_the_persons_own_page() -> None:
    template = template_with(
        {
            "type": "survey",
            "id": "q1",
            "question": "Hoe was het?",
            "field": "attributes.b",
            "answers": ["Top", "Niets"],
        },
        {"type": "survey", "id": "q2", "question": "Wat viel op?", "field": "attributes.o"},
    )
    assert template.urls == []
    mail = filled(template.content(), FRAME_LINKS)
    view = FRAME_LINKS["view_url"]
    assert f'href="{view}?question=q1&amp;answer=2"' in mail.html
    assert f"- Top: {view}?question=q1&answer=1" in mail.text
    assert f"- Schrijf je antwoord: {view}?question=q2" in mail.text


DANCERS = {"field": "attributes.genre", "test": "is", "value": "Dans"}


@pytest.mark.parametrize(
    "block",
    [
        words_block("<p>Voor dansers</p>"),
        {"type": "survey", "question": "Voor dansers", "url": "https://s.example", "answers": ["Ja"]},
        {"type": "divider"},
    ],
)
def test_a_block_for_some_people_is_there_for_them_and_leaves_no_trace_for_the_others(block: dict[str, Any]) -> None:
    around = words_block("<p>Dag</p>"), words_block("<p>Tot dan</p>")
    template = template_with(around[0], {**block, "only_if": DANCERS}, around[1])
    assert not template.is_simple
    for fields, same_as in (
        ({"attributes.genre": "circus, dans"}, template_with(around[0], block, around[1])),
        ({}, template_with(*around)),
    ):
        made, other = template.rendered(fields), same_as.rendered(fields)
        assert made.text == other.text
        assert _squeezed(made.html) == _squeezed(other.html)
    assert template.rendered({}, shows_all=True).text == template_with(around[0], block, around[1]).rendered({}).text


def _squeezed(html: str) -> str:
    return re.sub(r"\s+", "", html)


def test_columns_and_cards_for_some_people_leave_a_whole_mail_to_the_others() -> None:
    columns = {"type": "columns", "columns": [[{"id": "in", **words_block("<p>Voor dansers</p>")}], []]}
    template = template_with(words_block("<p>Dag</p>"), {**columns, "only_if": DANCERS}, words_block("<p>Tot dan</p>"))
    hidden = template.rendered({})
    assert "Voor dansers" not in hidden.html + hidden.text
    assert "Voor dansers" in template.rendered({"attributes.genre": "dans"}).html
    for opens, closes in (("<table", "</table>"), ("<div", "</div>"), ("<!--[if", "<![endif]-->")):
        assert hidden.html.count(opens) == hidden.html.count(closes)


def test_a_block_inside_columns_can_be_for_some_people_too() -> None:
    inner = {"id": "in", **words_block("<p>Voor dansers</p>"), "only_if": {"field": "segment.12"}}
    template = template_with({"type": "columns", "columns": [[inner], [{"id": "out", **words_block("<p>Voor u</p>")}]]})
    assert template.segments == [12]
    shown, hidden = template.rendered({"segment.12": "1"}), template.rendered({})
    for words in (shown.html, shown.text):
        assert "Voor dansers" in words
    for words in (hidden.html, hidden.text):
        assert "Voor dansers" not in words
        assert "Voor u" in words
    assert hidden.text.startswith("De Proef\n\nVoor u\n\n---")


@pytest.mark.parametrize(("test", "value", "said", "holds"), [
    ("known", "", "nl", True), ("known", "", "", False), ("unknown", "", "", True), ("is", "NL", "nl", True),
    ("is", "fr", "nl", False), ("is_not", "fr", "nl", True), ("is_not", "fr", "", True), ("is", "an", "dans", False),
])  # fmt: skip
def test_a_condition_asks_one_field(test: Any, value: str, said: str, holds: bool) -> None:
    assert Condition("language", test, value).holds({"language": said}) is holds
