"""Why somebody is in a segment, or not: every condition about one person, with the visits it counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app.db import ScopedSession
from app.segments.building.evidence import Visit, counted_by, visits_of
from app.segments.building.preview import PREVIEW_S
from app.segments.compiling.compiler import select_checks
from app.segments.compiling.scope import scope_of
from app.segments.compiling.time_limit import within
from app.segments.definitions import complete_rule, names_in, read_rule
from app.segments.house_facts import HouseFacts
from app.segments.language import rules
from app.segments.language.told import tell_leaf


@dataclass(frozen=True, slots=True)
class Check:
    """One condition about one person: its place in the rule, its sentence, and whether it holds for them.

    ``visits`` are those that it counted, newest first, or None for a condition that looks at no visits.
    """

    path: str
    told: str
    holds: bool
    visits: list[Visit] | None = None


@dataclass(frozen=True, slots=True)
class PersonChecked:
    """Whether the rule holds for a person, and each of its conditions."""

    holds: bool
    conditions: list[Check]


def check_person(
    session: ScopedSession, rule: object, *, contact_id: int, at: date | None = None, language: str = "nl"
) -> PersonChecked | None:
    """Whether ``rule`` (JSON) holds for one living contact, and whether each of its conditions does; None for nobody.

    A condition that a "not" denies is told and answered as its denial, so that every true answer speaks for the
    person. Raises InvalidRuleError, or TooSlowError after PREVIEW_S.
    """
    parsed = read_rule(session, rule)
    scope = scope_of(session, at=at)
    placed = list(rules.placed_leaves(parsed))
    wanted = [complete_rule(session, one) for one in (parsed, *(one.leaf for one in placed))]
    with within(session, PREVIEW_S):
        row = session.execute(select_checks(wanted, scope, contact_id=contact_id)).one_or_none()
    if row is None:
        return None
    holds, *each = row[1:]
    facts = HouseFacts(session)
    names, visits = names_in(session, parsed, language=language), visits_of(session, contact_id)
    checks = [
        Check(
            one.path,
            tell_leaf(one.leaf, no=one.is_denied, as_of=scope.as_of, language=language, names=names),
            answer is not one.is_denied,
            counted_by(facts.leaf(one.leaf), visits, as_of=scope.as_of),
        )
        for one, answer in zip(placed, each, strict=True)
    ]
    return PersonChecked(holds, checks)
