"""Who is behind a number of a report: people by step, a page at a time or all of them for a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from app.db import ScopedSession
from app.mailings.effect.people_sql import BOUGHT, CAME_BACK, GOT, SURVIVOR, WHY_CANCELLED, WITHOUT_DELIVERY
from app.mailings.effect.results import STOPPED, window_of
from app.mailings.models import Mailing

PAGE = 50

_GOT = f"WITH RECURSIVE {SURVIVOR}, {GOT} "
_BOUGHT = f"WITH RECURSIVE {SURVIVOR}, {GOT}, {BOUGHT} "
_STOPPED = f"WITH RECURSIVE {SURVIVOR}, {GOT}, {STOPPED} "
_PLAIN = f"WITH RECURSIVE {SURVIVOR} "
_DELIVERIES = (
    "SELECT coalesce(survivor.into_id, delivery.contact_id) AS person_id, min(delivery.planned_at) AS at,"
    " CAST(NULL AS numeric) AS amount FROM delivery"
    " LEFT JOIN survivor ON survivor.contact_id = delivery.contact_id"
    " WHERE delivery.organisation_id = :organisation_id AND delivery.mailing_id = :mailing_id"
    " AND delivery.state <> 'draft' AND {only} GROUP BY 1"
)
_LEFT = (
    "SELECT coalesce(survivor.into_id, away.contact_id) AS person_id, min(away.decided_at) AS at,"
    " CAST(NULL AS numeric) AS amount FROM mailing_left_out AS away"
    " LEFT JOIN survivor ON survivor.contact_id = away.contact_id"
    " WHERE away.organisation_id = :organisation_id AND away.mailing_id = :mailing_id AND {only} GROUP BY 1"
)
_EVENTS = (
    "SELECT event.contact_id AS person_id, min(event.occurred_at) AS at, CAST(NULL AS numeric) AS amount"
    " FROM mail_event AS event WHERE event.organisation_id = :organisation_id AND event.mailing_id = :mailing_id"
    " AND {only} GROUP BY 1"
)
_CLICKED = "event.event = 'clicked' AND NOT event.is_machine AND event.contact_id IN (SELECT person_id FROM got)"
_BOOKINGS = (
    "SELECT person_id, min(booked_at) AS at, sum(amount) AS amount FROM bought"
    " JOIN activity ON activity.organisation_id = :organisation_id AND activity.id = bought.activity_id"
    " WHERE {only} GROUP BY 1"
)
_STOPS = (
    "SELECT person_id, stopped_at AS at, CAST(NULL AS numeric) AS amount FROM stopped"
    " WHERE has_complained OR NOT :only_complaints"
)

# What may be asked for: the statement, and whether it needs a value (an id, a name or a code).
STEPS: Mapping[str, tuple[str, bool]] = {
    "meant": (
        _PLAIN + _DELIVERIES.format(only="true") + " UNION ALL " + _LEFT.format(only="true"),
        False,
    ),
    "left_out": (_PLAIN + _LEFT.format(only=WITHOUT_DELIVERY), False),
    "planned": (_PLAIN + _DELIVERIES.format(only="true"), False),
    "waiting": (_PLAIN + _DELIVERIES.format(only="delivery.state IN ('planned', 'claimed')"), False),
    "handed_over": (_PLAIN + _DELIVERIES.format(only="delivery.handed_over_at IS NOT NULL"), False),
    "accepted": (_PLAIN + _DELIVERIES.format(only="delivery.state = 'accepted'"), False),
    "uncertain": (_PLAIN + _DELIVERIES.format(only="delivery.state = 'uncertain'"), False),
    "failed": (_PLAIN + _DELIVERIES.format(only="delivery.state = 'failed'"), False),
    "cancelled": (_PLAIN + _DELIVERIES.format(only="delivery.state = 'cancelled'"), False),
    "bounced": (_PLAIN + _DELIVERIES.format(only=CAME_BACK), False),
    "got": (
        _GOT + "SELECT person_id, min(got_at) AS at, CAST(NULL AS numeric) AS amount FROM got GROUP BY 1",
        False,
    ),
    "clicked": (_GOT + _EVENTS.format(only=_CLICKED), False),
    "link": (_GOT + _EVENTS.format(only=_CLICKED + " AND CAST(event.link_id AS text) = :value"), True),
    "booked": (_BOUGHT + _BOOKINGS.format(only="true"), False),
    "activity": (_BOUGHT + _BOOKINGS.format(only="CAST(bought.activity_id AS text) = :value"), True),
    "series": (_BOUGHT + _BOOKINGS.format(only="activity.series = :value"), True),
    "variant": (
        _GOT
        + "SELECT person_id, min(got_at) AS at, CAST(NULL AS numeric) AS amount FROM got"
        + " WHERE variant = :value GROUP BY 1",
        True,
    ),
    "language": (
        _GOT
        + "SELECT person_id, min(got_at) AS at, CAST(NULL AS numeric) AS amount FROM got"
        + " WHERE language = :value GROUP BY 1",
        True,
    ),
    "stopped": (_STOPPED + _STOPS, False),
    "complained": (_STOPPED + _STOPS, False),
    "reason": (
        _PLAIN
        + _LEFT.format(only="away.reason = :value")
        + " UNION ALL "
        + _DELIVERIES.format(
            only=f"((delivery.state = 'cancelled' AND {WHY_CANCELLED} = :value)"
            " OR (delivery.state = 'failed' AND :value = 'not_accepted'))"
        ),
        True,
    ),
}

_PAGED = """
SELECT step.person_id AS contact_id, contact.given_name, contact.family_name, contact.email, contact.language,
       min(step.at) AS at, sum(step.amount) AS amount
  FROM (%s) AS step
  JOIN contact ON contact.organisation_id = :organisation_id AND contact.id = step.person_id
 WHERE step.person_id > :after
 GROUP BY step.person_id, contact.given_name, contact.family_name, contact.email, contact.language
 ORDER BY step.person_id
 LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody behind a number: since when they are at that step, and what they spent where it is about bookings."""

    contact_id: int
    given_name: str | None
    family_name: str | None
    email: str | None
    language: str | None
    at: datetime | None
    amount: float | None

    @property
    def name(self) -> str:
        """First and last name, as far as they are known."""
        return " ".join(each for each in (self.given_name, self.family_name) if each)


def people_at(
    session: ScopedSession,
    mailing: Mailing,
    step: str,
    *,
    value: str = "",
    days: int | None = None,
    at: datetime,
    after: int = 0,
    limit: int = PAGE,
) -> list[Person]:
    """Return a page of the people at a step of a mailing, by id. Raises KeyError for a step not in ``STEPS``."""
    statement, _needs_value = STEPS[step]
    window: dict[str, Any] = window_of(session, mailing, at=at, days=days)
    asked = window | {"value": value, "after": after, "limit": limit, "only_complaints": step == "complained"}
    return people_of(session, statement, asked)


def people_of(session: ScopedSession, statement: str, asked: Mapping[str, Any]) -> list[Person]:
    """Return a page of the people a statement gives (person_id, at, amount); ``asked`` has ``after`` and ``limit``."""
    rows = session.execute(text(_PAGED % statement), asked)
    return [
        Person(
            row.contact_id,
            row.given_name,
            row.family_name,
            row.email,
            row.language,
            row.at,
            None if row.amount is None else float(row.amount),
        )
        for row in rows
    ]


def everybody_at(
    session: ScopedSession, mailing: Mailing, step: str, *, value: str = "", days: int | None = None, at: datetime
) -> Iterator[Person]:
    """Yield everybody at a step, a few thousand at a time."""
    after, size = 0, 5000
    while True:
        page = people_at(session, mailing, step, value=value, days=days, at=at, after=after, limit=size)
        yield from page
        if len(page) < size:
            return
        after = page[-1].contact_id
