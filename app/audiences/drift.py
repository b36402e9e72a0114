"""Where a list turned out to be otherwise than we thought, when it was read whole, and what was done about it.

| kind | what was found | what is done |
|---|---|---|
| `vanished` | somebody of ours is not on the list any more | left alone: to add them again would be a new subscription
|
| `tag_missing` | somebody of ours has lost our tag | the next run puts it on again |
| `tag_extra` | our tag is on somebody we did not put it on | left alone: we take off what we put on |
| `subscribed_again` | somebody is subscribed in spite of a no | the clearing house takes them off once more |
| `missed_opt_out` | somebody opted out, and no poll and no webhook told | recorded here |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.audiences.models import AudienceDrift, AudienceMember, ListHeldOut
from app.audiences.work import ListPlace, Work
from app.consent.clearing.models import Clearing
from app.consent.subjects import contacts_by_subject
from app.contacts.models import Contact
from app.db import ScopedSession, insert_many

KINDS = ("subscribed_again", "missed_opt_out", "vanished", "tag_missing", "tag_extra")
KEPT = timedelta(days=90)
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that was found about one person. ``name`` is empty where nobody is known by that address (any more)."""

    kind: str
    found_at: datetime
    contact_id: int | None
    name: str


def note_drift(session: ScopedSession, audience_id: int, kind: str, keys: Iterable[bytes], *, at: datetime) -> int:
    """Note that people were found so, and return how many; who was found so before is found so again."""
    found = sorted(set(keys))
    contacts = contacts_by_subject(session, found) if found else {}
    statement = insert(AudienceDrift)
    again = {"found_at": statement.excluded.found_at, "contact_id": statement.excluded.contact_id}
    rows = [
        {
            "organisation_id": session.organisation_id,
            "audience_id": audience_id,
            "kind": kind,
            "subject_key": key,
            "contact_id": contacts.get(key),
            "found_at": at,
        }
        for key in found
    ]
    if rows:
        places = ["organisation_id", "audience_id", "kind", "subject_key"]
        insert_many(session, statement.on_conflict_do_update(index_elements=places, set_=again), rows)
    return len(rows)


def unheard(session: ScopedSession, place: ListPlace, keys: Iterable[bytes]) -> set[bytes]:
    """Return those of whom the list never said, as far as we heard, that they are out."""
    asked = set(keys)
    if not asked:
        return set()
    row = ListHeldOut
    known = session.scalars(
        select(row.subject_key).where(
            row.connection_id == place.connection_id, row.list_ref == place.list_ref, row.subject_key.in_(asked)
        )
    )
    return asked - {bytes(key) for key in known}


def compare_tags(work: Work, tagged: set[bytes], *, at: datetime) -> None:
    """Hold who carries our tag against who should: lost tags are put on by the next run, others are left alone."""
    seat, audience_id = AudienceMember, work.audience.id
    with work.fenced() as session:
        ours = session.execute(
            select(seat.subject_key, seat.state, seat.pushed_sha256).where(seat.audience_id == audience_id)
        )
        whole: set[bytes] = set()
        known: set[bytes] = set()
        for key, state, pushed_sha256 in ours:
            known |= {bytes(key)} if state != "out" else set()
            whole |= {bytes(key)} if state == "in" and pushed_sha256 is not None else set()
        missing = unheard(session, work.place, whole - tagged)
        note_drift(session, audience_id, "tag_missing", missing, at=at)
        note_drift(session, audience_id, "tag_extra", tagged - known, at=at)
        session.execute(
            update(seat)
            .where(seat.audience_id == audience_id, seat.subject_key.in_(missing), seat.state == "in")
            .values(pushed_sha256=None)
            .execution_options(synchronize_session=False)
        )


def note_subscribed_again(session: ScopedSession, audience_id: int, place: ListPlace, *, since: datetime) -> None:
    """Note whom the clearing house takes off once more because of what was read since then."""
    keys = session.scalars(
        select(Clearing.subject_key).where(
            Clearing.kind == "again",
            Clearing.origin_connection_id == place.connection_id,
            Clearing.origin_list_ref == place.list_ref,
            Clearing.recorded_at >= since,
        )
    )
    note_drift(session, audience_id, "subscribed_again", [bytes(key) for key in keys], at=since)


def forget_old_drift(session: ScopedSession, audience_id: int, *, at: datetime) -> None:
    """Drop what was found long ago."""
    row = AudienceDrift
    session.execute(delete(row).where(row.audience_id == audience_id, row.found_at < at - KEPT))


def count_drift(session: ScopedSession, audience_id: int, *, since: datetime | None) -> dict[str, int]:
    """Return how many people were found in each way, since then; kinds without any are left out."""
    row = AudienceDrift
    query = select(row.kind, func.count().label("people")).where(row.audience_id == audience_id).group_by(row.kind)
    if since is not None:
        query = query.where(row.found_at >= since)
    return {one.kind: one.people for one in session.execute(query)}


def drift_of(session: ScopedSession, audience_id: int, *, only: str = "") -> list[Drift]:
    """Return the latest of what was found, ``SHOWN`` at most; ``only`` is a kind, anything else shows all."""
    row = AudienceDrift
    query = (
        select(row, Contact.given_name, Contact.family_name, Contact.email)
        .outerjoin(Contact, Contact.id == row.contact_id)
        .where(row.audience_id == audience_id)
        .order_by(row.found_at.desc(), row.kind, row.subject_key)
        .limit(SHOWN)
    )
    if only in KINDS:
        query = query.where(row.kind == only)
    return [
        Drift(
            one.AudienceDrift.kind,
            one.AudienceDrift.found_at,
            one.AudienceDrift.contact_id,
            " ".join(part for part in (one.given_name, one.family_name) if part) or one.email or "",
        )
        for one in session.execute(query)
    ]
