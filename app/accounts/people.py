"""Who of an organisation may log in, and with which role. There is always somebody who can change that."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.accounts.users import ROLES, UserError
from app.db import ScopedSession


def list_people(session: Session) -> Sequence[User]:
    """Return everybody of the organisation, those who may log in first, by name."""
    return session.scalars(select(User).order_by(User.is_active.desc(), User.name, User.id)).all()


def change_role(session: ScopedSession, user: User, role: str) -> None:
    """Give somebody another role. Raises UserError: ``unknown_role``, ``last_admin``."""
    if role not in ROLES:
        raise UserError("unknown_role")
    if role != "admin":
        _keep_an_admin(session, besides=user)
    user.role = role


def deactivate(session: ScopedSession, user: User) -> None:
    """Shut somebody out at once: open sessions end, the password no longer works. Raises UserError ``last_admin``."""
    _keep_an_admin(session, besides=user)
    user.is_active = False
    user.session_version += 1


def reactivate(user: User) -> None:
    """Let somebody in again, with the password they had."""
    user.is_active = True


def _keep_an_admin(session: ScopedSession, *, besides: User) -> None:
    # Locking all of them, in one order, keeps two administrators from demoting each other at the same moment.
    admins = session.scalars(
        select(User)
        .where(User.role == "admin", User.is_active, User.password_hash.is_not(None))
        .order_by(User.id)
        .with_for_update()
    ).all()
    if besides in admins and len(admins) == 1:
        raise UserError("last_admin")
