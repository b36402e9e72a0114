"""The heartbeats: the table of what runs when. APScheduler only decides when one looks; the work is rows in tables.

Any number of workers may run. Whatever a heartbeat does it claims with a lease, so that two workers share the work and
a killed one loses nothing.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app import models as _models  # noqa: F401  every table is known before the first query
from app.accounts.directory import organisation_ids
from app.activities import import_rows as _import_rows  # noqa: F401  files of visits are known
from app.activities.history import check_hourly_part
from app.audiences.beat import LOOK_EVERY, keep_audiences
from app.audiences.clearing.beat import CARRY_EVERY, COMPARE_EVERY, LOOK_FOR_MISSING_EVERY, carry_noes
from app.audiences.clearing.comparing import compare_lists
from app.audiences.clearing.missing import look_for_missing
from app.audiences.clearing.stated import look_at_statements
from app.audiences.engagement.reading import LOOK_EVERY as ENGAGEMENT_EVERY
from app.audiences.engagement.reading import read_due as read_engagement
from app.audiences.files.folder import forget_removed
from app.audiences.hooks import PROCESSORS as AUDIENCE_PROCESSORS
from app.consent.recomputing import recompute_all_due
from app.consent.retention import end_all_due
from app.contacts.erasure.journal import keep_list
from app.contacts.forms.signing_up import tidy_signups
from app.contacts.importing.run import run_waiting
from app.db import transaction
from app.journeys import visit_fields as _visit_fields  # noqa: F401  mails know what they are about
from app.journeys.calling import deliver_calls
from app.journeys.entering.beat import let_people_in
from app.journeys.entering.goals import look_at_goals
from app.journeys.moving.beat import let_go, move_due
from app.mailings.effect.ab_tests import decide_tests
from app.mailings.effect.elsewhere import measure_elsewhere_due
from app.mailings.effect.keeping import measure_due
from app.mailings.posts import Posts
from app.mailings.returns.healing import heal_addresses
from app.mailings.returns.mailbox import fetch_returns
from app.mailings.returns.processing import process_returns
from app.mailings.returns.receiving import forget_old_returns
from app.mailings.scheduling import run_due
from app.mailings.sending import WRITERS, forget_old_letters, send_due
from app.mailings.writing import write_mailings
from app.runtime import Runtime
from app.segments.keeping.self_check import check_segments
from app.segments.keeping.upkeep import keep_segments_current
from app.statistics import refresh_statistics
from app.sync.answers import forget_old_answers
from app.sync.catching_up import catch_up
from app.sync.inbox import forget_old_messages, process_inbox
from app.sync.leases import Processor
from app.sync.models import Heartbeat as HeartbeatRow
from app.sync.pull import pull_due

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One kind of due work: its name, how often to look, and the verb that does what is due for one organisation.

    ``beat`` opens its own transactions (none while it speaks to an outside system) and returns how much it did.
    """

    name: str
    every: timedelta
    beat: Callable[[Runtime, int], int]


# Who does the work of an inbound webhook, per system. A source that is not named here is refetched and stored.
HOOK_PROCESSORS: Mapping[str, Processor] = AUDIENCE_PROCESSORS


def _inbox(runtime: Runtime, organisation_id: int) -> int:
    return process_inbox(runtime, organisation_id, processors=HOOK_PROCESSORS)


MAIL_WRITERS = {**WRITERS, "mailing": write_mailings}


# Kept from beat to beat, and by this process alone.
POSTS = Posts()


def _send(runtime: Runtime, organisation_id: int) -> int:
    return send_due(runtime, organisation_id, writers=MAIL_WRITERS, posts=POSTS)


SENDING = Heartbeat("mail", timedelta(seconds=3), _send)
HEARTBEATS: tuple[Heartbeat, ...] = (
    Heartbeat("imports", timedelta(seconds=2), run_waiting),
    Heartbeat("inbox", timedelta(seconds=5), _inbox),
    Heartbeat("pull", timedelta(seconds=15), pull_due),
    Heartbeat("old_messages", timedelta(hours=6), forget_old_messages),
    Heartbeat("meanings", timedelta(seconds=5), catch_up),
    Heartbeat("old_answers", timedelta(hours=6), forget_old_answers),
    Heartbeat("statistics", timedelta(seconds=10), refresh_statistics),
    Heartbeat("segments", timedelta(seconds=1), keep_segments_current),
    Heartbeat("segments_check", timedelta(minutes=10), check_segments),
    Heartbeat("history", timedelta(hours=1), check_hourly_part),
    Heartbeat("erasures", timedelta(seconds=10), keep_list),
    Heartbeat("signups", timedelta(hours=6), tidy_signups),
    Heartbeat("permissions", timedelta(seconds=5), recompute_all_due),
    Heartbeat("retention", timedelta(hours=1), end_all_due),
    Heartbeat("audiences", LOOK_EVERY, keep_audiences),
    Heartbeat("old_audience_files", timedelta(hours=1), forget_removed),
    Heartbeat("clearing", CARRY_EVERY, carry_noes),
    Heartbeat("clearing_missing", LOOK_FOR_MISSING_EVERY, look_for_missing),
    Heartbeat("clearing_compare", COMPARE_EVERY, compare_lists),
    Heartbeat("clearing_stated", COMPARE_EVERY, look_at_statements),
    Heartbeat("mail_elsewhere", ENGAGEMENT_EVERY, read_engagement),
    Heartbeat("journeys_entering", timedelta(seconds=2), let_people_in),
    Heartbeat("journeys", timedelta(seconds=2), move_due),
    Heartbeat("journey_calls", timedelta(seconds=3), deliver_calls),
    Heartbeat("journey_goals", timedelta(minutes=1), look_at_goals),
    Heartbeat("journey_uses", timedelta(hours=1), let_go),
    SENDING,
    Heartbeat("mailings", timedelta(seconds=5), run_due),
    Heartbeat("mail_tests", timedelta(seconds=30), decide_tests),
    Heartbeat("mail_figures", timedelta(minutes=1), measure_due),
    Heartbeat("mail_figures_elsewhere", timedelta(minutes=1), measure_elsewhere_due),
    Heartbeat("returns_mailbox", timedelta(seconds=30), fetch_returns),
    Heartbeat("returns", timedelta(seconds=5), process_returns),
    Heartbeat("addresses_heal", timedelta(hours=1), heal_addresses),
    Heartbeat("old_returns", timedelta(hours=6), forget_old_returns),
    Heartbeat("old_letters", timedelta(hours=6), forget_old_letters),
)


def tick(runtime: Runtime, *, only: str | None = None) -> dict[str, int]:
    """Run due work once and return how much each heartbeat did; a failing one is logged and does not stop the rest.

    Raises KeyError where ``only`` names no heartbeat.
    """
    wanted = [heartbeat for heartbeat in HEARTBEATS if only in (None, heartbeat.name)]
    if not wanted and only is not None:
        raise KeyError(only)
    with POSTS:
        return {heartbeat.name: run_heartbeat(runtime, heartbeat) for heartbeat in wanted}


def run_heartbeat(runtime: Runtime, heartbeat: Heartbeat) -> int:
    """Run one heartbeat for every organisation and note that it ran; one organisation's failure is its own."""
    started_at, done, failure = clock.now(), 0, None
    with transaction(runtime.engine, None) as session:
        organisations = organisation_ids(session)
    for organisation_id in organisations:
        try:
            done += heartbeat.beat(runtime, organisation_id)
        except Exception as problem:
            failure = type(problem).__name__
            log.exception("heartbeat failed", heartbeat=heartbeat.name, organisation_id=organisation_id)
    _note(runtime, heartbeat.name, started_at=started_at, failure=failure)
    return done


def run(runtime: Runtime, heartbeats: Sequence[Heartbeat] | None = None) -> None:
    """Beat until the process is told to stop; what has begun is finished first."""
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    scheduler = scheduled(runtime, HEARTBEATS if heartbeats is None else heartbeats)
    scheduler.start()
    log.info("worker beats", heartbeats=len(scheduler.get_jobs()))
    stopping.wait()
    scheduler.shutdown(wait=True)
    POSTS.close()


def scheduled(runtime: Runtime, heartbeats: Sequence[Heartbeat]) -> BackgroundScheduler:
    """Return a scheduler, not started yet, that beats each at once and then in its rhythm.

    A beat that comes late comes all the same: more heartbeats than threads are due at the start, and left alone the
    scheduler would skip whoever waited for a second, until its next time hours later.
    """
    defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    scheduler = BackgroundScheduler(timezone="UTC", job_defaults=defaults)
    for heartbeat in heartbeats:
        scheduler.add_job(
            run_heartbeat,
            "interval",
            args=(runtime, heartbeat),
            seconds=heartbeat.every.total_seconds(),
            id=heartbeat.name,
            next_run_time=clock.now(),
        )
    return scheduler


NOTED_EVERY = timedelta(seconds=10)


def _note(runtime: Runtime, name: str, *, started_at: object, failure: str | None) -> None:
    now = clock.now()
    values = {"started_at": started_at, "finished_at": now, "failure_code": failure}
    if failure is not None:
        values["failed_at"] = now
    with transaction(runtime.engine, None) as session:
        last = session.get(HeartbeatRow, name)
        # What looks every second writes more seldom that it did: a write a second is not an idle minute.
        if last is not None and last.finished_at is not None and last.failure_code == failure:
            noted_ago = now - last.finished_at
            if timedelta(0) < noted_ago < NOTED_EVERY:
                return
        session.execute(
            insert(HeartbeatRow).values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values)
        )
