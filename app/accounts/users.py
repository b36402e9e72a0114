"""People who log in: creating them, their passwords, and who a password belongs to."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import directory
from app.accounts.models import User
from app.db import ScopedSession
from app.keyring import Keyring

ROLES = ("viewer", "analyst", "marketer", "admin")
PASSWORD_LENGTH_MIN = 10
# Far above what anybody remembers; what is longer only costs the server time.
PASSWORD_LENGTH_MAX = 200

_hasher = PasswordHasher()
# Verified when nobody is found, so that an unknown address costs the same time as a wrong password.
_NOBODY = _hasher.hash("nobody has this password")


class UserError(Exception):
    """A person who logs in cannot be created or changed; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def normalise_email(address: str) -> str:
    """Return a log-in address as it is compared: without blanks, in lower case."""
    return address.strip().lower()


def create_user(
    session: ScopedSession,
    keyring: Keyring,
    *,
    email: str,
    name: str,
    role: str,
    language: str,
    password: str | None = None,
) -> User:
    """Create a person who logs in; without a password the invitation stays open.

    Raises UserError: ``unknown_role``, ``password_too_short``, ``email_taken``.
    """
    if role not in ROLES:
        raise UserError("unknown_role")
    address = normalise_email(email)
    if session.scalar(select(User.id).where(User.email == address)) is not None:
        raise UserError("email_taken")
    user = User(
        organisation_id=session.organisation_id,
        email=address,
        name=name.strip(),
        role=role,
        language=language,
        is_active=True,
        session_version=1,
        created_at=clock.now(),
        password_hash=None if password is None else hash_password(password),
    )
    session.add(user)
    session.flush()
    directory.enter(session, keyring, "login", address, organisation_id=session.organisation_id, target_id=user.id)
    return user


def hash_password(password: str) -> str:
    """Return the Argon2id hash of a password; raises UserError(``password_too_short``)."""
    if len(password) < PASSWORD_LENGTH_MIN:
        raise UserError("password_too_short")
    return _hasher.hash(password)


def set_password(user: User, password: str) -> None:
    """Give a person a new password and end every session opened with the old one."""
    user.password_hash = hash_password(password)
    user.session_version += 1


def password_matches(user: User | None, password: str) -> bool:
    """Whether the password is this person's; takes the same time when there is no such person."""
    stored = _NOBODY if user is None or user.password_hash is None else user.password_hash
    try:
        _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
    return user is not None and user.password_hash is not None and user.is_active


def find_user(session: Session, user_id: int) -> User | None:
    """Return a person of the session's organisation, or None."""
    return session.scalars(select(User).where(User.id == user_id)).one_or_none()
