"""Keys for programs: made, recognised, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import directory
from app.accounts.models import ApiKey
from app.db import ScopedSession
from app.keyring import Keyring

ROOMS = (
    "contacts", "activities", "consents", "segments", "audiences", "connections", "journeys", "mailings", "insights",
)  # fmt: skip
SCOPES = tuple(f"{room}:{right}" for room in ROOMS for right in ("read", "write"))


class UnknownScope(ValueError):
    """A scope that does not exist was asked for."""


def create_api_key(
    session: ScopedSession, keyring: Keyring, *, name: str, scopes: Sequence[str], created_by: int | None = None
) -> str:
    """Create a key and return it; it cannot be shown again. ``*`` stands for every scope. Raises UnknownScope."""
    wanted = sorted(SCOPES if "*" in scopes else set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise UnknownScope(", ".join(unknown))
    secret = f"zl_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        organisation_id=session.organisation_id,
        name=name,
        key_hash=keyring.lookup_hash("api_key", secret),
        hint=secret[-4:],
        scopes=wanted,
        created_by=created_by,
        created_at=clock.now(),
    )
    session.add(key)
    session.flush()
    directory.enter(session, keyring, "api_key", secret, organisation_id=session.organisation_id, target_id=key.id)
    return secret


def find_api_key(session: Session, key_id: int) -> ApiKey | None:
    """Return a key of the session's organisation that has not been revoked, or None."""
    return session.scalars(select(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))).one_or_none()


def list_api_keys(session: Session) -> Sequence[ApiKey]:
    """Return the organisation's keys, those that work first, newest first."""
    return session.scalars(select(ApiKey).order_by(ApiKey.revoked_at.is_not(None), ApiKey.id.desc())).all()


def revoke_api_key(session: ScopedSession, key_id: int) -> bool:
    """Revoke a key at once; returns whether there was one to revoke."""
    key = find_api_key(session, key_id)
    if key is None:
        return False
    key.revoked_at = clock.now()
    directory.remove(session, "api_key", organisation_id=session.organisation_id, target_id=key_id)
    return True
