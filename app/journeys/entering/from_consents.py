"""Occurrences of somebody saying yes, and of sign-up forms that were confirmed.

Only what the person (or a guardian) did themselves counts: permissions that come in a file, or that a system states,
welcome nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from app.consent.models import ConsentEvent
from app.contacts.forms.models import Signup
from app.contacts.models import ContactIdentity
from app.db import ScopedSession
from app.journeys.definition import OnConsent, OnForm
from app.journeys.entering.from_participations import any_of
from app.journeys.entering.notes import Notes
from app.journeys.entering.occurrences import Occurrence, soon_after

PERSONS = ("contact", "guardian")


def consents_heard(session: ScopedSession, trigger: OnConsent, notes: Notes) -> Iterator[Occurrence]:
    """The yeses in these notes that ``trigger`` is about."""
    noted, event = notes.of("consent"), ConsentEvent
    if not noted:
        return
    query = _with_contact(sa.select(event.id, event.occurred_at, event.contact_id), event.subject_key).where(
        any_of(event.id, sorted(noted)),
        event.channel == trigger.channel,
        event.purpose == trigger.purpose,
        event.action == trigger.on,
        event.actor.in_(PERSONS),
    )
    for row in session.execute(query):
        contact_id = row.holder_id or row.contact_id
        if contact_id is not None:
            at = min(row.occurred_at, noted[row.id].at)
            yield soon_after(contact_id, f"consent:{row.id}", at)


def forms_heard(session: ScopedSession, trigger: OnForm, notes: Notes) -> Iterator[Occurrence]:
    """The sign-ups in these notes that came by the form of ``trigger``: a form counts once its mail was confirmed."""
    noted = notes.of("signup")
    if not noted:
        return
    query = _with_contact(sa.select(Signup.id, Signup.done_at), Signup.subject_key)
    for row in session.execute(query.where(any_of(Signup.id, sorted(noted)), Signup.form_id == trigger.form_id)):
        if row.holder_id is not None:
            yield soon_after(row.holder_id, f"signup:{row.id}", row.done_at or noted[row.id].at)


def _with_contact(query: Any, subject_key: Any) -> sa.Select[*tuple[Any, ...]]:
    """With who holds the address now: that may be another contact than when it was said, after a merge."""
    identity = ContactIdentity
    held = sa.select(sa.func.min(identity.contact_id)).where(identity.subject_key == subject_key).scalar_subquery()
    with_holder: sa.Select[*tuple[Any, ...]] = query.add_columns(held.label("holder_id"))
    return with_holder
