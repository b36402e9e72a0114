"""Whom the exclusions of a rule leave out, reason by reason: "12 left out because mail to them bounces"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import aggregate_order_by

from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.building.preview import PREVIEW_S
from app.segments.compiling.compiler import select_members, select_truths
from app.segments.compiling.time_limit import within
from app.segments.definitions import complete_rule, names_in, read_rule
from app.segments.keeping.permitted import scope_to_show
from app.segments.language import rules
from app.segments.language.told import tell_phrase
from app.segments.problems import TooSlowError

Json = dict[str, Any]

FEW = 5
BESIDE_A_PREVIEW_S = 3.0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One exclusion: its place in the rule, the reason in words, how many it leaves out, a few of them, and their rule.

    Somebody may be left out for several reasons, and is counted for each.
    """

    path: str
    told: str
    count: int
    sample: tuple[Contact, ...]
    rule: Json


def left_out_in_time(
    session: ScopedSession, rule: object, *, at: date | None = None, language: str = "nl"
) -> list[LeftOut] | None:
    """``left_out``, or None where it takes longer than a preview should wait for it. Raises InvalidRuleError."""
    try:
        return left_out(session, rule, at=at, language=language, seconds=BESIDE_A_PREVIEW_S)
    except TooSlowError:
        return None


def left_out(
    session: ScopedSession,
    rule: object,
    *,
    at: date | None = None,
    language: str = "nl",
    seconds: float = PREVIEW_S,
) -> list[LeftOut]:
    """The exclusions of ``rule`` (JSON), in its order, each with the people it takes away from the rest of the rule.

    An exclusion is what a "none of these" at the top of an "all of these" holds: take it out, and ``count`` people more
    would be looked at. Empty for a rule without. Raises InvalidRuleError, or TooSlowError after ``seconds``.
    """
    parsed = read_rule(session, rule)
    if not isinstance(rule, dict) or not isinstance(parsed, rules.All):
        return []
    excluding = list(_exclusions(rule, parsed))
    if not excluding:
        return []
    core = rules.All(tuple(one for one in parsed.rules if not isinstance(one, rules.Not)))
    scope = scope_to_show(session, at=at)
    candidates = select_members(complete_rule(session, core), scope)
    reasons = [complete_rule(session, one.rule) for one in excluding]
    truths = select_truths(reasons, scope, only=candidates).subquery("truths")
    columns = [column for number in range(len(reasons)) for column in _about(truths, truths.c[f"holds_{number}"])]
    with within(session, seconds):
        answers = session.execute(sa.select(*columns)).one()
    people = _people(session, answers[1::2])
    names = names_in(session, parsed, language=language)
    return [
        LeftOut(
            one.path,
            tell_phrase(one.rule, as_of=scope.as_of, language=language, names=names),
            count,
            tuple(people[number] for number in few or () if number in people),
            {"type": "all", "rules": [*_kept(rule), one.json]},
        )
        for one, count, few in zip(excluding, answers[::2], answers[1::2], strict=True)
    ]


def _about(truths: sa.Subquery, is_left_out: ColumnElement[bool]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """How many, and the ids of a few, spread over all and the same while somebody edits."""
    number = truths.c.contact_id
    few = sa.func.array_agg(aggregate_order_by(number, number * 48271 % 65537)).filter(is_left_out)
    return sa.func.count().filter(is_left_out), sa.func.trim_array(
        few, sa.func.greatest(sa.func.cardinality(few) - FEW, 0)
    )


def _people(session: ScopedSession, several: Sequence[list[int] | None]) -> dict[int, Contact]:
    ids = {number for few in several for number in few or ()}
    return {one.id: one for one in session.scalars(sa.select(Contact).where(Contact.id.in_(ids)))}


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
