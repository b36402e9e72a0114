"""What a mail of a journey is about, as words of personal fields: the performance, and how many come along.

A way through a journey that began with a booking (or came to be about one, at a step that waited for it) knows it. The
number of tickets is that of everything the person has for that activity on that day, and that still stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from babel.dates import format_time

from app.accounts.organisations import current_organisation
from app.activities.models import Activity, Participation
from app.db import ScopedSession
from app.journeys.models import Enrolment, JourneyVersion
from app.journeys.versions import whose_line
from app.mailings.composing.fields import Row, Words, add_reader, long_date
from app.mailings.letter_texts import LOCALES


def read_visits(session: ScopedSession, rows: Sequence[Row], language: str) -> Mapping[int, Mapping[str, str]]:
    """The words about the activity and the party of each row that is of a journey; one statement for all."""
    ways = {row.enrolment_id: row.key for row in rows if row.enrolment_id is not None}
    if not ways:
        return {}
    zone = ZoneInfo(current_organisation(session).time_zone)
    found = session.execute(_visits(sorted(ways)))
    return {ways[visit.enrolment_id]: _words(visit, zone, language) for visit in found}


def _visits(enrolment_ids: Sequence[int]) -> sa.Select[*tuple[Any, ...]]:
    way, line, activity, version = Enrolment, Participation, Activity, JourneyVersion
    other = sa.orm.aliased(Participation)
    party = (
        sa.select(sa.func.sum(other.quantity))
        .where(
            other.organisation_id == line.organisation_id,
            whose_line(version, other) == way.contact_id,
            other.activity_id == line.activity_id,
            other.activity_on == line.activity_on,
            other.is_valid,
        )
        .correlate(line, way, version)
        .scalar_subquery()
    )
    columns = (activity.title, activity.starts_at, activity.venue, activity.url, line.activity_on)
    return (
        sa.select(way.id.label("enrolment_id"), *columns, party.label("tickets"))
        .join(line, line.id == way.participation_id)
        .join(version, sa.and_(version.journey_id == way.journey_id, version.version == way.version))
        .join(activity, activity.id == line.activity_id)
        .where(way.id == sa.any_(sa.literal(list(enrolment_ids), sa.ARRAY(sa.BigInteger))))
    )


def _words(visit: Any, zone: ZoneInfo, language: str) -> Words:
    starts = None if visit.starts_at is None else visit.starts_at.astimezone(zone)
    words = {
        "activity.title": visit.title,
        "activity.date": long_date(visit.activity_on if starts is None else starts.date(), language),
        "activity.time": "" if starts is None else format_time(starts.time(), "short", locale=LOCALES[language]),
        "activity.venue": visit.venue or "",
        "activity.url": visit.url or "",
        "party_size": "" if visit.tickets is None else str(visit.tickets),
    }
    return {name: text for name, text in words.items() if text}


add_reader(read_visits)
