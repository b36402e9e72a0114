"""Looking now and then whether what came in still exists where it came from, for systems that tell of no deletions.

1. A source that can list every number there is does so, in the same turn that reads it: activities and people once a
   day, tickets once a week. No transaction is open meanwhile; the lease of the turn is renewed as it goes.
2. What we hold from before the list was begun, and is not on it, is gone there (vanishing.py says what that means).
3. Where more than half would be gone, something else is the matter (a key that sees less than it did): that is told,
   and nothing is changed.

A list that breaks off changes nothing and is begun again an hour later; that is nobody's worry, since reading goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, exists, select

from app import clock
from app.activities.models import Activity, Participation
from app.contacts.models import ContactIdentity
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.models import PullProgress, SyncProblem
from app.sync.vanishing import GONE_PERSON, GONE_TICKET, cancel_tickets, take_note_of
from integrations.base import Listed, Source, Transient, Vanished

log = structlog.get_logger()

EVERY: dict[Listed, timedelta] = {
    "activities": timedelta(days=1),
    "people": timedelta(days=1),
    "tickets": timedelta(days=7),
}
AGAIN_AFTER = timedelta(hours=1)
FEW = 20  # so few may all be gone; of more, half is too much to be true
GONE = "gone:"  # begins the name under which the last look is remembered, where streams are
MANY_GONE = "many_gone_there"


@dataclass(frozen=True, slots=True)
class Account:
    """The connection whose turn it is, and what its account is called in our records."""

    runtime: Runtime
    organisation_id: int
    connection_id: int
    source: str


def reconcile(account: Account, opened: Source, *, renew: Callable[[], None]) -> None:
    """List what is due to be listed, and act on what is gone. ``renew`` is called for each page, and may end it.

    Raises Permanent where the source refuses; a Transient only means that it is tried again later.
    """
    for what in opened.capabilities.lists_whole:
        began_at = clock.now()
        if not _begins(account, what, began_at):
            continue
        present: set[str] = set()
        try:
            for numbers in opened.present(what):
                renew()
                present.update(numbers)
        except Transient as error:
            log.info("list broke off", connection_id=account.connection_id, what=what, code=error.code)
            continue
        _act(account, what, present, began_at=began_at)


def forget_strangers(session: ScopedSession, connection_id: int) -> None:
    """Take back notes about people who were removed there and whom we no longer know either."""
    is_known = exists().where(
        ContactIdentity.organisation_id == SyncProblem.organisation_id,
        ContactIdentity.value_key == SyncProblem.external_id,
    )
    session.execute(
        delete(SyncProblem).where(
            SyncProblem.connection_id == connection_id, SyncProblem.code == GONE_PERSON, ~is_known
        )
    )


def _stream(what: Listed) -> str:
    return f"{GONE}{what}"


def _begins(account: Account, what: Listed, now: datetime) -> bool:
    """Whether it is time; if so, that a list was begun is noted before it is asked for."""
    key = (account.organisation_id, account.connection_id, _stream(what))
    with transaction(account.runtime.engine, account.organisation_id) as session:
        held = session.get(PullProgress, key)
        if held is None:
            # Everything was read a moment ago for the first time: there is nothing yet that could be gone.
            first = dict(zip(("organisation_id", "connection_id", "stream"), key, strict=True))
            session.add(PullProgress(**first, cursor={}, rows_done=0, counts={}, started_at=now, finished_at=now))
            return False
        is_due = held.finished_at is None or now - held.finished_at >= EVERY[what]
        is_too_soon = held.started_at is not None and now - held.started_at < AGAIN_AFTER
        if is_due and not is_too_soon:
            held.started_at = now
            return True
    return False


def _act(account: Account, what: Listed, present: set[str], *, began_at: datetime) -> None:
    with transaction(account.runtime.engine, account.organisation_id) as session:
        held = set(_held(session, account, what, began_at=began_at))
        gone = sorted(held - present)
        if len(gone) > max(FEW, len(held) // 2):
            _tell(session, account, what, {what: MANY_GONE})
        else:
            _tell(session, account, what, _consequences(session, account, what, gone))
        progress = session.get_one(PullProgress, (account.organisation_id, account.connection_id, _stream(what)))
        progress.finished_at, progress.rows_done = clock.now(), len(present)


def _held(session: ScopedSession, account: Account, what: Listed, *, began_at: datetime) -> Sequence[str]:
    if what == "activities":
        known = select(Activity.external_id).where(Activity.source == account.source, Activity.created_at < began_at)
    elif what == "tickets":
        known = select(Participation.external_id).where(
            Participation.source == account.source, Participation.is_valid, Participation.created_at < began_at
        )
    else:
        kind = f"{account.source}:customer"
        known = select(ContactIdentity.value).where(ContactIdentity.kind == kind, ContactIdentity.created_at < began_at)
    return session.scalars(known).all()


def _consequences(session: ScopedSession, account: Account, what: Listed, gone: Sequence[str]) -> dict[str, str]:
    at = clock.now()
    if what == "tickets":
        cancel_tickets(session, account.source, gone, at=at)
        return dict.fromkeys(gone, GONE_TICKET)
    if what == "activities":
        return take_note_of(session, [Vanished("activity", account.source, one) for one in gone], at=at)
    kind = f"{account.source}:customer"
    return take_note_of(session, [Vanished("person", account.source, one, kind) for one in gone], at=at)


def _tell(session: ScopedSession, account: Account, what: Listed, told: dict[str, str]) -> None:
    """Note what is gone now, in the place of what was gone at the last look; what was told of tickets stays told."""
    of_this = (SyncProblem.connection_id == account.connection_id, SyncProblem.stream == _stream(what))
    if what != "tickets":
        session.execute(delete(SyncProblem).where(*of_this))
    session.add_all(
        SyncProblem(
            organisation_id=session.organisation_id,
            connection_id=account.connection_id,
            stream=_stream(what),
            external_id=number,
            code=code,
            occurred_at=clock.now(),
        )
        for number, code in told.items()
    )
