"""Making a house: the organisation, with everything a new one begins with."""

from __future__ import annotations

from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import text

from app.accounts.directory import organisation_ids
from app.accounts.models import Organisation, User
from app.accounts.organisations import create_organisation
from app.accounts.users import create_user
from app.consent.purposes import create_default_purposes
from app.db import ScopedSession
from app.keyring import Keyring

WELCOME_LASTS_S = 7 * 24 * 3600


def found_house(
    session: ScopedSession, keyring: Keyring, *, name: str, time_zone: str, language: str, **more: Any
) -> Organisation:
    """Create an organisation with its default purposes and scope the session to it. Raises UnknownTimeZone."""
    organisation = create_organisation(session, keyring, name=name, time_zone=time_zone, language=language, **more)
    create_default_purposes(session)
    return organisation


def welcome_token(keyring: Keyring) -> str:
    """Return the token of the link that creates the first administrator."""
    return _welcome_signer(keyring).dumps("first administrator")


def may_welcome(session: ScopedSession, keyring: Keyring, token: str) -> bool:
    """Whether the link still works: it is ours, a week old at most, and there is no organisation yet."""
    try:
        _welcome_signer(keyring).loads(token, max_age=WELCOME_LASTS_S)
    except BadSignature:
        return False
    return not organisation_ids(session)


def found_first_house(
    session: ScopedSession,
    keyring: Keyring,
    token: str,
    *,
    name: str,
    time_zone: str,
    language: str,
    country: str,
    administrator: dict[str, str],
) -> User | None:
    """Make the first house and its administrator (``email``, ``name``, ``password``), who is returned.

    Of two who use the link at the same moment one gets None, as does whoever comes with a link that no longer works.
    Raises UnknownTimeZone, UserError.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('zaallicht/first house', 0))"))
    if not may_welcome(session, keyring, token):
        return None
    found_house(session, keyring, name=name, time_zone=time_zone, language=language, country=country)
    return create_user(session, keyring, role="admin", language=language, **administrator)


def _welcome_signer(keyring: Keyring) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(keyring.derived("welcome", key_id=keyring.keys[0][0]))
