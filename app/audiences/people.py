"""Lists of people for the pages: who of ours is at a destination, and for whom a run was not simply done."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from app.audiences.models import AudienceMember, AudienceRunResult
from app.contacts.models import Contact
from app.db import ScopedSession

PEOPLE_PAGE = 50


@dataclass(frozen=True, slots=True)
class Seat:
    """One person of an audience, as a page shows them."""

    contact_id: int | None
    name: str
    address: str
    state: str
    code: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did for one person. ``name`` is empty where nobody is known by that address (any more)."""

    contact_id: int | None
    name: str
    action: str
    outcome: str
    code: str | None


def people_of(session: ScopedSession, audience_id: int, *, only: str, cursor: str) -> tuple[list[Seat], str]:
    """Return a page of an audience's people and the cursor after it ("" at the end).

    ``only`` is ``refused`` or ``in``; anything else shows both. A cursor that is none of ours starts again.
    """
    seat = AudienceMember
    query = (
        select(seat, Contact.given_name, Contact.family_name)
        .outerjoin(Contact, Contact.id == seat.contact_id)
        .where(seat.audience_id == audience_id, seat.state != "out")
        .order_by(seat.subject_key)
        .limit(PEOPLE_PAGE + 1)
    )
    if only == "refused":
        query = query.where(seat.refusal_code.is_not(None))
    elif only == "in":
        query = query.where(seat.state.in_(("in", "claimed", "uncertain")))
    if after := _key(cursor):
        query = query.where(seat.subject_key > after)
    rows = session.execute(query).all()
    seats = [
        Seat(
            row.AudienceMember.contact_id,
            _name(row.given_name, row.family_name),
            row.AudienceMember.address or "",
            row.AudienceMember.state,
            row.AudienceMember.refusal_code,
        )
        for row in rows[:PEOPLE_PAGE]
    ]
    is_more = len(rows) > PEOPLE_PAGE
    return seats, rows[PEOPLE_PAGE - 1].AudienceMember.subject_key.hex() if is_more else ""


def results_of(session: ScopedSession, run_id: int) -> list[Result]:
    """Return the first page of people for whom a run was not simply done, refusals before the rest."""
    result = AudienceRunResult
    rows = session.execute(
        select(result, Contact.given_name, Contact.family_name, Contact.email)
        .outerjoin(Contact, Contact.id == result.contact_id)
        .where(result.run_id == run_id)
        .order_by(result.outcome == "done", result.action, result.subject_key)
        .limit(PEOPLE_PAGE)
    )
    return [
        Result(
            row.AudienceRunResult.contact_id,
            _name(row.given_name, row.family_name) or row.email or "",
            row.AudienceRunResult.action,
            row.AudienceRunResult.outcome,
            row.AudienceRunResult.code,
        )
        for row in rows
    ]


def _name(given_name: str | None, family_name: str | None) -> str:
    return " ".join(part for part in (given_name, family_name) if part)


def _key(cursor: str) -> bytes:
    try:
        return bytes.fromhex(cursor)
    except ValueError:
        return b""
