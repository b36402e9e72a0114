"""The links of a mail, each with a hole: one address has one hole, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from app.mailings.composing.content import (
    Activities,
    Block,
    Button,
    Columns,
    Divider,
    Footer,
    Header,
    ImageBlock,
    LanguageText,
    Spacer,
    Survey,
    TextBlock,
    walk,
)
from app.mailings.composing.mail_template import Link
from app.mailings.composing.rich_text import links_of, parts_of
from app.mailings.composing.web_links import field_of, with_parameter
from app.mailings.skeleton import hole

ANSWER, QUESTION = "answer", "question"


def urls_of(block: Block) -> Iterator[str]:
    """Yield where the links of one block go; those inside columns belong to the blocks there."""
    match block:
        case TextBlock() | Footer():
            yield from links_of(parts_of(block.html))
        case ImageBlock() | Button():
            yield block.url
        case Activities():
            yield from (card.url for card in block.cards)
        case Survey():
            yield from (url for url, _words in answers_of(block))
        case Header() | Columns() | Divider() | Spacer():
            return


def answers_of(survey: Survey) -> list[tuple[str, str]]:
    """Return the links of a survey's answers with their words: to the page of a survey elsewhere, with the answer's
    number. Answers that we keep ourselves have no link that anybody composed."""
    if survey.field:
        return []
    if not survey.url or field_of(survey.url):
        return [(survey.url, words) for words in survey.answers]
    return [(with_parameter(survey.url, ANSWER, str(place)), words) for place, words in enumerate(survey.answers, 1)]


class Links:
    """The links of one language of one variant."""

    def __init__(self, text: LanguageText) -> None:
        urls = dict.fromkeys(url for block in walk(text.blocks) for url in urls_of(block) if url)
        direct = [Link(f"link_{number}", url) for number, url in enumerate((u for u in urls if not field_of(u)), 1)]
        of_field = [Link(f"own_link_{n}", url, field_of(url)) for n, url in enumerate(filter(field_of, urls), 1)]
        self.all = (*direct, *of_field)
        self._names = {link.url: link.name for link in self.all}

    def answers(self, survey: Survey, *, to_write: str) -> list[tuple[str, str]]:
        """Return where each answer of a survey leads, with marks, and its words; ``to_write``: those of a question
        that is answered in words."""
        if not survey.field:
            return [(self.hole(url) or "#", words) for url, words in answers_of(survey)]
        asked = f"{hole('view_url')}?{urlencode({QUESTION: survey.id})}"
        if not survey.answers:
            return [(asked, to_write)]
        return [(f"{asked}&{ANSWER}={place}", words) for place, words in enumerate(survey.answers, 1)]

    def hole(self, url: str) -> str:
        """Return the mark for a link, or nothing where there is none."""
        return hole(self._names[url]) if url else ""
