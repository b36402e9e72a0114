"""The gate: who may be contacted for a purpose over a channel, and the only way to claim that somebody may.

``contactable`` is the one relation that says so (``contactable_otherwise`` for channels but e-mail); counts, previews
and pushes join it. ``claim`` is the moment that
counts: it locks first and decides in a second statement, because a statement that waited for a lock still sees the
snapshot it began with, and an opt-out that committed meanwhile would slip through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Boolean, DateTime, Integer, LargeBinary, MetaData, Table, Text, any_, select
from sqlalchemy import Column as Col

from app.consent import subjects
from app.consent.locks import lock_for_decision
from app.consent.subjects import subjects_that_count
from app.db import ScopedSession

# Recorded with every decision to send. Raise it when the view or the rule of precedence comes to mean another thing.
RULES_VERSION = 2

EMAIL = "email"


def _view(name: str) -> Table:
    """A view of the gate, kept out of the models' metadata so that migrations are not compared with it."""
    return Table(
        name,
        MetaData(),
        Col("organisation_id", Integer),
        Col("contact_id", BigInteger),
        Col("channel", Text),
        Col("purpose", Text),
        Col("identity_id", BigInteger),
        Col("subject_key", LargeBinary),
        Col("is_deliverable", Boolean),
        Col("basis", Text),
        Col("since", DateTime(timezone=True)),
        Col("decided_by", BigInteger),
        Col("valid_until", DateTime(timezone=True)),
    )


contactable = _view("contactable")
contactable_otherwise = _view("contactable_otherwise")


def contactable_by(channel: str) -> Table:
    """Return the relation that says who may be contacted over a channel: ``contactable`` for e-mail, which everything
    that sends joins, and ``contactable_otherwise``, of the same columns, for post, phone, SMS and advertisements."""
    return contactable if channel == EMAIL else contactable_otherwise


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's answer about one contact. Where it is yes: which address, on which basis, by which event.

    ``reason`` is the basis, or ``denied`` (``explain.explain`` says why) or ``changing``: somebody was changing the
    contact while we asked, so ask again later.
    """

    contact_id: int
    is_allowed: bool
    reason: str
    identity_id: int | None = None
    subject_key: bytes | None = None
    is_deliverable: bool = False
    basis: str | None = None
    decided_by: int | None = None


def claim(
    session: ScopedSession, *, channel: str, purpose: str, contact_ids: Sequence[int], at: datetime
) -> list[Decision]:
    """Decide, one answer per contact in the order given, and keep every answer true until the caller commits.

    A withdrawal, suppression, merge, erasure or import that commits before this returns is seen; one that comes later
    waits for the commit. The caller records the decision in the same transaction, commits, and hands over at once.
    The gate judges validity at ``at``. Anything that goes wrong raises: no answer is no permission.
    """
    stable = _locked(session, contact_ids, channel=channel)
    relation = contactable_by(channel)
    gate = relation.c
    rows = session.execute(
        select(relation).where(
            gate.channel == channel, gate.purpose == purpose, gate.contact_id == any_(subjects.ids(contact_ids))
        )
    )
    allowed = {row.contact_id: row for row in rows if row.valid_until is None or row.valid_until > at}
    decisions = []
    for contact_id in contact_ids:
        row = allowed.get(contact_id)
        if contact_id not in stable:
            decisions.append(Decision(contact_id, False, "changing"))
        elif row is None:
            decisions.append(Decision(contact_id, False, "denied"))
        else:
            decisions.append(
                Decision(
                    contact_id,
                    True,
                    row.basis,
                    row.identity_id,
                    bytes(row.subject_key),
                    row.is_deliverable,
                    row.basis,
                    row.decided_by,
                )
            )
    return decisions


def _locked(session: ScopedSession, contact_ids: Sequence[int], *, channel: str) -> set[int]:
    """Lock these contacts and their addresses; return those who stayed the same until we held everything.

    The row of a contact is locked so that it conflicts with the foreign key check of an identity that arrives (by an
    import or a merge) and with every change of the contact itself. Whoever is being changed right now is left out
    instead of waited for: a claim that holds contacts never waits for anything, so it is part of no deadlock.
    """
    before = subjects_that_count(session, contact_ids)
    lock_for_decision(session, {key for keys in before.values() for key in keys}, channels=[channel])
    contact = subjects.contact.c
    still = session.scalars(
        select(contact.id)
        .where(contact.id == any_(subjects.ids(contact_ids)))
        .order_by(contact.id)
        .with_for_update(skip_locked=True)
    ).all()
    after = subjects_that_count(session, contact_ids)
    return {contact_id for contact_id in still if after.get(contact_id) == before.get(contact_id)}
