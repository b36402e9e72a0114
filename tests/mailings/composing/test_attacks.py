"""What somebody could try with words, links and names: nothing of it runs, and each is refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mailings.composing.personal_fields import is_known
from app.mailings.composing.personal_text import pieces_of
from app.mailings.composing.problems import BracesError
from app.mailings.composing.rich_text import cleaned, html_of, parts_of
from app.mailings.mime import message_of
from app.mailings.skeleton import filled
from tests.conftest import NOW
from tests.mailings.composing.letters_of_content import FRAME_LINKS, template_with, words_block
from tests.mailings.test_letters import SENDER, parsed

INJECTIONS = (
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ given_name.__class__ }}",
    "{{ given_name.format }}",
    "{{ config }}",
    "{{ self }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ attributes.x.__class__ }}",
    '{{ attributes["x"]["y"] }}',
    "{{ given_name|upper }}",
    '{{ given_name or "a" or "b" }}',
    "{{ 7 * 7 }}",
    "{{ range(10) }}",
    "{% for x in range(99999999) %}x{% endfor %}",
    "{% set x = 1 %}",
    "{% include 'letters/frame.html' %}",
    "{% import 'x' as y %}",
    "{% macro x() %}{% endmacro %}",
    "{% if given_name.__class__ %}x{% endif %}",
    "{% if (lambda: 1) %}x{% endif %}",
    "{% if given_name %}x",
    "{{ given_name",
    "{# a remark that never ends",
    "{% if " + "not " * 3000 + "given_name %}x{% endif %}",
    "{% if given_name %}" * 30 + "x" + "{% endif %}" * 30,
)


@pytest.mark.parametrize("words", INJECTIONS)
def test_nothing_but_declared_fields_stands_between_braces(words: str) -> None:
    with pytest.raises(BracesError) as problem:
        pieces_of(words, is_known)
    assert problem.value.message


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "<svg/onload=alert(1)>",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="  JaVa&#10;script:alert(1)">x</a>',
        '<p style="background:url(https://evil.example)">x</p>',
        "<iframe src=https://evil.example></iframe>",
        "<p><p><b><i></p></b>x<table><td>y",
        '<a href="https://ok.example" onclick="x">y</a>',
        "<!--[if mso]><script>x</script><![endif]-->",
        "<math><mtext></table><img src onerror=alert(1)>",
    ],
)
def test_rich_text_keeps_no_code(html: str) -> None:
    made = cleaned(html)
    for evil in ("script", "onerror", "onload", "onclick", "style", "<img", "<svg", "iframe", "evil"):
        assert evil not in made.lower()


@settings(max_examples=200, deadline=None)
@given(html=st.text(st.sampled_from("<>/abpiul \"'=&;h2x\n"), max_size=80))
def test_rich_text_written_anew_stays_the_same(html: str) -> None:
    once = html_of(parts_of(html))
    assert html_of(parts_of(once)) == once


@pytest.mark.parametrize(
    "name", ["An\r\nBcc: all@example.org", "An\nX: y", "An\x0bX", "\u2028An\x85Bo", "\ue000x\ue001"]
)
def test_a_name_breaks_out_of_nothing(name: str) -> None:
    template = template_with(words_block("<p>Dag {{ given_name }}</p>"), subject="Dag {{ given_name }}")
    words = template.words_of({"given_name": name}) | template.direct_links() | FRAME_LINKS
    message = message_of(SENDER, filled(template.content(), words), to_address="an@example.org", number="d1", at=NOW)
    found = parsed(message)
    assert found["Bcc"] is None
    assert found["X"] is None
    assert found["Subject"].startswith("Dag ")


def test_a_person_s_words_are_no_template() -> None:
    template = template_with(
        words_block("<p>Dag {{ given_name }}{% if family_name %}, {{ family_name }}{% endif %}</p>"),
        words_block("<p>{{ given_name }}</p>"),
    )
    made = template.rendered({"given_name": "{{ house.name }}", "family_name": "{% raw %}<b>"})
    assert "{{ house.name }}" in made.text
    assert "{% raw %}&lt;b&gt;" in made.html
