"""The plain text of a mail, made from its blocks: as somebody would type it, not HTML with its tags taken off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from app.mailings.composing.conditions import Closes, Opens
from app.mailings.composing.content import (
    Activities,
    Block,
    Button,
    Card,
    Columns,
    Divider,
    Footer,
    Header,
    ImageBlock,
    LanguageText,
    Spacer,
    Survey,
    TextBlock,
)
from app.mailings.composing.frame_words import FRAME_WORDS
from app.mailings.composing.links import Links
from app.mailings.composing.mail_style import Frame
from app.mailings.composing.mail_template import BETWEEN, Part
from app.mailings.composing.mjml_source import when_of
from app.mailings.composing.personal_fields import is_known
from app.mailings.composing.personal_text import pieces_of
from app.mailings.composing.rich_text import Part as RichPart
from app.mailings.composing.rich_text import Run, parts_of
from app.mailings.skeleton import hole

RULE = "-" * 40
Paragraph = list[Part]


class TextWriter:
    """Writes one language of one variant as plain text."""

    def __init__(self, text: LanguageText, links: Links, frame: Frame, *, language: str, is_service: bool) -> None:
        self._text, self._links, self._frame = text, links, frame
        self._language, self._is_service = language, is_service
        self._words = FRAME_WORDS[language]

    def parts(self) -> list[Part]:
        """Return the whole text; it ends with the end of a line."""
        found: list[Part] = [part for block in self._text.blocks for part in self._seen(block)]
        return [*found, *([BETWEEN] if found else []), self._legal(), "\n"]

    def _seen(self, block: Block) -> Iterator[Part]:
        """Yield the paragraphs of a block, each after an empty line, between the marks of its condition."""
        paragraphs = self._block(block)
        said: list[Part] = [part for each in paragraphs if any(each) for part in (BETWEEN, *each)]
        if isinstance(block, Columns):
            said = [part for column in block.columns for inner in column for part in self._seen(inner)]
        if block.only_if and said:
            yield Opens(block.only_if)
        yield from said
        if block.only_if and said:
            yield Closes()

    def _legal(self) -> str:
        words, frame = self._words, self._frame
        why = (words.why_service if self._is_service else words.why) % frame.house_name
        lines = [RULE, why]
        if not self._is_service:
            lines.append(f"{words.unsubscribe}: {hole('unsubscribe_url')}")
        lines.append(f"{words.preferences}: {hole('preferences_url')}")
        lines.append(f"{words.view}: {hole('view_url')}")
        return "\n".join([*lines, "", frame.legal_name, *frame.legal_address.splitlines()])

    def _block(self, block: Block) -> Iterator[Paragraph]:
        match block:
            case Header():
                if block.has_logo:
                    yield [self._frame.house_name]
                yield self._personal(block.title)
            case TextBlock() | Footer():
                for part in parts_of(block.html):
                    yield list(self._rich(part))
            case ImageBlock():
                words = "" if block.is_decorative or not block.image else block.alt
                yield self._linked([f"[{words}]"] if words else [], block.url if block.image else "")
            case Button():
                yield self._linked(self._personal(block.label), block.url)
            case Activities():
                for card in block.cards:
                    yield self._card(card, block)
            case Survey():
                yield self._personal(block.question)
                links = self._links.answers(block, to_write=self._words.answer)
                answers = [f"- {words}: {url}" for url, words in links]
                yield ["\n".join(answers)] if answers else []
            case Divider():
                yield [RULE]
            case Spacer() | Columns():
                return
            case _:
                assert_never(block)

    def _card(self, card: Card, block: Activities) -> Paragraph:
        note = next((one.note for one in block.chosen if one.activity_id == card.activity_id), "")
        where = " · ".join(each for each in (when_of(card, self._frame, self._language), card.venue) if each)
        cancelled = self._words.cancelled if card.is_cancelled else ""
        link = self._links.hole(card.url)
        return ["\n".join(each for each in (card.title, cancelled, where, note, link) if each)]

    def _personal(self, words: str) -> Paragraph:
        return list(pieces_of(words, is_known))

    def _linked(self, words: Sequence[Part], url: str) -> Paragraph:
        if not url:
            return list(words)
        return [*words, ":\n" if words else "", self._links.hole(url)]

    def _rich(self, part: RichPart) -> Iterator[Part]:
        for place, item in enumerate(part.items, start=1):
            if place > 1:
                yield "\n"
            if part.kind in ("ul", "ol"):
                yield "- " if part.kind == "ul" else f"{place}. "
            for run in item:
                yield from self._run(run)
        if part.kind == "h2":
            yield "\n" + "=" * 20

    def _run(self, run: Run) -> Iterator[Part]:
        for place, line in enumerate(run.words.split("\n")):
            if place:
                yield "\n"
            yield from pieces_of(line, is_known)
        if run.href and run.words.strip() != run.href:
            yield f" ({self._links.hole(run.href)})"
