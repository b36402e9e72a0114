"""Mailings to many, for tests: segments, words in two languages, and a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.accounts.audit import SYSTEM
from app.db import ScopedSession
from app.mailings.mailings import MailingDraft, create_mailing
from app.segments.definitions import create_segment
from app.segments.models import Segment

EVERYBODY: Mapping[str, Any] = {"type": "not", "rule": {"type": "tag", "tag": "niemand"}}
HEADER, FOOTER = {"type": "header", "id": "top"}, {"type": "footer", "id": "end"}


def text_block(text: str = "Dag") -> dict[str, Any]:
    return {"type": "text", "id": "b1", "html": f"<p>{text}</p>"}


def words(
    *languages: str,
    variants: Sequence[str] = ("A",),
    subject: str = "Nieuws",
    blocks: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The content of a mailing."""
    blocks = blocks or [text_block()]
    texts = {
        language: {"subject": f"{subject} {language}", "preheader": "", "blocks": [HEADER, *blocks, FOOTER]}
        for language in languages or ("nl",)
    }
    return {"style": {}, "variants": [{"name": name, "texts": texts} for name in variants]}


def a_segment(session: ScopedSession, name: str = "Iedereen", rule: Mapping[str, Any] = EVERYBODY) -> Segment:
    return create_segment(session, name=name, rule=rule)


def a_draft(*to: int, **changes: Any) -> MailingDraft:
    return MailingDraft(**({"name": "Novembernieuws", "purpose": "newsletter", "to": to, "content": words()} | changes))


def a_mailing(session: ScopedSession, *to: int, **changes: Any) -> int:
    """Keep a draft; returns its id."""
    return create_mailing(session, a_draft(*to, **changes), actor=SYSTEM).id
