"""From an activity to the people who would like it: "A and B, not yet C" in one click."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from app.activities.models import Activity
from app.db import ScopedSession
from app.segments.language.rule_fields import MAX_VALUES
from app.segments.problems import ActivityMissingError, NothingInCommonError

Json = dict[str, Any]

# What counts as affinity: the numbers of the study's recommendation segment; the builder shows them for editing.
WITHIN = ["-P24M", "P1D"]
GENRE_SHARE, GENRE_TIMES = 0.4, 2
VENUE_VISITS = 2


def not_yet_rule(session: ScopedSession, activity_id: int) -> Json:
    """The rule (JSON) for people with affinity for an activity who have no place for it yet.

    Affinity is: 40 % of their visits, and at least 2, of one of its genres in 24 months; or a visit in its series in 24
    months; or, for an activity with neither genre nor series, 2 visits to its venue. Whoever took part in it, or will,
    on whatever date it is played under the same title, is left out.
    Raises ActivityMissingError, or NothingInCommonError where the activity has no genre, series or venue.
    """
    activity = session.get(Activity, (session.organisation_id, activity_id))
    if activity is None:
        raise ActivityMissingError(activity_id)
    liked = list(_liked(activity))
    if not liked:
        raise NothingInCommonError(activity_id)
    likes = liked[0] if len(liked) == 1 else {"type": "any", "rules": liked}
    not_yet = {
        "type": "participation",
        "measure": "count",
        "at_most": 0,
        "between": [None, None],
        "date": "activity",
        "where": {"activities": _played(session, activity)},
    }
    return {"type": "all", "rules": [likes, not_yet]}


def _liked(activity: Activity) -> Iterator[Json]:
    if activity.genres:
        yield {
            "type": "share",
            "of": {"genres": list(activity.genres)},
            "at_least": GENRE_SHARE,
            "min_count": GENRE_TIMES,
            "between": WITHIN,
            "date": "activity",
        }
    if activity.series:
        yield _came({"series": [activity.series]}, times=1)
    if activity.venue and not activity.genres and not activity.series:
        yield _came({"venues": [activity.venue]}, times=VENUE_VISITS)


def _came(where: Json, *, times: int) -> Json:
    return {
        "type": "participation",
        "measure": "count",
        "at_least": times,
        "between": WITHIN,
        "date": "activity",
        "where": where,
    }


def _played(session: ScopedSession, activity: Activity) -> list[int]:
    """The activity and those with the same title (other dates of one production), the newest first."""
    same_title = sa.func.lower(sa.func.btrim(Activity.title)) == sa.func.lower(sa.func.btrim(activity.title))
    newest_first = (Activity.starts_on.desc().nulls_last(), Activity.id.desc())
    others = session.scalars(
        sa.select(Activity.id)
        .where(same_title, Activity.kind == activity.kind, Activity.id != activity.id)
        .order_by(*newest_first)
        .limit(MAX_VALUES - 1)
    )
    return [activity.id, *others]
