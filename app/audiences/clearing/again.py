"""Whom a list holds as subscribed in spite of a no: found whenever a list is read, and told once more.

Our no stands. A list that says "subscribed" lifts nothing here, and whoever is found so is taken off again, once. What
they did themselves at a form of that system is looked at then (``visits``), for only a read of the person shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import and_, select
from sqlalchemy.dialects.postgresql import distinct_on, insert

from app.audiences.clearing.outcomes import SIGNED_UP_THERE
from app.audiences.clearing.standing import purposes_of_lists, standing_of
from app.audiences.work import ListPlace
from app.consent.clearing.models import Clearance, Clearing
from app.consent.subjects import contacts_by_subject
from app.db import ScopedSession, insert_many
from app.keyring import Keyring

OPEN = ("pending", "failing")


def send_again(
    session: ScopedSession, keyring: Keyring, place: ListPlace, subscribed: Mapping[bytes, str], *, at: datetime
) -> int:
    """Send a no once more to a list that was just read, for whoever it holds as subscribed; returns how many.

    ``subscribed`` are their addresses by key. Whose no is on its way already is left alone, and whoever is known to
    have signed up there themselves.
    """
    standing = standing_of(session, place.connection_id, subscribed)
    served = purposes_of_lists(session, place.connection_id).of(place.list_ref)
    wrong = [key for key, no in standing.items() if no.is_no and no.must_leave(place.list_ref, served)]
    if not wrong:
        return 0
    left_alone = _left_alone(session, place.connection_id, wrong)
    wrong = [key for key in wrong if key not in left_alone]
    if not wrong:
        return 0
    contacts = contacts_by_subject(session, wrong)
    insert_many(
        session,
        insert(Clearing),
        [
            {
                "organisation_id": session.organisation_id,
                "kind": "again",
                "subject_key": key,
                "contact_id": contacts.get(key),
                "source": place.system,
                "origin_connection_id": place.connection_id,
                "origin_list_ref": place.list_ref,
                "address_encrypted": None if key in contacts else keyring.encrypted(subscribed[key]),
                "recorded_at": at,
            }
            for key in wrong
        ],
    )
    return len(wrong)


def _left_alone(session: ScopedSession, connection_id: int, keys: list[bytes]) -> set[bytes]:
    """Whose last row at the connection is still open, or ended with a sign-up of their own."""
    row = Clearance
    last = session.execute(
        select(Clearing.subject_key, row.state, row.outcome)
        .join(row, and_(row.clearing_id == Clearing.id, row.connection_id == connection_id))
        .where(Clearing.subject_key.in_(keys))
        .order_by(Clearing.subject_key, Clearing.id.desc())
        .ext(distinct_on(Clearing.subject_key))
    )
    return {bytes(one.subject_key) for one in last if one.state in OPEN or one.outcome == SIGNED_UP_THERE}
