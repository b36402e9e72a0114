"""What a rule leaves to the house: when it was closed, and its own words for the genres that everybody shares."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from app.activities.genres import words_by_term
from app.activities.vocabulary import BY_VALUE
from app.db import ScopedSession
from app.segments.closures import closed_periods
from app.segments.language import rules
from app.segments.language.windows import ClosedPeriod


class HouseFacts:
    """The facts of one house at one moment, each looked up once, and only where a rule asks for it."""

    def __init__(self, session: ScopedSession) -> None:
        self._session = session

    @cached_property
    def closed(self) -> tuple[ClosedPeriod, ...]:
        """When the house was or will be closed."""
        return closed_periods(self._session)

    @cached_property
    def genre_words(self) -> dict[str, tuple[str, ...]]:
        """The house's words for each term of the vocabulary that it has, by the term's value."""
        return words_by_term(self._session)

    def filled(self, rule: rules.Rule) -> rules.Rule:
        """``rule`` with these facts in it, ready to be compiled."""
        return rules.with_leaves(rules.with_closed_days(rule, self.closed), self.leaf)

    def where(self, where: rules.Where) -> rules.Where:
        """Conditions with the house's words where they name a term; a term the house has no word for stays."""
        if BY_VALUE.keys().isdisjoint(where.genres):
            return where
        words = (word for genre in where.genres for word in self.genre_words.get(genre, (genre,)))
        return replace(where, genres=tuple(dict.fromkeys(words)))

    def leaf(self, leaf: rules.Leaf) -> rules.Leaf:
        """One condition with the house's words where it names terms."""
        match leaf:
            case rules.Share(where=where, of=of):
                return replace(leaf, where=self.where(where), of=self.where(of))
            case (
                rules.Participation(where=where)
                | rules.FirstParticipation(where=where)
                | rules.LastParticipation(where=where)
            ):
                return replace(leaf, where=self.where(where))
            case _:
                return leaf
