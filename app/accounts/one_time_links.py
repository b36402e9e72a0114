"""Invitations and new passwords: links that work once and for a limited time. Only a hash of their token is kept."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Literal

from sqlalchemy import delete, select, update

from app import clock
from app.accounts import directory
from app.accounts.models import OneTimeLink, User
from app.db import ScopedSession
from app.keyring import Keyring

Purpose = Literal["invitation", "password_reset"]

LASTS: dict[Purpose, timedelta] = {"invitation": timedelta(days=7), "password_reset": timedelta(days=1)}


def create_link(session: ScopedSession, keyring: Keyring, user: User, *, purpose: Purpose) -> str:
    """Return the token of a new link for somebody; every earlier link of theirs stops working."""
    for link_id in session.scalars(select(OneTimeLink.id).where(OneTimeLink.user_id == user.id)).all():
        directory.remove(session, "link", organisation_id=session.organisation_id, target_id=link_id)
    session.execute(delete(OneTimeLink).where(OneTimeLink.user_id == user.id))
    token = secrets.token_urlsafe(32)
    link = OneTimeLink(
        organisation_id=session.organisation_id,
        user_id=user.id,
        purpose=purpose,
        token_hash=keyring.lookup_hash("link", token),
        expires_at=clock.now() + LASTS[purpose],
    )
    session.add(link)
    session.flush()
    directory.enter(session, keyring, "link", token, organisation_id=session.organisation_id, target_id=link.id)
    return token


def find_recipient(session: ScopedSession, link_id: int) -> User | None:
    """Return whom a link of the session's organisation is for; None where it is spent or run out."""
    return session.scalars(
        select(User)
        .join(OneTimeLink, OneTimeLink.user_id == User.id)
        .where(
            OneTimeLink.id == link_id,
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > clock.now(),
            User.is_active,
        )
    ).one_or_none()


def spend_link(session: ScopedSession, link_id: int) -> bool:
    """Use a link up; returns whether it was still good. Of two that try at once, one gets False."""
    spent = session.execute(
        update(OneTimeLink)
        .where(OneTimeLink.id == link_id, OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > clock.now())
        .values(used_at=clock.now())
        .returning(OneTimeLink.id)
    ).all()
    return len(spent) == 1
