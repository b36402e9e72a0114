"""Freezing a mailing: what is sent is a copy of the words that nobody changes any more."""

from __future__ import annotations

from sqlalchemy import func, select

from app import clock
from app.db import ScopedSession
from app.mailings.mailings import held_mailing
from app.mailings.models import MailingVersion


def freeze(session: ScopedSession, mailing_id: int, *, frozen_by: int | None = None) -> int:
    """Freeze the words of a mailing as they are now; returns the number of the version that will be sent.

    Words that were frozen already get no second version. Raises UnknownMailing.
    """
    mailing = held_mailing(session, mailing_id)
    version = MailingVersion
    newest = session.scalars(
        select(version).where(version.mailing_id == mailing_id).order_by(version.version.desc()).limit(1)
    ).one_or_none()
    if newest is None or newest.content != mailing.content:
        number = session.scalar(select(func.max(version.version)).where(version.mailing_id == mailing_id)) or 0
        newest = MailingVersion(
            organisation_id=session.organisation_id,
            mailing_id=mailing_id,
            version=number + 1,
            content=mailing.content,
            frozen_by=frozen_by,
            frozen_at=clock.now(),
        )
        session.add(newest)
        session.flush()
    mailing.version = newest.version
    session.flush()
    return newest.version
