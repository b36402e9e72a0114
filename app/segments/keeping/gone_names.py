"""Names in a rule that existed once and no longer do: a genre that was renamed at the box office empties no segment.

When a rule is evaluated in full, those of its genres, series and venues that some activity has are written down. If one
of them disappears later, the last good members stay, and the segment says what is gone, until somebody changes the rule
or asks to count again, or the name comes back. Names that no activity ever had are only names that match nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from app.activities.models import Activity
from app.db import ScopedSession
from app.segments.language import rules
from app.segments.language.lowering import lowered

Names = dict[str, list[str]]
KINDS = ("genres", "series", "venues")


def names_of(rule: rules.Rule) -> Names:
    """The genres, series and venues that a rule names, as they are compared, by kind."""
    named: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for leaf in rules.all_leaves(rule):
        for where in _wheres(leaf):
            for kind in KINDS:
                named[kind].update(map(lowered, getattr(where, kind)))
    return {kind: sorted(names) for kind, names in named.items() if names}


def existing_names(session: ScopedSession) -> dict[str, frozenset[str]]:
    """Every genre, series and venue that some activity has, as they are compared, by kind."""
    each_genre = sa.select(sa.func.unnest(Activity.genres).label("genre")).subquery()
    columns = {"genres": each_genre.c.genre, "series": Activity.series, "venues": Activity.venue}
    return {
        kind: frozenset(
            session.scalars(sa.select(sa.func.lower(sa.func.btrim(column))).where(column.is_not(None)).distinct())
        )
        for kind, column in columns.items()
    }


def standing(names: Names, existing: Mapping[str, frozenset[str]]) -> Names:
    """Those of ``names`` that exist."""
    found = {kind: [name for name in each if name in existing[kind]] for kind, each in names.items()}
    return {kind: each for kind, each in found.items() if each}


def gone(names: Names, existing: Mapping[str, frozenset[str]]) -> list[str]:
    """Those of ``names`` that no longer exist, in order."""
    return sorted({name for kind, each in names.items() for name in each if name not in existing[kind]})


def _wheres(leaf: rules.Leaf) -> Iterable[rules.Where]:
    match leaf:
        case rules.Share(where=where, of=of):
            return where, of
        case (
            rules.Participation(where=where)
            | rules.FirstParticipation(where=where)
            | rules.LastParticipation(where=where)
        ):
            return (where,)
        case _:
            return ()
