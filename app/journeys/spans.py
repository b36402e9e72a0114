"""Durations of journeys (ISO 8601, with hours and minutes) and the instants they lead to, by the house's own clock.

Years, months, weeks and days are counted on the calendar of the house's zone and keep the time of day; hours, minutes
and seconds are elapsed time. A time of day that the clock skips in spring becomes the same moment after the change
(02:30 is 03:30); one that comes twice in autumn is the first of the two. Months end on their last day (31 January plus
a month is 28 or 29 February).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.segments.language.windows import Duration

_SPAN = re.compile(
    r"(?P<sign>[+-]?)P(?=.)"
    r"(?:(?P<years>\d{1,2})Y)?(?:(?P<months>\d{1,3})M)?(?:(?P<weeks>\d{1,3})W)?(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,7})S)?)?"
)


@dataclass(frozen=True, slots=True)
class Span:
    """A signed length of time: whole months and days of the calendar, and seconds that pass."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read ``P2D``, ``-PT4H``, ``P1M``, ``P1DT12H``; the sign holds for all parts. Raises ValueError otherwise."""
        found = _SPAN.fullmatch(text.strip())
        if found is None:
            raise ValueError(text)
        years, months, weeks, days, hours, minutes, seconds = (
            int(found[part] or 0) for part in ("years", "months", "weeks", "days", "hours", "minutes", "seconds")
        )
        sign = -1 if found["sign"] == "-" else 1
        return cls(
            sign * (12 * years + months), sign * (7 * weeks + days), sign * (3600 * hours + 60 * minutes + seconds)
        )

    @property
    def is_negative(self) -> bool:
        """Whether it leads back in time."""
        return min(self.months, self.days, self.seconds) < 0

    @property
    def is_zero(self) -> bool:
        """Whether it leads nowhere."""
        return self == Span()

    @property
    def is_whole_days(self) -> bool:
        """Whether it counts days of the calendar and no hours."""
        return self.seconds == 0

    def day_after(self, day: date) -> date:
        """``day`` plus the calendar part."""
        return Duration(self.months, self.days).after(day)

    def after(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """``instant`` plus this span by the clock of ``zone``; aware, in UTC."""
        moved = instant
        if self.months or self.days:
            local = instant.astimezone(zone)
            moved = instant_of(self.day_after(local.date()), local.time(), zone)
        # In UTC: within one zone Python moves the hands of the clock, whatever time passes.
        return moved.astimezone(UTC) + timedelta(seconds=self.seconds)


def instant_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The moment when the clocks of ``zone`` show ``at`` on ``day``; see above where they never or twice do."""
    return datetime.combine(day, at.replace(fold=0), tzinfo=zone).astimezone(UTC)
