"""What became of errands, written down: acknowledged, failing, not possible, or to be tried again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, exists, func, select, update

from app import clock
from app.audiences.clearing import outcomes
from app.audiences.clearing.errands import OPEN
from app.audiences.clearing.models import KnownList
from app.audiences.clearing.visits import Visit, is_to_be_blocked
from app.audiences.held_out import hold_out, mark_unsubscribed
from app.audiences.models import Audience, AudienceMember, ListHeldOut
from app.audiences.work import ListPlace
from app.consent.clearing.models import Clearance, Clearing
from app.db import ScopedSession
from app.sync.leases import retry_delay_s
from app.sync.models import Connection
from integrations.base import OptOutTaker

PUSH_TAKES = timedelta(seconds=15)
LOOP_WAITS = timedelta(days=1)


class Places:
    """The lists of one destination, as places that opt-outs are known by."""

    def __init__(self, session: ScopedSession, connection_id: int, system: str) -> None:
        known = KnownList
        rows = session.scalars(
            select(known.list_ref).where(known.connection_id == connection_id, known.gone_at.is_(None))
        )
        self.connection_id, self.system, self.lists = connection_id, system, tuple(rows)

    def of(self, list_ref: str) -> ListPlace:
        """Return one of the lists."""
        return ListPlace(self.connection_id, list_ref, self.system)


def note_intents(session: ScopedSession, places: Places, visits: Sequence[Visit], destination: OptOutTaker) -> None:
    """Write down whom we are about to take off which list, so that the echo is known as ours whatever happens."""
    for list_ref, keys in _by_list(places, visits, destination).items():
        hold_out(session, places.of(list_ref), keys, status="unsubscribing", at=clock.now())


def _by_list(places: Places, visits: Iterable[Visit], destination: OptOutTaker) -> dict[str, list[bytes]]:
    """Who leaves which list. What is blocked above all lists leaves every one of them, by its own later account."""
    found: dict[str, list[bytes]] = {}
    for visit in visits:
        left = set(visit.leaves)
        if is_to_be_blocked(visit, destination):
            left |= set(places.lists)
        for list_ref in left:
            found.setdefault(list_ref, []).append(visit.errand.subject_key)
    return found


def settle(session: ScopedSession, places: Places, visits: Sequence[Visit], *, destination: OptOutTaker) -> None:
    """Store how each visit ended; one that did not is due again."""
    told = [visit for visit in visits if visit.outcome is not None and visit.failure is None]
    for list_ref, keys in _by_list(places, told, destination).items():
        mark_unsubscribed(session, places.of(list_ref), keys)
    _forget_intents(session, places, [one for one in told if one.outcome == outcomes.OVERTAKEN])
    _empty_seats(session, places.connection_id, [one.errand.subject_key for one in told if one.errand.is_erasure])
    for visit in visits:
        _settle_visit(session, places.connection_id, visit)
    close_settled(session, [clearing_id for visit in told for clearing_id in visit.errand.clearing_ids])


def postpone(session: ScopedSession, connection_id: int, clearing_ids: Collection[int]) -> None:
    """Look again when the push that is under way has ended."""
    _change(session, connection_id, clearing_ids, next_try_at=clock.now() + PUSH_TAKES)


def _settle_visit(session: ScopedSession, connection_id: int, visit: Visit) -> None:
    now, ids = clock.now(), visit.errand.clearing_ids
    if visit.failure is not None:
        tries = session.scalar(
            select(func.max(Clearance.attempts)).where(
                Clearance.connection_id == connection_id, Clearance.clearing_id.in_(ids)
            )
        )
        wait = LOOP_WAITS if visit.failure == outcomes.LOOP else timedelta(seconds=retry_delay_s((tries or 0) + 1))
        _change(
            session,
            connection_id,
            ids,
            state="failing",
            failure_code=visit.failure,
            failing_since=func.coalesce(Clearance.failing_since, now),
            attempts=Clearance.attempts + 1,
            next_try_at=now + wait,
        )
    elif visit.outcome is not None:
        _change(
            session,
            connection_id,
            ids,
            state="not_possible" if visit.is_not_possible else "acknowledged",
            outcome=visit.outcome,
            lists=len(visit.leaves),
            acknowledged_at=None if visit.is_not_possible else now,
            failure_code=None,
            attempts=Clearance.attempts + 1,
        )


def _change(session: ScopedSession, connection_id: int, clearing_ids: Collection[int], **values: Any) -> None:
    session.execute(
        update(Clearance)
        .where(Clearance.connection_id == connection_id, Clearance.clearing_id.in_(clearing_ids))
        .where(Clearance.state.in_(OPEN))
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def mark_failing(session: ScopedSession, connection_id: int, code: str) -> None:
    """Everybody who waits for a system that does not answer is failing since the first moment it did not."""
    session.execute(
        update(Clearance)
        .where(Clearance.connection_id == connection_id, Clearance.state == "pending")
        .values(state="failing", failing_since=clock.now(), failure_code=code)
        .execution_options(synchronize_session=False)
    )


def close_settled(session: ScopedSession, clearing_ids: Collection[int]) -> None:
    """End what has arrived everywhere: from then on no address is kept for it."""
    still_open = exists().where(Clearance.clearing_id == Clearing.id, Clearance.state.in_(OPEN))
    session.execute(
        update(Clearing)
        .where(Clearing.id.in_(clearing_ids), Clearing.settled_at.is_(None), ~still_open)
        .values(settled_at=clock.now(), address_encrypted=None)
        .execution_options(synchronize_session=False)
    )


def _forget_intents(session: ScopedSession, places: Places, visits: Sequence[Visit]) -> None:
    """They came back first: nobody is held out because of what we only meant to do."""
    keys = [visit.errand.subject_key for visit in visits]
    if keys:
        session.execute(
            delete(ListHeldOut).where(
                ListHeldOut.connection_id == places.connection_id,
                ListHeldOut.subject_key.in_(keys),
                ListHeldOut.status == "unsubscribing",
            )
        )


def _empty_seats(session: ScopedSession, connection_id: int, keys: Sequence[bytes]) -> None:
    """Whoever is deleted there has no seat in any audience of ours there, and no address in it."""
    if not keys:
        return
    here = select(Audience.id).where(Audience.connection_id == connection_id)
    session.execute(
        update(AudienceMember)
        .where(AudienceMember.audience_id.in_(here), AudienceMember.subject_key.in_(keys))
        .where(AudienceMember.state.not_in(("claimed", "uncertain")))
        .values(state="out", address=None, pushed_sha256=None, refusal_code=None, updated_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def give_up_removed(session: ScopedSession) -> int:
    """End what was under way to connections that were removed since; returns how many that were."""
    removed = select(Connection.id).where(Connection.state == "removed")
    ended = session.scalars(
        update(Clearance)
        .where(Clearance.state.in_(OPEN), Clearance.connection_id.in_(removed))
        .values(state="not_possible", outcome=outcomes.CONNECTION_REMOVED, failure_code=None)
        .returning(Clearance.clearing_id)
        .execution_options(synchronize_session=False)
    ).all()
    if ended:
        close_settled(session, ended)
    return len(ended)
