"""When a mailing goes: at once, at an instant, or again and again; and the heartbeat that makes it so.

An instant is stored; a person says it in the zone of the house. What repeats is a cron line in that zone, and each time
makes a mailing of its own with its words and its cards frozen then. Whatever is late by more than ``LATE`` (nothing ran
for a night, a backup was brought back) waits for a person: yesterday's news is not sent tomorrow by itself.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from apscheduler.triggers.cron import CronTrigger

from app import clock
from app.accounts.audit import SYSTEM, Actor, record
from app.accounts.organisations import current_organisation
from app.db import ScopedSession, transaction
from app.mailings.composing.problems import ComposingError
from app.mailings.finishing import finish_all
from app.mailings.freezing import freeze
from app.mailings.mailings import copy_mailing, find_mailing, free_name, held_mailing, segments_of
from app.mailings.models import Mailing
from app.mailings.planning import plan_campaign, written_languages
from app.mailings.problems import CannotSend, InvalidMailing, MailingError, NeedsAWord, NotThatState
from app.mailings.recipients import count_recipients
from app.runtime import Runtime
from app.segments.problems import SegmentError, SegmentMissingError

LATE = timedelta(hours=6)
AHEAD_MAX = timedelta(days=550)
# Somebody who takes a while to press the button meant now.
NOW_IS = timedelta(minutes=5)


def local_instant(day: date, at: time, time_zone: str) -> datetime:
    """Return the instant of a day and time in a zone. Raises InvalidMailing for a time that the clocks skip."""
    zone = ZoneInfo(time_zone)
    local = datetime.combine(day, at.replace(tzinfo=None), zone)
    instant = local.astimezone(ZoneInfo("UTC"))
    if instant.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise InvalidMailing({"send_at": "no_such_time"})
    return instant


def schedule(
    session: ScopedSession,
    mailing_id: int,
    *,
    actor: Actor,
    send_at: datetime | None = None,
    repeats: str | None = None,
    people: int | None = None,
) -> Mailing:
    """Have a mailing sent: at once, at an instant, or each time a cron line says so. Its words are frozen.

    ``people`` is how many the person was shown; without it, how many it is now. Where it turns out to be many more, it
    waits for a person. A mailing that is on its way already is returned as it is. Raises UnknownMailing, NotThatState,
    InvalidMailing, CannotSend, a ComposingError, or a SegmentError.
    """
    mailing = held_mailing(session, mailing_id)
    if mailing.kind == "journey":
        raise NotThatState(mailing_id, "journey")
    if mailing.state in ("scheduled", "sending", "sent"):
        return mailing
    if mailing.state != "draft":
        raise NotThatState(mailing_id, mailing.state)
    now = clock.now()
    if repeats is not None:
        send_at = next_time(session, repeats, after=now)
    when = max(send_at or now, now)
    if send_at is not None and send_at < now - NOW_IS:
        raise InvalidMailing({"send_at": "in_the_past"})
    if when > now + AHEAD_MAX:
        raise InvalidMailing({"send_at": "too_far"})
    _check(session, mailing)
    freeze(session, mailing_id, frozen_by=actor.id if actor.kind == "user" else None)
    mailing.expected_people = count_recipients(session, mailing_id).gets if people is None else people
    mailing.state, mailing.send_at, mailing.repeats, mailing.updated_at = "scheduled", when, repeats, now
    mailing.paused_because = None
    session.flush()
    verb = "send" if send_at is None else "schedule"
    record(session, actor, f"mailings.{verb}", subject=("mailing", mailing_id), details={"people": people})
    return mailing


def unschedule(session: ScopedSession, mailing_id: int, *, actor: Actor) -> Mailing:
    """Make a scheduled mailing a draft again. Raises UnknownMailing or NotThatState."""
    mailing = held_mailing(session, mailing_id)
    is_waiting = mailing.state == "paused" and mailing.planned_at is None
    if mailing.state != "scheduled" and not is_waiting:
        raise NotThatState(mailing_id, mailing.state)
    mailing.state, mailing.send_at, mailing.repeats = "draft", None, None
    mailing.paused_because = mailing.started_at = None
    mailing.updated_at = clock.now()
    session.flush()
    record(session, actor, "mailings.unschedule", subject=("mailing", mailing_id))
    return mailing


def next_time(session: ScopedSession, repeats: str, *, after: datetime) -> datetime:
    """Return the next instant that a cron line names in the zone of the house.

    Raises InvalidMailing for what is no cron line, or one that comes more than once an hour or never.
    """
    zone = current_organisation(session).time_zone
    parts = repeats.split()
    # One minute of the hour, so that nothing comes more often than that.
    if len(parts) != 5 or not parts[0].isdigit():
        raise InvalidMailing({"repeats": "not_understood"})
    minute, hour, day, month, weekday = parts
    try:
        found = CronTrigger(
            minute=minute,
            hour=hour,
            day=day,
            month=month,
            day_of_week=_weekdays(weekday),
            timezone=ZoneInfo(zone),
        ).get_next_fire_time(None, after + timedelta(seconds=1))
    except ValueError:
        raise InvalidMailing({"repeats": "not_understood"}) from None
    if found is None:
        raise InvalidMailing({"repeats": "never"})
    instant: datetime = found.astimezone(ZoneInfo("UTC"))
    return instant


_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def _weekdays(field: str) -> str:
    """Return the weekdays of a cron line by name: there 0 and 7 are Sunday, for APScheduler 0 is Monday.

    Raises ValueError for what is none.
    """
    if field == "*":
        return field
    days: set[int] = set()
    for part in field.lower().split(","):
        first, _dash, last = part.partition("-")
        start, end = (_DAYS.index(each) if each in _DAYS else int(each) for each in (first, last or first))
        if not 0 <= start <= end <= 7:
            raise ValueError(field)
        days |= {number % 7 for number in range(start, end + 1)}
    return ",".join(_DAYS[number] for number in sorted(days))


def run_due(runtime: Runtime, organisation_id: int) -> int:
    """Start, plan and finish the mailings of a house; returns how many changed. The heartbeat of mailings."""
    with transaction(runtime.engine, organisation_id) as session:
        ids = session.scalars(sa.select(Mailing.id).where(*_is_due()).order_by(Mailing.send_at)).all()
    done = 0
    for mailing_id in ids:
        done += _start_or_hold(runtime, organisation_id, mailing_id)
    with transaction(runtime.engine, organisation_id) as session:
        unplanned = session.scalars(
            sa.select(Mailing.id).where(Mailing.state == "sending", Mailing.planned_at.is_(None)).order_by(Mailing.id)
        ).all()
    for mailing_id in unplanned:
        done += _plan(runtime, organisation_id, mailing_id)
    return done + finish_all(runtime, organisation_id)


def _start_or_hold(runtime: Runtime, organisation_id: int, mailing_id: int) -> int:
    """Start one mailing; where its next one cannot be made, nothing of it stays and it waits for a person."""
    try:
        with transaction(runtime.engine, organisation_id) as session:
            return _start(session, mailing_id)
    except (SegmentError, ComposingError, MailingError) as problem:
        because = _why_held(problem)
    with transaction(runtime.engine, organisation_id) as session:
        mailing = held_mailing(session, mailing_id)
        if mailing.state == "scheduled":
            mailing.state, mailing.paused_because, mailing.updated_at = "paused", because, clock.now()
    return 1


def _why_held(problem: SegmentError | ComposingError | MailingError) -> str:
    match problem:
        case SegmentMissingError():
            return "block_segment_gone"
        case SegmentError():
            return "cannot_plan"
        case ComposingError():
            return "content_invalid"
        case _:
            return "cannot_repeat"


def _is_due() -> tuple[sa.ColumnElement[bool], ...]:
    return Mailing.state == "scheduled", Mailing.send_at <= clock.now()


def _start(session: ScopedSession, mailing_id: int) -> int:
    """Begin to send one mailing that is due, or make the next one of those that repeat."""
    mailing = session.scalars(
        sa.select(Mailing)
        .where(Mailing.id == mailing_id, *_is_due())
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if mailing is None or mailing.send_at is None:
        return 0
    if mailing.repeats is None:
        _begin(mailing, due_at=mailing.send_at)
        return 1
    _repeat(session, mailing, mailing.repeats)
    return 1


def _begin(mailing: Mailing, *, due_at: datetime) -> None:
    now = clock.now()
    mailing.updated_at = now
    if now - due_at > LATE:
        mailing.state, mailing.paused_because = "paused", "overdue"
    else:
        mailing.state, mailing.started_at = "sending", now


def _repeat(session: ScopedSession, parent: Mailing, repeats: str) -> None:
    """Make the mailing of this time, and wait for the next; of times that were missed only the last one counts."""
    now, due_at = clock.now(), parent.send_at or clock.now()
    following = next_time(session, repeats, after=due_at)
    while following <= now:
        due_at, following = following, next_time(session, repeats, after=following)
    parent.send_at, parent.updated_at = following, now
    day = due_at.astimezone(ZoneInfo(current_organisation(session).time_zone)).date()
    name = f"{parent.name[:100]} {day.isoformat()}"
    taken = session.scalar(sa.select(Mailing.id).where(sa.func.lower(Mailing.name) == name.lower()))
    child = copy_mailing(session, parent.id, actor=SYSTEM, name=free_name(session, name) if taken else name)
    child.repeat_of_id, child.send_at, child.expected_people = parent.id, due_at, parent.expected_people
    freeze(session, child.id)
    _begin(child, due_at=due_at)


def _plan(runtime: Runtime, organisation_id: int, mailing_id: int) -> int:
    """Plan one mailing; where that cannot be, nothing of it stays and it waits for a person."""
    try:
        with transaction(runtime.engine, organisation_id) as session:
            mailing = find_mailing(session, mailing_id)
            plan_campaign(session, mailing_id, expected=mailing.expected_people)
            return 1
    except NeedsAWord as problem:
        because, people = problem.code, problem.people
    except (SegmentError, ComposingError, MailingError):
        because, people = "cannot_plan", None
    with transaction(runtime.engine, organisation_id) as session:
        mailing = held_mailing(session, mailing_id)
        if mailing.state == "sending" and mailing.planned_at is None:
            mailing.state, mailing.paused_because = "paused", because
            mailing.expected_people = mailing.expected_people if people is None else people
    return 1


def _check(session: ScopedSession, mailing: Mailing) -> None:
    """Raise CannotSend with everything without which nothing can be sent."""
    codes = []
    if not segments_of(session, mailing.id)[0]:
        codes.append("nobody_meant")
    if not written_languages(mailing.content):
        codes.append("nothing_written")
    if codes:
        raise CannotSend(mailing.id, codes)
