"""Ending what somebody allowed, without anybody having said no: a person who is erased, or who objects to profiling."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from app.consent.drafts import NewEvent
from app.consent.ledger import record_events
from app.consent.models import ConsentEvent, Purpose
from app.consent.precedence import POSITIVE
from app.db import ScopedSession
from app.keyring import Keyring


def end_every_yes(
    session: ScopedSession, keyring: Keyring, subject_keys: Sequence[bytes], *, method: str, at: datetime
) -> int:
    """End every yes the ledger holds of these subjects, on every channel; returns how many events it took.

    A complete yes that is given afterwards counts again.
    """
    event = ConsentEvent
    said = session.execute(
        select(event.subject_key, event.channel, Purpose.code, Purpose.is_marketing)
        .join(Purpose, Purpose.code == event.purpose)
        .where(event.subject_key.in_(list(subject_keys)), event.action.in_(POSITIVE))
        .distinct()
    ).all()
    # One ending covers all marketing; what rests on a booking has to be named.
    wanted = sorted({(bytes(key), channel, "" if is_marketing else code) for key, channel, code, is_marketing in said})
    events = [
        NewEvent(
            subject_key=subject_key,
            channel=channel,
            purpose=purpose or None,
            action="expired",
            occurred_at=at,
            actor="system",
            method=method,
            source="zaallicht",
        )
        for subject_key, channel, purpose in wanted
    ]
    return sum(recorded.is_new for recorded in record_events(session, keyring, events)) if events else 0
