"""Making and reading the organisation."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import clock
from app.accounts import directory
from app.accounts.models import Organisation
from app.db import ScopedSession, enter_organisation
from app.keyring import Keyring

LANGUAGES = ("nl", "fr", "en")
COUNTRIES = ("BE", "NL", "LU", "DE", "FR")

# Offered in forms; any other IANA name works as well.
TIME_ZONES = (
    "Europe/Brussels",
    "Europe/Amsterdam",
    "Europe/Luxembourg",
    "Europe/Paris",
    "Europe/Berlin",
    "Europe/London",
    "America/Aruba",
    "America/Curacao",
    "America/Paramaribo",
    "UTC",
)


class UnknownTimeZone(ValueError):
    """The time zone is not one the computer knows; use an IANA name such as Europe/Brussels."""


def create_organisation(
    session: ScopedSession, keyring: Keyring, *, name: str, time_zone: str, language: str, **more: Any
) -> Organisation:
    """Create an organisation and scope the session to it. Raises UnknownTimeZone.

    The purposes a house begins with are added by ``app.insights.founding``, which every entry point uses.
    """
    check_time_zone(time_zone)
    next_id = text("SELECT nextval(pg_get_serial_sequence('organisation', 'id'))")
    organisation_id = int(session.execute(next_id).scalar_one())
    enter_organisation(session, organisation_id)
    organisation = Organisation(
        id=organisation_id,
        name=name,
        time_zone=time_zone,
        language=language,
        hash_key_id=keyring.current_id,
        created_at=clock.now(),
        **more,
    )
    session.add(organisation)
    session.flush()
    directory.enter(
        session,
        keyring,
        "organisation",
        str(organisation_id),
        organisation_id=organisation_id,
        target_id=organisation_id,
    )
    return organisation


def current_organisation(session: Session) -> Organisation:
    """Return the organisation the session is scoped to."""
    return session.scalars(select(Organisation)).one()


def change_organisation(
    organisation: Organisation,
    *,
    name: str,
    country: str,
    time_zone: str,
    language: str,
    legal_name: str | None = None,
    legal_address: str | None = None,
) -> None:
    """Change what an organisation says about itself. Raises UnknownTimeZone."""
    check_time_zone(time_zone)
    organisation.name = name
    organisation.legal_name = legal_name
    organisation.legal_address = legal_address
    organisation.country = country
    organisation.time_zone = time_zone
    organisation.language = language


def check_time_zone(name: str) -> ZoneInfo:
    """Return the zone; raises UnknownTimeZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownTimeZone(name) from None
