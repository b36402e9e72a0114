"""The words of personal fields for many people at once, in the language of their mail.

What is known of a contact is read here. What a mail of a journey is about (its activity, how many tickets) is known to
a room above, which adds a reader (``add_reader``) when the application is composed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from babel.dates import format_date
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on

from app import clock
from app.accounts.models import Organisation
from app.accounts.organisations import current_organisation
from app.activities.models import Activity, Participation
from app.contacts.models import Contact, Pass
from app.db import ScopedSession
from app.mailings.composing.joint_names import Names, joint_names
from app.mailings.composing.personal_fields import ATTRIBUTE, BY_NAME, FIELDS, Field, is_known, samples
from app.mailings.letter_texts import LOCALES
from app.segments.among import members_among
from app.segments.models import SegmentMembership

__all__ = ["ATTRIBUTE", "BY_NAME", "FIELDS", "Field", "Row", "add_reader", "attribute_names", "is_known",
           "read_fields", "samples"]  # fmt: skip

Words = dict[str, str]
ATTRIBUTES_MAX = 100
LOOKED_AT_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Row:
    """One person's mail: ``key`` is what the answer calls it (a delivery's or a contact's id).

    ``mailing_id`` of a mailing to many, so that people who read it together are named together.
    """

    key: int
    contact_id: int
    enrolment_id: int | None = None
    mailing_id: int | None = None


Reader = Callable[[ScopedSession, Sequence[Row], str], Mapping[int, Mapping[str, str]]]
_READERS: list[Reader] = []


def add_reader(reader: Reader) -> None:
    """Have fields read that a room above knows: (session, rows, language) to words by key. Twice is once."""
    if reader not in _READERS:
        _READERS.append(reader)


def read_fields(
    session: ScopedSession,
    rows: Sequence[Row],
    *,
    language: str,
    segments: Collection[int] = (),
    at: datetime | None = None,
) -> dict[int, Words]:
    """Return the words of every field for each row, by its key; a field somebody has nothing for is left out.

    ``segments`` are those that conditions ask: ``segment.<id>`` is "1" for who is a member at this moment; a
    SegmentError is raised where that cannot be told. With ``at``, for looking: for who was counted among them then. A
    fixed number of statements for any number of rows.
    """
    house = current_organisation(session)
    contact_ids = list({row.contact_id for row in rows})
    known = {each.id: each for each in session.scalars(select(Contact).where(Contact.id.in_(contact_ids)))}
    passes = _passes(session, contact_ids, language)
    visits = _last_visits(session, contact_ids, language)
    of_house = _of_house(house)
    to_many = [(row.contact_id, row.mailing_id) for row in rows if row.mailing_id and row.enrolment_id is None]
    together = joint_names(session, to_many, language=language)
    found: dict[int, Words] = {}
    for row in rows:
        contact = known.get(row.contact_id)
        names = (contact.given_name, contact.family_name) if contact is not None else (None, None)
        own = {} if contact is None else _of_contact(contact, together.get(row.contact_id, names), language)
        found[row.key] = of_house | own | passes.get(row.contact_id, {}) | visits.get(row.contact_id, {})
    members = _members(session, contact_ids, segments, at=at)
    for row in rows:
        found[row.key] |= members.get(row.contact_id, {})
    for read in _READERS:
        for key, words in read(session, rows, language).items():
            found[key].update(words)
    return found


def attribute_names(session: ScopedSession) -> list[str]:
    """Return the names of the house's own attributes, as the contacts that changed last have them, for the picker."""
    row = Contact
    newest = (
        select(row.attributes)
        .where(row.state == "living", row.attributes != {})
        .order_by(row.updated_at.desc())
        .limit(LOOKED_AT_MAX)
        .subquery()
    )
    keys = select(func.jsonb_object_keys(newest.c.attributes).label("name")).subquery()
    rows = session.execute(select(keys.c.name).distinct().order_by(keys.c.name).limit(ATTRIBUTES_MAX))
    return [str(name) for (name,) in rows]


def _members(
    session: ScopedSession, contact_ids: list[int], segments: Collection[int], *, at: datetime | None
) -> dict[int, Words]:
    if not segments:
        return {}
    found: dict[int, Words] = {}
    pairs = _members_then(session, contact_ids, segments, at=at) if at else _members_now(session, contact_ids, segments)
    for contact_id, segment_id in pairs:
        found.setdefault(contact_id, {})[f"segment.{segment_id}"] = "1"
    return found


def _members_now(
    session: ScopedSession, contact_ids: list[int], segments: Collection[int]
) -> Iterable[tuple[int, int]]:
    members = members_among(session, contact_ids, segments)
    return [(contact_id, segment_id) for segment_id, those in members.items() for contact_id in those]


def _members_then(
    session: ScopedSession, contact_ids: list[int], segments: Collection[int], *, at: datetime
) -> Iterable[tuple[int, int]]:
    stretch = SegmentMembership
    query = select(stretch.contact_id, stretch.segment_id).where(
        stretch.contact_id.in_(contact_ids),
        stretch.segment_id.in_(segments),
        stretch.entered_at <= at,
        stretch.left_at.is_(None) | (stretch.left_at > at),
    )
    return [(contact_id, segment_id) for contact_id, segment_id in session.execute(query)]


def _of_house(house: Organisation) -> Words:
    address = ", ".join((house.legal_address or "").splitlines())
    return {"house.name": house.name, "house.address": address}


def _of_contact(contact: Contact, names: Names, language: str) -> Words:
    given_name, family_name = names
    words = {
        "given_name": given_name,
        "family_name": family_name,
        "full_name": " ".join(name for name in names if name),
        "salutation": salutation(given_name, language),
        "email": contact.email,
        "municipality": contact.municipality,
        "language": contact.language,
    }
    own = {f"{ATTRIBUTE}{name}": _as_words(value) for name, value in contact.attributes.items()}
    return {name: value for name, value in (words | own).items() if value}


def _as_words(value: Any) -> str:
    match value:
        case None | bool() | dict():
            return ""
        case list():
            return ", ".join(_as_words(each) for each in value)
        case _:
            return str(value)


def salutation(given_name: str | None, language: str) -> str:
    """Return how somebody is greeted: "Beste Noor", or "Beste bezoeker" where we know no name."""
    return _GREETINGS[language][0] % given_name if given_name else _GREETINGS[language][1]


_GREETINGS = {
    "nl": ("Beste %s", "Beste bezoeker"),
    "fr": ("Bonjour %s", "Bonjour"),
    "en": ("Dear %s", "Dear visitor"),
}


def _passes(session: ScopedSession, contact_ids: list[int], language: str) -> dict[int, Words]:
    """The pass that is valid longest, of those that are valid today."""
    today = clock.now().date()
    row = Pass
    query = (
        select(row.contact_id, row.programme, row.points, row.expires_on)
        .where(row.contact_id.in_(contact_ids), row.status == "valid")
        .where(func.coalesce(row.expires_on, today) >= today)
        .order_by(row.contact_id, row.expires_on.desc().nulls_first(), row.id)
        .ext(distinct_on(row.contact_id))
    )
    return {
        contact_id: {
            "pass.programme": programme,
            "pass.points": "" if points is None else str(points),
            "pass.expires_on": long_date(expires_on, language),
        }
        for contact_id, programme, points, expires_on in session.execute(query)
    }


def _last_visits(session: ScopedSession, contact_ids: list[int], language: str) -> dict[int, Words]:
    line, activity, today = Participation, Activity, clock.now().date()
    query = (
        select(line.contact_id, activity.title, line.activity_on, activity.venue)
        .join(activity, (activity.organisation_id == line.organisation_id) & (activity.id == line.activity_id))
        .where(line.contact_id.in_(contact_ids), line.is_valid, line.activity_on < today)
        .order_by(line.contact_id, line.activity_on.desc(), line.id.desc())
        .ext(distinct_on(line.contact_id))
    )
    return {
        contact_id: {
            "last_visit.title": title,
            "last_visit.date": long_date(on, language),
            "last_visit.venue": venue or "",
        }
        for contact_id, title, on, venue in session.execute(query)
    }


@lru_cache(maxsize=1024)
def long_date(on: date | None, language: str) -> str:
    """Return a day as a mail says it: "20 november 2026"."""
    return "" if on is None else format_date(on, "long", locale=LOCALES[language])
