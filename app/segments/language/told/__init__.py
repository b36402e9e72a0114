"""A rule told back in plain words, in Dutch, French or English, with the dates it stands for on a given day.

Negations are drawn inwards first (not any of a, b is: not a, and not b), so a sentence never says "not (…)".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import assert_never

from app.segments.language import rules
from app.segments.language.told.dutch import Dutch
from app.segments.language.told.english import English
from app.segments.language.told.french import French
from app.segments.language.told.grammar import Grammar, Names

__all__ = ["GRAMMARS", "Names", "tell", "tell_leaf", "tell_phrase"]

GRAMMARS: dict[str, type[Grammar]] = {"nl": Dutch, "fr": French, "en": English}

NO_NAMES = Names()


@dataclass(frozen=True, slots=True)
class _Said:
    """A leaf, or its denial."""

    leaf: rules.Leaf
    no: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """Parts of which all, or any, must hold; never a group of its own kind inside, never a single part."""

    is_all: bool
    parts: tuple[_Said | _Group, ...]


def tell(rule: rules.Rule, *, as_of: date, language: str = "nl", names: Names = NO_NAMES) -> str:
    """Return ``rule`` as one sentence in ``language`` (``nl``, ``fr`` or ``en``; anything else is told in English).

    Windows are told as the dates they stand for when ``D`` is ``as_of``. ``names`` gives activities, segments and
    purposes their names.
    """
    grammar = GRAMMARS.get(language[:2].lower(), English)(as_of, names)
    plain = _plain(rule, no=False)
    if isinstance(plain, _Group) and not plain.parts:
        return grammar.everyone if plain.is_all else grammar.nobody
    return f"{grammar.opening} {_phrase(plain, grammar, is_top=True)}."


def tell_leaf(leaf: rules.Leaf, *, as_of: date, no: bool = False, language: str = "nl", names: Names = NO_NAMES) -> str:
    """Return one condition (``no``: its denial) as a verb phrase, for lists that tick or cross each condition."""
    return _told(_Said(leaf, no), GRAMMARS.get(language[:2].lower(), English)(as_of, names))


def tell_phrase(
    rule: rules.Rule, *, as_of: date, language: str = "nl", names: Names = NO_NAMES, is_lasting: bool = False
) -> str:
    """Return ``rule`` as a verb phrase without its subject, for lists of reasons.

    ``is_lasting``: the rule will be asked on other days as well, so windows that move with the day are told as they
    move (in the last 12 months), with the dates of today behind.
    """
    grammar = GRAMMARS.get(language[:2].lower(), English)(as_of, names, is_lasting=is_lasting)
    return _phrase(_plain(rule, no=False), grammar, is_top=True)


def _plain(rule: rules.Rule, *, no: bool) -> _Said | _Group:
    match rule:
        case rules.Not(inner):
            return _plain(inner, no=not no)
        case rules.All(inner_rules):
            return _group(not no, tuple(_plain(one, no=no) for one in inner_rules))
        case rules.AnyOf(inner_rules):
            return _group(no, tuple(_plain(one, no=no) for one in inner_rules))
        case _:
            return _Said(rule, no)


def _group(is_all: bool, parts: tuple[_Said | _Group, ...]) -> _Said | _Group:
    flat: list[_Said | _Group] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, _Group) and part.is_all is is_all else (part,))
    return flat[0] if len(flat) == 1 else _Group(is_all, tuple(flat))


def _phrase(plain: _Said | _Group, grammar: Grammar, *, is_top: bool = False) -> str:
    if isinstance(plain, _Said):
        return _told(plain, grammar)
    if not plain.parts:
        return grammar.anyone_phrase if plain.is_all else grammar.nobody_phrase
    *others, last = (_phrase(part, grammar) for part in plain.parts)
    if plain.is_all:
        text = f"{', '.join(others)}, {grammar.and_word} {last}"
    else:
        text = f", {grammar.or_word} ".join([*others, last])
    return text if is_top else f"({text})"


def _told(said: _Said, grammar: Grammar) -> str:  # noqa: PLR0911, PLR0912 (one return per kind of leaf)
    leaf, no = said.leaf, said.no
    match leaf:
        case rules.Participation():
            return grammar.participation(leaf, no=no)
        case rules.FirstParticipation() | rules.LastParticipation():
            return grammar.edge(leaf, no=no)
        case rules.Share():
            return grammar.share(leaf, no=no)
        case rules.Profile():
            return grammar.profile_phrase(leaf, no=no)
        case rules.Anniversary():
            return grammar.anniversary(leaf, no=no)
        case rules.Permission():
            return grammar.permission(leaf, no=no)
        case rules.Engagement():
            return grammar.engagement(leaf, no=no)
        case rules.Pass():
            return grammar.pass_phrase(leaf, no=no)
        case rules.InJourney():
            return grammar.journey(leaf, no=no)
        case rules.Deliverability():
            return grammar.mailbox(leaf, no=no)
        case rules.LikelySame(rule):
            return grammar.likely_same(leaf, _phrase(_plain(rule, no=False), grammar), no=no)
        case rules.Tag(tag):
            return grammar.tag_phrase(grammar.quoted(tag), no=no)
        case rules.InSegment():
            return grammar.in_segment(leaf, no=no)
        case rules.Sample():
            return grammar.sample(leaf, no=no)
        case _:
            assert_never(leaf)
