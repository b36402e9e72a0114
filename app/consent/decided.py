"""What was decided about somebody when a mail or a push went out, with what was known then, and what holds today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.consent.explain import Explanation, HistoryLine, explain, history_of
from app.consent.models import Purpose
from app.consent.wordings import name_of
from app.db import ScopedSession


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as it was recorded, in the light of then and of today.

    ``reason`` is the code that was recorded, ``proof`` the event it rested on, both None where nothing was decided.
    ``until_then`` and ``since`` are what the ledger holds about the purpose, newest first, before and after it.
    """

    purpose: str
    decided_at: datetime | None
    reason: str | None
    proof: HistoryLine | None
    until_then: list[HistoryLine]
    since: list[HistoryLine]
    today: Explanation
    purpose_names: Mapping[str, str]


def decided_then(
    session: ScopedSession,
    contact_id: int,
    *,
    purpose: str,
    decided_at: datetime | None,
    decided_by: int | None,
    language: str,
    reason: str | None = None,
    channel: str = "email",
) -> Decided:
    """Return the decision that rested on the event ``decided_by``, made at ``decided_at`` (None: none was made).

    Without a recorded ``reason`` it is the basis of that event. The ledger is append-only, so what was known then is
    what had been recorded by then. Purposes are named in ``language``.
    """
    lines = [
        line
        for line in history_of(session, contact_id)
        if line.event.channel == channel and line.event.purpose in (None, purpose)
    ]
    proof = next((line for line in lines if line.event.id == decided_by), None)
    then = [line for line in lines if decided_at is not None and line.event.recorded_at <= decided_at]
    return Decided(
        purpose=purpose,
        decided_at=decided_at,
        reason=reason or (proof.event.basis if proof is not None else None),
        proof=proof,
        until_then=then,
        since=[line for line in lines if line not in then],
        today=explain(session, contact_id, channel=channel, purpose=purpose),
        purpose_names={one.code: name_of(one, language) for one in session.scalars(select(Purpose))},
    )
