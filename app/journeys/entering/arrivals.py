"""Writing down who is about to enter, and counting who is not.

An occurrence of before the journey was published, and one that is no use any more when we hear of it, lets nobody in:
eight years of history that are imported at once thank nobody. They are counted: no one is passed over in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.organisations import current_organisation
from app.db import ScopedSession, array_text
from app.journeys.entering.models import JourneyTurnedAway
from app.journeys.entering.occurrences import Occurrence
from app.journeys.entering.watches import Watching

_ARRIVE = """
INSERT INTO journey_arrival (organisation_id, journey_id, place, contact_id, occurrence, participation_id, occurred_at,
                             until)
SELECT :organisation_id, :journey_id, :place, contact_id, occurrence, participation_id, occurred_at, until
  FROM unnest(CAST(:contact_ids AS bigint[]), CAST(:names AS text[]), CAST(:participation_ids AS bigint[]),
              CAST(:ats AS timestamptz[]), CAST(:untils AS timestamptz[]))
       AS given(contact_id, occurrence, participation_id, occurred_at, until)
 ORDER BY contact_id, occurrence
    ON CONFLICT DO NOTHING
"""


def arrive(session: ScopedSession, watching: Watching, occurrences: Iterable[Occurrence]) -> int:
    """Write down who may enter because of these; returns how many. The same occurrence twice is once."""
    now, refused = clock.now(), Counter[str]()
    taken: dict[tuple[int, str], Occurrence] = {}
    for one in occurrences:
        if one.at < watching.row.since:
            refused["before_publishing"] += 1
        elif one.until < now:
            refused["too_old"] += 1
        else:
            taken[one.contact_id, one.name] = one
    if watching.is_entrance:
        count_turned_away(session, watching.row.journey_id, refused)
    if taken:
        session.execute(sa.text(_ARRIVE), _parameters(session, watching, list(taken.values())))
    return len(taken)


def _parameters(session: ScopedSession, watching: Watching, rows: list[Occurrence]) -> Mapping[str, object]:
    return {
        "organisation_id": session.organisation_id,
        "journey_id": watching.row.journey_id,
        "place": watching.row.place,
        "contact_ids": array_text(one.contact_id for one in rows),
        "names": array_text(one.name for one in rows),
        "participation_ids": array_text(one.participation_id for one in rows),
        "ats": array_text(one.at for one in rows),
        "untils": array_text(one.until for one in rows),
    }


def count_turned_away(session: ScopedSession, journey_id: int, reasons: Mapping[str, int]) -> None:
    """Add to the numbers of who did not enter a journey today, by reason. The caller holds the journey."""
    counted = [(reason, people) for reason, people in sorted(reasons.items()) if people]
    if not counted:
        return
    away, today = JourneyTurnedAway, clock.today(current_organisation(session).time_zone)
    written = insert(away).values(
        [
            {
                "organisation_id": session.organisation_id,
                "journey_id": journey_id,
                "day_on": today,
                "reason": reason,
                "people": people,
            }
            for reason, people in counted
        ]
    )
    session.execute(
        written.on_conflict_do_update(
            index_elements=["organisation_id", "journey_id", "day_on", "reason"],
            set_={"people": away.people + written.excluded.people},
        )
    )


def turned_away(session: ScopedSession, journey_id: int, *, since: date | None = None) -> dict[str, int]:
    """How many did not enter a journey although its trigger held for them, by reason (see ``REASONS`` for words)."""
    away = JourneyTurnedAway
    query = sa.select(away.reason, sa.func.sum(away.people)).where(away.journey_id == journey_id).group_by(away.reason)
    if since is not None:
        query = query.where(away.day_on >= since)
    return {reason: int(people) for reason, people in session.execute(query)}
