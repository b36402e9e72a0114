"""From blocks to MJML. No word that anybody wrote stands in it: each is a numbered slot, filled once it is compiled.

So nothing in a text can break the mark-up, and a text that says ``-->`` or ``</mj-text>`` is only words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import assert_never
from zoneinfo import ZoneInfo

from babel.dates import format_date
from markupsafe import Markup

from app.accounts.house_colours import contrast, readable_on
from app.mailings.composing.conditions import Closes, Opens
from app.mailings.composing.content import (
    Activities,
    Block,
    Button,
    Card,
    ChosenActivity,
    Columns,
    Divider,
    Footer,
    Header,
    ImageBlock,
    InnerBlock,
    LanguageText,
    Spacer,
    Survey,
    TextBlock,
)
from app.mailings.composing.frame_words import FRAME_WORDS, FrameWords
from app.mailings.composing.links import Links
from app.mailings.composing.mail_style import FONTS, PAPER, Frame
from app.mailings.composing.mail_template import Part
from app.mailings.composing.personal_fields import is_known
from app.mailings.composing.personal_text import pieces_of
from app.mailings.composing.rich_text import Part as RichPart
from app.mailings.composing.rich_text import Run, parts_of
from app.mailings.letter_texts import LOCALES
from app.mailings.skeleton import hole

WIDTH, PADDING = 600, 24
QUIET = "#5b5650"
_SLOT = re.compile(r"zlslot(\d+)z")

DARK = """
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
.zl-page, .zl-page > table { background: #141017 !important; background-color: #141017 !important; }
.zl-paper, .zl-paper > table { background: #221b27 !important; background-color: #221b27 !important; }
.zl-words, .zl-words div, .zl-words h2, .zl-words h3, .zl-words p, .zl-words li { color: #f3eef5 !important; }
.zl-words a, .zl-foot a { color: %(link)s !important; }
.zl-button td, .zl-button a, .zl-answers a { background: %(button)s !important; color: %(on_button)s !important; }
.zl-foot, .zl-foot div, .zl-foot p { color: #c9c0ce !important; }
}
@media only screen and (max-width: 479px) {
.zl-words div { font-size: 17px !important; }
}
"""


@dataclass(slots=True)
class Slots:
    """What goes into the compiled mail, by number."""

    parts: list[Sequence[Part]] = field(default_factory=list)

    def put(self, *parts: Part) -> str:
        """Keep parts for later and return what stands for them in the MJML."""
        self.parts.append(parts)
        return f"zlslot{len(self.parts) - 1}z"

    def fill(self, html: str) -> list[Part]:
        """Return the compiled HTML as parts, its slots filled."""
        found: list[Part] = []
        for place, piece in enumerate(_SLOT.split(html)):
            # Compiled from our own mark-up: nobody else's words are in it.
            found += self.parts[int(piece)] if place % 2 else [Markup(piece)]  # noqa: S704
        return found


def when_of(card: Card, frame: Frame, language: str) -> str:
    """Return when an activity is, as a mail says it: "vrijdag 20 november 2026, 20:00"."""
    if not card.starts_at:
        return ""
    local = datetime.fromisoformat(card.starts_at).astimezone(ZoneInfo(frame.time_zone))
    day = format_date(local.date(), "full", locale=LOCALES[language])
    return day if (local.hour, local.minute) == (0, 0) else f"{day}, {local:%H:%M}"


class MjmlWriter:
    """Writes one language of one variant as MJML; ``slots`` holds its words."""

    def __init__(self, text: LanguageText, links: Links, frame: Frame, *, language: str, is_service: bool) -> None:
        self.slots = Slots()
        self._text, self._links, self._frame = text, links, frame
        self._language, self._is_service = language, is_service
        self._look, self._words = frame.look, FRAME_WORDS[language]

    def source(self) -> str:
        """Return the whole mail."""
        look = self._look
        return (
            f'<mjml lang="{self._language}"><mj-head><mj-title>{self._personal(self._text.subject)}</mj-title>'
            f"<mj-preview>{self._preheader()}</mj-preview>"
            '<mj-raw><meta name="color-scheme" content="light dark"/>'
            '<meta name="supported-color-schemes" content="light dark"/></mj-raw>'
            f'<mj-attributes><mj-all font-family="{FONTS[look.font]}"/>'
            f'<mj-text font-size="16px" line-height="1.55" color="{look.text_colour}" padding="8px {PADDING}px"/>'
            f'<mj-image padding="8px {PADDING}px"/><mj-section padding="0"/></mj-attributes>'
            f"<mj-style>{DARK % self._dark_colours()}</mj-style></mj-head>"
            f'<mj-body width="{WIDTH}px" background-color="{look.background}" css-class="zl-page">'
            f"{self._view_line()}{''.join(self._sections())}{self._legal()}</mj-body></mjml>"
        )

    # --- the frame ---------------------------------------------------------------------------------------------------

    def _dark_colours(self) -> dict[str, str]:
        look = self._look
        return {"link": look.dark_link_colour, "button": look.dark_button_colour, "on_button": look.on_dark_button}

    def _preheader(self) -> str:
        # What follows keeps mail programs from showing the first words of the mail behind it.
        rest = Markup("&#847;&zwnj;&nbsp;") * 60
        return self.slots.put(*pieces_of(self._text.preheader, is_known), rest) if self._text.preheader else ""

    def _view_line(self) -> str:
        link = self._anchor("view_url", self._words.view, self._foot_colour())
        return self._foot_section(self.slots.put(Markup('<p style="margin:0">'), link, Markup("</p>")), "12px 0 8px")

    def _legal(self) -> str:
        words, colour, frame = self._words, self._foot_colour(), self._frame
        why = (words.why_service if self._is_service else words.why) % frame.house_name
        links = [self._anchor("preferences_url", words.preferences, colour)]
        if not self._is_service:
            links.insert(0, self._anchor("unsubscribe_url", words.unsubscribe, colour))
        address = Markup("<br>").join(line for line in (frame.legal_name, *frame.legal_address.splitlines()) if line)
        html = Markup('<p style="margin:0 0 8px">{}</p>\n<p style="margin:0 0 8px">{}</p>\n<p style="margin:0">{}</p>')
        return self._foot_section(
            self.slots.put(html.format(address, why, Markup(" &middot; ").join(links))), "16px 0 32px"
        )

    def _foot_section(self, slot: str, padding: str) -> str:
        return (
            f'<mj-section padding="{padding}"><mj-column><mj-text css-class="zl-foot" align="center" font-size="13px"'
            f' color="{self._foot_colour()}" padding="0 {PADDING}px">{slot}</mj-text></mj-column></mj-section>'
        )

    def _foot_colour(self) -> str:
        background = self._look.background
        return QUIET if contrast(QUIET, background) >= 4.5 else readable_on(background)

    def _anchor(self, name: str, words: str, colour: str) -> Markup:
        return Markup('<a\nhref="{}"\nstyle="color:{};text-decoration:underline">{}</a>').format(
            hole(name), colour, words
        )

    # --- blocks ------------------------------------------------------------------------------------------------------

    def _sections(self) -> Iterator[str]:
        """Yield sections; neighbours that need none of their own share one, which keeps the mail small."""
        for has_own, blocks in groupby(self._text.blocks, key=lambda block: isinstance(block, Columns | Activities)):
            if has_own:
                yield from (self._seen(block, self._block(block)) for block in blocks)
            else:
                inner = "".join(self._seen(block, self._block(block)) for block in blocks)
                yield self._section(f"<mj-column>{inner}</mj-column>") if inner else ""

    def _seen(self, block: Block, source: str) -> str:
        """Put the marks of its condition around what a block became."""
        if block.only_if is None or not source:
            return source
        opens, closes = self.slots.put(Opens(block.only_if)), self.slots.put(Closes())
        return f"<mj-raw>{opens}</mj-raw>{source}<mj-raw>{closes}</mj-raw>"

    def _section(self, columns: str) -> str:
        return f'<mj-section background-color="{PAPER}" css-class="zl-paper" padding="0">{columns}</mj-section>'

    def _block(self, block: Block) -> str:  # noqa: PLR0911 (one branch per kind of block)
        match block:
            case Header():
                return self._header(block)
            case TextBlock():
                return self._rich(block.html, align=block.align)
            case ImageBlock():
                return self._image(block, width=WIDTH - 2 * PADDING)
            case Button():
                return self._button(block.label, block.url, align=block.align)
            case Spacer():
                return f'<mj-spacer height="{block.height}px"/>'
            case Divider():
                return f'<mj-divider border-width="1px" border-color="#d9d4cd" padding="12px {PADDING}px"/>'
            case Survey():
                return self._survey(block)
            case Columns():
                return self._columns(block)
            case Activities():
                return self._activities(block)
            case Footer():
                return self._rich(block.html, align="center", size="14px")
            case _:
                assert_never(block)

    def _header(self, header: Header) -> str:
        frame, look = self._frame, self._look
        band = f'<mj-divider border-width="6px" border-color="{look.colour}" padding="0 0 20px"/>'
        top = ""
        if header.has_logo and frame.logo_url:
            source = self.slots.put(frame.logo_url)
            alt = self.slots.put(frame.house_name)
            top = f'<mj-image src="{source}" alt="{alt}" width="{frame.logo_width}px" align="left"/>'
        elif header.has_logo:
            name = self.slots.put(Markup("<strong>{}</strong>").format(frame.house_name))
            top = f'<mj-text css-class="zl-words" font-size="20px">{name}</mj-text>'
        title = ""
        if header.title:
            style = Markup('<h2 style="margin:0;font-size:28px;line-height:1.2">')
            inner = self.slots.put(style, *pieces_of(header.title, is_known), Markup("</h2>"))
            title = f'<mj-text css-class="zl-words">{inner}</mj-text>'
        return band + top + title

    def _rich(self, html: str, *, align: str, size: str = "16px") -> str:
        parts = parts_of(html)
        if not parts:
            return ""
        inner = self.slots.put(*(piece for part in parts for piece in self._rich_part(part)))
        return f'<mj-text css-class="zl-words" align="{align}" font-size="{size}">{inner}</mj-text>'

    def _rich_part(self, part: RichPart) -> Iterator[Part]:
        styles = {
            "p": "margin:0 0 14px",
            "h2": "margin:8px 0 10px;font-size:22px;line-height:1.3",
            "h3": "margin:8px 0 8px;font-size:18px;line-height:1.3",
            "ul": "margin:0 0 14px;padding-left:22px",
            "ol": "margin:0 0 14px;padding-left:22px",
        }
        is_list = part.kind in ("ul", "ol")
        if is_list:
            yield Markup('<{} style="{}">\n').format(part.kind, styles[part.kind])
        for item in part.items:
            tag = "li" if is_list else part.kind
            yield Markup('<{} style="{}">').format(tag, "margin:0 0 4px" if is_list else styles[tag])
            for run in item:
                yield from self._run(run)
            yield Markup("</{}>\n").format(tag)
        if is_list:
            yield Markup("</{}>\n").format(part.kind)

    def _run(self, run: Run) -> Iterator[Part]:
        opened = Markup("<strong>") * run.is_bold + Markup("<em>") * run.is_italic
        closed = Markup("</em>") * run.is_italic + Markup("</strong>") * run.is_bold
        if run.href:
            colour = self._look.link_colour
            yield Markup('<a\nhref="{}"\nstyle="color:{};text-decoration:underline">').format(
                self._links.hole(run.href), colour
            )
        yield opened
        for place, line in enumerate(run.words.split("\n")):
            if place:
                yield Markup("<br>\n")
            yield from pieces_of(line, is_known)
        yield closed
        if run.href:
            yield Markup("</a>")

    def _image(self, image: ImageBlock, *, width: int) -> str:
        if not image.image:
            return ""
        return self._picture(
            image.image,
            alt="" if image.is_decorative else image.alt,
            url=image.url,
            width=max(20, width * image.width_pct // 100),
        )

    def _picture(self, name: str, *, alt: str, url: str, width: int) -> str:
        source = self.slots.put(f"{self._frame.base_url}/i/{name}")
        href = f' href="{self.slots.put(self._links.hole(url))}"' if url else ""
        return f'<mj-image src="{source}" alt="{self.slots.put(alt)}" width="{width}px"{href}/>'

    def _button(self, label: str, url: str, *, align: str = "left") -> str:
        if not label:
            return ""
        look = self._look
        href = self.slots.put(self._links.hole(url) if url else "#")
        return (
            f'<mj-button css-class="zl-button" href="{href}" align="{align}" background-color="{look.button_colour}"'
            f' color="{look.on_button}" font-size="16px" font-weight="bold" border-radius="4px"'
            f' inner-padding="13px 24px" padding="10px {PADDING}px">{self._personal(label)}</mj-button>'
        )

    def _survey(self, survey: Survey) -> str:
        question = self.slots.put(
            Markup('<p style="margin:0 0 10px;font-weight:bold">'),
            *pieces_of(survey.question, is_known),
            Markup("</p>"),
        )
        look, answers = self._look, []
        style = (
            f"display:inline-block;margin:0 6px 8px 0;padding:9px 15px;border-radius:4px;text-decoration:none;"
            f"font-weight:bold;background:{look.button_colour};color:{look.on_button}"
        )
        for href, words in self._links.answers(survey, to_write=self._words.answer):
            answers.append(Markup('<a\nhref="{}"\nstyle="{}">{}</a>').format(href, style, words))
        row = self.slots.put(Markup("\n").join(answers))
        return f'<mj-text css-class="zl-words">{question}</mj-text><mj-text css-class="zl-answers">{row}</mj-text>'

    def _columns(self, block: Columns) -> str:
        width = WIDTH // len(block.columns) - 2 * PADDING
        return self._section(
            "".join(
                f"<mj-column>{''.join(self._inner(each, width) for each in column)}</mj-column>"
                for column in block.columns
            )
        )

    def _inner(self, block: InnerBlock, width: int) -> str:
        source = self._image(block, width=width) if isinstance(block, ImageBlock) else self._block(block)
        return self._seen(block, source)

    def _activities(self, block: Activities) -> str:
        pictures = {one.activity_id: one for one in block.chosen if one.image or one.note}
        per_row = 2 if block.layout == "grid" else 1
        width = WIDTH // per_row - 2 * PADDING
        cards = [self._card(card, block, pictures.get(card.activity_id), width) for card in block.cards]
        rows = (cards[at : at + per_row] for at in range(0, len(cards), per_row))
        missing = "<mj-column></mj-column>"
        return "".join(
            self._section("".join(row) + missing * (per_row - len(row)) if per_row > 1 else row[0]) for row in rows
        )

    def _card(self, card: Card, block: Activities, extra: ChosenActivity | None, width: int) -> str:
        picture = ""
        if extra is not None and extra.image:
            picture = self._picture(extra.image, alt=extra.alt or card.title, url=card.url, width=width)
        lines = [Markup('<h3 style="margin:4px 0;font-size:19px;line-height:1.3">{}</h3>').format(card.title)]
        where = " · ".join(each for each in (when_of(card, self._frame, self._language), card.venue) if each)
        if card.is_cancelled:
            lines.append(Markup('<p style="margin:0 0 6px"><strong>{}</strong></p>').format(self._words.cancelled))
        if where:
            lines.append(Markup('<p style="margin:0 0 6px">{}</p>').format(where))
        if extra is not None and extra.note:
            lines.append(Markup('<p style="margin:0 0 6px">{}</p>').format(extra.note))
        words = self.slots.put(Markup("\n").join(lines))
        button = self._button(_label(block, self._words), card.url) if card.url and not card.is_cancelled else ""
        return f'<mj-column>{picture}<mj-text css-class="zl-words">{words}</mj-text>{button}</mj-column>'

    def _personal(self, words: str) -> str:
        return self.slots.put(*pieces_of(words, is_known))


def _label(block: Activities, words: FrameWords) -> str:
    return block.button_label or words.more
