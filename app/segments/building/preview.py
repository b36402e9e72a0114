"""What a rule would hold, without keeping anything: how many, how many of them can be mailed, and a few of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.compiling.compiler import select_members
from app.segments.compiling.permission_sql import select_permitted
from app.segments.compiling.scope import Scope, scope_of
from app.segments.compiling.time_limit import within
from app.segments.definitions import complete_rule, names_in, read_rule
from app.segments.keeping.permitted import scope_to_show
from app.segments.language import rules
from app.segments.language.told import Names, tell

PREVIEW_S = 10.0
SAMPLE = 10
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
    """The answer about one rule on one day. ``of`` counts all living contacts."""

    rule: rules.Rule
    as_of: date
    purpose: str
    of: int
    funnel: Funnel
    sample: tuple[Contact, ...]
    told: str

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
    scope = scope_to_show(session, at=at)
    with within(session, PREVIEW_S):
        counted = session.execute(_counting(complete_rule(session, parsed), scope, purpose)).one()
        living = sa.select(sa.func.count()).where(Contact.state == "living")
        of = session.execute(living.select_from(Contact)).scalar_one()
    return Preview(
        rule=parsed,
        as_of=scope.as_of,
        purpose=purpose,
        of=of,
        funnel=Funnel(counted.holds, counted.has_address, counted.permitted, counted.mailable),
        sample=_people(session, counted.sample or []),
        told=tell(parsed, as_of=scope.as_of, language=language, names=names_in(session, parsed, language=language)),
    )


def tell_rule(session: ScopedSession, rule: rules.Rule, *, language: str, at: date | None = None) -> str:
    """``rule`` as a sentence, with the names and dates of this organisation."""
    names: Names = names_in(session, rule, language=language)
    return tell(rule, as_of=scope_of(session, at=at).as_of, language=language, names=names)


def _counting(rule: rules.Rule, scope: Scope, purpose: str) -> sa.Select[Any]:
    """The funnel's numbers and the ids of a sample, from one evaluation of the rule."""
    members = select_members(rule, scope, also=("email",)).subquery("members")
    gate = select_permitted("email", purpose, organisation_id=scope.organisation_id, stored=scope.stored).subquery(
        "permitted"
    )
    found = (
        sa.select(
            members.c.contact_id,
            members.c.email.is_not(None).label("has_address"),
            gate.c.contact_id.is_not(None).label("is_permitted"),
            gate.c.is_deliverable,
        )
        .select_from(members.outerjoin(gate, gate.c.contact_id == members.c.contact_id))
        .cte("found")
        .prefix_with("MATERIALIZED")
    )
    # A spread over all members that stays the same while somebody edits.
    few = sa.select(found.c.contact_id).order_by(found.c.contact_id * 48271 % 65537).limit(SAMPLE).subquery("few")
    return sa.select(
        sa.func.count().label("holds"),
        sa.func.count().filter(found.c.has_address).label("has_address"),
        sa.func.count().filter(found.c.is_permitted).label("permitted"),
        sa.func.count().filter(found.c.is_deliverable).label("mailable"),
        sa.select(sa.func.array_agg(few.c.contact_id)).scalar_subquery().label("sample"),
    ).select_from(found)


def _people(session: ScopedSession, ids: list[int]) -> tuple[Contact, ...]:
    found = session.scalars(
        sa.select(Contact)
        .where(Contact.id.in_(ids))
        .order_by(sa.func.lower(Contact.family_name), sa.func.lower(Contact.given_name), Contact.id)
    )
    return tuple(found)
