"""What is held about somebody, in an order a person can read, and the part of it they may take along.

Made from the access export, which walks the registry of tables: whatever a room holds is here, in a section of its own
or among the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app import clock
from app.accounts.organisations import current_organisation
from app.activities.models import Activity, Participation
from app.audiences.models import Audience, AudienceMember
from app.consent.explain import Why, why_of
from app.consent.models import Purpose, RightsRequest
from app.consent.requests import requests_of
from app.contacts.access_export import export_contact
from app.contacts.directory import find_contact, identities_of
from app.contacts.errors import UnknownContact
from app.contacts.ingest import PROFILE
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession
from app.segments.definitions import names_in
from app.segments.language.schemas import parse_rule
from app.segments.language.told import tell
from app.segments.models import Segment, SegmentMembership
from app.sync.models import Connection

# Tables that have a section of their own; the rest is listed as it is.
TOLD_APART = frozenset(
    {
        "contact", "identity", "participation", "consent_event", "consent_evidence", "permission", "segment_membership",
        "audience_member", "rights_request", "suppression",
    }
)  # fmt: skip
# What the person gave us or did (article 20): not what we worked out, nor what others decided about them.
TAKEN_ALONG = ("contact", "identity", "participation", "consent_event", "consent_evidence", "pass", "mail_event")
OURS = frozenset({"contact_id", "id", "state", "merged_into_id", "subject_key", "hash_key_id", "actor_id"})


@dataclass(frozen=True, slots=True)
class InSegment:
    """A segment the person is or was in, its rule in words, from when until when."""

    name: str
    rule: str
    entered_at: datetime
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """A system the person's data went to, under which audience, and whether it is there now."""

    system: str
    name: str
    audience: str
    is_there: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """Something the person took part in."""

    title: str
    starts_at: datetime | None
    status: str
    quantity: int
    booked_at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything held about one person, with what it is used for. ``rest`` is what has no section, by table."""

    contact: Contact
    identities: Sequence[ContactIdentity]
    visits: Sequence[Visit]
    why: Why
    purposes: Sequence[Purpose]
    segments: Sequence[InSegment]
    recipients: Sequence[Recipient]
    sources: Sequence[str]
    requests: Sequence[RightsRequest]
    rest: Mapping[str, list[dict[str, Any]]]


def dossier_of(session: ScopedSession, contact_id: int, *, language: str) -> Dossier:
    """Return what is held about a living contact, its rules told in a language. Raises UnknownContact."""
    contact = find_contact(session, contact_id)
    if contact is None or contact.state == "erased":
        raise UnknownContact(contact_id)
    held = export_contact(session, contact_id)["held"]
    identities = identities_of(session, [contact_id])[contact_id]
    visits = _visits(session, contact_id)
    return Dossier(
        contact=contact,
        identities=identities,
        visits=visits,
        why=why_of(session, contact_id, language=language),
        purposes=session.scalars(select(Purpose).order_by(Purpose.position)).all(),
        segments=_segments(session, contact_id, language=language),
        recipients=_recipients(session, contact_id),
        sources=sorted({contact.source, *(each.source for each in identities), *(each.source for each in visits)}),
        requests=requests_of(session, contact_id),
        rest={name: rows for name, rows in held.items() if name not in TOLD_APART},
    )


def taken_along(session: ScopedSession, contact_id: int) -> dict[str, Any]:
    """Return what the person gave us or did, as JSON data in the shape of the access export. Raises UnknownContact."""
    held = export_contact(session, contact_id)
    rows = {name: [_without_ours(row) for row in held["held"][name]] for name in TAKEN_ALONG if name in held["held"]}
    profile = [{key: value for key, value in row.items() if key in (*PROFILE, "email")} for row in rows["contact"]]
    explained = held["explained"]
    return {
        "format": "zaallicht-portability-1",
        "made_at": held["exported_at"],
        "given": rows | {"contact": profile},
        "explained": {name: explained[name] for name in ("notice_version", "activity") if name in explained},
    }


def _without_ours(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in OURS and value is not None}


def _visits(session: ScopedSession, contact_id: int) -> list[Visit]:
    line = Participation
    rows = session.execute(
        select(Activity.title, Activity.starts_at, line.status, line.quantity, line.booked_at, line.source)
        .join(Activity, Activity.id == line.activity_id)
        .where(line.contact_id == contact_id)
        .order_by(line.activity_on.desc(), line.id.desc())
    )
    return [Visit(*row) for row in rows]


def _segments(session: ScopedSession, contact_id: int, *, language: str) -> list[InSegment]:
    today = clock.today(current_organisation(session).time_zone)
    stretch = SegmentMembership
    rows = session.execute(
        select(Segment.name, Segment.rule, stretch.entered_at, stretch.left_at)
        .join(Segment, Segment.id == stretch.segment_id)
        .where(stretch.contact_id == contact_id)
        .order_by(stretch.left_at.is_not(None), stretch.entered_at.desc())
    )
    told = []
    for name, rule, entered_at, left_at in rows:
        parsed = parse_rule(rule)
        words = tell(parsed, as_of=today, language=language, names=names_in(session, parsed, language=language))
        told.append(InSegment(name, words, entered_at, left_at))
    return told


def _recipients(session: ScopedSession, contact_id: int) -> list[Recipient]:
    seat = AudienceMember
    rows = session.execute(
        select(Connection.system, Connection.name, Audience.name, seat.state)
        .join(Audience, Audience.id == seat.audience_id)
        .join(Connection, Connection.id == Audience.connection_id)
        .where(seat.contact_id == contact_id, seat.acknowledged_at.is_not(None))
        .order_by(Connection.name, Audience.name)
    )
    return [Recipient(system, name, audience, state == "in") for system, name, audience, state in rows]
