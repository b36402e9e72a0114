"""From content to a mail: MJML compiled to HTML, the plain text beside it, and holes for what differs per person."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mjml import mjml2html

from app import clock
from app.db import ScopedSession
from app.mailings.composing.cards import with_cards
from app.mailings.composing.content import Activities, LanguageText, MailContent, walk
from app.mailings.composing.content_schemas import parse_content
from app.mailings.composing.links import Links
from app.mailings.composing.mail_style import Frame, frame_of, with_style
from app.mailings.composing.mail_template import MailTemplate, Part, template_from
from app.mailings.composing.mjml_source import MjmlWriter
from app.mailings.composing.personal_fields import is_known
from app.mailings.composing.personal_text import pieces_of
from app.mailings.composing.plain_text import TextWriter
from app.runtime import Runtime

# Where a line may be broken: white space there shows nowhere. A mail with short lines is filled in fast.
_BREAKS = re.compile(
    r"(?<=>)(?=<(?:table|tbody|tr|td|div|/table|/tbody|/tr|/td|/div|style|meta|/head|body|!--\[)[ >\[]?)"
)


def template_of(
    session: ScopedSession,
    runtime: Runtime,
    content: Mapping[str, Any],
    *,
    variant: str | None,
    language: str,
    is_service: bool = False,
) -> MailTemplate:
    """Return one variant of a frozen content in one language, with the house as it is now around it.

    Cards of activities are those that were frozen; "the next ones" that were left open (mails of journeys) are looked
    up now. Raises InvalidContentError, KeyError for a variant or language that is not there.
    """
    nodes = parse_content(content)
    if _has_open_cards(nodes):
        nodes = with_cards(session, nodes, at=clock.now())
    return compose(nodes, variant=variant, language=language, frame=frame_of(session, runtime), is_service=is_service)


def compose(
    content: MailContent, *, variant: str | None, language: str, frame: Frame, is_service: bool = False
) -> MailTemplate:
    """Return the template of one variant in one language. Pure. Raises KeyError where it is not written."""
    text: LanguageText = content.variant(variant).texts[language]
    frame = replace(frame, look=with_style(frame.look, content.style))
    links = Links(text)
    writer = MjmlWriter(text, links, frame, language=language, is_service=is_service)
    compiled = mjml2html(writer.source(), disable_comments=False)
    html = writer.slots.fill(_BREAKS.sub("\n", compiled))
    plain = TextWriter(text, links, frame, language=language, is_service=is_service).parts()
    subject: Sequence[Part] = pieces_of(text.subject, is_known)
    return template_from(language, subject=subject, html=[*html, "\n"], text=plain, links=links.all)


def _has_open_cards(content: MailContent) -> bool:
    texts = (text for variant in content.variants for text in variant.texts.values())
    return any(
        isinstance(block, Activities) and block.mode == "automatic" and not block.cards
        for text in texts
        for block in walk(text.blocks)
    )
