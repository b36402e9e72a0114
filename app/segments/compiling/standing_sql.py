"""How a contact stands, in SQL: in a programme of passes, in a journey, with their mailbox.

Every condition is an EXISTS (or its denial) and never NULL, so the planner can make joins of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.contacts.models import ContactIdentity, Pass
from app.segments.language import rules
from app.segments.language.lowering import lowered

Condition = ColumnElement[bool]

# A room above this one: imports point down, so its table is named.
ENROLMENT = sa.table(
    "enrolment",
    sa.column("organisation_id", sa.Integer),
    sa.column("contact_id", sa.BigInteger),
    sa.column("journey_id", sa.BigInteger),
    sa.column("state", sa.Text),
    sa.column("entered_on", sa.Date),
    sa.column("left_on", sa.Date),
)


def stands_with_pass(contact: sa.FromClause, leaf: rules.Pass, *, organisation_id: int, as_of: date) -> Condition:
    """Whether the contact stands in a programme as ``leaf`` says; see ``rules.Pass``."""
    p = Pass.__table__.alias("p")
    begun = (
        p.c.organisation_id == organisation_id,
        p.c.contact_id == contact.c.id,
        p.c.programme == lowered(leaf.programme),
        sa.or_(p.c.valid_from.is_(None), p.c.valid_from <= as_of),
    )
    active = (p.c.status == "valid", sa.or_(p.c.expires_on.is_(None), p.c.expires_on >= as_of))
    match leaf.standing:
        case "active":
            return _exists(p, *begun, *active, *_about_one_pass(p, leaf, as_of))
        case "expired":
            some = _exists(p, *begun, *_about_one_pass(p, leaf, as_of))
            return sa.and_(some, sa.not_(_exists(p, *begun, *active)))
        case _:
            return sa.not_(_exists(p, *begun))


def _about_one_pass(p: sa.FromClause, leaf: rules.Pass, as_of: date) -> Iterator[Condition]:
    if leaf.expires is not None:
        days = leaf.expires.around(as_of)
        yield p.c.expires_on.is_not(None)
        if days.since is not None:
            yield p.c.expires_on >= days.since
        if days.before is not None:
            yield p.c.expires_on < days.before
    if leaf.points_at_least is not None:
        yield p.c.points >= sa.literal(leaf.points_at_least, sa.Numeric)


def stands_in_journey(contact: sa.FromClause, leaf: rules.InJourney, *, organisation_id: int, as_of: date) -> Condition:
    """Whether the contact stood in a journey on the day as ``leaf`` says; see ``rules.InJourney``."""
    e = ENROLMENT.alias("n")
    theirs = (
        e.c.organisation_id == organisation_id,
        e.c.contact_id == contact.c.id,
        e.c.journey_id == leaf.journey_id,
    )
    match leaf.standing:
        case "active":
            stays = sa.or_(e.c.left_on.is_(None), e.c.left_on > as_of)
            return _exists(e, *theirs, e.c.entered_on <= as_of, stays)
        case "completed":
            return _exists(e, *theirs, e.c.state == "completed", e.c.left_on <= as_of)
        case _:
            return sa.not_(_exists(e, *theirs, e.c.entered_on <= as_of))


def stands_with_mailbox(contact: sa.FromClause, leaf: rules.Deliverability, *, organisation_id: int) -> Condition:
    """Whether mail to the contact's own address is as ``leaf`` says."""
    i = ContactIdentity.__table__.alias("i")
    return _exists(
        i,
        i.c.organisation_id == organisation_id,
        i.c.contact_id == contact.c.id,
        i.c.kind == "email",
        i.c.is_primary,
        i.c.deliverability == leaf.standing,
    )


def _exists(source: sa.FromClause, *conditions: Condition) -> Condition:
    return sa.select(sa.literal_column("1")).select_from(source).where(*conditions).exists()
