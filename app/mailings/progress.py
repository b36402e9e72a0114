"""How a mailing goes, and holding it: pause, resume, cancel.

Pausing takes back what is reserved and claimed in the same transaction, so that after it nothing more leaves but what
is being handed over at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from app import clock
from app.accounts.audit import Actor, record
from app.db import ScopedSession
from app.mailings.deliveries import NEVER
from app.mailings.mailings import find_mailing, held_mailing
from app.mailings.models import Delivery, Mailing
from app.mailings.problems import NotThatState

RATE_OVER = timedelta(minutes=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a mailing stands. ``seconds_left`` None: it cannot be told (yet)."""

    state: str
    paused_because: str | None
    planned: int
    accepted: int
    failed: int
    uncertain: int
    cancelled: int
    on_its_way: int
    waits_for_winner: int
    waits_for_cap: int
    a_minute: float
    seconds_left: int | None

    @property
    def left(self) -> int:
        """How many are still to be sent."""
        return self.on_its_way + self.waits_for_winner

    @property
    def percent(self) -> int:
        """How much is done, from 0 to 100; 100 only when nothing is left."""
        if not self.planned:
            return 100 if self.state in ("sent", "cancelled") else 0
        return (self.planned - self.left) * 100 // self.planned


def progress_of(session: ScopedSession, mailing_id: int) -> Progress:
    """Return where a mailing stands now. Raises UnknownMailing."""
    mailing, row, now = find_mailing(session, mailing_id), Delivery, clock.now()
    count = sa.func.count
    waiting = row.state == "planned"
    counts = session.execute(
        sa.select(
            count().label("planned"),
            *(count().filter(row.state == state).label(state) for state in ("accepted", "failed", "uncertain")),
            count().filter(row.state == "cancelled").label("cancelled"),
            count().filter(waiting, row.next_try_at >= NEVER).label("waits_for_winner"),
            count().filter(waiting, row.problem_code == "capped").label("waits_for_cap"),
            count()
            .filter(row.state.in_(("planned", "claimed", "handed_over")), row.next_try_at < NEVER)
            .label("on_its_way"),
            count().filter(row.state == "accepted", row.settled_at > now - RATE_OVER).label("lately"),
        ).where(row.mailing_id == mailing_id, row.state != "draft")
    ).one()
    numbers: Mapping[str, int] = dict(counts._mapping)
    lately = numbers["lately"]
    busy = min(RATE_OVER, now - mailing.started_at) if mailing.started_at else RATE_OVER
    a_second = lately / max(busy.total_seconds(), 1.0)
    is_going = mailing.state == "sending" and a_second > 0
    return Progress(
        state=mailing.state,
        paused_because=mailing.paused_because,
        a_minute=a_second * 60,
        seconds_left=int((numbers["on_its_way"] - numbers["waits_for_cap"]) / a_second) if is_going else None,
        **{name: value for name, value in numbers.items() if name != "lately"},
    )


def pause(session: ScopedSession, mailing_id: int, *, actor: Actor, because: str = "person") -> Mailing:
    """Stop sending until somebody resumes. Raises UnknownMailing or NotThatState."""
    mailing = _in_state(session, mailing_id, "sending", "scheduled")
    mailing.state, mailing.paused_because, mailing.updated_at = "paused", because, clock.now()
    _take_back(session, mailing_id)
    record(session, actor, "mailings.pause", subject=("mailing", mailing_id), details={"because": because})
    return mailing


def resume(session: ScopedSession, mailing_id: int, *, actor: Actor) -> Mailing:
    """Go on, because a person says so: what it was held for is accepted. Raises UnknownMailing or NotThatState."""
    mailing, now = _in_state(session, mailing_id, "paused"), clock.now()
    if mailing.paused_because == "many_more_people":
        mailing.expected_people = None
    is_ahead = mailing.send_at is not None and mailing.send_at > now and mailing.planned_at is None
    mailing.state = "scheduled" if is_ahead or mailing.repeats else "sending"
    if mailing.state == "sending":
        mailing.started_at = mailing.started_at or now
    mailing.paused_because, mailing.updated_at = None, now
    record(session, actor, "mailings.resume", subject=("mailing", mailing_id))
    return mailing


def cancel(session: ScopedSession, mailing_id: int, *, actor: Actor) -> Mailing:
    """Stop for good: nobody gets it any more who did not get it yet. Raises UnknownMailing or NotThatState."""
    mailing = _in_state(session, mailing_id, "scheduled", "sending", "paused")
    mailing.state, mailing.paused_because, mailing.updated_at = "cancelled", None, clock.now()
    _take_back(session, mailing_id)
    record(session, actor, "mailings.cancel", subject=("mailing", mailing_id))
    return mailing


def _take_back(session: ScopedSession, mailing_id: int) -> None:
    """Make reservations and claims void; who holds them finds out before anything leaves."""
    row = Delivery
    held = (row.mailing_id == mailing_id, row.lease_until.is_not(None), row.state.in_(("planned", "claimed")))
    session.execute(
        sa.update(row)
        .where(*held)
        .values(state="planned", lease_until=None)
        .execution_options(synchronize_session=False)
    )


def _in_state(session: ScopedSession, mailing_id: int, *states: str) -> Mailing:
    mailing = held_mailing(session, mailing_id)
    if mailing.kind == "journey" or mailing.state not in states:
        raise NotThatState(mailing_id, mailing.state)
    return mailing
