"""Freezing a mailing: what is sent is a copy of the words that nobody changes any more, its cards filled in."""

from __future__ import annotations

from sqlalchemy import func, select

from app import clock
from app.db import ScopedSession
from app.mailings.block_segments import note_block_segments, refuse_gone
from app.mailings.composing.cards import freeze_content
from app.mailings.composing.content import marketing_blocks_of
from app.mailings.composing.content_schemas import parse_content
from app.mailings.composing.problems import MarketingInServiceError
from app.mailings.mailings import held_mailing, is_marketing
from app.mailings.models import MailingVersion


def freeze(session: ScopedSession, mailing_id: int, *, frozen_by: int | None = None) -> int:
    """Freeze the words of a mailing as they are now; returns the number of the version that will be sent.

    Words that were frozen already get no second version. Cards of activities are those of the programme as it is now;
    in mails of journeys, "the next ones" stay to be looked up when a mail is made. Raises UnknownMailing,
    InvalidContentError, MarketingInServiceError (I15), or SegmentMissingError where a block is for a segment that is
    gone.
    """
    mailing = held_mailing(session, mailing_id)
    words = parse_content(mailing.content)
    blocks = marketing_blocks_of(words)
    if blocks and not is_marketing(session, mailing.purpose):
        raise MarketingInServiceError(blocks)
    refuse_gone(session, words)
    keeps_automatic = mailing.kind == "journey"
    content = freeze_content(session, mailing.content, at=clock.now(), keeps_automatic=keeps_automatic)
    version = MailingVersion
    newest = session.scalars(
        select(version).where(version.mailing_id == mailing_id).order_by(version.version.desc()).limit(1)
    ).one_or_none()
    if newest is None or newest.content != content:
        number = session.scalar(select(func.max(version.version)).where(version.mailing_id == mailing_id)) or 0
        newest = MailingVersion(
            organisation_id=session.organisation_id,
            mailing_id=mailing_id,
            version=number + 1,
            content=content,
            frozen_by=frozen_by,
            frozen_at=clock.now(),
        )
        session.add(newest)
        session.flush()
    mailing.version = newest.version
    note_block_segments(session, mailing_id)
    return newest.version
