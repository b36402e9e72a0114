"""What no longer exists where it came from: told, and never taken away here.

Who went to something went there, whatever becomes of it later; so nothing that came in is removed because its system no
longer has it. What changes is what one may still expect of it:

activity   one that is still to come and can no longer be found there cannot be gone to: it is cancelled. One that was
           held, or to which somebody still holds a ticket, stays as it is. Both are told.
person     whoever was removed or made anonymous there may have asked to be forgotten. That is for a person to decide:
           the connection's page tells, and leads to the contact, who can be erased there with one button.
ticket     counts as cancelled from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import and_, exists, select, tuple_, update

from app.activities.models import Activity, Participation
from app.contacts.models import ContactIdentity
from app.db import ScopedSession
from app.sync.models import SyncProblem
from integrations.base import Vanished

GONE_ACTIVITY, GONE_PERSON, GONE_TICKET = "activity_gone_there", "person_gone_there", "ticket_gone_there"


def take_note_of(session: ScopedSession, vanished: Sequence[Vanished], *, at: datetime) -> dict[str, str]:
    """Do what must be done about what vanished, and return what to tell: a code by external id.

    What we never had is not told. The caller owns the transaction.
    """
    activities = [one for one in vanished if one.kind == "activity"]
    people = [one for one in vanished if one.kind == "person"]
    told = dict.fromkeys(_activities(session, activities, at=at), GONE_ACTIVITY) if activities else {}
    return told | (dict.fromkeys(_people(session, people), GONE_PERSON) if people else {})


def contacts_told_of(session: ScopedSession, source: str, problems: Iterable[SyncProblem]) -> dict[str, int]:
    """Return the contact of each person that notes say is gone there, by the number they had there."""
    numbers = [problem.external_id for problem in problems if problem.code == GONE_PERSON]
    known = select(ContactIdentity.value_key, ContactIdentity.contact_id).where(
        ContactIdentity.kind.startswith(f"{source}:", autoescape=True), ContactIdentity.value_key.in_(numbers)
    )
    return {row.value_key: row.contact_id for row in session.execute(known)} if numbers else {}


def cancel_tickets(session: ScopedSession, source: str, external_ids: Sequence[str], *, at: datetime) -> None:
    """Let tickets that no longer exist there count as cancelled; refunded ones stay so."""
    session.execute(
        update(Participation)
        .where(
            Participation.source == source,
            Participation.external_id.in_(external_ids),
            Participation.status.in_(("booked", "attended", "pending")),
        )
        .values(status="cancelled", updated_at=at)
        .execution_options(synchronize_session=False)
    )


def _activities(session: ScopedSession, gone: Sequence[Vanished], *, at: datetime) -> list[str]:
    """Cancel what was still to come and nobody holds a ticket for; returns the external ids of all that we know."""
    keys = [(one.source, one.external_id) for one in gone]
    is_one_of = tuple_(Activity.source, Activity.external_id).in_(keys)
    has_tickets = exists().where(
        Participation.organisation_id == Activity.organisation_id,
        Participation.activity_id == Activity.id,
        Participation.is_valid,
    )
    session.execute(
        update(Activity)
        .where(
            and_(is_one_of, ~Activity.is_cancelled, (Activity.starts_at > at) | Activity.starts_at.is_(None)),
            ~has_tickets,
        )
        .values(is_cancelled=True, updated_at=at)
        .execution_options(synchronize_session=False)
    )
    return list(session.scalars(select(Activity.external_id).where(is_one_of)))


def _people(session: ScopedSession, gone: Sequence[Vanished]) -> list[str]:
    """Return the numbers of those we still know."""
    keys = [(one.identity_kind, one.external_id) for one in gone]
    known = tuple_(ContactIdentity.kind, ContactIdentity.value_key).in_(keys)
    return list(session.scalars(select(ContactIdentity.value).where(known)))
