"""Mail that is queued for somebody who says no: cancelled in the transaction that records the no, under its locks.

The claim would refuse it anyway; this keeps what people see about a mailing true, and stops a mail that was claimed and
has not left. A mail whose hand-over has begun cannot be called back. What consent asks of the deliveries is said here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, DateTime, Integer, LargeBinary, Text, any_, column, or_, table, update

from app.consent import subjects
from app.consent.drafts import Draft
from app.consent.precedence import NEGATIVE
from app.db import ScopedSession

delivery = table(
    "delivery",
    column("organisation_id", Integer),
    column("kind", Text),
    column("contact_id", BigInteger),
    column("purpose", Text),
    column("address_hash", LargeBinary),
    column("state", Text),
    column("lease_until", DateTime(timezone=True)),
    column("settled_at", DateTime(timezone=True)),
    column("problem_code", Text),
)


def cancel_said_no(session: ScopedSession, drafts: Sequence[Draft], *, at: datetime) -> None:
    """Cancel the mailings queued for whoever these events say no for; called with the locks of the events held."""
    noes = [draft for draft in drafts if draft.action in NEGATIVE and draft.event.channel == "email"]
    by_purpose: dict[str | None, list[Draft]] = {}
    for draft in noes:
        by_purpose.setdefault(draft.event.purpose, []).append(draft)
    for purpose, each in by_purpose.items():
        keys = {draft.subject_key for draft in each}
        contact_ids = {draft.contact_id for draft in each if draft.contact_id is not None}
        _cancel(session, keys, contact_ids, purpose=purpose, at=at)


def cancel_suppressed(session: ScopedSession, subject_keys: Collection[bytes], *, at: datetime) -> None:
    """Cancel every mailing queued for addresses that were just suppressed, and for whoever holds them."""
    holders = set(subjects.contacts_by_subject(session, subject_keys).values())
    _cancel(session, subject_keys, holders, purpose=None, at=at)


def _cancel(
    session: ScopedSession,
    keys: Collection[bytes],
    contact_ids: Collection[int],
    *,
    purpose: str | None,
    at: datetime,
) -> None:
    row = delivery.c
    meant: ColumnElement[bool] = or_(
        row.address_hash == any_(subjects.subject_keys(keys)), row.contact_id == any_(subjects.ids(contact_ids))
    )
    wanted = update(delivery).where(
        row.organisation_id == session.organisation_id,
        row.kind == "mailing",
        row.state.in_(("planned", "claimed")),
        meant,
    )
    if purpose is not None:
        wanted = wanted.where(row.purpose == purpose)
    session.execute(wanted.values(state="cancelled", lease_until=None, settled_at=at, problem_code="withdrawn"))
