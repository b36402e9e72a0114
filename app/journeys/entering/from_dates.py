"""Occurrences on dates: yearly returns, and passes that expire. They are due when the day begins where the house is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.contacts.models import Contact, Pass
from app.contacts.passes import programme_key
from app.db import ScopedSession
from app.journeys.definition import OnAnniversary, OnPass
from app.journeys.entering.from_participations import any_of
from app.journeys.entering.notes import Notes
from app.journeys.entering.occurrences import KEPT_FOR, Occurrence, days_leading_to, end_of, start_of
from app.journeys.spans import Span

A_DAY = timedelta(days=1)
A_DATE = r"^\d{4}-\d{2}-\d{2}"


def anniversaries_due(
    session: ScopedSession, trigger: OnAnniversary, first: date, last: date, *, zone: ZoneInfo
) -> Iterator[Occurrence]:
    """Whose yearly return, plus the offset, falls on a date from ``first`` up to and with ``last``.

    Somebody born on 29 February has their birthday on 28 February in a common year. Nobody has one in the year they
    were born in.
    """
    for day in _returns(trigger.offset, first, last):
        due_on = trigger.offset.day_after(day)
        at = start_of(due_on, zone)
        until = end_of(day, zone) if due_on <= day else at + KEPT_FOR
        for contact_id in session.scalars(_born(trigger, day)):
            yield Occurrence(contact_id, f"anniversary:{day.year}", at, until)


def _returns(offset: Span, first: date, last: date) -> Iterable[date]:
    return days_leading_to(offset, first, last)


def _born(trigger: OnAnniversary, day: date) -> sa.Select[int]:
    """Who was born (or whatever the field says) on this day of an earlier year."""
    days = [day.month * 100 + day.day]
    if days == [228] and (day + A_DAY).day == 1:
        days.append(229)
    contact = Contact
    living = sa.select(contact.id).where(contact.state == "living").order_by(contact.id)
    if trigger.attribute is None:
        return living.where(contact.birth_month_day.in_(days), sa.extract("year", contact.birth_date) < day.year)
    # Compared as text: what is no date is nobody's birthday, and must not fail the others'.
    said = contact.attributes[trigger.attribute].astext
    ends = [f"{one // 100:02}-{one % 100:02}" for one in days]
    return living.where(
        said.regexp_match(A_DATE), sa.func.substr(said, 6, 5).in_(ends), sa.func.substr(said, 1, 4) < f"{day.year:04}"
    )


def passes_expiring(
    session: ScopedSession, trigger: OnPass, first: date, last: date, *, zone: ZoneInfo
) -> Iterator[Occurrence]:
    """Whose pass expires ``offset`` from a date from ``first`` up to and with ``last``."""
    days = list(days_leading_to(trigger.offset or Span(), first, last))
    if days:
        rows = session.execute(_passes(trigger).where(Pass.expires_on.in_(days)))
        yield from (_expires(row, trigger, zone) for row in rows)


def passes_expiring_heard(
    session: ScopedSession, trigger: OnPass, notes: Notes, today: date, *, zone: ZoneInfo
) -> Iterator[Occurrence]:
    """Passes that came, or got another last day, when the moment to say so had passed."""
    noted = notes.of("pass_expires")
    if not noted:
        return
    for row in session.execute(_passes(trigger).where(any_of(Pass.id, sorted(noted)))):
        if (trigger.offset or Span()).day_after(row.expires_on) <= today:
            due = _expires(row, trigger, zone)
            yield Occurrence(due.contact_id, due.name, max(due.at, noted[row.id].at), due.until)


def _passes(trigger: OnPass) -> sa.Select[Any, Any, Any]:
    held = sa.select(Pass.id, Pass.contact_id, Pass.expires_on)
    return held.where(
        Pass.programme == programme_key(trigger.programme), Pass.status == "valid", Pass.expires_on.is_not(None)
    ).order_by(Pass.contact_id)


def _expires(row: Any, trigger: OnPass, zone: ZoneInfo) -> Occurrence:
    due_on = (trigger.offset or Span()).day_after(row.expires_on)
    at = start_of(due_on, zone)
    until = end_of(row.expires_on, zone) if due_on <= row.expires_on else at + KEPT_FOR
    return Occurrence(row.contact_id, f"pass:{row.id}:expiring:{row.expires_on.isoformat()}", at, until)
