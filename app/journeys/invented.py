"""A person who does not exist, given as facts, and whether a rule holds for them.

Somebody who is invented has no history: no visits, no mail, no passes, no place in segments or samples. Only what is
given about them is known (language, postcode, date of birth, tags, own fields, …). Pure: nothing is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from app.segments.language import rules
from app.segments.language.rules import Op


@dataclass(frozen=True, slots=True)
class Invented:
    """The facts: profile fields by their name (own ones as ``attributes.x``), tags, and whether they may be mailed."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    may_be_mailed: bool = True


def holds_for(rule: rules.Rule, person: Invented, *, on: date) -> bool:  # noqa: PLR0911 (one case each)
    """Whether a rule (segments in it put in by their rules) holds for an invented person on a day."""
    match rule:
        case rules.All(inner):
            return all(holds_for(one, person, on=on) for one in inner)
        case rules.AnyOf(inner):
            return any(holds_for(one, person, on=on) for one in inner)
        case rules.Not(inner):
            return not holds_for(inner, person, on=on)
        case rules.Profile():
            return _profile(rule, person, on)
        case rules.Tag(tag):
            return tag.casefold() in {one.casefold() for one in person.tags}
        case rules.Permission(is_allowed=is_allowed):
            return person.may_be_mailed is is_allowed
        case rules.Anniversary():
            return _anniversary(rule, person, on)
        case _:
            return _without_history(rule)


def _without_history(rule: rules.Rule) -> bool:
    """What holds for somebody who never did anything."""
    match rule:
        case rules.Participation(bounds=bounds) | rules.Engagement(bounds=bounds):
            return bounds.at_least is None or bounds.at_least <= 0
        case rules.Pass(standing=standing):
            return standing == "none"
        case rules.InJourney(standing=standing):
            return standing == "never"
        case rules.Deliverability(standing=standing):
            return standing == "unknown"
        case rules.InSegment(is_member=is_member):
            return not is_member
        case _:
            return False


def _profile(rule: rules.Profile, person: Invented, on: date) -> bool:  # noqa: PLR0911 (one case each)
    value = _value(rule.field, person, on)
    match rule.op:
        case Op.KNOWN:
            return value is not None
        case Op.UNKNOWN:
            return value is None
        case Op.IS | Op.IN:
            return value is not None and _same(value) in {_same(one) for one in rule.values}
        case Op.IS_NOT | Op.NOT_IN:
            return value is None or _same(value) not in {_same(one) for one in rule.values}
        case Op.CONTAINS:
            return value is not None and str(rule.values[0]).casefold() in str(value).casefold()
        case Op.STARTS_WITH:
            return value is not None and str(value).casefold().startswith(str(rule.values[0]).casefold())
        case Op.BETWEEN:
            return _lies_between(value, rule.values)


def _value(name: str, person: Invented, on: date) -> Any:
    if name == "age":
        born = person.fields.get("birth_date")
        if not isinstance(born, date):
            return person.fields.get("age")
        return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    value = person.fields.get(name)
    return None if value == "" else value


def _same(value: Any) -> Any:
    if isinstance(value, bool | date):
        return value
    if isinstance(value, int | float | Decimal):
        return Decimal(str(value))
    return str(value).casefold()


def _lies_between(value: Any, bounds: tuple[Any, ...]) -> bool:
    low, high = (*bounds, None, None)[:2]
    found = _same(value) if value is not None else None
    try:
        return found is not None and (low is None or found >= _same(low)) and (high is None or found <= _same(high))
    except TypeError:
        return False


def _anniversary(rule: rules.Anniversary, person: Invented, on: date) -> bool:
    born = person.fields.get(rule.field)
    if not isinstance(born, date):
        return False
    days = rule.window.around(on)
    return any(days.holds(_returns(born, year)) for year in range(on.year - 2, on.year + 3))


def _returns(born: date, year: int) -> date:
    """29 February returns on 28 February."""
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
