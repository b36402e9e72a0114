"""What an operator should be woken for, as numbers: counts and ages per organisation, and nothing about anybody.

Row-level security has no view across organisations, on purpose: each is asked for its own numbers in a transaction of
its own. They are labelled with the organisation's id. docs/administrators/operations.md says when to raise an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from app import clock
from app.accounts.directory import organisation_ids
from app.accounts.models import Letter
from app.audiences.clearing.travelling import Alarm, alarm
from app.audiences.models import Audience, AudienceRun
from app.consent.clearing.models import Clearance, Clearing
from app.contacts.models import ImportJob
from app.db import ScopedSession, transaction
from app.mailings.models import Delivery, MailSetting
from app.runtime import Runtime
from app.segments.models import ContactChange, SegmentState, SegmentUpkeep
from app.sync.models import Connection, Heartbeat, InboxItem, SyncProblem

RECENTLY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Measure:
    """One number per organisation. An age is asked for as the instant since when; without one it is zero seconds."""

    name: str
    about: str
    ask: Callable[[datetime], Select[Any]]

    @property
    def is_age(self) -> bool:
        """Whether the answer is an instant, to be told as seconds gone by."""
        return self.name.endswith("_seconds")


def _due_hooks(what: Any, now: datetime) -> Select[Any]:
    return select(what).where(InboxItem.state == "waiting", InboxItem.next_try_at <= now)


def _held_back_runs() -> Select[Any]:
    """Audiences whose latest real run waits for a person, unless the audience is paused or gone."""
    later = aliased(AudienceRun)
    return (
        select(func.count())
        .select_from(AudienceRun)
        .join(Audience, Audience.id == AudienceRun.audience_id)
        .where(
            AudienceRun.state == "braked",
            Audience.state.in_(("draft", "active")),
            ~select(later)
            .where(later.audience_id == AudienceRun.audience_id, later.id > AudienceRun.id, ~later.is_dry)
            .exists(),
        )
    )


MEASURES = (
    Measure("inbox_due", "Webhooks that are due and not processed.", lambda now: _due_hooks(func.count(), now)),
    Measure(
        "inbox_oldest_due_seconds",
        "Age of the oldest webhook that is due.",
        lambda now: _due_hooks(func.min(InboxItem.received_at), now),
    ),
    Measure(
        "inbox_dead",
        "Webhooks that failed for good and wait for a person.",
        lambda _now: select(func.count()).select_from(InboxItem).where(InboxItem.state == "dead"),
    ),
    Measure(
        "connections_failing",
        "Connections that fail.",
        lambda _now: select(func.count()).select_from(Connection).where(Connection.state == "failing"),
    ),
    Measure(
        "connections_failing_seconds",
        "How long the longest failing connection has failed.",
        lambda _now: select(func.min(Connection.failing_since)).where(Connection.state == "failing"),
    ),
    Measure(
        "records_refused",
        "Records of connections that could not be stored as they came.",
        lambda _now: select(func.count()).select_from(SyncProblem),
    ),
    Measure(
        "imports_waiting_seconds",
        "Age of the oldest import that waits for a worker.",
        lambda _now: select(func.min(ImportJob.created_at)).where(ImportJob.state == "queued"),
    ),
    Measure(
        "imports_failed",
        "Imports that failed within the last day.",
        lambda now: (
            select(func.count())
            .select_from(ImportJob)
            .where(ImportJob.state == "failed", ImportJob.finished_at >= now - RECENTLY)
        ),
    ),
    Measure(
        "segment_changes_waiting_seconds",
        "Age of the oldest change of a contact that segments have not followed.",
        lambda _now: select(func.min(ContactChange.noted_at)),
    ),
    Measure(
        "segments_with_problems",
        "Segments that keep their last good members because they cannot be evaluated.",
        lambda _now: select(func.count()).select_from(SegmentState).where(SegmentState.problem.is_not(None)),
    ),
    Measure(
        "segment_differences",
        "Memberships that a nightly comparison with a full evaluation ever found wrong: a defect of ours.",
        lambda _now: select(func.coalesce(func.sum(SegmentUpkeep.differences_ever), 0)),
    ),
    Measure(
        "audience_runs_braked",
        "Audiences whose run is held back for a person to look at.",
        lambda _now: _held_back_runs(),
    ),
    Measure(
        "audience_runs_failed",
        "Audience runs that failed within the last day.",
        lambda now: (
            select(func.count())
            .select_from(AudienceRun)
            .where(AudienceRun.state == "failed", AudienceRun.finished_at >= now - RECENTLY)
        ),
    ),
    Measure(
        "opt_outs_unsent",
        "Opt-outs and erasures that a connected system has not acknowledged.",
        lambda _now: select(func.count()).select_from(Clearing).where(Clearing.settled_at.is_(None)),
    ),
    Measure(
        "opt_outs_unsent_seconds",
        "Age of the oldest opt-out or erasure that a connected system has not acknowledged.",
        lambda _now: select(func.min(Clearing.recorded_at)).where(Clearing.settled_at.is_(None)),
    ),
    Measure(
        "opt_outs_failing",
        "Opt-outs and erasures that do not get through to a connected system.",
        lambda _now: select(func.count()).select_from(Clearance).where(Clearance.state == "failing"),
    ),
    Measure(
        "opt_outs_repaired",
        "Opt-outs that were found not to be on their way, and sent after all, within the last day.",
        lambda now: (
            select(func.count()).select_from(Clearing).where(Clearing.is_repair, Clearing.recorded_at >= now - RECENTLY)
        ),
    ),
    Measure(
        "mails_waiting",
        "Mails that wait to be sent.",
        lambda _now: (
            select(func.count()).select_from(Delivery).where(Delivery.state.in_(("planned", "claimed", "handed_over")))
        ),
    ),
    Measure(
        "mails_waiting_seconds",
        "Age of the oldest mail that is due and not sent.",
        lambda now: select(func.min(Delivery.planned_at)).where(
            Delivery.state == "planned", Delivery.next_try_at <= now
        ),
    ),
    Measure(
        "letters_waiting_seconds",
        "Age of the oldest letter that nobody has taken up: no relay, or no worker.",
        lambda _now: select(func.min(Letter.requested_at)).where(Letter.state == "waiting"),
    ),
    Measure(
        "mails_uncertain",
        "Mails that may or may not have arrived and wait for a person.",
        lambda _now: select(func.count()).select_from(Delivery).where(Delivery.state == "uncertain"),
    ),
    Measure(
        "mail_relay_failing_seconds",
        "How long the mail relay has failed.",
        lambda _now: select(func.min(MailSetting.failing_since)),
    ),
    Measure(
        "opt_outs_unread_seconds",
        "Since when the opt-outs of an active audience's list have not been read.",
        lambda _now: select(func.min(Audience.opt_outs_pulled_until)).where(Audience.state == "active"),
    ),
)


def take_measures(runtime: Runtime) -> CollectorRegistry:
    """Return every number, ready for Prometheus. Opens one short transaction per organisation."""
    registry = CollectorRegistry()
    with transaction(runtime.engine, None) as session:
        organisations = organisation_ids(session)
        _heartbeats(session, registry)
    Gauge("zaallicht_organisations", "Organisations in this installation.", registry=registry).set(len(organisations))
    gauges = {
        measure: Gauge(f"zaallicht_{measure.name}", measure.about, ["organisation"], registry=registry)
        for measure in MEASURES
    }
    for organisation_id in organisations:
        with transaction(runtime.engine, organisation_id) as session:
            for measure, value in _answers(session):
                gauges[measure].labels(str(organisation_id)).set(value)
    return registry


def _answers(session: ScopedSession) -> Iterator[tuple[Measure, float]]:
    now = clock.now()
    for measure in MEASURES:
        answer = session.scalar(measure.ask(now))
        if measure.is_age:
            yield measure, 0.0 if answer is None else max(0.0, (now - answer).total_seconds())
        else:
            yield measure, float(answer or 0)


def _heartbeats(session: ScopedSession, registry: CollectorRegistry) -> None:
    age = Gauge("zaallicht_heartbeat_age_seconds", "Time since a heartbeat last ended.", ["name"], registry=registry)
    failed = Gauge(
        "zaallicht_heartbeat_failed",
        "1 where a heartbeat's latest round failed somewhere.",
        ["name"],
        registry=registry,
    )
    for beat in session.scalars(select(Heartbeat)):
        if beat.finished_at is not None:
            age.labels(beat.name).set((clock.now() - beat.finished_at).total_seconds())
        failed.labels(beat.name).set(beat.failure_code is not None)


def late_opt_outs(runtime: Runtime) -> dict[int, Alarm]:
    """Return, by organisation, the opt-outs that are late; empty where every one is on time."""
    with transaction(runtime.engine, None) as session:
        organisations = organisation_ids(session)
    found: dict[int, Alarm] = {}
    for organisation_id in organisations:
        with transaction(runtime.engine, organisation_id) as session:
            if (one := alarm(session)) is not None:
                found[organisation_id] = one
    return found
