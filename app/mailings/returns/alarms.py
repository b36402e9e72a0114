"""A mailing that draws too many complaints or bounces: a warning first, then it pauses by itself.

The rates are those that large mailbox providers hold against a sender (consent.md): warn at 0.08 % complaints, pause at
0.25 %. One complaint about a mailing to twenty people is no rate, so ``COMPLAINTS`` must have come before it pauses and
two before it warns. Of addresses that do not exist, 2 % and at least ten warn, 5 % and at least twenty pause: such a
list was never asked for. Somebody who goes on in spite of it is told again after as many more.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.accounts.audit import SYSTEM
from app.db import ScopedSession
from app.mailings.models import Delivery, Mailing
from app.mailings.problems import NotThatState
from app.mailings.progress import pause
from app.mailings.returns.models import MailingAlarm

About = Literal["complaints", "bounces"]
Level = Literal["warned", "paused"]

GONE = ("handed_over", "accepted", "uncertain")


@dataclass(frozen=True, slots=True)
class Limit:
    """How many of a mailing's mails, and which part of them, are too many."""

    count: int
    per_100_000: int

    def is_reached(self, counted: int, of: int) -> bool:
        """Whether that many of ``of`` mails are too many."""
        return counted >= self.count and of > 0 and counted * 100_000 >= self.per_100_000 * of


LIMITS: dict[About, dict[Level, Limit]] = {
    "complaints": {"paused": Limit(3, 250), "warned": Limit(2, 80)},
    "bounces": {"paused": Limit(20, 5000), "warned": Limit(10, 2000)},
}


def level_of(about: About, counted: int, of: int) -> Level | None:
    """Return what so many complaints or bounces ask for."""
    levels: tuple[Level, ...] = ("paused", "warned")
    return next((level for level in levels if LIMITS[about][level].is_reached(counted, of)), None)


def watch(session: ScopedSession, mailing_ids: Collection[int], *, at: datetime) -> None:
    """Warn about mailings that draw too much, and pause those that draw far too much."""
    for mailing_id in sorted(mailing_ids):
        row = Delivery
        counts = session.execute(
            select(
                func.count().filter(row.state.in_(GONE)),
                func.count().filter(row.came_back == "complained"),
                func.count().filter(row.came_back == "bounced"),
            ).where(row.mailing_id == mailing_id)
        ).one()
        _judge(session, mailing_id, "complaints", counted=counts[1], of=counts[0], at=at)
        _judge(session, mailing_id, "bounces", counted=counts[2], of=counts[0], at=at)


def _judge(session: ScopedSession, mailing_id: int, about: About, *, counted: int, of: int, at: datetime) -> None:
    level = level_of(about, counted, of)
    if level is None:
        return
    last = session.get(MailingAlarm, (session.organisation_id, mailing_id, about))
    if last is not None and last.level == "paused":
        level = "paused" if level == "paused" else "warned"
        # Somebody let it go on: it pauses again only when as many more came.
        if counted < last.counted + LIMITS[about]["paused"].count or level == "warned":
            return
    elif last is not None and last.level == level:
        return
    if level == "paused":
        _pause(session, mailing_id, about)
    values = {"level": level, "counted": counted, "of_mails": of, "noted_at": at}
    session.execute(
        insert(MailingAlarm)
        .values(organisation_id=session.organisation_id, mailing_id=mailing_id, about=about, **values)
        .on_conflict_do_update(index_elements=["organisation_id", "mailing_id", "about"], set_=values)
    )


def _pause(session: ScopedSession, mailing_id: int, about: About) -> None:
    """Pause a mailing that is being sent, and say why. One that journeys send is held where its mails are reserved."""
    row = Mailing
    if session.scalar(select(row.state).where(row.id == mailing_id)) == "sending":
        with suppress(NotThatState):
            pause(session, mailing_id, actor=SYSTEM, because=about)
        return
    session.execute(
        update(row)
        .where(row.id == mailing_id, row.kind == "journey")
        .values(paused_because=about)
        .execution_options(synchronize_session=False)
    )


def let_go_on(session: ScopedSession, mailing_id: int) -> bool:
    """Have the mails that journeys send go again, because a person says so; returns whether they were held."""
    row = Mailing
    gone_on = session.execute(
        update(row)
        .where(row.id == mailing_id, row.kind == "journey", row.paused_because.is_not(None))
        .values(paused_because=None)
        .execution_options(synchronize_session=False)
    )
    return bool(gone_on.rowcount)  # type: ignore[attr-defined]


def give_up_held(session: ScopedSession, mailing_id: int, *, at: datetime) -> int:
    """Have the mails of a journey that wait for a person never go, and those after them go again; returns how many."""
    row = Delivery
    if not let_go_on(session, mailing_id):
        return 0
    given_up = session.execute(
        update(row)
        .where(row.mailing_id == mailing_id, row.state.in_(("planned", "claimed")))
        .values(state="cancelled", lease_until=None, settled_at=at, problem_code="given_up")
        .execution_options(synchronize_session=False)
    )
    return int(given_up.rowcount)  # type: ignore[attr-defined]
