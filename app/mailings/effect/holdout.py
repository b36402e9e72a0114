"""Who is in the control group: people who deliberately get nothing, so that it can be seen what a mail brought about.

Drawn by a hash, so that asking twice gives the same answer, and by household, so that nobody reads at the kitchen table
what they were not to get. Only people who would have got the mail are drawn: every other reason goes first.
A mailing has a control group of its own, or shares the one of the season; service mails never have one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app.activities.seasons import season_at
from app.contacts.models import Contact
from app.db import ScopedSession, array_text
from app.mailings.effect.draws import OUT_OF, household, household_of, share, share_of
from app.mailings.effect.models import SeasonControl, SeasonSide
from app.mailings.models import Delivery, Mailing, MailingLeftOut

SERVICE = "service"
SEASON_PERCENT = 10


class Holdout(NamedTuple):
    """One draw: for what, what share of the people (per cent), and the season whose sides go before the draw."""

    drawn_for: str
    percent: Decimal
    season: int | None = None


NOBODY = Holdout("nobody", Decimal(0))


def holdout_of(session: ScopedSession, mailing: Mailing, *, at: datetime) -> Holdout:
    """Return the control group that a mailing leaves alone at an instant; ``NOBODY`` for service and where none is."""
    if mailing.purpose == SERVICE:
        return NOBODY
    if mailing.season_holdout:
        season = season_at(session, at)
        control = session.get(SeasonControl, (session.organisation_id, season))
        percent = control.percent if control else mailing.holdout_percent or SEASON_PERCENT
        return Holdout(f"season {season}", Decimal(percent), season)
    # Those who were left out of a repeating mailing are left out of all its times.
    return Holdout(f"holdout {mailing.repeat_of_id or mailing.id}", Decimal(mailing.holdout_percent))


def holdouts_of_journey(
    session: ScopedSession, *, journey_id: int, percent: Decimal, purpose: str, at: datetime
) -> list[Holdout]:
    """Return the control groups that a journey leaves alone: its own, and the season's where the house has one."""
    if purpose == SERVICE:
        return []
    own = [Holdout(f"journey {journey_id}", percent)] if percent else []
    season = season_at(session, at)
    control = session.get(SeasonControl, (session.organisation_id, season))
    return [*own, Holdout(f"season {season}", Decimal(control.percent), season)] if control else own


def is_held_out(holdout: Holdout, contact_id: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that a contact is held out, over a column of contact ids."""
    if not holdout.percent:
        return sa.false()
    drawn = share_of(holdout.drawn_for, household_of(contact_id)) < _limit(holdout)
    if holdout.season is None:
        return drawn
    side = sa.alias(SeasonSide.__table__, "side")
    known = sa.select(side.c.is_held_out).where(side.c.season == holdout.season, side.c.contact_id == contact_id)
    return sa.func.coalesce(known.scalar_subquery(), drawn)


def held_out(session: ScopedSession, holdout: Holdout, contact_ids: Iterable[int]) -> set[int]:
    """Return which of these contacts are held out. Two statements, however many they are."""
    wanted = sorted(set(contact_ids))
    if not holdout.percent or not wanted:
        return set()
    addresses = session.execute(
        sa.text(
            "SELECT id, like_address FROM contact WHERE organisation_id = :organisation_id"
            " AND id = ANY (CAST(:ids AS bigint[]))"
        ),
        {"organisation_id": session.organisation_id, "ids": array_text(wanted)},
    ).all()
    sides = _sides(session, holdout, wanted)
    return {
        contact_id
        for contact_id, like_address in addresses
        if sides.get(contact_id, share(holdout.drawn_for, household(contact_id, like_address)) < _limit(holdout))
    }


def record_sides(session: ScopedSession, mailing: Mailing, *, at: datetime) -> int:
    """Write down who is on which side of the season, after a mailing was planned; returns for how many this is new.

    Nobody changes sides within a season. Does nothing for a mailing that does not share the season's control group.
    """
    holdout = holdout_of(session, mailing, at=at)
    if holdout.season is None:
        return 0
    start_season(session, holdout.season, percent=int(holdout.percent), at=at)
    delivery, left = Delivery, MailingLeftOut
    got = sa.select(delivery.contact_id, sa.false().label("is_held_out")).where(
        delivery.mailing_id == mailing.id, delivery.enrolment_id.is_(None)
    )
    not_got = sa.select(left.contact_id, sa.true()).where(left.mailing_id == mailing.id, left.reason == "held_out")
    return _insert_sides(session, holdout.season, sa.union_all(got, not_got).subquery("drawn"), at=at)


def record_sides_of(
    session: ScopedSession, holdout: Holdout, *, held: Iterable[int], others: Iterable[int], at: datetime
) -> int:
    """Write down the sides of people who entered a journey, as ``held_out`` told them apart."""
    if holdout.season is None:
        return 0
    on_each = {True: set(held), False: set(others)}
    drawn = sa.text(
        "SELECT * FROM unnest(CAST(:contacts AS bigint[]), CAST(:sides AS boolean[])) AS given(contact_id, is_held_out)"
    ).bindparams(
        contacts=array_text(each for people in on_each.values() for each in sorted(people)),
        sides=array_text(str(is_held).lower() for is_held, people in on_each.items() for _ in people),
    )
    columns = (sa.column("contact_id", sa.BigInteger), sa.column("is_held_out", sa.Boolean))
    return _insert_sides(session, holdout.season, drawn.columns(*columns).subquery("drawn"), at=at)


def start_season(session: ScopedSession, season: int, *, percent: int, at: datetime) -> SeasonControl:
    """Return the control group of a season, made now where there is none; the share of one that stands stays."""
    session.execute(
        insert(SeasonControl)
        .values(organisation_id=session.organisation_id, season=season, percent=percent, started_at=at)
        .on_conflict_do_nothing()
    )
    return session.get_one(SeasonControl, (session.organisation_id, season))


def _insert_sides(session: ScopedSession, season: int, drawn: sa.FromClause, *, at: datetime) -> int:
    living = sa.select(
        sa.literal(session.organisation_id, sa.Integer),
        sa.literal(season, sa.SmallInteger),
        drawn.c.contact_id,
        drawn.c.is_held_out,
        sa.literal(at, sa.DateTime(timezone=True)),
    ).join_from(drawn, Contact, Contact.id == drawn.c.contact_id)
    made = (
        insert(SeasonSide)
        .from_select(["organisation_id", "season", "contact_id", "is_held_out", "since"], living)
        .on_conflict_do_nothing()
        .returning(sa.literal_column("1").label("one"))
        .cte("made")
    )
    return session.scalar(sa.select(sa.func.count()).select_from(made)) or 0


def _sides(session: ScopedSession, holdout: Holdout, contact_ids: list[int]) -> dict[int, bool]:
    if holdout.season is None:
        return {}
    side = SeasonSide
    known = sa.text("SELECT unnest(CAST(:ids AS bigint[]))").bindparams(ids=array_text(contact_ids))
    rows = session.execute(
        sa.select(side.contact_id, side.is_held_out).where(
            side.season == holdout.season, side.contact_id.in_(known.columns(sa.column("id")))
        )
    )
    return {row.contact_id: row.is_held_out for row in rows}


def _limit(holdout: Holdout) -> int:
    return int(holdout.percent * OUT_OF / 100)
