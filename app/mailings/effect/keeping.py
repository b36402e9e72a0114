"""Figures are remembered, so that a report, a comparison and an average do not count everything again.

A heartbeat measures what is under way: every ten minutes in the first two days, hourly until the window closes, daily
for another month (refunds), and then no more. Somebody who looks sees figures of at most ten minutes ago while the
window is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.audit import Actor, record
from app.db import ScopedSession, transaction
from app.mailings.effect.figures import Figures, as_json, from_json
from app.mailings.effect.models import MailingReport
from app.mailings.effect.results import count_sent, measure
from app.mailings.models import Delivery, Mailing
from app.mailings.problems import UnknownMailing
from app.runtime import Runtime

FRESH_FOR = timedelta(minutes=10)
HOURLY_AFTER, HOURLY = timedelta(hours=48), timedelta(hours=1)
DAILY_UNTIL, DAILY = timedelta(days=31), timedelta(days=1)
PER_BEAT = 5
AVERAGE_OF = 12
# More mails than these are counted by the heartbeat, within a minute: counting ninety thousand took seconds.
COUNTED_AT_ONCE = 20_000
REMARK_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Average:
    """What earlier mailings for the same purpose did, each counting the same: shares of who got them, money a person.

    ``mailings``: how many. ``click_rate`` is of those who let us see clicks; None where none were seen.
    """

    mailings: int
    click_rate: float | None
    booking_rate: float | None
    amount_each: float | None
    stop_rate: float | None


def report_of(session: ScopedSession, mailing_id: int, *, at: datetime) -> Figures:
    """Return the figures of a mailing, measured now unless those that are kept will do. Raises UnknownMailing."""
    mailing = session.get(Mailing, (session.organisation_id, mailing_id))
    if mailing is None:
        raise UnknownMailing(mailing_id)
    kept, figures = session.get(MailingReport, (session.organisation_id, mailing_id)), None
    if kept is not None and kept.figures is not None and kept.measured_at is not None:
        figures = from_json(kept.figures)
        is_same = figures.days == mailing.effect_days and (figures.started_at is not None) == _has_begun(mailing)
        if is_same and at < kept.measured_at + min(_rests_for(figures, kept.measured_at), HOURLY):
            return figures
        figures = figures if is_same else None
    if not _has_begun(mailing) or not _is_large(session, mailing_id):
        return keep(session, mailing_id, at=at)
    if figures is None and kept is not None:
        kept.measured_at = None  # the heartbeat counts anew what is not measured
    return figures or count_sent(session, mailing_id, at=at)


def keep(session: ScopedSession, mailing_id: int, *, at: datetime) -> Figures:
    """Measure a mailing and remember the figures; returns them."""
    figures = measure(session, mailing_id, at=at)
    row = {"figures": as_json(figures), "measured_at": at}
    session.execute(
        insert(MailingReport)
        .values(organisation_id=session.organisation_id, mailing_id=mailing_id, **row)
        .on_conflict_do_update(index_elements=["organisation_id", "mailing_id"], set_=row)
        .execution_options(synchronize_session=False)
    )
    held = session.get(MailingReport, (session.organisation_id, mailing_id))
    if held is not None:
        session.refresh(held)
    return figures


def measure_due(runtime: Runtime, organisation_id: int) -> int:
    """Measure the mailings of a house whose figures are due, the longest due first; returns how many."""
    with transaction(runtime.engine, organisation_id) as session:
        due = _due(session, at=clock.now())
    for mailing_id in due:
        with transaction(runtime.engine, organisation_id) as session:
            keep(session, mailing_id, at=clock.now())
    return len(due)


def average_before(session: ScopedSession, mailing: Mailing) -> Average | None:
    """Return what the last mailings for the same purpose did, before this one began; None where there are none."""
    row, other = MailingReport, Mailing
    query = (
        sa.select(row.figures)
        .join(other, other.id == row.mailing_id)
        .where(other.kind == "campaign", other.purpose == mailing.purpose, other.id != mailing.id)
        .where(other.started_at < (mailing.started_at or clock.now()), row.figures.is_not(None))
        .order_by(other.started_at.desc())
        .limit(AVERAGE_OF)
    )
    figures = [from_json(kept) for kept in session.scalars(query) if kept is not None]
    return average_of([each for each in figures if each.funnel.got])


def average_of(figures: Sequence[Figures]) -> Average | None:
    """Return the average of these, each counting the same; None where there are none."""
    if not figures:
        return None
    seen = [each.funnel.clicked / each.funnel.measured for each in figures if each.funnel.measured]
    return Average(
        len(figures),
        sum(seen) / len(seen) if seen else None,
        sum(each.funnel.booked / each.funnel.got for each in figures) / len(figures),
        sum(each.funnel.amount / each.funnel.got for each in figures) / len(figures),
        sum(each.funnel.stopped / each.funnel.got for each in figures) / len(figures),
    )


def remark_on(session: ScopedSession, mailing_id: int, words: str, *, actor: Actor) -> None:
    """Keep one line that a colleague says of a mailing's results; empty words take it away. Raises UnknownMailing."""
    if session.get(Mailing, (session.organisation_id, mailing_id)) is None:
        raise UnknownMailing(mailing_id)
    said = " ".join(words.split())[:REMARK_LENGTH_MAX] or None
    row = {"remark": said, "remarked_by": actor.id if actor.kind == "user" else None, "remarked_at": clock.now()}
    session.execute(
        insert(MailingReport)
        .values(organisation_id=session.organisation_id, mailing_id=mailing_id, **row)
        .on_conflict_do_update(index_elements=["organisation_id", "mailing_id"], set_=row)
        .execution_options(synchronize_session=False)
    )
    record(session, actor, "mailings.remarked", subject=("mailing", mailing_id))


def remark_of(session: ScopedSession, mailing_id: int) -> MailingReport | None:
    """Return the row that holds what was said of a mailing, or None."""
    return session.get(MailingReport, (session.organisation_id, mailing_id), populate_existing=True)


def last_measured(session: ScopedSession) -> tuple[Mailing, Figures] | None:
    """Return the mailing that went last and has figures, with them; None where none has."""
    row, mailing = MailingReport, Mailing
    found = session.execute(
        sa.select(mailing, row.figures)
        .join(row, row.mailing_id == mailing.id)
        .where(mailing.kind == "campaign", mailing.started_at.is_not(None), row.figures.is_not(None))
        .order_by(mailing.started_at.desc())
        .limit(1)
    ).first()
    return None if found is None else (found[0], from_json(found[1]))


def _is_large(session: ScopedSession, mailing_id: int) -> bool:
    row = Delivery
    one = sa.select(sa.literal(1)).where(row.organisation_id == session.organisation_id, row.mailing_id == mailing_id)
    return session.scalar(one.offset(COUNTED_AT_ONCE).limit(1)) is not None


def _has_begun(mailing: Mailing) -> bool:
    return mailing.started_at is not None or mailing.kind == "journey"


def _due(session: ScopedSession, *, at: datetime) -> list[int]:
    mailing, row = Mailing, MailingReport
    query = (
        sa.select(mailing.id, row.measured_at)
        .outerjoin(row, row.mailing_id == mailing.id)
        .where(mailing.kind == "campaign", mailing.started_at.is_not(None))
        .where(
            sa.or_(
                row.measured_at.is_(None),
                sa.and_(row.measured_at <= at - FRESH_FOR, mailing.started_at > at - HOURLY_AFTER),
                sa.and_(row.measured_at <= at - HOURLY, row.measured_at < _closes(mailing)),
                sa.and_(row.measured_at <= at - DAILY, row.measured_at < _closes(mailing) + DAILY_UNTIL),
            )
        )
        .order_by(row.measured_at.nulls_first(), mailing.id)
        .limit(PER_BEAT)
    )
    return [each.id for each in session.execute(query)]


def _closes(mailing: type[Mailing]) -> sa.ColumnElement[datetime | None]:
    return mailing.started_at + sa.func.make_interval(0, 0, 0, mailing.effect_days)


def _rests_for(figures: Figures, measured_at: datetime) -> timedelta:
    """How long figures are fresh enough to show: short while people still click and book."""
    if figures.started_at is None or figures.is_closed:
        return HOURLY if figures.is_closed else timedelta(0)
    started_at = datetime.fromisoformat(figures.started_at)
    return FRESH_FOR if measured_at >= started_at + timedelta(hours=2) else timedelta(minutes=1)
