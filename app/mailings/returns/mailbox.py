"""Fetching what comes back from a mailbox: stored here before it is moved there, so that a kill loses nothing.

1. ``_take``: the mailbox's row, for which nobody works, under a lease.
2. Connect and open the folder, with no transaction open. Where the server says that the mailbox was made anew
   (UIDVALIDITY), it is read from its beginning; what is stored already changes nothing.
3. A few mails at a time: fetched without marking them as read, stored together with how far we read, committed; only
   then moved (or marked as read). Killed in between, they are fetched or moved the next time.
4. What came of it is noted. A mailbox that fails rests longer and longer, and the page says why.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from sqlalchemy import or_, select, update

from app import clock
from app.db import ScopedSession, transaction
from app.keyring import KeyringError
from app.mailings.returns.models import ReturnMailbox
from app.mailings.returns.reading import READ_OCTETS_MAX
from app.mailings.returns.receiving import take_in
from app.runtime import Runtime
from integrations.base import ConnectorError, Permanent
from integrations.imap import ImapMailbox, Mailbox, Security

log = structlog.get_logger()

LOOK_EVERY = timedelta(minutes=1)
LEASE = timedelta(minutes=5)
AT_ONCE, AT_A_BEAT = 20, 500
BEAT_S = 60.0
REST_FIRST_S, REST_LONGEST_S = 60.0, 3600.0


def _go_on(_step: str) -> None:
    """Nothing stops between the steps, except in tests."""


@dataclass(frozen=True, slots=True)
class _Taken:
    mailbox: Mailbox
    uid_validity: int | None
    last_uid: int
    done_folder: str | None
    lease: datetime


def fetch_returns(runtime: Runtime, organisation_id: int, *, reached: Callable[[str], None] = _go_on) -> int:
    """Fetch what came to a house's mailbox; returns how many mails were stored."""
    taken = _take(runtime, organisation_id)
    if taken is None:
        return 0
    fetching = _Fetching(runtime, organisation_id, taken, reached)
    try:
        fetching.run()
    except ConnectorError as problem:
        _note(runtime, organisation_id, taken.lease, problem)
    else:
        _note(runtime, organisation_id, taken.lease, None)
    return fetching.stored


def mailbox_of(row: ReturnMailbox, runtime: Runtime) -> Mailbox:
    """Return how to reach a house's mailbox. Raises KeyringError where its password was kept with another keyring."""
    return Mailbox(
        host=row.host or "",
        port=row.port,
        security=cast(Security, row.security),
        user=row.user or "",
        password=runtime.keyring.decrypted(bytes(row.password)) if row.password else "",
        folder=row.folder,
        octets_max=READ_OCTETS_MAX,
        allows_loopback=runtime.settings.allow_loopback_connections,
    )


class _Fetching:
    """One conversation with one mailbox."""

    def __init__(
        self, runtime: Runtime, organisation_id: int, taken: _Taken, reached: Callable[[str], None]
    ) -> None:  # fmt: skip
        self._runtime, self._organisation_id = runtime, organisation_id
        self._taken, self._reached = taken, reached
        self.stored = 0

    def run(self) -> None:
        """Fetch, store and move, until there is no more or it takes too long."""
        began = time.monotonic()
        with ImapMailbox(self._taken.mailbox) as imap:
            is_same = imap.uid_validity == self._taken.uid_validity
            last_uid = self._taken.last_uid if is_same else 0
            uids = imap.uids_after(last_uid)[:AT_A_BEAT]
            for start in range(0, len(uids), AT_ONCE):
                if time.monotonic() - began > BEAT_S or not self._some(imap, uids[start : start + AT_ONCE]):
                    break
            # What somebody who was killed stored and did not move. Last: a folder that is full stops no reading.
            if self._taken.done_folder:
                imap.move(imap.uids_up_to(last_uid)[:AT_A_BEAT], self._taken.done_folder)

    def _some(self, imap: ImapMailbox, uids: list[int]) -> bool:
        mails = [imap.fetch(uid) for uid in uids]
        self._reached("fetched")
        if not self._store([mail for mail in mails if mail is not None], imap.uid_validity, uids[-1]):
            return False
        self._reached("stored")
        if self._taken.done_folder:
            imap.move(uids, self._taken.done_folder)
        else:
            imap.mark_seen(uids)
        return True

    def _store(self, mails: list[bytes], uid_validity: int, last_uid: int) -> bool:
        """Store mails and how far we read; False where somebody else took the mailbox over."""
        with transaction(self._runtime.engine, self._organisation_id) as session:
            if not _if_ours(session, self._taken.lease, uid_validity=uid_validity, last_uid=last_uid):
                return False
            self.stored += sum(take_in(session, self._runtime.keyring, mail, came_by="mailbox") for mail in mails)
        return True


def _take(runtime: Runtime, organisation_id: int) -> _Taken | None:
    now = clock.now()
    with transaction(runtime.engine, organisation_id) as session:
        row = session.scalars(
            select(ReturnMailbox)
            .where(ReturnMailbox.host.is_not(None))
            .where(or_(ReturnMailbox.next_try_at.is_(None), ReturnMailbox.next_try_at <= now))
            .where(or_(ReturnMailbox.lease_until.is_(None), ReturnMailbox.lease_until <= now))
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if row is None:
            return None
        try:
            mailbox = mailbox_of(row, runtime)
        except KeyringError:
            _fail(row, Permanent("other_keyring"), now)
            return None
        row.lease_until = now + LEASE
        return _Taken(mailbox, row.uid_validity, row.last_uid, row.done_folder, row.lease_until)


def _note(runtime: Runtime, organisation_id: int, lease: datetime, problem: ConnectorError | None) -> None:
    now = clock.now()
    with transaction(runtime.engine, organisation_id) as session:
        row = session.scalars(
            select(ReturnMailbox).where(ReturnMailbox.lease_until == lease).with_for_update()
        ).one_or_none()
        if row is None:
            return
        row.lease_until = None
        if problem is not None:
            _fail(row, problem, now)
            return
        forget_mailbox_trouble(row)
        row.checked_at, row.next_try_at = now, now + LOOK_EVERY


def forget_mailbox_trouble(row: ReturnMailbox) -> None:
    """Have the mailbox looked at again at the next beat."""
    row.failing_since, row.problem_code, row.failures, row.next_try_at = None, None, 0, None


def _fail(row: ReturnMailbox, problem: ConnectorError, now: datetime) -> None:
    wait_s = min(REST_FIRST_S * 2.0 ** min(row.failures, 10), REST_LONGEST_S)
    row.failures += 1
    row.failing_since = row.failing_since or now
    row.problem_code = problem.code
    row.next_try_at = now + timedelta(seconds=wait_s * random.uniform(0.8, 1.0))  # noqa: S311 - to spread, not to hide
    log.warning("return mailbox fails", code=problem.code, hint=problem.hint, failures=row.failures)


def _if_ours(session: ScopedSession, lease: datetime, **values: Any) -> bool:
    changed = session.execute(update(ReturnMailbox).where(ReturnMailbox.lease_until == lease).values(**values))
    return bool(changed.rowcount == 1)  # type: ignore[attr-defined]
