"""What a house says the words of a source are here: which genre, which purpose a question asks for, which attribute.

Saying it counts for everything that comes in from then on. Genres of what was read before are put right at once, in the
same transaction; answers of people follow in the background (``catching_up``), a part at a time, each part whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.audit import Actor, record
from app.activities.models import Activity
from app.db import ScopedSession
from app.sync.connections import get_connection
from app.sync.field_mapping import Meaning, Meanings, Word, genres_of
from app.sync.models import Connection, SourceMeaning
from integrations.base import Offer, OfferKind, SourcePage

LABEL_LENGTH_MAX = 300
# Stands for what the connection's settings say, where a house had said nothing itself.
BY_SETTINGS: Mapping[str, Any] = {"by_settings": True}


@dataclass(frozen=True, slots=True)
class SourceWord:
    """A word of a source as a page shows it: what it means here (None: nobody said), and how much there is of it.

    ``count`` is of activities for a genre, else of people; ``yes`` are the answers that can be shown to be a yes,
    ``no`` those that are a no. ``settings_purpose`` is what the connection's settings make of it.
    """

    kind: OfferKind
    key: str
    label: str
    is_choice: bool
    meaning: Meaning | None
    is_catching_up: bool
    count: int = 0
    yes: int = 0
    no: int = 0
    settings_purpose: str | None = None

    @property
    def is_new(self) -> bool:
        """Whether nobody has said anything about it."""
        return self.meaning is None and self.settings_purpose is None

    @property
    def purpose(self) -> str | None:
        """The purpose that an answer counts for now."""
        return self.settings_purpose if self.meaning is None else self.meaning.purpose


@dataclass(frozen=True, slots=True)
class Change:
    """What saying something would do: how many activities get other genres and how many people that concerns, or how
    many may gain, and how many lose, the permission that rests on this answer."""

    word: SourceWord
    meaning: Meaning
    activities: int = 0
    people: int = 0
    losing: int = 0


def read_meanings(session: ScopedSession, connection_id: int) -> Meanings:
    """Return what the house said of the words of a connection."""
    row = SourceMeaning
    rows = session.execute(
        select(row.kind, row.key, row.meaning).where(row.connection_id == connection_id, row.meaning.is_not(None))
    )
    return {(OfferKind(kind), key): Meaning.from_json(meaning) for kind, key, meaning in rows}


def note_words(session: ScopedSession, connection_id: int, page: SourcePage) -> None:
    """Remember the words of a page, new ones to be asked about; a label that changed there changes here."""
    offers = _offers(page)
    if not offers:
        return
    row = SourceMeaning
    known = {
        (kind, key): (label, is_choice)
        for kind, key, label, is_choice in session.execute(
            select(row.kind, row.key, row.label, row.is_choice).where(row.connection_id == connection_id)
        )
    }
    common = {"organisation_id": session.organisation_id, "connection_id": connection_id}
    rows = [
        {**common, "kind": kind.value, "key": key, "label": offer.label, "is_choice": offer.is_choice,
         "first_seen_at": clock.now()}
        for (kind, key), offer in sorted(offers.items())
        if known.get((kind.value, key)) != (offer.label, offer.is_choice)
        # A label that is nothing but the key is no news.
        and not (offer.label == key.partition(":")[2] and (kind.value, key) in known)
    ]  # fmt: skip
    if rows:
        statement = insert(SourceMeaning).values(rows)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["organisation_id", "connection_id", "kind", "key"],
                set_={"label": statement.excluded.label, "is_choice": statement.excluded.is_choice},
            )
        )


def words_of(session: ScopedSession, connection_id: int) -> list[SourceWord]:
    """Return every word of a connection with how much there is of it: what nobody said anything about first."""
    connection = get_connection(session, connection_id)
    counted = {
        (row.kind, row.key): row
        for row in session.execute(
            text(_COUNTED),
            {
                "organisation_id": session.organisation_id,
                "connection_id": connection_id,
                "source": _source(connection),
            },
        )
    }
    rows = session.scalars(
        select(SourceMeaning)
        .where(SourceMeaning.connection_id == connection_id)
        .execution_options(populate_existing=True)
    )
    words = [_word(row, counted.get((row.kind, row.key))) for row in rows]
    return sorted(words, key=lambda word: (not word.is_new, -word.count, word.label.casefold()))


def count_new_words(session: ScopedSession) -> dict[int, int]:
    """Return, of each connection that is not removed, how many of its words nobody said anything about."""
    is_read = (Connection.state != "removed", Connection.kind == "source")
    connections = session.scalars(select(Connection.id).where(*is_read).order_by(Connection.id))
    return {each: sum(word.is_new for word in words_of(session, each)) for each in connections}


def preview(session: ScopedSession, connection_id: int, said: Mapping[Word, Meaning]) -> list[Change]:
    """Return what saying this would do, for each word that would mean something else; nothing is stored."""
    connection = get_connection(session, connection_id)
    words = {(word.kind, word.key): word for word in words_of(session, connection_id)}
    changed = {key: meaning for key, meaning in said.items() if key in words and words[key].meaning != meaning}
    changes = []
    for key, meaning in changed.items():
        word = words[key]
        if word.kind is OfferKind.GENRE:
            activities, people = _concerned(session, connection, word.key)
            is_same = meaning.genre == word.key and word.meaning is None
            changes.append(Change(word, meaning, 0 if is_same else activities, 0 if is_same else people))
        else:
            is_ending = word.purpose is not None and meaning.purpose != word.purpose
            changes.append(Change(word, meaning, people=word.count, losing=word.yes if is_ending else 0))
    return changes


def say(session: ScopedSession, connection_id: int, said: Mapping[Word, Meaning], *, actor: Actor) -> int:
    """Store what words mean and apply it; returns how many mean something else than before.

    Genres of this source's activities are right when this returns; answers of people are brought in line by
    ``catching_up``. Words that nobody knows are passed over. Raises UnknownConnection.
    """
    connection = get_connection(session, connection_id)
    changes = preview(session, connection_id, said)
    for change in changes:
        _store(session, connection_id, change)
    if not changes:
        return 0
    if any(change.word.kind is OfferKind.GENRE for change in changes):
        _put_genres_right(session, connection, read_meanings(session, connection_id))
    connection.settings = {**connection.settings, "said": json.dumps(_purposes_said(session, connection_id))}
    record(session, actor, "connections.say", subject=("connection", connection_id), details={"words": len(changes)})
    session.flush()
    return len(changes)


def _offers(page: SourcePage) -> dict[Word, Offer]:
    found: dict[Word, Offer] = {}
    for activity in page.activities:
        for word in activity.genres:
            found[OfferKind.GENRE, word] = Offer(OfferKind.GENRE, word, word)
    for offer in page.offers:
        label = offer.label.strip()[:LABEL_LENGTH_MAX] or offer.key
        found[offer.kind, offer.key] = Offer(offer.kind, offer.key, label, offer.is_choice)
    return found


def _word(row: SourceMeaning, counted: Any) -> SourceWord:
    return SourceWord(
        kind=OfferKind(row.kind),
        key=row.key,
        label=row.label,
        is_choice=row.is_choice,
        meaning=None if row.meaning is None else Meaning.from_json(row.meaning),
        is_catching_up=row.catching_up is not None,
        count=counted.count if counted else 0,
        yes=counted.yes if counted else 0,
        no=counted.no if counted else 0,
        settings_purpose=counted.purpose if counted else None,
    )


def _store(session: ScopedSession, connection_id: int, change: Change) -> None:
    row = session.get(
        SourceMeaning,
        (session.organisation_id, connection_id, change.word.kind.value, change.word.key),
        with_for_update=True,
    )
    if row is None:
        return
    before = BY_SETTINGS if row.meaning is None else row.meaning
    row.meaning, row.said_at = change.meaning.as_json(), clock.now()
    if change.word.kind is not OfferKind.GENRE:
        row.catching_up = [*(row.catching_up or []), dict(before)]
        row.caught_up_to = ""
    session.flush()


def _purposes_said(session: ScopedSession, connection_id: int) -> dict[str, str]:
    """Return what each question was said to ask for, '' for none: what a system that takes opt-outs goes by."""
    meanings = read_meanings(session, connection_id)
    return {key: meaning.purpose or "" for (kind, key), meaning in meanings.items() if kind is OfferKind.QUESTION}


def _put_genres_right(session: ScopedSession, connection: Connection, meanings: Meanings) -> None:
    activity = Activity
    rows = session.execute(
        select(activity.id, activity.genres, activity.own_genres)
        .where(activity.source == _source(connection))
        .order_by(activity.id)
        .with_for_update()
    ).all()
    for activity_id, genres, own in rows:
        words = tuple(genres if own is None else own)
        wanted = list(genres_of(words, meanings))
        kept = None if wanted == list(words) else list(words)
        if (wanted, kept) != (list(genres), own):
            session.execute(
                update(activity)
                .where(activity.id == activity_id)
                .values(genres=wanted, own_genres=kept, updated_at=clock.now())
            )


def _concerned(session: ScopedSession, connection: Connection, word: str) -> tuple[int, int]:
    row = session.execute(
        text(_CONCERNED),
        {"organisation_id": session.organisation_id, "source": _source(connection), "word": word},
    ).one()
    return row.activities, row.people


def _source(connection: Connection) -> str:
    return str(connection.settings.get("source", connection.system))


def new_words_by_kind(words: Sequence[SourceWord]) -> dict[OfferKind, list[SourceWord]]:
    """Return words by their kind, in the order given."""
    return {kind: [word for word in words if word.kind is kind] for kind in OfferKind}


_COUNTED = """
SELECT 'genre' AS kind, words.word AS key, count(*) AS count, 0 AS yes, 0 AS no, CAST(NULL AS text) AS purpose
  FROM activity
 CROSS JOIN LATERAL unnest(COALESCE(activity.own_genres, activity.genres)) AS words(word)
 WHERE activity.organisation_id = :organisation_id AND activity.source = :source
 GROUP BY words.word
 UNION ALL
SELECT kind, key, count(DISTINCT contact_id),
       count(DISTINCT contact_id) FILTER (
           WHERE answer -> 'consent' ->> 'state' = 'in' AND answer -> 'consent' ->> 'captured_at' IS NOT NULL
             AND answer -> 'consent' ->> 'wording' IS NOT NULL
             AND answer -> 'consent' ->> 'method' NOT IN
                 ('pre_ticked', 'default', 'unticked_box', 'purchase', 'unknown', '')),
       count(DISTINCT contact_id) FILTER (WHERE answer -> 'consent' ->> 'state' = 'out'),
       min(answer -> 'consent' ->> 'purpose')
  FROM source_answer
 WHERE organisation_id = :organisation_id AND connection_id = :connection_id
 GROUP BY kind, key
"""

_CONCERNED = """
SELECT count(DISTINCT activity.id) AS activities, count(DISTINCT participation.contact_id) AS people
  FROM activity
  LEFT JOIN participation
    ON participation.organisation_id = activity.organisation_id AND participation.activity_id = activity.id
   AND participation.is_valid
 WHERE activity.organisation_id = :organisation_id AND activity.source = :source
   AND :word = ANY (COALESCE(activity.own_genres, activity.genres))
"""
