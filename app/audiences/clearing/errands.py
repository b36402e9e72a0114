"""What is due at one destination: for each address one errand, with everything that is asked of it there.

Several noes of one person are one errand, so that leaving four purposes at once costs no more calls than leaving one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, exists, func, select

from app import clock
from app.audiences.clearing.outcomes import ASKED, LOOP, UNSUBSCRIBED
from app.audiences.clearing.standing import Standing, standing_of
from app.audiences.models import Audience, AudienceMember
from app.consent.clearing.models import Clearance, Clearing
from app.contacts.models import ContactIdentity
from app.db import ScopedSession
from app.keyring import Keyring

OPEN = ("pending", "failing")
ERRANDS_PER_ROUND = 25
# A second unsubscription by us within this time is the last: a third would be two systems correcting each other.
LOOP_WITHIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Errand:
    """One address to be carried to one destination.

    ``again_clearing`` where the system was found to hold them as subscribed in spite of a no. ``is_looping``: we
    unsubscribed them there once more already, and nobody has asked to try again. ``is_pushed_now``: a push of theirs is
    under way there, so that looking now could miss it.
    """

    subject_key: bytes
    address: str | None
    contact_id: int | None
    clearing_ids: tuple[int, ...]
    is_erasure: bool
    is_again: bool
    is_looping: bool
    is_pushed_now: bool
    standing: Standing


def due_errands(session: ScopedSession, keyring: Keyring, connection_id: int) -> list[Errand]:
    """Return the next errands for a destination; [] where nothing is due.

    Who was not tried yet comes first, and the newest of them: a first load of old noes keeps no new one waiting.
    """
    keys = _due_keys(session, connection_id)
    if not keys:
        return []
    rows = _open_rows(session, connection_id, keys)
    addresses = _addresses(session, keyring, [clearing for clearing, _ in rows])
    standing = standing_of(session, connection_id, keys)
    again = _unsubscribed_again(session, connection_id, keys)
    pushed_now = _pushed_now(session, connection_id, keys)
    errands = []
    for key in keys:
        own = [(clearing, row) for clearing, row in rows if bytes(clearing.subject_key) == key]
        is_asked = any(row.failure_code == ASKED for _, row in own)
        errands.append(
            Errand(
                subject_key=key,
                address=addresses.get(key),
                contact_id=next((one.contact_id for one, _ in own if one.contact_id is not None), None),
                clearing_ids=tuple(one.id for one, _ in own),
                is_erasure=any(one.kind == "erasure" for one, _ in own),
                is_again=any(one.kind == "again" for one, _ in own),
                is_looping=again.get(key, 0) > 0 and not is_asked,
                is_pushed_now=key in pushed_now,
                standing=standing[key],
            )
        )
    return errands


def _due_keys(session: ScopedSession, connection_id: int) -> list[bytes]:
    row = Clearance
    due = (
        select(Clearing.subject_key)
        .join(row, row.clearing_id == Clearing.id)
        .where(row.connection_id == connection_id, row.state.in_(OPEN), row.next_try_at <= clock.now())
        .group_by(Clearing.subject_key)
        .order_by(func.min(row.attempts) > 0, func.max(Clearing.id).desc())
        .limit(ERRANDS_PER_ROUND)
    )
    return [bytes(key) for key in session.scalars(due)]


def _open_rows(session: ScopedSession, connection_id: int, keys: Sequence[bytes]) -> list[tuple[Clearing, Clearance]]:
    row = Clearance
    found = session.execute(
        select(Clearing, row)
        .join(row, and_(row.clearing_id == Clearing.id, row.connection_id == connection_id))
        .where(Clearing.subject_key.in_(keys), row.state.in_(OPEN))
        .order_by(Clearing.id)
        .execution_options(populate_existing=True)
    )
    return [(clearing, clearance) for clearing, clearance in found]


def _addresses(session: ScopedSession, keyring: Keyring, clearings: Sequence[Clearing]) -> dict[bytes, str]:
    """Return the address behind each key: as travelled with it, as a contact has it, or as we pushed it there."""
    keys = {bytes(one.subject_key) for one in clearings}
    identity, seat = ContactIdentity, AudienceMember
    seats = session.execute(
        select(seat.subject_key, seat.address).where(seat.subject_key.in_(keys), seat.address.is_not(None))
    )
    found = {bytes(key): str(address) for key, address in seats}
    held = session.execute(
        select(identity.subject_key, identity.value).where(identity.kind == "email", identity.subject_key.in_(keys))
    )
    found |= {bytes(key): value for key, value in held if key is not None}
    for one in clearings:
        if one.address_encrypted is not None:
            found[bytes(one.subject_key)] = keyring.decrypted(one.address_encrypted)
    return found


def _unsubscribed_again(session: ScopedSession, connection_id: int, keys: Sequence[bytes]) -> dict[bytes, int]:
    """Return how often we unsubscribed each of them there a second time, of late."""
    row = Clearance
    rows = session.execute(
        select(Clearing.subject_key, func.count())
        .join(row, and_(row.clearing_id == Clearing.id, row.connection_id == connection_id))
        .where(Clearing.subject_key.in_(keys), Clearing.kind == "again", row.outcome == UNSUBSCRIBED)
        .where(row.acknowledged_at > clock.now() - LOOP_WITHIN)
        .group_by(Clearing.subject_key)
    )
    return {bytes(key): int(times) for key, times in rows}


def _pushed_now(session: ScopedSession, connection_id: int, keys: Sequence[bytes]) -> set[bytes]:
    seat = AudienceMember
    rows = session.scalars(
        select(seat.subject_key)
        .join(Audience, Audience.id == seat.audience_id)
        .where(Audience.connection_id == connection_id, seat.subject_key.in_(keys))
        .where(seat.state.in_(("claimed", "uncertain")))
    )
    return {bytes(key) for key in rows}


def ask_again(session: ScopedSession, clearing_id: int, connection_id: int) -> bool:
    """Try one of them again at once, on somebody's word; returns whether it was still open."""
    now = clock.now()
    row = session.scalars(
        select(Clearance)
        .where(Clearance.clearing_id == clearing_id, Clearance.connection_id == connection_id)
        .where(Clearance.state.in_(OPEN))
        .with_for_update()
    ).one_or_none()
    if row is None:
        return False
    row.next_try_at, row.attempts = now, 0
    if row.failure_code == LOOP:
        row.failure_code = ASKED
    return True


def has_due(session: ScopedSession, connection_id: int) -> bool:
    """Whether anything is due at a destination."""
    due = exists().where(
        Clearance.connection_id == connection_id, Clearance.state.in_(OPEN), Clearance.next_try_at <= clock.now()
    )
    return bool(session.scalar(select(due)))
