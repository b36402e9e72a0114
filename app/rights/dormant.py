"""People of whom there is no ground left to keep anything: nothing allowed, booked or asked for years."""

from __future__ import annotations

from datetime import datetime

from dateutil.relativedelta import relativedelta
from sqlalchemy import Select, exists, func, select

from app.activities.models import Participation
from app.consent.models import Permission, RightsRequest
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession

DORMANT_YEARS = (3, 5, 7)


def count_dormant(session: ScopedSession, *, years: int, at: datetime) -> int:
    """Return how many living contacts have been dormant for so many years. Changes nothing."""
    return session.scalar(select(func.count()).select_from(dormant_contacts(years=years, at=at).subquery())) or 0


def dormant_contacts(*, years: int, at: datetime) -> Select[int]:
    """Return the ids of living contacts, known for so long, of whom nothing was booked or attended since then, to whom
    nothing may be sent, and who wait for no answer of ours. Calendar years, so that neither summer time nor a leap day
    moves anybody."""
    since = at - relativedelta(years=years)
    line, permission, asked = Participation, Permission, RightsRequest
    came = exists().where(line.contact_id == Contact.id, (line.activity_on >= since.date()) | (line.booked_at >= since))
    allowed = (
        exists()
        .where(ContactIdentity.contact_id == Contact.id, permission.subject_key == ContactIdentity.subject_key)
        .where(permission.is_allowed, permission.valid_until.is_(None) | (permission.valid_until > at))
    )
    waits = exists().where(asked.contact_id == Contact.id, asked.state == "open")
    return select(Contact.id).where(
        Contact.state == "living", Contact.created_at < since, ~Contact.is_restricted, ~came, ~allowed, ~waits
    )
