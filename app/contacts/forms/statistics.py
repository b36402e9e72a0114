"""How often a form is shown, sent and confirmed: numbers per day, and nobody behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.organisations import current_organisation
from app.contacts.forms.models import SignupFormDay
from app.db import ScopedSession

What = Literal["shown", "sent", "confirmed"]
DAYS = 30


@dataclass(frozen=True, slots=True)
class Counts:
    """How often something happened."""

    shown: int = 0
    sent: int = 0
    confirmed: int = 0


def count(session: ScopedSession, form_id: int, what: What) -> None:
    """Count one more today. It holds the row of the day until the commit: do it last, or in its own transaction."""
    row = SignupFormDay
    today = clock.today(current_organisation(session).time_zone)
    statement = insert(row).values(organisation_id=session.organisation_id, form_id=form_id, day_on=today, **{what: 1})
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["organisation_id", "form_id", "day_on"], set_={what: getattr(row, what) + 1}
        )
    )


def counts_of(session: ScopedSession, *, since: date | None = None) -> Mapping[int, Counts]:
    """Return the counts of every form that has any, from a day on or (None) ever."""
    row = SignupFormDay
    query = select(row.form_id, func.sum(row.shown), func.sum(row.sent), func.sum(row.confirmed)).group_by(row.form_id)
    if since is not None:
        query = query.where(row.day_on >= since)
    return {form_id: Counts(int(a), int(b), int(c)) for form_id, a, b, c in session.execute(query)}


def lately(session: ScopedSession) -> Mapping[int, Counts]:
    """Return the counts of the last thirty days."""
    today = clock.today(current_organisation(session).time_zone)
    return counts_of(session, since=today - timedelta(days=DAYS))
