"""Who is in an audience, or kept out of it, by a word of a journey and not by its segment. The gate still decides."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, text

from app import clock
from app.audiences.models import Audience
from app.audiences.problems import UnknownAudience
from app.db import ScopedSession, array_text

_PUT = text(
    "INSERT INTO audience_by_hand (organisation_id, audience_id, contact_id, is_in, journey_id, updated_at)"
    " SELECT :organisation_id, :audience_id, given.contact_id, :is_in, :journey_id, :at"
    " FROM unnest(CAST(:ids AS bigint[])) AS given (contact_id)"
    " ON CONFLICT (organisation_id, audience_id, contact_id) DO UPDATE"
    " SET is_in = excluded.is_in, journey_id = excluded.journey_id, updated_at = excluded.updated_at"
    " WHERE audience_by_hand.is_in <> excluded.is_in"
)


def put_in_audience(
    session: ScopedSession, audience_id: int, contact_ids: Sequence[int], *, is_in: bool, journey_id: int | None
) -> None:
    """Put living contacts in an audience, or keep them out of it, whatever its segment says; the last word counts.

    The next run of the audience follows. Raises UnknownAudience, also for one that was removed.
    """
    state = session.scalar(select(Audience.state).where(Audience.id == audience_id))
    if state is None or state == "removed":
        raise UnknownAudience(audience_id)
    session.execute(
        _PUT,
        {
            "organisation_id": session.organisation_id,
            "audience_id": audience_id,
            "is_in": is_in,
            "journey_id": journey_id,
            "at": clock.now(),
            "ids": array_text(sorted(set(contact_ids))),
        },
    )
