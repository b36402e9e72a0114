"""A pause: somebody wants to hear nothing for a while. The ledger holds the wish, the gate keeps it, and it ends by
itself; nothing has to be granted again.

It is no no: what the person agreed to stands, and counts again when the pause is over or the person ends it.
"""

from __future__ import annotations

from datetime import datetime

from dateutil.relativedelta import relativedelta
from sqlalchemy import func, select

from app import clock
from app.consent.drafts import NewEvent, Recorded
from app.consent.explain import GATED_CHANNEL
from app.consent.ledger import record_events
from app.consent.models import Permission
from app.consent.subjects import own_keys
from app.db import ScopedSession
from app.keyring import Keyring

LASTS = relativedelta(months=3)
SOURCE = "zaallicht"


def paused_until(session: ScopedSession, subject_key: bytes) -> datetime | None:
    """Return until when whoever holds an address wants to hear nothing, or None where there is no pause now."""
    row = Permission
    latest: datetime | None = session.scalar(
        select(func.max(row.paused_until)).where(row.subject_key.in_(own_keys(session, subject_key)))
    )
    return latest if latest is not None and latest > clock.now() else None


def pause(session: ScopedSession, keyring: Keyring, subject_key: bytes) -> list[Recorded]:
    """Record that the person wants no marketing for three months, at any of their addresses; asked again, nothing is
    added while it lasts that long."""
    until = clock.now() + LASTS
    standing = paused_until(session, subject_key)
    if standing is not None and standing >= until - relativedelta(days=1):
        return []
    return _record(session, keyring, subject_key, action="paused", until=until)


def resume(session: ScopedSession, keyring: Keyring, subject_key: bytes) -> list[Recorded]:
    """Record that the person ends the pause; does nothing where there is none."""
    if paused_until(session, subject_key) is None:
        return []
    return _record(session, keyring, subject_key, action="resumed", until=None)


def _record(
    session: ScopedSession, keyring: Keyring, subject_key: bytes, *, action: str, until: datetime | None
) -> list[Recorded]:
    return record_events(
        session,
        keyring,
        [
            NewEvent(
                subject_key=key,
                channel=GATED_CHANNEL,
                purpose=None,
                action=action,
                occurred_at=clock.now(),
                actor="contact",
                method="preference_page",
                source=SOURCE,
                valid_until=until,
            )
            for key in own_keys(session, subject_key)
        ],
    )
