"""Whom the exclusions of a rule leave out, reason by reason: "12 left out because mail to them bounces"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.db import ScopedSession
from app.segments import rules
from app.segments.compiler import select_members, select_truths
from app.segments.definitions import complete_rule, names_in, read_rule
from app.segments.preview import PREVIEW_S, scope_of
from app.segments.time_limit import within
from app.segments.told import tell_phrase

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One exclusion: its place in the rule, the reason in words, how many it leaves out, and the rule of those people.

    Somebody may be left out for several reasons, and is counted for each.
    """

    path: str
    told: str
    count: int
    rule: Json


def left_out(session: ScopedSession, rule: object, *, at: date | None = None, language: str = "nl") -> list[LeftOut]:
    """The exclusions of ``rule`` (JSON), in its order, each with the people it takes away from the rest of the rule.

    An exclusion is what a "none of these" at the top of an "all of these" holds: take it out, and ``count`` people more
    would be looked at. Empty for a rule without. Raises InvalidRuleError, or TooSlowError after PREVIEW_S.
    """
    parsed = read_rule(session, rule)
    if not isinstance(rule, dict) or not isinstance(parsed, rules.All):
        return []
    excluding = list(_exclusions(rule, parsed))
    if not excluding:
        return []
    core = rules.All(tuple(one for one in parsed.rules if not isinstance(one, rules.Not)))
    scope = scope_of(session, at=at)
    candidates = select_members(complete_rule(session, core), scope)
    reasons = [complete_rule(session, one.rule) for one in excluding]
    truths = select_truths(reasons, scope, only=candidates).subquery("truths")
    counts = [sa.func.count().filter(truths.c[f"holds_{number}"]) for number in range(len(reasons))]
    with within(session, PREVIEW_S):
        counted = session.execute(sa.select(*counts)).one()
    names = names_in(session, parsed, language=language)
    return [
        LeftOut(
            one.path,
            tell_phrase(one.rule, as_of=scope.as_of, language=language, names=names),
            count,
            {"type": "all", "rules": [*_kept(rule), one.json]},
        )
        for one, count in zip(excluding, counted, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Exclusion:
    path: str
    json: Json
    rule: rules.Rule


def _exclusions(rule: Json, parsed: rules.All) -> Iterator[_Exclusion]:
    """What the "not"s at the top deny: each rule of a denied "any" by itself, anything else whole."""
    for number, (json, node) in enumerate(zip(rule["rules"], parsed.rules, strict=True)):
        match node:
            case rules.Not(rules.AnyOf(inner)):
                for place, (one, its_json) in enumerate(zip(inner, json["rule"]["rules"], strict=True)):
                    yield _Exclusion(f"rules.{number}.rule.rules.{place}", its_json, one)
            case rules.Not(inner_rule):
                yield _Exclusion(f"rules.{number}.rule", json["rule"], inner_rule)
            case _:
                continue


def _kept(rule: Json) -> list[Json]:
    """The rules at the top that exclude nobody."""
    return [one for one in rule["rules"] if one["type"] != "not"]
