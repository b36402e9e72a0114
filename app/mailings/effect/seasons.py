"""What all mailings and journeys of a season brought about together, against the control group of the season.

Everybody is followed from the first mailing or journey that would have reached them, to the end of the season.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.accounts.organisations import current_organisation
from app.activities.seasons import begins_month, season_name
from app.db import ScopedSession
from app.mailings.effect.comparison import Comparison, compared
from app.mailings.effect.models import SeasonControl
from app.mailings.effect.people_sql import SIDES, SURVIVOR
from app.mailings.effect.proof import Side
from app.mailings.effect.results import sides_of

_SEASON = f"""
WITH RECURSIVE {SURVIVOR}, subject AS (
    SELECT coalesce(survivor.into_id, side.contact_id) AS person_id, side.is_held_out, side.since,
           CAST(:until AS timestamptz) AS until
      FROM season_side AS side LEFT JOIN survivor ON survivor.contact_id = side.contact_id
     WHERE side.organisation_id = :organisation_id AND side.season = :season
), {SIDES}
"""


@dataclass(frozen=True, slots=True)
class SeasonEffect:
    """A season, the share of its people that is held out, and what the others' mail brought about."""

    season: int
    percent: int
    started_at: datetime
    first_on: date
    last_on: date
    comparison: Comparison

    @property
    def name(self) -> str:
        """The season as people say it: 2026–2027."""
        return season_name(self.season)


def seasons_with_control(session: ScopedSession) -> list[int]:
    """Return the seasons in which the house keeps a control group, the newest first."""
    return list(session.scalars(select(SeasonControl.season).order_by(SeasonControl.season.desc())))


def season_effect(session: ScopedSession, season: int, *, at: datetime) -> SeasonEffect | None:
    """Measure a season as it stands at ``at``; None where the house kept no control group in it."""
    control = session.get(SeasonControl, (session.organisation_id, season))
    if control is None:
        return None
    house = current_organisation(session)
    zone = ZoneInfo(house.time_zone)
    month = begins_month(session)
    until = datetime(season + 1, month, 1, tzinfo=zone)
    window = {
        "organisation_id": session.organisation_id,
        "season": season,
        "until": until,
        "now": at,
        "first_on": control.started_at.astimezone(zone).date(),
        "last_on": until.date(),
    }
    sides = sides_of(session, _SEASON, window)
    comparison = compared(sides.get(False, Side()), sides.get(True, Side()), is_watched=at < until)
    first_on, last_on = date(season, month, 1), until.date() - timedelta(days=1)
    return SeasonEffect(season, control.percent, control.started_at, first_on, last_on, comparison)
