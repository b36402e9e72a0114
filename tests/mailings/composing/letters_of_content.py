"""Content to try things with: blocks, a house around them, and a person."""

from __future__ import annotations

from typing import Any

from app.mailings.composing.content import MailContent
from app.mailings.composing.content_schemas import blank_content, parse_content
from app.mailings.composing.mail_style import Frame, Look
from app.mailings.composing.mail_template import MailTemplate
from app.mailings.composing.rendering import compose

LOOK = Look(colour="#b3202c", button_colour="#b3202c", background="#f4f2ef", text_colour="#1d1b19", font="sans")
FRAME = Frame(
    house_name="De Proef",
    legal_name="De Proef vzw",
    legal_address="Kouter 1\n9000 Gent",
    base_url="https://mail.deproef.example",
    time_zone="Europe/Brussels",
    language="nl",
    look=LOOK,
)
FRAME_LINKS = {
    "unsubscribe_url": "https://u.example",
    "preferences_url": "https://p.example",
    "view_url": "https://v.example",
}


def content_json_of(*blocks: dict[str, Any], subject: str = "Nieuws", preheader: str = "") -> dict[str, Any]:
    """Return content in Dutch with these blocks between header and footer; each gets an id."""
    content = blank_content(["nl"])
    text = content["variants"][0]["texts"]["nl"]
    named = [{"id": f"b{place}", **block} for place, block in enumerate(blocks)]
    text.update(subject=subject, preheader=preheader)
    text["blocks"] = [text["blocks"][0], *named, text["blocks"][-1]]
    return content


def content_of(*blocks: dict[str, Any], **more: Any) -> MailContent:
    """Return the same as nodes."""
    return parse_content(content_json_of(*blocks, **more))


def template_with(*blocks: dict[str, Any], is_service: bool = False, **more: Any) -> MailTemplate:
    """Return the template of such content."""
    return compose(content_of(*blocks, **more), variant=None, language="nl", frame=FRAME, is_service=is_service)


def words_block(html: str) -> dict[str, Any]:
    """Return a block of rich text."""
    return {"type": "text", "html": html}
