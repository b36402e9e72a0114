"""Checks before a mailing is sent: what stops it, what to look at, and what could be better; where, and in words.

Nothing here speaks to anybody. Whether links answer is asked by ``reaching``, when somebody wants to know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never
from urllib.parse import urlsplit

from app import clock
from app.accounts.house_colours import TEXT_RATIO, contrast
from app.db import ScopedSession
from app.mailings.block_segments import asked_segments, those_there
from app.mailings.composing.cards import with_cards
from app.mailings.composing.conditions import Condition
from app.mailings.composing.content import (
    MARKETING_BLOCKS,
    Activities,
    Block,
    Button,
    Columns,
    Divider,
    Footer,
    Header,
    ImageBlock,
    LanguageText,
    MailContent,
    Spacer,
    Survey,
    TextBlock,
    is_written,
    languages_of,
    walk,
)
from app.mailings.composing.images import ImageFacts, facts_of
from app.mailings.composing.links import urls_of
from app.mailings.composing.mail_style import PAPER, Frame, frame_of, with_style
from app.mailings.composing.personal_fields import BY_NAME, is_known
from app.mailings.composing.personal_text import Put, fields_in, pieces_of
from app.mailings.composing.rendering import compose
from app.mailings.composing.rich_text import parts_of
from app.mailings.composing.web_links import field_of
from app.mailings.skeleton import hole
from app.runtime import Runtime
from app.segments.problems import Message
from integrations.meanings import N_

# Gmail shows no more of a mail than this, and hides the rest, the way out included, behind a link.
CLIPPED_BYTES = 102 * 1024
# What the links of one person add to the mail as it is composed.
LINK_BYTES = 110
SUBJECT_SHOWN = 60
IMAGE_HEAVY_BYTES, IMAGES_HEAVY_BYTES = 500_000, 1_500_000
# Fields that everybody has.
ALWAYS_THERE = frozenset({"email", "salutation", "house.name", "house.address"})

Severity = Literal["stop", "look", "hint"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend or to know. ``stop``: it cannot be sent so. ``block_id`` is empty for the mail as a whole."""

    code: str
    severity: Severity
    message: Message
    variant: str = ""
    language: str = ""
    block_id: str = ""


def check_content(
    session: ScopedSession,
    runtime: Runtime,
    content: MailContent,
    *,
    is_service: bool,
    is_for_journeys: bool = False,
) -> list[Finding]:
    """Return everything found in a mail as it would go out now, the worst first."""
    at = clock.now()
    content = with_cards(session, content, at=at)
    texts = [text for variant in content.variants for text in variant.texts.values()]
    names = {name for text in texts for name in _images(text)}
    checker = Checker(
        content,
        frame_of(session, runtime),
        images=facts_of(session, sorted(names)),
        segments=those_there(session, asked_segments(content)),
        at=at,
        is_service=is_service,
        is_for_journeys=is_for_journeys,
    )
    order: dict[Severity, int] = {"stop": 0, "look": 1, "hint": 2}
    return sorted(checker.findings(), key=lambda each: order[each.severity])


class Checker:
    """Looks through one content; pure."""

    def __init__(
        self,
        content: MailContent,
        frame: Frame,
        *,
        images: Mapping[str, ImageFacts],
        segments: Collection[int],
        at: datetime,
        is_service: bool,
        is_for_journeys: bool = False,
    ) -> None:
        self._content, self._frame, self._images, self._at = content, frame, images, at
        self._segments = segments
        self._is_service, self._is_for_journeys = is_service, is_for_journeys

    def findings(self) -> Iterator[Finding]:
        """Yield everything, variant by variant, language by language, block by block."""
        yield from self._of_house()
        for variant in self._content.variants:
            written = languages_of(self._content, variant=variant.name)
            if not written:
                yield _stop("empty", N_("Nothing is written yet."), variant=variant.name)
            for language, text in variant.texts.items():
                found = self._of_text(variant.name, language, text) if is_written(text) else ()
                yield from (_placed(each, variant.name, language) for each in found)
        yield from self._unlike_languages()

    def _of_house(self) -> Iterator[Finding]:
        if not self._frame.legal_address:
            yield _stop(
                "no_postal_address", N_("The postal address of the house is missing. It must be in every mail.")
            )
        look = with_style(self._frame.look, self._content.style)
        if contrast(look.text_colour, PAPER) < TEXT_RATIO:
            yield _look("contrast", N_("The colour of the text is too light to be read on white. Choose a darker one."))

    def _unlike_languages(self) -> Iterator[Finding]:
        """A variant that is not written in a language gives its people another language than the others."""
        first = self._content.variants[0]
        languages = languages_of(self._content, variant=first.name)
        for variant in self._content.variants[1:]:
            for language in set(languages) ^ set(languages_of(self._content, variant=variant.name)):
                yield _stop(
                    "variant_language",
                    N_("Variants A and %(variant)s are not written in the same languages."),
                    variant=variant.name,
                    language=language,
                )

    def _of_text(self, variant: str, language: str, text: LanguageText) -> Iterator[Finding]:
        if not text.subject:
            yield _stop("no_subject", N_("There is no subject."))
        elif len(text.subject) > SUBJECT_SHOWN and "{" not in text.subject:
            yield _hint("long_subject", N_("The subject is long: a phone shows about the first 40 characters."))
        if not text.preheader:
            yield _hint("no_preheader", N_("There is no preview text: mail programs show the first words of the mail."))
        if not any(_says_something(block) for block in text.blocks):
            yield _stop("no_words", N_("There is a subject, but the mail says nothing."))
        elif all(block.only_if for block in text.blocks if _says_something(block)):
            words = N_("Every block is only for some people: for who fits none of them the mail is empty.")
            yield _look("empty_for_some", words)
        yield from self._fallbacks(text.subject + " " + text.preheader, "")
        for block in walk(text.blocks):
            for finding in self._of_block(block):
                yield _in_block(finding, block.id)
        yield from self._of_whole(variant, language, text)

    def _of_whole(self, variant: str, language: str, text: LanguageText) -> Iterator[Finding]:
        template = compose(
            self._content, variant=variant, language=language, frame=self._frame, is_service=self._is_service
        )
        if not self._is_service and hole("unsubscribe_url") not in template.html:
            yield _stop("no_unsubscribe", N_("There is no link to unsubscribe."))
        size = len(template.html.encode()) + LINK_BYTES * template.html.count("href=")
        if size > CLIPPED_BYTES:
            words = N_("The mail is %(kilobytes)s kB: Gmail cuts it off at 102 kB. Make it shorter.")
            yield _look("clipped", words, kilobytes=size // 1024)
        weight = sum(self._images[name].bytes for name in _images(text) if name in self._images)
        if weight > IMAGES_HEAVY_BYTES:
            words = N_("The pictures are %(megabytes)s MB together. On a phone that takes a while.")
            yield _look("heavy_images", words, megabytes=round(weight / 1e6, 1))

    def _of_block(self, block: Block) -> Iterator[Finding]:
        if self._is_service and isinstance(block, MARKETING_BLOCKS):
            yield _stop(
                "marketing_in_service",
                N_("This mail gives practical information about something booked, so it may not sell. Take this out."),
            )
        yield from self._links(block)
        yield from self._of_condition(block.only_if)
        match block:
            case TextBlock() | Footer():
                words = " ".join(run.words for part in parts_of(block.html) for item in part.items for run in item)
                yield from self._fallbacks(words, block.id)
            case Header():
                yield from self._fallbacks(block.title, block.id)
            case ImageBlock():
                yield from self._of_image(block)
            case Button():
                yield from self._of_button(block)
            case Activities():
                yield from self._of_activities(block)
            case Survey():
                yield from self._of_survey(block)
            case Columns():
                if not any(block.columns):
                    yield _look("empty_columns", N_("These columns are empty."))
            case Divider() | Spacer():
                return
            case _:
                assert_never(block)

    def _of_condition(self, asked: Condition | None) -> Iterator[Finding]:
        if asked is None:
            return
        if asked.segment_id is not None and asked.segment_id not in self._segments:
            yield _stop(
                "no_segment", N_("The segment of people who see this is not there any more. Choose another one.")
            )
        if asked.test in ("is", "is_not") and not asked.value:
            yield _stop("no_value", N_("Fill in what it must be for people to see this."))
        known = BY_NAME.get(asked.field)
        if known is not None and known.room == "journey" and not self._is_for_journeys:
            yield _look("journey_field", N_("“%(field)s” is known in mails of journeys only."), field=asked.field)

    def _of_image(self, block: ImageBlock) -> Iterator[Finding]:
        if not block.image:
            yield _stop("no_image", N_("Choose a picture here, or take the block out."))
            return
        if block.image not in self._images:
            yield _stop("unknown_image", N_("This picture is not there any more. Choose another one."))
        elif self._images[block.image].bytes > IMAGE_HEAVY_BYTES:
            words = N_("This picture is heavy (%(megabytes)s MB). A smaller one opens faster on a phone.")
            yield _hint("heavy_image", words, megabytes=round(self._images[block.image].bytes / 1e6, 1))
        if block.image.endswith(".gif"):
            words = N_("Outlook on a computer shows only the first picture of a moving one: let that one say enough.")
            yield _hint("moving_image", words)
        if not block.alt and not block.is_decorative:
            yield _look(
                "no_alt",
                N_("Say in a few words what is to be seen, for who sees no pictures, or mark it as decoration."),
            )

    def _of_button(self, block: Button) -> Iterator[Finding]:
        if not block.label:
            yield _stop("no_label", N_("The button has no words."))
        if not block.url:
            yield _stop("no_link", N_("The button leads nowhere: fill in a link."))
        yield from self._fallbacks(block.label, block.id)

    def _of_survey(self, block: Survey) -> Iterator[Finding]:
        if not block.url and not block.field:
            words = N_("The answers lead nowhere: say where they are kept, or fill in the page of the survey.")
            yield _stop("no_link", words)
        if not block.question or not (block.answers or block.field):
            yield _stop("no_question", N_("A survey needs a question and answers."))
        yield from self._fallbacks(block.question, block.id)

    def _of_activities(self, block: Activities) -> Iterator[Finding]:
        if not block.cards:
            words = (
                N_("No activity is chosen yet.")
                if block.mode == "chosen"
                else N_("Nothing in the programme fits right now.")
            )
            yield _look("no_activities", words)
        if block.mode == "chosen" and len(block.cards) < len(block.chosen):
            yield _look("activity_gone", N_("An activity that was chosen is not in the programme any more."))
        for card in block.cards:
            if card.is_cancelled:
                yield _look("activity_cancelled", N_("“%(title)s” was cancelled."), title=card.title)
            elif card.starts_at and datetime.fromisoformat(card.starts_at) < self._at:
                yield _look("activity_past", N_("“%(title)s” is over."), title=card.title)
        without = sum(not card.url for card in block.cards)
        if without:
            yield _hint("activity_no_link", N_("%(count)s of these activities have no page to lead to."), count=without)
        for one in block.chosen:
            if one.image and not one.alt:
                yield _hint("no_alt", N_("A picture of an activity has no description; its title is used."))

    def _links(self, block: Block) -> Iterator[Finding]:
        for url in filter(None, urls_of(block)):
            if field_of(url):
                if not self._is_for_journeys:
                    yield _look("journey_field", N_("This link is known in mails of journeys only."))
            elif urlsplit(url).scheme == "http":
                yield _hint("insecure_link", N_("The link %(url)s is not secure: try https."), url=url[:80])
            elif (urlsplit(url).hostname or "").endswith((".example", ".invalid", ".test", "localhost", "example.com")):
                yield _look("example_link", N_("The link %(url)s is only an example."), url=url[:80])

    def _fallbacks(self, words: str, block_id: str) -> Iterator[Finding]:
        found = dict.fromkeys(put for put in fields_in(pieces_of(words, is_known)) if not put.fallback)
        for put in found:
            yield from (_in_block(each, block_id) for each in self._of_field(put, words))

    def _of_field(self, put: Put, words: str) -> Iterator[Finding]:
        known = BY_NAME.get(put.field)
        if known is not None and known.room == "journey" and not self._is_for_journeys:
            yield _look("journey_field", N_("“%(field)s” is known in mails of journeys only."), field=put.field)
        elif put.field not in ALWAYS_THERE and "{%" not in words:
            yield _look(
                "no_fallback", N_("Not everybody has “%(field)s”: say what stands there instead."), field=put.field
            )


def _images(text: LanguageText) -> Iterator[str]:
    for block in walk(text.blocks):
        if isinstance(block, ImageBlock) and block.image:
            yield block.image
        elif isinstance(block, Activities):
            yield from (one.image for one in block.chosen if one.image)


def _says_something(block: Block) -> bool:
    match block:
        case TextBlock():
            return bool(block.html)
        case Header() | Footer() | Divider() | Spacer():
            return False
        case _:
            return True


def _stop(code: str, words: str, *, variant: str = "", language: str = "", **fillings: object) -> Finding:
    said = Message(words, variant=variant, **fillings) if "%(variant)s" in words else Message(words, **fillings)
    return Finding(code, "stop", said, variant, language)


def _look(code: str, words: str, **fillings: object) -> Finding:
    return Finding(code, "look", Message(words, **fillings))


def _hint(code: str, words: str, **fillings: object) -> Finding:
    return Finding(code, "hint", Message(words, **fillings))


def _placed(finding: Finding, variant: str, language: str) -> Finding:
    return Finding(finding.code, finding.severity, finding.message, variant, language, finding.block_id)


def _in_block(finding: Finding, block_id: str) -> Finding:
    return Finding(
        finding.code, finding.severity, finding.message, finding.variant, finding.language, finding.block_id or block_id
    )
