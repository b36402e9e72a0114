"""Reading back what became of the mails a destination sent by itself, campaign by campaign, the newest first.

One worker at a time reads a connection: ``pull_progress.started_at`` (stream ``campaigns``) is both the lease and its
proof, renewed with everything that is stored, in the same transaction. A campaign whose numbers did not change at the
vendor costs no call; one that is young is read again once a day whatever its numbers say. What is told again is stored
once, so a kill costs no more than a page. A turn ends after a minute, and the next goes on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from sqlalchemy import CursorResult, and_, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.audiences.destinations import lent_destination
from app.audiences.engagement.noes import bring_noes_home
from app.audiences.engagement.storing import store_happenings
from app.contacts.campaigns import CampaignElsewhere, CampaignRecord, mark_read, remember_campaign
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.connections import UnknownConnection, get_connection, record_failure, record_success
from app.sync.models import Connection, PullProgress
from integrations.base import ConnectorError, Destination, DestinationCapabilities, Permanent, Reporter, SentCampaign
from integrations.catalogue import SYSTEMS

log = structlog.get_logger()

LOOK_EVERY = timedelta(minutes=1)
STREAM = "campaigns"
EVERY = timedelta(minutes=30)
LEASE = timedelta(minutes=10)
TURN = timedelta(seconds=60)
PAGES_MIN = 3  # a connector that resumes reads a page again; a turn that ended there would never get anywhere
# The first time a year is read; then what people still react to.
HISTORY, TAIL = timedelta(days=366), timedelta(days=35)
YOUNG, WHOLE_EVERY = timedelta(days=10), timedelta(days=1)


class LeaseLost(Exception):
    """Another worker reads this connection now, or it was removed; what is on its way is dropped."""


class TurnOver(Exception):
    """Others are waiting; the next turn goes on."""


@dataclass(slots=True)
class Reading:
    """One worker's turn with one connection. ``lease`` is the proof that it is still ours."""

    runtime: Runtime
    organisation_id: int
    connection_id: int
    system: str
    lease: datetime
    since: datetime
    ends_at: datetime
    counts: Counter[str] = field(default_factory=Counter)

    def renewed(self, session: ScopedSession) -> datetime:
        """Prolong the lease in the transaction that stores something; keep what it returns once that is committed."""
        lease = clock.now()
        renewed = session.execute(
            update(PullProgress)
            .where(*_of(self.connection_id), PullProgress.started_at == self.lease, PullProgress.finished_at.is_(None))
            .values(started_at=lease)
        )
        if cast(CursorResult[Any], renewed).rowcount != 1:
            raise LeaseLost
        return lease


def read_due(runtime: Runtime, organisation_id: int) -> int:
    """Give every destination of a house that is due one turn; returns how many events were stored."""
    with transaction(runtime.engine, organisation_id) as session:
        due = _due(session)
    return sum(read_connection(runtime, organisation_id, connection_id) for connection_id in due)


def read_connection(runtime: Runtime, organisation_id: int, connection_id: int) -> int:
    """Read what became of one destination's campaigns, for one turn; returns how many events were stored.

    0 where another worker is at it. What goes wrong outside is noted on the connection, and tried again later.
    """
    with transaction(runtime.engine, organisation_id) as session:
        reading = _begin(runtime, session, connection_id)
    if reading is None:
        return 0
    problem: ConnectorError | None = None
    is_complete = False
    try:
        with lent_destination(runtime, organisation_id, connection_id) as destination:
            _read(reading, destination)
        is_complete = True
    except TurnOver:
        pass
    except (LeaseLost, UnknownConnection):
        log.info("reading of campaigns handed over", connection_id=connection_id, organisation_id=organisation_id)
    except ConnectorError as error:
        problem = error
        log.info("reading of campaigns stopped", connection_id=connection_id, code=error.code, hint=error.hint)
    _end(reading, is_complete=is_complete, problem=problem)
    return reading.counts["stored"]


def _read(reading: Reading, destination: Destination) -> None:
    reporter = cast(Reporter, destination)
    # The newest first: that is what people want to see of a year that takes an hour to read.
    for campaign in reversed(list(reporter.campaigns(reading.since))):
        with transaction(reading.runtime.engine, reading.organisation_id) as session:
            lease = reading.renewed(session)
            row = remember_campaign(session, _record_of(reading, campaign))
            cursor = dict(row.cursor) if _is_worth_reading(row, campaign) else None
        reading.lease = lease
        if cursor is None:
            continue
        try:
            _read_campaign(reading, destination, row, campaign, cursor=cursor)
        except Permanent as problem:
            if problem.code != "not_found":
                raise
            log.info("a campaign was deleted while it was read", campaign_id=row.id)


def _read_campaign(
    reading: Reading,
    destination: Destination,
    row: CampaignElsewhere,
    campaign: SentCampaign,
    *,
    cursor: Mapping[str, Any],
) -> None:
    began_at = clock.now()
    for page in cast(Reporter, destination).happenings(campaign, cursor, at=began_at):
        # First the noes, which are committed by themselves: a page is only behind us when they are at home.
        bring_noes_home(
            reading.runtime,
            reading.organisation_id,
            destination,
            page.happenings,
            connection=(reading.connection_id, reading.system),
        )
        with transaction(reading.runtime.engine, reading.organisation_id) as session:
            lease = reading.renewed(session)
            reading.counts += store_happenings(session, row, page.happenings, at=clock.now())
            mark_read(session, row.id, page.cursor, at=clock.now())
        reading.lease, cursor = lease, page.cursor
        reading.counts["pages"] += 1
        if reading.counts["pages"] >= PAGES_MIN and clock.now() >= reading.ends_at:
            raise TurnOver
    with transaction(reading.runtime.engine, reading.organisation_id) as session:
        lease = reading.renewed(session)
        mark_read(session, row.id, cursor, numbers=campaign.numbers, at=began_at)
    reading.lease = lease
    reading.counts["campaigns"] += 1


def _is_worth_reading(row: CampaignElsewhere, campaign: SentCampaign) -> bool:
    """Whether there may be something new. The numbers of a reading that was broken off are those of the one before."""
    if row.read_at is None or row.numbers != dict(campaign.numbers):
        return True
    now = clock.now()
    return now - campaign.sent_at < YOUNG and now - row.read_at >= WHOLE_EVERY


def _record_of(reading: Reading, campaign: SentCampaign) -> CampaignRecord:
    return CampaignRecord(
        system=reading.system,
        connection_id=reading.connection_id,
        external_id=campaign.external_id,
        name=campaign.name,
        sent_at=campaign.sent_at,
        subject=campaign.subject,
        numbers=campaign.numbers,
    )


# --- turns -----------------------------------------------------------------------------------------------------------


def _due(session: ScopedSession) -> list[int]:
    readable = [
        name
        for name, system in SYSTEMS.items()
        if isinstance(system.capabilities, DestinationCapabilities) and system.capabilities.reads_engagement
    ]
    now, held = clock.now(), PullProgress
    is_free = or_(
        held.connection_id.is_(None),
        and_(held.finished_at.is_(None), or_(held.started_at.is_(None), held.started_at <= now - LEASE)),
        held.finished_at <= now - EVERY,
    )
    return list(
        session.scalars(
            select(Connection.id)
            .outerjoin(held, and_(held.connection_id == Connection.id, held.stream == STREAM))
            .where(Connection.state.in_(("active", "failing")), Connection.system.in_(readable), is_free)
            .order_by(Connection.id)
        )
    )


def _begin(runtime: Runtime, session: ScopedSession, connection_id: int) -> Reading | None:
    """Take the connection where nobody has it; the row that says so is made where there is none."""
    session.execute(
        insert(PullProgress)
        .values(
            organisation_id=session.organisation_id,
            connection_id=connection_id,
            stream=STREAM,
            cursor={},
            rows_done=0,
            counts={},
        )
        .on_conflict_do_nothing()
    )
    if connection_id not in _due(session):
        return None
    row = session.scalars(select(PullProgress).where(*_of(connection_id)).with_for_update(skip_locked=True)).first()
    now = clock.now()
    if row is None or (row.started_at is not None and row.finished_at is None and row.started_at > now - LEASE):
        return None
    connection = get_connection(session, connection_id)
    row.started_at, row.finished_at = now, None
    since = now - (TAIL if row.cursor.get("complete") else HISTORY)
    return Reading(runtime, session.organisation_id, connection_id, connection.system, now, since, now + TURN)


def _end(reading: Reading, *, is_complete: bool, problem: ConnectorError | None) -> None:
    """Free the connection; where the turn was over it is due again at once."""
    with transaction(reading.runtime.engine, reading.organisation_id) as session:
        held = session.scalars(
            select(PullProgress).where(*_of(reading.connection_id), PullProgress.started_at == reading.lease)
        ).one_or_none()
        if held is None:
            return
        held.counts = dict(Counter(held.counts) + reading.counts)
        held.rows_done += reading.counts["stored"]
        if is_complete:
            held.cursor = {"complete": True}
        if is_complete or problem is not None:
            held.finished_at = clock.now()
        else:
            held.started_at = None
        _note_connection(session, reading.connection_id, is_complete=is_complete, problem=problem)


def _note_connection(
    session: ScopedSession, connection_id: int, *, is_complete: bool, problem: ConnectorError | None
) -> None:
    try:
        connection = get_connection(session, connection_id)
    except UnknownConnection:
        return
    if problem is not None and problem.code != "not_found":
        record_failure(connection, problem)
    elif is_complete:
        record_success(connection)


def _of(connection_id: int) -> tuple[Any, Any]:
    return PullProgress.connection_id == connection_id, PullProgress.stream == STREAM
