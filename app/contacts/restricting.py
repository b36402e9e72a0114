"""Restricting what is done with somebody's data (GDPR article 18): kept, and used for nothing until it is lifted.

The gate denies a restricted contact every purpose, so that no mail and no push reaches them. They stay in the store,
and are still counted where nothing is decided about them: in figures, and among the members of a segment.
"""

from __future__ import annotations

from datetime import datetime

from app.contacts.directory import living_contact
from app.db import ScopedSession

# Why a restriction may end; the person is told before it does (article 18(3)).
LIFTED_BECAUSE = ("settled", "asked", "mistake")


def restrict_contact(session: ScopedSession, contact_id: int, *, at: datetime) -> bool:
    """Use somebody's data for nothing from the commit on; returns whether that is new. Raises UnknownContact."""
    return _set(session, contact_id, is_restricted=True, at=at)


def lift_restriction(session: ScopedSession, contact_id: int, reason: str, *, at: datetime) -> bool:
    """Take a restriction off, for one of LIFTED_BECAUSE; returns whether there was one.

    It gives no permission back that was not there. Raises UnknownContact, and ValueError for another reason.
    """
    if reason not in LIFTED_BECAUSE:
        raise ValueError(reason)
    return _set(session, contact_id, is_restricted=False, at=at)


def _set(session: ScopedSession, contact_id: int, *, is_restricted: bool, at: datetime) -> bool:
    contact = living_contact(session, contact_id, for_update=True)
    if contact.is_restricted == is_restricted:
        return False
    contact.is_restricted, contact.updated_at = is_restricted, at
    session.flush()
    return True
