"""Invitations and new passwords by mail, where the house can mail; a link to pass on oneself, where it cannot.

Whether it can is known one floor up; that room says so here when it is loaded.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from app.accounts import directory
from app.accounts.letters import request_letter
from app.accounts.models import OneTimeLink, User
from app.accounts.one_time_links import Purpose, create_link
from app.accounts.users import find_user, normalise_email
from app.db import ScopedSession, enter_organisation
from app.keyring import Keyring
from app.runtime import Runtime

_checks: list[Callable[[ScopedSession, Runtime], bool]] = []


def let_mail_be_asked_about(check: Callable[[ScopedSession, Runtime], bool]) -> None:
    """Register who knows whether the house of a session can mail."""
    _checks.append(check)


def can_mail(session: ScopedSession, runtime: Runtime) -> bool:
    """Whether the house of the session can mail now."""
    return any(check(session, runtime) for check in _checks)


def mail_link(session: ScopedSession, keyring: Keyring, user: User, *, purpose: Purpose) -> bool:
    """Make a new link for somebody and mail it; every earlier link of theirs stops working.

    Returns False, and changes nothing, where their address got too many of these lately.
    """
    with session.begin_nested() as made:
        token = create_link(session, keyring, user, purpose=purpose)
        link_id = session.scalars(select(OneTimeLink.id).where(OneTimeLink.user_id == user.id)).one()
        letter_id = request_letter(
            session,
            keyring,
            kind=purpose,
            to_address=user.email,
            language=user.language,
            facts={"path": f"/invitation/{token}", "link_id": link_id},
            about=f"link {link_id}",
        )
        if letter_id is None:
            made.rollback()
    return letter_id is not None


def mail_new_passwords(session: ScopedSession, runtime: Runtime, *, email: str) -> int:
    """Mail whoever logs in with an address a link to a new password, one per house that can mail; returns how many.

    Leaves the session scoped to the last house it looked at. The caller tells nobody what it returned.
    """
    mailed = 0
    for place in directory.find(session, runtime.keyring, "login", normalise_email(email)):
        enter_organisation(session, place.organisation_id)
        user = find_user(session, place.target_id)
        if user is None or not user.is_active or user.password_hash is None or not can_mail(session, runtime):
            continue
        mailed += mail_link(session, runtime.keyring, user, purpose="password_reset")
    return mailed
