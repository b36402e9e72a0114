"""The content of a mailing as frozen nodes: variants, languages, blocks. Pure.

Every kind of block is one node; ``Block`` is their union, so that a dispatch over it which forgets one fails the type
checker. What JSON looks like, and what is refused, is in ``content_schemas``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from app.mailings.composing.conditions import Condition

LANGUAGES = ("nl", "fr", "en")
BLOCKS_MAX = 60
TEXT_MAX = 12_000
CARDS_MAX = 12

Align = Literal["left", "center"]
Font = Literal["sans", "serif", "humanist", "grotesk", "slab"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """An activity as it stood when the card was made. ``starts_at`` is an ISO 8601 instant, or empty."""

    activity_id: int
    title: str
    starts_at: str = ""
    venue: str = ""
    url: str = ""
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenActivity:
    """An activity somebody picked, with the picture to show for it, if any."""

    activity_id: int
    image: str = ""
    alt: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The top of the mail: the logo of the house (its name where it has none), and a title."""

    id: str
    title: str = ""
    has_logo: bool = True
    only_if: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBlock:
    """Rich text: paragraphs, headings, lists, bold, italic, links."""

    id: str
    html: str
    align: Align = "left"
    only_if: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBlock:
    """A picture that was uploaded. Without ``alt`` it must be said to be decoration."""

    id: str
    image: str = ""
    alt: str = ""
    url: str = ""
    width_pct: int = 100
    is_decorative: bool = False
    only_if: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button to a page."""

    id: str
    label: str
    url: str
    align: Align = "center"
    only_if: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activities:
    """Cards of activities: those that were picked, or the next ones that fit, looked up when the mail is frozen.

    What is for schools only is among the next ones where ``audience`` asks for it.
    """

    id: str
    mode: Literal["chosen", "automatic"] = "chosen"
    chosen: tuple[ChosenActivity, ...] = ()
    genre: str = ""
    venue: str = ""
    audience: str = ""
    count: int = 3
    layout: Literal["list", "grid"] = "list"
    button_label: str = ""
    cards: tuple[Card, ...] = ()
    only_if: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Two or three columns beside one another, below one another on a phone."""

    id: str
    columns: tuple[tuple[InnerBlock, ...], ...]
    only_if: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Divider:
    """A thin line."""

    id: str
    only_if: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spacer:
    """Room, in pixels."""

    id: str
    height: int = 24
    only_if: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A question with answers to press, or to be answered in words where there are none.

    With ``field`` (``attributes.x``) the answer is kept of the person, on a page of our own (``mailings/surveys``) that
    asks every such question of the mail. Else ``url`` is the page of a survey elsewhere, told the answer's number.
    """

    id: str
    question: str
    url: str = ""
    answers: tuple[str, ...] = ()
    field: str = ""
    only_if: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """What stands above the legal lines, which are always there."""

    id: str
    html: str = ""
    only_if: Condition | None = None


InnerBlock = TextBlock | ImageBlock | Button | Spacer
Block = Header | InnerBlock | Activities | Columns | Divider | Survey | Footer

# What sells: a mail about something booked may not hold it (I15).
MARKETING_BLOCKS = (Activities, Survey)


@dataclass(frozen=True, slots=True)
class LanguageText:
    """What a variant says in one language."""

    subject: str = ""
    preheader: str = ""
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the ways a mailing is written; an A/B test has two or more."""

    name: str
    texts: Mapping[str, LanguageText]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What this mailing does otherwise than the house; None follows the house. Colours are ``#rrggbb``."""

    colour: str | None = None
    button_colour: str | None = None
    background: str | None = None
    text_colour: str | None = None
    font: Font | None = None


@dataclass(frozen=True, slots=True)
class MailContent:
    """Everything somebody composed."""

    style: Style = field(default_factory=Style)
    variants: tuple[Variant, ...] = ()

    def variant(self, name: str | None) -> Variant:
        """Return a variant by name, the first for None; raises KeyError."""
        if name is None:
            return self.variants[0]
        found = next((each for each in self.variants if each.name == name), None)
        if found is None:
            raise KeyError(name)
        return found


def conditions_of(text: LanguageText) -> list[Condition]:
    """Return the conditions of a text, each once."""
    return list(dict.fromkeys(block.only_if for block in walk(text.blocks) if block.only_if))


def walk(blocks: tuple[Block, ...]) -> Iterator[Block]:
    """Yield every block, those inside columns after the columns they stand in."""
    for block in blocks:
        yield block
        if isinstance(block, Columns):
            for column in block.columns:
                yield from column


def is_written(text: LanguageText) -> bool:
    """Whether a language says anything: a subject, or a block beyond header, footer and empty words."""
    return bool(text.subject) or any(
        bool(block.html) if isinstance(block, TextBlock) else not isinstance(block, Header | Footer)
        for block in text.blocks
    )


def languages_of(content: MailContent, *, variant: str | None = None) -> tuple[str, ...]:
    """Return the languages that a variant is written in, in our order."""
    texts = content.variant(variant).texts
    return tuple(each for each in LANGUAGES if each in texts and is_written(texts[each]))


def language_for(content: MailContent, *, variant: str | None, wanted: str | None, house_language: str) -> str:
    """Return the language somebody gets: their own where it is written, else the house's, else the first there is.

    Raises KeyError where nothing is written at all.
    """
    written = languages_of(content, variant=variant)
    for language in (wanted, house_language):
        if language in written:
            return str(language)
    if not written:
        raise KeyError("nothing is written")
    return written[0]


def marketing_blocks_of(content: MailContent) -> list[str]:
    """Return the ids of all blocks that a service mail may not hold."""
    texts = (text for variant in content.variants for text in variant.texts.values())
    return [block.id for text in texts for block in walk(text.blocks) if isinstance(block, MARKETING_BLOCKS)]
