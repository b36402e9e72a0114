"""Service mails about a booking: the booking itself is what somebody may be written about, and that is recorded.

A journey for a purpose that is no marketing (practical information, a performance that is called off) has people enter
because of what they booked. Nobody ticks a box for that: the ledger is told of the booking before they are let in, and
the gate decides about them as about everybody. It ends a while after the performance, and lifts no objection.
"""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app import clock
from app.accounts.organisations import current_organisation
from app.activities.models import Participation
from app.consent.drafts import NewEvent
from app.consent.ledger import record_events
from app.consent.models import ConsentEvidence
from app.contacts.models import Contact
from app.db import ScopedSession
from app.journeys.definition import Definition, OnActivity, OnParticipation
from app.journeys.entering.models import JourneyArrival
from app.journeys.entering.occurrences import end_of
from app.journeys.entering.watches import ENTRANCE, read_definition
from app.journeys.models import Journey, JourneyVersion
from app.keyring import Keyring
from app.mailings.mailings import is_marketing

PEOPLE_A_STEP = 1_000
AFTER_THE_VISIT = timedelta(days=30)
SOURCE, BASIS = "booking", "service"
# What stands in the ledger as the words somebody saw.
WORDING = "Practical information about what was booked is part of the booking itself."


def brings_permission(session: ScopedSession, definition: Definition) -> bool:
    """Whether what lets people into a journey is itself the reason why they may be mailed for its purpose."""
    about_booking = isinstance(definition.trigger, OnParticipation | OnActivity)
    return about_booking and not is_marketing(session, definition.purpose)


def record_bookings(session: ScopedSession, keyring: Keyring, journey_id: int) -> bool:
    """Record the bookings of the next people who are about to enter; returns whether there may be more.

    Takes the locks of the ledger until the commit, and none of the journey. A booking is recorded once.
    """
    version, journey = JourneyVersion, Journey
    published = sa.select(version.definition).join(
        journey, sa.and_(journey.id == version.journey_id, journey.version == version.version)
    )
    stored = session.scalar(published.where(journey.id == journey_id))
    definition = None if stored is None else read_definition(stored)
    if definition is None or not brings_permission(session, definition):
        return False
    rows = session.execute(_not_recorded(journey_id).limit(PEOPLE_A_STEP)).all()
    zone, now = ZoneInfo(current_organisation(session).time_zone), clock.now()
    events = [
        NewEvent(
            address=row.email,
            contact_id=row.contact_id,
            channel="email",
            purpose=definition.purpose,
            action="granted",
            basis=BASIS,
            actor="system",
            method="order",
            source=SOURCE,
            external_id=str(row.participation_id),
            occurred_at=now,
            wording=WORDING,
            language="en",
            valid_until=max(end_of(row.activity_on, zone), now) + AFTER_THE_VISIT,
        )
        for row in rows
    ]
    if events:
        record_events(session, keyring, events)
    return len(rows) == PEOPLE_A_STEP


def _not_recorded(journey_id: int) -> sa.Select[int | None, int, str | None, date]:
    arrival, line, event = JourneyArrival, Participation, ConsentEvidence
    recorded = sa.exists().where(
        event.source == SOURCE, event.external_id == sa.cast(arrival.participation_id, sa.Text)
    )
    return (
        sa.select(arrival.participation_id, Contact.id.label("contact_id"), Contact.email, line.activity_on)
        .join(line, line.id == arrival.participation_id)
        .join(Contact, Contact.id == arrival.contact_id)
        .where(arrival.journey_id == journey_id, arrival.place == ENTRANCE, arrival.until >= clock.now(), ~recorded)
        .where(Contact.state == "living", ~Contact.is_restricted, Contact.email.is_not(None))
        .order_by(arrival.participation_id)
    )
