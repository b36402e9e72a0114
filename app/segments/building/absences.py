"""What a rule names and the house does not (or no longer) have: a genre that was renamed, an activity that is gone.

Such a rule is still a rule, and finds nobody by that name; whoever reads it should be told at the condition itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.accounts.organisations import current_organisation
from app.activities.models import Activity
from app.activities.vocabulary import genre_name
from app.db import ScopedSession
from app.segments.house_facts import HouseFacts
from app.segments.language import rules
from app.segments.language.lowering import lowered
from app.segments.problems import N_, Message, Problem

NAMED_MAX = 3


@dataclass(frozen=True, slots=True)
class _Kind:
    """Values of one kind in a rule: how the house's own are found among ``wanted``, and what to say of the others."""

    have: Callable[[Collection[Any]], sa.Select[Any]]
    gone: str


def absences_in(session: ScopedSession, rule: rules.Rule) -> list[Problem]:
    """A sentence, with its path (``rules.0.where.genres``), for every condition that names what the house has not."""
    named = list(_named(rules.with_leaves(rule, HouseFacts(session).leaf)))
    gone: dict[str, set[Any]] = {}
    for kind, words in _KINDS.items():
        wanted = {value for _path, each, values in named if each == kind for value in values}
        if wanted:
            gone[kind] = wanted - set(session.scalars(words.have(wanted)))
    problems = []
    for path, kind, values in named:
        missing = [value for value in values if value in gone[kind]]
        if missing:
            language = current_organisation(session).language
            shown = [genre_name(value, language) if kind == "genres" else value for value in missing]
            problems.append(Problem(path, Message(_KINDS[kind].gone, names=_listed(shown))))
    return problems


def _named(rule: rules.Rule) -> Iterator[tuple[str, str, list[Any]]]:
    """The values that conditions name: path, kind, values as they are compared."""
    for placed in rules.all_placed_leaves(rule):
        match placed.leaf:
            case rules.Share(of=of, where=where):
                yield from _of_where(_under(placed.path, "of"), of)
                yield from _of_where(_under(placed.path, "where"), where)
            case rules.Participation(where=where):
                yield from _of_where(_under(placed.path, "where"), where)
            case rules.FirstParticipation(where=where) | rules.LastParticipation(where=where):
                yield from _of_where(_under(placed.path, "where"), where)
            case _:
                continue


def _of_where(path: str, where: rules.Where) -> Iterator[tuple[str, str, list[Any]]]:
    texts = {
        "genres": where.genres,
        "series": where.series,
        "venues": where.venues,
        "kinds": where.kinds,
        "audiences": where.audiences,
    }
    for kind, values in texts.items():
        if values:
            yield f"{path}.{kind}", kind, [lowered(value) for value in values]
    if where.activities:
        yield f"{path}.activities", "activities", list(where.activities)


def _under(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _listed(values: list[Any]) -> str:
    shown = ", ".join(f"“{value}”" for value in values[:NAMED_MAX])
    return shown if len(values) <= NAMED_MAX else f"{shown}, …"


def _in_column(column: Any) -> Callable[[Collection[Any]], sa.Select[Any]]:
    said = sa.func.lower(sa.func.btrim(column))
    return lambda wanted: sa.select(said).where(said.in_(wanted)).distinct()


def _in_array(column: Any) -> Callable[[Collection[Any]], sa.Select[Any]]:
    def have(wanted: Collection[Any]) -> sa.Select[Any]:
        said = sa.func.lower(sa.func.unnest(column)).label("said")
        each = sa.select(said).subquery()
        return sa.select(each.c.said).where(each.c.said.in_(wanted)).distinct()

    return have


_KINDS: dict[str, _Kind] = {
    "genres": _Kind(_in_array(Activity.genres), N_("No activity has the genre %(names)s any more.")),
    "series": _Kind(_in_column(Activity.series), N_("No activity is in the series %(names)s any more.")),
    "venues": _Kind(_in_column(Activity.venue), N_("No activity has the venue %(names)s any more.")),
    "kinds": _Kind(_in_column(Activity.kind), N_("No activity is of the kind %(names)s any more.")),
    "audiences": _Kind(_in_array(Activity.audiences), N_("No activity is for %(names)s any more.")),
    "activities": _Kind(
        lambda wanted: sa.select(Activity.id).where(Activity.id.in_(wanted)),
        N_("There is no activity %(names)s any more."),
    ),
}
