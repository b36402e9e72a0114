"""What a rule would hold, without keeping anything: how many, how many of them can be mailed, and a few of them.

Everything is counted over one evaluation: whom the rule would hold for without its exclusions is found once, and with
that whom each exclusion leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.building.left_out import Exclusion, LeftOut, core_of, exclusions_of, kept_rules
from app.segments.compiling.compiler import select_members, select_truths
from app.segments.compiling.permission_sql import select_permitted
from app.segments.compiling.scope import Scope, scope_of
from app.segments.compiling.time_limit import within
from app.segments.definitions import complete_rule, names_in, read_rule
from app.segments.keeping.permitted import scope_to_show
from app.segments.language import rules
from app.segments.language.told import Names, tell, tell_phrase

PREVIEW_S = 10.0
SAMPLE, FEW = 10, 5
# A statement has no room for the numbers of more.
EXCLUSIONS_MAX = 100
# Rules are evaluated for days within reason: windows around them stay within the calendar.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)


@dataclass(frozen=True, slots=True)
class Funnel:
    """From everybody the rule holds for to those who can be mailed; each number is part of the one before it."""

    holds: int
    has_address: int
    permitted: int
    mailable: int


@dataclass(frozen=True, slots=True)
class Preview:
    """The answer about one rule on one day. ``of`` counts all living contacts.

    ``left_out`` says whom each exclusion takes away from the rest of the rule, in its order: take it out, and ``count``
    people more would be looked at. None for more than EXCLUSIONS_MAX of them, which are not counted one by one.
    """

    rule: rules.Rule
    as_of: date
    purpose: str
    of: int
    funnel: Funnel
    sample: tuple[Contact, ...]
    told: str
    left_out: tuple[LeftOut, ...] | None

    @property
    def count(self) -> int:
        """How many contacts the rule holds for."""
        return self.funnel.holds


def preview_rule(
    session: ScopedSession,
    rule: object,
    *,
    at: date | None = None,
    purpose: str = "newsletter",
    language: str = "nl",
) -> Preview:
    """Evaluate ``rule`` (JSON) as of ``at`` (default: today in the organisation's zone).

    Raises InvalidRuleError, or TooSlowError after PREVIEW_S. Keeps nothing.
    """
    parsed = read_rule(session, rule)
    scope, excluding = scope_to_show(session, at=at), exclusions_of(rule, parsed)
    asked = excluding if len(excluding) <= EXCLUSIONS_MAX else []
    with within(session, PREVIEW_S):
        counted = session.execute(
            _counting(_evaluated(session, parsed, asked, scope), len(asked), scope, purpose)
        ).one()
        living = sa.select(sa.func.count()).where(Contact.state == "living")
        of = session.execute(living.select_from(Contact)).scalar_one()
    names = names_in(session, parsed, language=language)
    holds, has_address, permitted, mailable, sample, *about_excluded = counted
    people = _people(session, [*(sample or []), *(one for few in about_excluded[1::2] for one in few or ())])
    left_out = [
        LeftOut(
            one.path,
            tell_phrase(one.rule, as_of=scope.as_of, language=language, names=names),
            count,
            tuple(people[number] for number in few or () if number in people),
            {"type": "all", "rules": [*kept_rules(rule), one.json]} if isinstance(rule, dict) else {},
        )
        for one, count, few in zip(asked, about_excluded[::2], about_excluded[1::2], strict=True)
    ]
    return Preview(
        rule=parsed,
        as_of=scope.as_of,
        purpose=purpose,
        of=of,
        funnel=Funnel(holds, has_address, permitted, mailable),
        sample=tuple(one for number, one in people.items() if number in set(sample or [])),
        told=tell(parsed, as_of=scope.as_of, language=language, names=names),
        left_out=tuple(left_out) if len(asked) == len(excluding) else None,
    )


def tell_rule(session: ScopedSession, rule: rules.Rule, *, language: str, at: date | None = None) -> str:
    """``rule`` as a sentence, with the names and dates of this organisation."""
    names: Names = names_in(session, rule, language=language)
    return tell(rule, as_of=scope_of(session, at=at).as_of, language=language, names=names)


def _evaluated(session: ScopedSession, parsed: rules.Rule, excluding: list[Exclusion], scope: Scope) -> sa.Select[Any]:
    """``contact_id`` and ``email`` of whom the rule looks at, and for each exclusion whether it leaves them out."""
    if not excluding:
        return select_members(complete_rule(session, parsed), scope, also=("email",))
    reasons = [complete_rule(session, one.rule) for one in excluding]
    truths = select_truths(reasons, scope, of=complete_rule(session, core_of(parsed)), also=("email",))
    # Each reason is looked at more than once, and OFFSET 0 has it worked out once.
    return truths.offset(sa.literal_column("0"))


def _counting(evaluated: sa.Select[Any], excluding: int, scope: Scope, purpose: str) -> sa.Select[Any]:
    """The funnel's numbers and the ids of a sample; then, for each exclusion, how many it leaves out and a few."""
    looked_at = evaluated.subquery("looked_at")
    gate = select_permitted("email", purpose, organisation_id=scope.organisation_id, stored=scope.stored).subquery(
        "permitted"
    )
    is_out = [looked_at.c[f"holds_{number}"] for number in range(excluding)]
    found = (
        sa.select(
            looked_at.c.contact_id,
            looked_at.c.email.is_not(None).label("has_address"),
            gate.c.contact_id.is_not(None).label("is_permitted"),
            gate.c.is_deliverable,
            sa.not_(sa.or_(sa.false(), *is_out)).label("stays"),
            *is_out,
        )
        .select_from(looked_at.outerjoin(gate, gate.c.contact_id == looked_at.c.contact_id))
        .cte("found")
        .prefix_with("MATERIALIZED")
    )
    stays = found.c.stays
    about_excluded = [
        column
        for number in range(excluding)
        for column in (
            sa.func.count().filter(found.c[f"holds_{number}"]),
            _few(found, found.c[f"holds_{number}"], FEW),
        )
    ]
    return sa.select(
        sa.func.count().filter(stays),
        sa.func.count().filter(stays, found.c.has_address),
        sa.func.count().filter(stays, found.c.is_permitted),
        sa.func.count().filter(stays, found.c.is_deliverable),
        _few(found, stays, SAMPLE),
        *about_excluded,
    ).select_from(found)


def _few(found: sa.CTE, which: sa.ColumnElement[bool], how_many: int) -> sa.ScalarSelect[Any]:
    """The ids of a few: a spread over all that stays the same while somebody edits."""
    number = found.c.contact_id
    few = sa.select(number).where(which).order_by(number * 48271 % 65537, number).limit(how_many).subquery()
    return sa.select(sa.func.array_agg(few.c.contact_id)).scalar_subquery()


def _people(session: ScopedSession, ids: list[int]) -> dict[int, Contact]:
    """These contacts by id, in the order of their names."""
    found = session.scalars(
        sa.select(Contact)
        .where(Contact.id.in_(ids))
        .order_by(sa.func.lower(Contact.family_name), sa.func.lower(Contact.given_name), Contact.id)
    )
    return {one.id: one for one in found}
