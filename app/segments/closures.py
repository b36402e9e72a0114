"""When the house was closed: recorded by the house itself, so that a window can skip those days.

"Days on which the house was closed do not count: the period reaches back as many days further." Kept in the settings
of the organisation, as pairs of dates, in order and without overlap.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise

import sqlalchemy as sa

from app import clock
from app.accounts.organisations import current_organisation
from app.activities.models import Activity
from app.db import ScopedSession
from app.segments.language.windows import ClosedPeriod, in_order

SETTING = "closed_periods"
LOOKED_BACK = timedelta(days=4 * 366)
SHORTEST_PROPOSED = timedelta(days=28)


def closed_periods(session: ScopedSession) -> tuple[ClosedPeriod, ...]:
    """The periods in which the house was or will be closed, in order, none touching another."""
    kept = current_organisation(session).settings.get(SETTING, [])
    return tuple(ClosedPeriod(date.fromisoformat(first), date.fromisoformat(last)) for first, last in kept)


def set_closed_periods(session: ScopedSession, periods: Iterable[ClosedPeriod]) -> tuple[ClosedPeriod, ...]:
    """Keep these periods instead of those before, and return them as they are kept.

    Periods that overlap or touch become one. Segments whose rules skip closed days are due at once.
    """
    kept = in_order(periods)
    organisation = current_organisation(session)
    written = [[one.first.isoformat(), one.last.isoformat()] for one in kept]
    if written != organisation.settings.get(SETTING, []):
        organisation.settings = {**organisation.settings, SETTING: written}
        session.flush()
    return kept


def add_closed_period(session: ScopedSession, period: ClosedPeriod) -> tuple[ClosedPeriod, ...]:
    """Keep a period beside those that are kept."""
    return set_closed_periods(session, [*closed_periods(session), period])


def remove_closed_period(session: ScopedSession, first: date) -> tuple[ClosedPeriod, ...]:
    """Forget the period that begins on a day; without one, nothing changes."""
    return set_closed_periods(session, [one for one in closed_periods(session) if one.first != first])


def proposed_periods(session: ScopedSession) -> list[ClosedPeriod]:
    """Four weeks and more without any activity in the last four years, that are not recorded as closed yet.

    A proposal for a person to judge: a gap in the data is not always a closed door.
    """
    today = clock.today(current_organisation(session).time_zone)
    query = (
        sa.select(Activity.starts_on)
        .where(Activity.starts_on >= today - LOOKED_BACK, Activity.starts_on <= today, ~Activity.is_cancelled)
        .distinct()
        .order_by(Activity.starts_on)
    )
    days = [day for day in session.scalars(query) if day is not None]
    one_day = timedelta(days=1)
    gaps = [ClosedPeriod(before + one_day, after - one_day) for before, after in pairwise(days)]
    known = closed_periods(session)
    return [
        gap
        for gap in gaps
        if gap.last - gap.first + one_day >= SHORTEST_PROPOSED
        and not any(one.first <= gap.first and gap.last <= one.last for one in known)
    ]
