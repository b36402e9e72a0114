"""A mail of a ready-made journey, in words; ``content_of`` makes what the composer edits of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import escape

Json = dict[str, Any]
LANGUAGES = ("nl", "fr", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of a survey. ``key`` names the field of its answer; without ``answers`` it is answered in words."""

    key: str
    question: str
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a mail says in one language: paragraphs (with personal fields), and what stands below them.

    ``programme`` is the heading above cards of what is on next, ``button`` what is on the cards; ``link`` the words on
    a button to the page of the activity that the mail is about.
    """

    subject: str
    preheader: str
    paragraphs: Sequence[str]
    programme: str = ""
    button: str = ""
    link: str = ""
    questions: Sequence[Question] = ()
    after: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail in all languages; ``name`` is what it is called in the list of mailings, ``cards`` how many it shows."""

    name: Mapping[str, str]
    purpose: str
    words: Mapping[str, Words]
    cards: int = 3


def content_of(letter: Letter, *, field_prefix: str = "") -> Json:
    """Return the content of a letter. ``field_prefix`` stands before the keys of a survey's fields."""
    texts = {language: _text(letter, letter.words[language], field_prefix) for language in LANGUAGES}
    return {"style": {}, "variants": [{"name": "A", "texts": texts}]}


def _text(letter: Letter, words: Words, field_prefix: str) -> Json:
    blocks: list[Json] = [{"type": "header", "id": "top"}, _paragraphs("words", words.paragraphs)]
    if words.link:
        blocks.append({"type": "button", "id": "link", "label": words.link, "url": "{{ activity.url }}"})
    blocks += [_survey(question, field_prefix) for question in words.questions]
    if words.programme:
        blocks += [
            {"type": "text", "id": "programme", "html": f"<h2>{escape(words.programme)}</h2>"},
            {
                "type": "activities",
                "id": "cards",
                "mode": "automatic",
                "count": letter.cards,
                "layout": "list",
                "button_label": words.button,
            },
        ]
    if words.after:
        blocks.append(_paragraphs("after", words.after))
    blocks.append({"type": "footer", "id": "foot"})
    return {"subject": words.subject, "preheader": words.preheader, "blocks": blocks}


def _survey(question: Question, field_prefix: str) -> Json:
    return {
        "type": "survey",
        "id": question.key,
        "question": question.question,
        "answers": list(question.answers),
        "field": f"attributes.{field_prefix}{question.key}",
    }


def _paragraphs(block_id: str, paragraphs: Sequence[str]) -> Json:
    html = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    return {"type": "text", "id": block_id, "html": html}
