"""Why somebody is, or is not, on the list of an audience: the first thing that stands in the way, and the decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from app.audiences.models import Audience, AudienceMember, ListHeldOut
from app.audiences.problems import RunStopped
from app.audiences.wanted import THERE, segment_members
from app.audiences.work import CHANNEL
from app.consent.decided import Decided, decided_then
from app.consent.gate import contactable
from app.consent.subjects import subjects_of
from app.contacts.models import ContactIdentity
from app.db import ScopedSession


@dataclass(frozen=True, slots=True)
class WhyThere:
    """The answer for one person and audience.

    ``code`` is ``there``, ``waits``, or the first thing in the way: ``segment_unknown``, ``not_in_segment``,
    ``not_permitted``, ``bouncing``, ``held_out``, ``shared``, ``refused``. ``detail`` is how the list holds them out,
    or why they were refused; ``since`` since when. ``decided`` is the permission, as of the push where there was one.
    """

    code: str
    detail: str | None
    since: datetime | None
    decided: Decided


def why_there(session: ScopedSession, audience: Audience, contact_id: int, *, language: str) -> WhyThere:
    """Return why a contact is, or is not, on the list of an audience now."""
    keys = subjects_of(session, [contact_id]).get(contact_id, [])
    seat = _seat(session, audience, contact_id, keys)
    is_there = seat is not None and seat.state in THERE
    decided = decided_then(
        session,
        contact_id,
        purpose=audience.purpose,
        decided_at=(seat.acknowledged_at or seat.updated_at) if is_there and seat is not None else None,
        decided_by=seat.permission_event_id if is_there and seat is not None else None,
        language=language,
    )
    code, detail, since = _answer(session, audience, contact_id, seat, decided)
    return WhyThere(code, detail, since, decided)


def _answer(
    session: ScopedSession, audience: Audience, contact_id: int, seat: AudienceMember | None, decided: Decided
) -> tuple[str, str | None, datetime | None]:
    code = _segment_obstacle(session, audience, contact_id)
    if code is not None:
        return code, None, None
    if not decided.today.is_allowed:
        return "not_permitted", decided.today.reason, decided.today.since
    held = _held_out(session, audience, contact_id)
    if held is not None:
        return "held_out", held.status, held.since
    if seat is not None and seat.state == "refused":
        return "refused", seat.refusal_code, seat.updated_at
    if seat is not None and seat.state in THERE:
        is_shared = seat.contact_id not in (None, contact_id)
        return ("shared" if is_shared else "there"), None, seat.acknowledged_at
    return ("waits" if _is_deliverable(session, audience, contact_id) else "bouncing"), None, None


def _segment_obstacle(session: ScopedSession, audience: Audience, contact_id: int) -> str | None:
    if audience.segment_id is None:
        return "segment_unknown"
    try:
        members = segment_members(session, audience.segment_id, audience_id=audience.id)
    except RunStopped:
        return "segment_unknown"
    found = session.scalars(select(members.c.contact_id).where(members.c.contact_id == contact_id)).first()
    return None if found is not None else "not_in_segment"


def _seat(session: ScopedSession, audience: Audience, contact_id: int, keys: list[bytes]) -> AudienceMember | None:
    seat = AudienceMember
    return session.scalars(
        select(seat)
        .where(seat.audience_id == audience.id, or_(seat.contact_id == contact_id, seat.subject_key.in_(keys)))
        .order_by(seat.state.in_(THERE).desc(), seat.updated_at.desc())
    ).first()


def _held_out(session: ScopedSession, audience: Audience, contact_id: int) -> ListHeldOut | None:
    row, identity = ListHeldOut, ContactIdentity
    return session.scalars(
        select(row)
        .join(identity, identity.subject_key == row.subject_key)
        .where(identity.contact_id == contact_id, identity.kind == "email", identity.is_primary)
        .where(row.connection_id == audience.connection_id, row.list_ref == audience.list_ref)
    ).first()


def _is_deliverable(session: ScopedSession, audience: Audience, contact_id: int) -> bool:
    may = contactable.c
    found = session.scalars(
        select(may.is_deliverable).where(
            may.contact_id == contact_id, may.channel == CHANNEL, may.purpose == audience.purpose
        )
    ).first()
    return found is not False
