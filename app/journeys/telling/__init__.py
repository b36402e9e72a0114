"""A journey told as a story: what starts it and each of its steps as a sentence in the reader's language.

It reads the JSON of a definition, not its nodes, so that a draft can be told while it is unfinished; what is still
missing is told as a gap. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.db import ScopedSession
from app.journeys.telling.names import Names, names_of
from app.journeys.telling.steps import tell_branches, tell_step
from app.journeys.telling.triggers import tell_trigger
from app.journeys.telling.wording import Wording
from app.segments.compiling.scope import scope_of
from app.segments.definitions import names_in, read_rule
from app.segments.language import rules
from app.segments.language.told import tell_phrase
from app.segments.problems import SegmentError

__all__ = ["Names", "Story", "Wording", "all_steps", "branches_of", "names_of", "tell_start", "tell_story"]

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """A definition in words: ``steps`` and ``branches`` (a label for each branch, in order) by step id."""

    start: str
    only: str
    goal: str
    steps: Mapping[str, str]
    branches: Mapping[str, tuple[str, ...]]


def tell_story(session: ScopedSession, definition: Json, wording: Wording, *, names: Names | None = None) -> Story:
    """Return a definition, finished or not, in the words and the language of ``wording``."""
    known = names_of(session, definition, wording.language) if names is None else names
    tell_rule = _rule_teller(session, wording)
    steps = {str(step.get("id")): step for step in all_steps(definition.get("steps"))}
    goal = definition.get("goal")
    return Story(
        start=tell_trigger(definition.get("trigger"), wording, known),
        only=tell_rule(definition.get("only")),
        goal=tell_rule(goal.get("rule")) if isinstance(goal, Mapping) else "",
        steps={number: tell_step(step, wording, known) for number, step in steps.items()},
        branches={number: tell_branches(step, wording, tell_rule) for number, step in steps.items()},
    )


def tell_start(definition: Json, wording: Wording, names: Names) -> str:
    """Return only what starts a journey, for lists."""
    return tell_trigger(definition.get("trigger"), wording, names)


def all_steps(steps: object) -> Iterator[Json]:
    """Every step in a list and in the branches of its steps, in reading order; what is no step is passed by."""
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, Mapping):
            yield step
            for inner in branches_of(step):
                yield from all_steps(inner)


def branches_of(step: Json) -> list[Any]:
    """The lists of steps inside a step, in reading order."""
    branches = step.get("branches")
    named = [one.get("steps") for one in branches if isinstance(one, Mapping)] if isinstance(branches, list) else []
    return [*named, *(step[key] for key in ("then", "otherwise") if key in step)]


def _rule_teller(session: ScopedSession, wording: Wording) -> Callable[[object], str]:
    """Tells a rule as whom it holds for: “who came at least 3 times”; nothing for one that is not finished.

    A journey goes on: windows are told as they move with the day, with today's dates behind.
    """

    def told(rule: object) -> str:
        if not rule:
            return ""
        try:
            parsed = read_rule(session, rule)
        except SegmentError:
            return ""
        _ = wording.gettext
        if isinstance(parsed, rules.All) and not parsed.rules:
            return _("Everybody")
        names, day = names_in(session, parsed, language=wording.language), scope_of(session).as_of
        return _(
            "Who %(phrase)s",
            phrase=tell_phrase(parsed, as_of=day, language=wording.language, names=names, is_lasting=True),
        )

    return told
