"""Small worlds in which the truth is known: who got a mailing, who was held out, who booked when and for how much."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.activities.models import Activity, Participation
from app.contacts.models import Contact, MailEvent
from app.db import ScopedSession
from app.mailings.models import Delivery, Mailing, MailingLeftOut, MailingVersion

_numbers = count(1)


def make_people(session: ScopedSession, number: int, **fields: Any) -> list[int]:
    """That many people without a name or an address; returns their ids."""
    now = clock.now()
    row = {"organisation_id": session.organisation_id, "source": "test", "created_at": now, "updated_at": now} | fields
    if not number:
        return []
    made = session.scalars(sa.insert(Contact).returning(Contact.id), [dict(row) for _ in range(number)])
    return sorted(made)


def sent_mailing(session: ScopedSession, *, at: datetime | None = None, **changes: Any) -> int:
    """A mailing that was sent; returns its id."""
    now = at or clock.now()
    fields = {
        "organisation_id": session.organisation_id,
        "name": f"Mailing {next(_numbers)}",
        "purpose": "newsletter",
        "state": "sent",
        "version": 1,
        "content": {},
        "effect_days": 30,
        "planned_at": now,
        "started_at": now,
        "finished_at": now,
        "created_at": now,
        "updated_at": now,
    } | changes
    mailing = Mailing(**fields)
    session.add(mailing)
    session.flush()
    session.add(
        MailingVersion(
            organisation_id=session.organisation_id, mailing_id=mailing.id, version=1, content={}, frozen_at=now
        )
    )
    session.flush()
    return mailing.id


def deliver(
    session: ScopedSession, mailing_id: int, contact_ids: Iterable[int], *, at: datetime | None = None, **changes: Any
) -> None:
    """A delivery to each, accepted at ``at`` unless it says otherwise."""
    now = at or clock.now()
    row = {
        "organisation_id": session.organisation_id,
        "kind": "mailing",
        "purpose": "newsletter",
        "mailing_id": mailing_id,
        "mailing_version": 1,
        "variant": "A",
        "language": "nl",
        "state": "accepted",
        "planned_at": now,
        "next_try_at": now,
        "decided_at": now,
        "rules_version": "1",
        "decision_reason": "consent",
        "decided_by": 1,
        "address_hash": b"x",
        "handed_over_at": now,
    } | changes
    rows = [row | {"contact_id": each} for each in contact_ids]
    if rows:
        session.execute(insert(Delivery), rows)


def leave_out(session: ScopedSession, mailing_id: int, contact_ids: Iterable[int], reason: str = "held_out") -> None:
    rows = [
        {
            "organisation_id": session.organisation_id,
            "mailing_id": mailing_id,
            "contact_id": each,
            "reason": reason,
            "decided_at": clock.now(),
        }
        for each in contact_ids
    ]
    if rows:
        session.execute(insert(MailingLeftOut), rows)


def an_activity(session: ScopedSession, title: str = "Wachten op Godot", **fields: Any) -> int:
    now = clock.now()
    row = {
        "organisation_id": session.organisation_id,
        "source": "test",
        "external_id": f"a{next(_numbers)}",
        "title": title,
        "starts_at": now + timedelta(days=20),
        "starts_on": (now + timedelta(days=20)).date(),
        "created_at": now,
        "updated_at": now,
    } | fields
    activity = Activity(**row)
    session.add(activity)
    session.flush()
    return activity.id


def book(
    session: ScopedSession,
    contact_ids: Iterable[int],
    activity_id: int,
    *,
    at: datetime | None = None,
    amount: int | None = 20,
    **changes: Any,
) -> None:
    """A booking of each, an hour from now unless it says otherwise."""
    booked_at = at or clock.now() + timedelta(hours=1)
    row = {
        "organisation_id": session.organisation_id,
        "activity_id": activity_id,
        "source": "test",
        "quantity": 2,
        "amount": None if amount is None else Decimal(amount),
        "booked_at": booked_at,
        "booked_on": booked_at.astimezone(clock.now().tzinfo).date(),
        "activity_on": (clock.now() + timedelta(days=20)).date(),
        "created_at": booked_at,
        "updated_at": booked_at,
    } | changes
    rows = [row | {"contact_id": each, "external_id": f"b{next(_numbers)}"} for each in contact_ids]
    if rows:
        session.execute(insert(Participation), rows)


def event(session: ScopedSession, name: str, contact_ids: Iterable[int], **fields: Any) -> None:
    """Something that happened to the mail of each, an hour from now unless it says otherwise."""
    at = fields.pop("at", clock.now() + timedelta(hours=1))
    row = {
        "organisation_id": session.organisation_id,
        "event": name,
        "occurred_at": at,
        "occurred_on": at.date(),
        "is_machine": False,
        "source": "test",
        "recorded_at": at,
    } | fields
    rows = [row | {"contact_id": each, "external_id": f"e{next(_numbers)}"} for each in contact_ids]
    if rows:
        session.execute(insert(MailEvent), rows)
