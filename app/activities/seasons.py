"""The seasons of a house: from the month in which it begins, to the one before."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.accounts.organisations import current_organisation
from app.db import ScopedSession

SETTING = "season_begins_month"
# A season of a house of culture, unless the house says another month.
SEASON_BEGINS_MONTH = 9


def begins_month(session: ScopedSession) -> int:
    """Return the month in which the seasons of the house begin."""
    return int(current_organisation(session).settings.get(SETTING, SEASON_BEGINS_MONTH))


def season_of(day: date, begins_month: int = SEASON_BEGINS_MONTH) -> int:
    """Return the year in which the season of a day began."""
    return day.year if day.month >= begins_month else day.year - 1


def season_at(session: ScopedSession, at: datetime) -> int:
    """Return the season of an instant, in the zone of the house and by the month its seasons begin in."""
    zone = ZoneInfo(current_organisation(session).time_zone)
    return season_of(at.astimezone(zone).date(), begins_month(session))


def season_name(season: int) -> str:
    """A season as people say it: 2026–2027."""
    return f"{season}–{season + 1}"
