"""A few invented people to try segments on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app import clock
from app.db import ScopedSession
from tests.segments.evaluator import Activity, Contact, Participation, World
from tests.segments.filling import Filled, fill

DAY = date(2026, 11, 20)
ZONE = ZoneInfo("Europe/Brussels")


def at_noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def visits(*days_ago: int, activity: Activity | None = None, **more: Any) -> tuple[Participation, ...]:
    """Visits so many days before DAY, each to an activity on that day."""
    return tuple(
        Participation(
            activity=activity or Activity(id=1000 + ago, starts_at=at_noon(DAY - timedelta(days=ago))),
            booked_at=at_noon(DAY - timedelta(days=ago + 3)),
            **more,
        )
        for ago in days_ago
    )


def person(number: int, *participations: Participation, allowed: bool = True, **fields: Any) -> Contact:
    """Somebody; ``fields`` are those of the contact, and ``mails``, ``passes``, ``enrolments`` and ``mailbox``."""
    beside = {name: fields.pop(name) for name in ("mails", "passes", "enrolments", "mailbox") if name in fields}
    defaults = {"given_name": f"Nummer {number}", "email": f"n{number}@example.org", "source": "test"}
    return Contact(
        id=number,
        created_at=at_noon(date(2025, 1, 1)),
        fields={**defaults, **fields},
        allowed=frozenset({("email", "newsletter")} if allowed else ()),
        participations=participations,
        **beside,
    )


def move_in(session: ScopedSession, *people: Contact) -> Filled:
    """Put people into the house; the ids come back in the same order."""
    return fill(session, World(people, clock.today(ZONE.key), ZONE))
