"""Whom the exclusions of a rule leave out, reason by reason: "12 left out because mail to them bounces"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.contacts.models import Contact
from app.segments.language import rules

Json = dict[str, Any]


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


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What a "none of these" at the top of an "all of these" holds: its place, as JSON, and as a node."""

    path: str
    json: Json
    rule: rules.Rule


def exclusions_of(rule: object, parsed: rules.Rule) -> list[Exclusion]:
    """The exclusions of a rule (JSON, and as it was read), in its order; none of a rule that is not an "all"."""
    return list(_exclusions(rule, parsed)) if isinstance(rule, dict) and isinstance(parsed, rules.All) else []


def core_of(parsed: rules.Rule) -> rules.Rule:
    """What is left of a rule without its exclusions."""
    if not isinstance(parsed, rules.All):
        return parsed
    return rules.All(tuple(one for one in parsed.rules if not isinstance(one, rules.Not)))


def _exclusions(rule: Json, parsed: rules.All) -> Iterator[Exclusion]:
    """What the "not"s at the top deny: each rule of a denied "any" by itself, anything else whole."""
    for number, (json, node) in enumerate(zip(rule["rules"], parsed.rules, strict=True)):
        match node:
            case rules.Not(rules.AnyOf(inner)):
                for place, (one, its_json) in enumerate(zip(inner, json["rule"]["rules"], strict=True)):
                    yield Exclusion(f"rules.{number}.rule.rules.{place}", its_json, one)
            case rules.Not(inner_rule):
                yield Exclusion(f"rules.{number}.rule", json["rule"], inner_rule)
            case _:
                continue


def kept_rules(rule: Json) -> list[Json]:
    """The rules at the top that exclude nobody."""
    return [one for one in rule["rules"] if one["type"] != "not"]
