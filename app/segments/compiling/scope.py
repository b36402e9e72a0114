"""For whom and when a rule is evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app import clock
from app.accounts.organisations import current_organisation
from app.activities.history import settle
from app.db import ScopedSession
from app.segments.compiling.permission_sql import StoredAnswers


@dataclass(frozen=True, slots=True)
class StoredVisits:
    """When others who are alike last came is stored, and right for everybody but the contacts who are ``changing``."""

    changing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """For whom and when a rule is evaluated: the organisation, the local date ``D``, and its time zone (IANA).

    With ``stored`` answers, permissions by e-mail are looked up there instead of asked of the gate; with ``visits``, so
    are the latest visits of likely-same people and households.
    """

    organisation_id: int
    as_of: date
    time_zone: str
    stored: StoredAnswers | None = None
    visits: StoredVisits | None = None


def scope_of(session: ScopedSession, *, at: date | None = None) -> Scope:
    """The organisation of the session, its zone, and the day: ``at``, or today there.

    What the transaction itself changed of participations is in the histories from here on.
    """
    settle(session)
    zone = current_organisation(session).time_zone
    return Scope(session.organisation_id, at or clock.today(zone), zone)
