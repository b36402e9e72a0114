"""What came back that a house should know of, for its home page and its mail settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from app.db import ScopedSession
from app.mailings.models import Delivery, Mailing
from app.mailings.places import RESTORED
from app.mailings.returns.breakers import OpenBreaker, open_breakers
from app.mailings.returns.models import MailingAlarm, ReturnMailbox
from app.mailings.returns.queue import count_to_decide

TOLD_FOR = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Alarm:
    """A mailing that drew too much of something (``complaints`` or ``bounces``), and whether it paused."""

    mailing_id: int
    name: str
    about: str
    is_paused: bool
    is_of_journeys: bool
    counted: int
    of_mails: int


@dataclass(frozen=True, slots=True)
class Held:
    """Mails of journeys that wait since the house was moved or brought back from a backup."""

    mailing_id: int
    name: str
    mails: int


@dataclass(frozen=True, slots=True)
class CameBack:
    """What waits for a person or should be known: answers, mails to decide about, domains that refuse us, alarms, mails
    held since a restore, and since when the mailbox fails."""

    replies: int
    others: int
    breakers: Sequence[OpenBreaker]
    alarms: Sequence[Alarm]
    held: Sequence[Held]
    mailbox_problem: str | None


def what_came_back(session: ScopedSession, *, at: datetime) -> CameBack:
    """Return what came back that somebody should know of now."""
    waiting = count_to_decide(session)
    problem = session.scalar(select(ReturnMailbox.problem_code).where(ReturnMailbox.host.is_not(None)))
    return CameBack(
        replies=waiting["replies"],
        others=waiting["others"],
        breakers=open_breakers(session, at=at),
        alarms=_alarms(session, at=at),
        held=_held(session),
        mailbox_problem=problem,
    )


def counts_of_mailing(session: ScopedSession, mailing_id: int) -> dict[str, int]:
    """Return how many of a mailing's mails came back, by what they came back as (``Delivery.came_back``)."""
    row = Delivery
    found = session.execute(
        select(row.came_back, func.count())
        .where(row.mailing_id == mailing_id, row.came_back.is_not(None))
        .group_by(row.came_back)
    )
    return {str(what): count for what, count in found}


def _held(session: ScopedSession) -> Sequence[Held]:
    row = Delivery
    found = session.execute(
        select(Mailing.id, Mailing.name, func.count())
        .join(row, (row.mailing_id == Mailing.id) & row.state.in_(("planned", "claimed")))
        .where(Mailing.kind == "journey", Mailing.paused_because == RESTORED)
        .group_by(Mailing.id, Mailing.name)
        .order_by(Mailing.id)
    )
    return [Held(mailing_id, name, mails) for mailing_id, name, mails in found]


def _alarms(session: ScopedSession, *, at: datetime) -> Sequence[Alarm]:
    alarm = MailingAlarm
    found = session.execute(
        select(alarm, Mailing.name, Mailing.kind, Mailing.paused_because)
        .join(Mailing, Mailing.id == alarm.mailing_id)
        .where(alarm.noted_at > at - TOLD_FOR)
        .order_by(alarm.noted_at.desc())
        .limit(5)
    )
    return [
        Alarm(
            each.mailing_id,
            name,
            each.about,
            is_paused=because is not None,
            is_of_journeys=kind == "journey",
            counted=each.counted,
            of_mails=each.of_mails,
        )
        for each, name, kind, because in found
    ]
