"""What the builder proposes while somebody types: genres, series, venues, municipalities, … that are really there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.activities.genres import words_by_term
from app.activities.models import Activity, Participation
from app.activities.vocabulary import BY_VALUE
from app.contacts.models import Contact, MailEvent, Pass
from app.db import ScopedSession
from app.segments.models import Segment

PROPOSED = 20

Query = Callable[[str], sa.Select[Any]]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A value for a rule, how it is shown, and what may be said beside it."""

    value: str
    label: str
    about: str = ""


def suggest(session: ScopedSession, kind: str, text: str, *, language: str = "nl") -> list[Suggestion]:
    """Up to PROPOSED values of a kind that hold ``text``, whatever its capitals; the most used first.

    After the house's genres come the terms of the shared vocabulary that stand for several of them, in ``language``.
    Raises KeyError for a kind that is not in KINDS.
    """
    query = _QUERIES[kind](_pattern(text.strip()))
    rows = map(tuple, session.execute(query.limit(PROPOSED)))
    found = [Suggestion(str(value), str(label)) for value, label in rows]
    return [*found, *_terms(session, text, language)] if kind == "genres" else found


def _terms(session: ScopedSession, text: str, language: str) -> list[Suggestion]:
    """Terms that the house has words for, with those words; none where it is just the same word."""
    sought = text.strip().lower()
    proposed = []
    for value, words in words_by_term(session).items():
        name = BY_VALUE[value].name(language)
        if words != (name.lower(),) and any(sought in each for each in (name.lower(), *words)):
            proposed.append(Suggestion(value, name, ", ".join(words)))
    return sorted(proposed, key=lambda one: one.label)[:PROPOSED]


def _pattern(text: str) -> str:
    escaped = text.lower().replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


def _of_column(column: Any) -> Query:
    """The values of a text column, by how often they occur."""

    def query(pattern: str) -> sa.Select[Any]:
        return (
            sa.select(column, column)
            .where(column.is_not(None), sa.func.lower(column).like(pattern))
            .group_by(column)
            .order_by(sa.func.count().desc(), column)
        )

    return query


def _of_array(column: Any) -> Query:
    """The elements of a text array column, by how often they occur."""

    def query(pattern: str) -> sa.Select[Any]:
        element = sa.select(sa.func.unnest(column).label("element")).subquery()
        return (
            sa.select(element.c.element, element.c.element)
            .where(sa.func.lower(element.c.element).like(pattern))
            .group_by(element.c.element)
            .order_by(sa.func.count().desc(), element.c.element)
        )

    return query


def _activities(pattern: str) -> sa.Select[Any]:
    """Activities by title, the newest first, told apart by their date."""
    label = sa.func.concat_ws(" · ", Activity.title, sa.func.to_char(Activity.starts_on, "DD/MM/YYYY"))
    return (
        sa.select(Activity.id, label)
        .where(sa.func.lower(Activity.title).like(pattern))
        .order_by(Activity.starts_on.desc().nulls_last(), Activity.id.desc())
    )


def _journeys(pattern: str) -> sa.Select[Any]:
    """Journeys by name; their room lies above this one, so their table is named."""
    journey = sa.table("journey", sa.column("id"), sa.column("name"))
    return (
        sa.select(journey.c.id, journey.c.name)
        .where(sa.func.lower(journey.c.name).like(pattern))
        .order_by(journey.c.name)
    )


def _segments(pattern: str) -> sa.Select[Any]:
    """Segments by name."""
    segment = Segment.__table__.c
    name = sa.func.lower(segment.name)
    return sa.select(segment.id, segment.name).where(name.like(pattern)).order_by(name)


def _attributes(pattern: str) -> sa.Select[Any]:
    """The keys of the organisation's own fields."""
    key = sa.select(sa.func.jsonb_object_keys(Contact.attributes).label("key")).subquery()
    return (
        sa.select(key.c.key, key.c.key)
        .where(sa.func.lower(key.c.key).like(pattern))
        .group_by(key.c.key)
        .order_by(sa.func.count().desc(), key.c.key)
    )


_QUERIES: dict[str, Query] = {
    "genres": _of_array(Activity.genres),
    "series": _of_column(Activity.series),
    "venues": _of_column(Activity.venue),
    "kinds": _of_column(Activity.kind),
    "audiences": _of_array(Activity.audiences),
    "activities": _activities,
    "channels": _of_column(Participation.channel),
    "sources": _of_column(Activity.source),
    "tags": _of_array(Contact.tags),
    "postcode": _of_column(Contact.postcode),
    "municipality": _of_column(Contact.municipality),
    "country": _of_column(Contact.country),
    "language": _of_column(Contact.language),
    "gender": _of_column(Contact.gender),
    "source": _of_column(Contact.source),
    "attributes": _attributes,
    "segments": _segments,
    "programmes": _of_column(Pass.programme),
    "campaigns": _of_column(MailEvent.campaign),
    "journeys": _journeys,
}
KINDS = tuple(_QUERIES)
