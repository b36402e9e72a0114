"""Cards of activities: looked up in the programme, for a look at the draft and for good when a mailing is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from app.activities.models import Activity
from app.db import ScopedSession
from app.mailings.composing.content import Activities, Block, Card, MailContent, walk
from app.mailings.composing.content_schemas import content_json, parse_content
from app.mailings.composing.web_links import clean_link

# How houses call an audience of schools: nobody else can come to what is for them only.
_SCHOOLS = ("school", "schools", "scholen", "onderwijs", "schoolvoorstelling", "école", "écoles", "ecoles", "scolaire",
            "scolaires", "enseignement")  # fmt: skip
SCHOOLS = [form for word in _SCHOOLS for form in (word, word.capitalize())]


def freeze_content(
    session: ScopedSession, content: Mapping[str, Any], *, at: datetime, keeps_automatic: bool = False
) -> dict[str, Any]:
    """Return content as it is frozen to be sent: every card filled in as the programme says at ``at``.

    With ``keeps_automatic`` (mails of journeys, sent for months) "the next ones that fit" stay to be looked up when a
    mail is made. Raises InvalidContentError.
    """
    filled = with_cards(session, parse_content(content), at=at, keeps_automatic=keeps_automatic)
    return content_json(filled)


def with_cards(
    session: ScopedSession, content: MailContent, *, at: datetime, keeps_automatic: bool = False
) -> MailContent:
    """Return content with its cards filled in; an activity that is not there any more has none."""
    texts = [text for variant in content.variants for text in variant.texts.values()]
    blocks = [block for text in texts for block in walk(text.blocks) if isinstance(block, Activities)]
    if not blocks:
        return content
    by_id = _chosen(session, blocks)
    next_ones: dict[tuple[str, str, str, int], tuple[Card, ...]] = {}

    def filled(block: Block) -> Block:
        if not isinstance(block, Activities):
            return block
        if block.mode == "chosen":
            return replace(
                block, cards=tuple(by_id[one.activity_id] for one in block.chosen if one.activity_id in by_id)
            )
        key = (block.genre, block.venue, block.audience, block.count)
        if key not in next_ones:
            next_ones[key] = () if keeps_automatic else _next_ones(session, block, at=at)
        return replace(block, cards=next_ones[key])

    return replace(
        content,
        variants=tuple(
            replace(
                variant,
                texts={
                    language: replace(text, blocks=tuple(map(filled, text.blocks)))
                    for language, text in variant.texts.items()
                },
            )
            for variant in content.variants
        ),
    )


def _chosen(session: ScopedSession, blocks: list[Activities]) -> dict[int, Card]:
    wanted = {one.activity_id for block in blocks for one in block.chosen}
    if not wanted:
        return {}
    return {each.id: card_of(each) for each in session.scalars(select(Activity).where(Activity.id.in_(wanted)))}


def _next_ones(session: ScopedSession, block: Activities, *, at: datetime) -> tuple[Card, ...]:
    row = Activity
    query = select(row).where(row.starts_at > at, ~row.is_cancelled)
    if block.genre:
        query = query.where(row.genres.contains([block.genre]))
    if block.audience:
        query = query.where(row.audiences.contains([block.audience]))
    else:
        query = query.where(or_(row.audiences == [], ~row.audiences.contained_by(SCHOOLS)))
    if block.venue:
        query = query.where(func.lower(row.venue) == block.venue.lower())
    return tuple(map(card_of, session.scalars(query.order_by(row.starts_at, row.id).limit(block.count))))


def card_of(activity: Activity) -> Card:
    """Return the card of an activity as it stands now."""
    return Card(
        activity_id=activity.id,
        title=" ".join(activity.title.split()),
        starts_at="" if activity.starts_at is None else activity.starts_at.isoformat(),
        venue=" ".join((activity.venue or "").split()),
        url=clean_link(activity.url or ""),
        is_cancelled=activity.is_cancelled,
    )
