"""When a wait ends, and where a split leads: pure, the same for the engine and for ``simulate``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from app.journeys.definition import Split, Wait, WaitFor, WaitUntil
from app.journeys.spans import instant_of


def wait_ends(step: Wait, arrived_at: datetime, zone: ZoneInfo) -> datetime:
    """When somebody who arrived then goes on; never before they arrived. See ``definition.Wait`` for the meaning."""
    ends = step.span.after(arrived_at, zone)
    if step.at is not None:
        not_before = arrived_at if step.span.is_whole_days else ends
        day = ends.astimezone(zone).date()
        ends = instant_of(day, step.at, zone)
        if ends < not_before:
            ends = instant_of(day + timedelta(days=1), step.at, zone)
    if step.weekdays:
        local = ends.astimezone(zone)
        days = min((weekday - local.isoweekday()) % 7 for weekday in step.weekdays)
        if days:
            ends = instant_of(local.date() + timedelta(days=days), local.time(), zone)
    return max(ends, arrived_at.astimezone(UTC))


def moment_of(step: WaitUntil, starts_at: datetime, zone: ZoneInfo) -> datetime:
    """The moment a ``wait_until`` waits for, around an activity that starts at ``starts_at``."""
    return step.offset.after(starts_at, zone)


def times_out(step: WaitFor, arrived_at: datetime, zone: ZoneInfo) -> datetime:
    """When somebody who waits for something since ``arrived_at`` has waited long enough."""
    return step.timeout.after(arrived_at, zone)


@dataclass(frozen=True, slots=True)
class Portions:
    """The ways of a split with the weights added up, to find one quickly."""

    seed: str
    ends: tuple[int, ...]

    def of(self, contact_id: int) -> int:
        """The place of the way this contact goes: always the same, and over all contacts in proportion to weights."""
        digest = sha256(f"{self.seed}:{contact_id}".encode()).digest()
        draw = int.from_bytes(digest[:8], "big") * self.ends[-1] >> 64
        return next(place for place, end in enumerate(self.ends) if draw < end)


def portions_of(step: Split, *, journey_id: int) -> Portions:
    """The ways of a split of a journey; a way that weighs nothing is gone by nobody."""
    ends, total = [], 0
    for portion in step.portions:
        total += portion.weight
        ends.append(total)
    return Portions(f"{journey_id}:{step.id}", tuple(ends))
