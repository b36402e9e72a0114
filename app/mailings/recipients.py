"""Who will get a mailing and who will not, and why: one statement, before it is sent and when it is planned.

Meant is: in one of the segments it goes to. Of those, each who does not get it has the first reason that holds:

===================  ==================================================================================
``excluded``         also in a segment it does not go to
``no_address``       no e-mail address is known
``no_permission``    the gate says no for the purpose
``undeliverable``    mail to the address bounces
``shared_address``   somebody else who gets it reads the same mailbox: one mail an address
``held_out``         in the control group
===================  ==================================================================================

Members come from maintained membership where it is of this moment, else the rule is evaluated. Nobody is mailed because
of this answer: the gate is asked again at the claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app import clock
from app.consent.gate import contactable
from app.contacts.models import ContactIdentity
from app.db import ScopedSession
from app.mailings.effect.holdout import holdout_of, is_held_out
from app.mailings.mailings import find_mailing, segments_of
from app.mailings.models import Mailing
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import scope_of
from app.segments.definitions import complete_rule, find_segment
from app.segments.language.schemas import parse_rule
from app.segments.membership import due_segments
from app.segments.models import SegmentMembership

# In the order in which they are looked at.
REASONS = ("excluded", "no_address", "no_permission", "undeliverable", "shared_address", "held_out")


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many a mailing is meant for, how many of them get it, and how many not, by reason."""

    meant: int
    gets: int
    left_out: Mapping[str, int]


def count_recipients(session: ScopedSession, mailing_id: int) -> Funnel:
    """Count who would get a mailing if it were sent now. Raises UnknownMailing, or a SegmentError."""
    mailing = find_mailing(session, mailing_id)
    judged = judged_people(session, mailing)
    reason = judged.c.reason
    counts = [sa.func.count().filter(reason == name).label(name) for name in REASONS]
    row = session.execute(
        sa.select(sa.func.count().label("meant"), sa.func.count().filter(reason.is_(None)).label("gets"), *counts)
    ).one()
    return Funnel(row.meant, row.gets, {name: row._mapping[name] for name in REASONS})


def judged_people(session: ScopedSession, mailing: Mailing) -> sa.CTE:
    """Return a table of everybody a mailing is meant for: ``contact_id``, ``subject_key`` and ``reason``.

    ``reason`` is NULL for who gets it. Raises a SegmentError where a segment cannot be worked out.
    """
    to, without = segments_of(session, mailing.id)
    may = contactable.alias("may")
    address = sa.alias(ContactIdentity.__table__, "address")
    meant = _members(session, to).cte("meant").prefix_with("MATERIALIZED")
    excluded = _members(session, without).cte("excluded").prefix_with("MATERIALIZED")
    is_address = sa.and_(
        address.c.organisation_id == session.organisation_id,
        address.c.contact_id == meant.c.contact_id,
        address.c.kind == "email",
        address.c.is_primary,
    )
    is_allowed = sa.and_(
        may.c.organisation_id == session.organisation_id,
        may.c.contact_id == meant.c.contact_id,
        may.c.channel == "email",
        may.c.purpose == mailing.purpose,
    )
    asked = (
        sa.select(
            meant.c.contact_id,
            may.c.subject_key,
            sa.case(
                (excluded.c.contact_id.is_not(None), "excluded"),
                (address.c.id.is_(None), "no_address"),
                (may.c.contact_id.is_(None), "no_permission"),
                (sa.not_(may.c.is_deliverable), "undeliverable"),
            ).label("reason"),
        )
        .select_from(meant)
        .outerjoin(excluded, excluded.c.contact_id == meant.c.contact_id)
        .outerjoin(address, is_address)
        .outerjoin(may, is_allowed)
        .cte("asked")
    )
    return _one_an_address(session, asked, mailing)


def _one_an_address(session: ScopedSession, asked: sa.CTE, mailing: Mailing) -> sa.CTE:
    """Add the reasons that depend on the others: the first of a mailbox gets it, and of those some are held out."""
    place = sa.func.row_number().over(partition_by=(asked.c.subject_key, asked.c.reason), order_by=asked.c.contact_id)
    placed = sa.select(asked, sa.case((asked.c.reason.is_(None), place)).label("place")).subquery("placed")
    holdout = holdout_of(session, mailing, at=clock.now())
    reason = sa.case(
        (placed.c.reason.is_not(None), placed.c.reason),
        (placed.c.place > 1, "shared_address"),
        (is_held_out(holdout, placed.c.contact_id), "held_out"),
    )
    return (
        sa.select(placed.c.contact_id, placed.c.subject_key, reason.label("reason"))
        .cte("judged")
        .prefix_with("MATERIALIZED")
    )


def _members(session: ScopedSession, segment_ids: Sequence[int]) -> sa.Select[Any]:
    """Return a select of the ``contact_id`` of everybody in any of the segments, each once."""
    if not segment_ids:
        return sa.select(sa.literal(0, sa.BigInteger).label("contact_id")).where(sa.false())
    due = set(due_segments(session))
    selects = [_evaluated(session, each) if each in due else _remembered(each) for each in segment_ids]
    union = sa.union(*selects).subquery("united")
    return sa.select(union.c.contact_id)


def _remembered(segment_id: int) -> sa.Select[Any]:
    member = SegmentMembership
    return sa.select(member.contact_id).where(member.segment_id == segment_id, member.left_at.is_(None))


def _evaluated(session: ScopedSession, segment_id: int) -> sa.Select[Any]:
    rule = complete_rule(session, parse_rule(find_segment(session, segment_id).rule))
    found = select_members(rule, scope_of(session)).subquery(f"segment_{segment_id}")
    return sa.select(found.c.contact_id)
