"""The genres a house uses, and which term of the shared vocabulary each is.

A word is what the house calls it; nothing is overwritten. Words that plainly are a term count as that term by
themselves; a house may say another, or none. What it says is kept in the settings of the organisation, by the word in
lower case.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from app.accounts.organisations import current_organisation
from app.activities.models import Activity
from app.activities.vocabulary import BY_VALUE, Term, recognised
from app.db import ScopedSession

SETTING = "genre_terms"
# "This word is no genre of the vocabulary", said by a person.
NONE = ""


class UnknownTermError(ValueError):
    """The vocabulary has no such term; ``value`` is what was asked for."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


@dataclass(frozen=True, slots=True)
class Genre:
    """A word of the house, on how many activities, and the term it is. ``is_said``: a person said so."""

    word: str
    activities: int
    term: Term | None
    is_said: bool


def list_genres(session: ScopedSession) -> list[Genre]:
    """Every genre of the house, the most used first; words that differ in capitals only are one."""
    said = _said(session)
    each = sa.select(sa.func.unnest(Activity.genres).label("word")).subquery()
    plain = sa.func.lower(sa.func.btrim(each.c.word))
    rows = session.execute(
        sa.select(sa.func.mode().within_group(each.c.word), sa.func.count(), plain)
        .group_by(plain)
        .order_by(sa.func.count().desc(), plain)
    )
    return [Genre(word, count, _term_of(key, said), key in said) for word, count, key in rows]


def set_terms(session: ScopedSession, terms: Mapping[str, str | None]) -> None:
    """Say which term each word is: its value, ``""`` for none, or None to go by what the word plainly is.

    Other words stay as they were said. Segments that ask for a term follow by themselves. Raises UnknownTermError, and
    changes nothing then.
    """
    for value in terms.values():
        if value and value not in BY_VALUE:
            raise UnknownTermError(value)
    now = {**_said(session), **{_key(word): value for word, value in terms.items()}}
    kept = {word: value for word, value in sorted(now.items()) if value is not None}
    organisation = current_organisation(session)
    if kept != organisation.settings.get(SETTING, {}):
        organisation.settings = {**organisation.settings, SETTING: kept}
        session.flush()


def words_by_term(session: ScopedSession) -> dict[str, tuple[str, ...]]:
    """The house's words for each term that it has, by the term's value; the words in lower case."""
    found: dict[str, list[str]] = defaultdict(list)
    for genre in list_genres(session):
        if genre.term is not None:
            found[genre.term.value].append(_key(genre.word))
    return {value: tuple(sorted(words)) for value, words in found.items()}


def terms_of(session: ScopedSession, words: Iterable[str]) -> list[Term]:
    """The terms that some words of the house are, each once, in the order of the words."""
    said = _said(session)
    found = {term.value: term for word in words if (term := _term_of(_key(word), said)) is not None}
    return list(found.values())


def _said(session: ScopedSession) -> dict[str, str]:
    return dict(current_organisation(session).settings.get(SETTING, {}))


def _term_of(key: str, said: Mapping[str, str]) -> Term | None:
    if key in said:
        return BY_VALUE.get(said[key])
    return recognised(key)


def _key(word: str) -> str:
    return word.strip().lower()
