"""Reading what came back: one mail at a time, each in a transaction of its own, so that none stops the others.

1. ``_claim``: the oldest that are due and that nobody reads, under a lease (``next_try_at``).
2. Per mail: what it is (``classifying``), which of our mails it is about (a number that we signed, of this house; else,
   where the relay itself told it, the last mail to that person), what follows (``acting``), and that it is settled, all
   in one transaction.
3. The mailings it was about are watched for alarms, once for the batch.

A killed worker leaves a lease that runs out; doing it again changes nothing. What cannot be read five times goes to the
people who look at the queue, and so does everything whose number is missing or not ours: a forged report does nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update

from app import clock
from app.consent.subjects import contacts_by_subject, email_subject
from app.db import ScopedSession, transaction
from app.keyring import KeyringError
from app.mailings.mail_settings import setting_of
from app.mailings.models import Delivery
from app.mailings.return_paths import read_delivery_numbers
from app.mailings.returns import alarms
from app.mailings.returns.acting import House, act
from app.mailings.returns.classifying import Returned, classify
from app.mailings.returns.models import ReturnMail
from app.mailings.returns.reading import Unreadable
from app.mailings.returns.receiving import unsealed
from app.runtime import Runtime

log = structlog.get_logger()

BATCH = 100
LEASE = timedelta(minutes=3)
ATTEMPTS_MAX = 5
AGAIN_AFTER = timedelta(minutes=1)
# A relay that names only the person speaks of a mail that it took lately.
TOLD_WITHIN = timedelta(days=14)
# Nothing follows from these, so that nobody needs to look at one that names none of our mails.
MEANS_NOTHING = ("auto_reply", "delay", "notice")


def process_returns(runtime: Runtime, organisation_id: int) -> int:
    """Read everything that is due for a house; returns how many mails were settled."""
    settled = 0
    while claimed := _claim(runtime, organisation_id):
        mailings: set[int] = set()
        for return_id, attempt in claimed:
            try:
                with transaction(runtime.engine, organisation_id) as session:
                    mailing_id = settle(session, runtime, return_id, attempt=attempt)
                    mailings |= {mailing_id} if mailing_id is not None else set()
                settled += 1
            except Exception as problem:
                _note_failure(runtime, organisation_id, return_id, attempt=attempt, problem=problem)
        if mailings:
            with transaction(runtime.engine, organisation_id) as session:
                alarms.watch(session, mailings, at=clock.now())
    return settled


def settle(session: ScopedSession, runtime: Runtime, return_id: int, *, attempt: int) -> int | None:
    """Read one mail and do what follows; returns the mailing it was about, where it was about one.

    Does nothing where somebody else took it over meanwhile.
    """
    row = ReturnMail
    mail = session.scalars(
        select(row).where(row.id == return_id, row.state == "waiting", row.attempts == attempt).with_for_update()
    ).one_or_none()
    if mail is None:
        return None
    returned = read_sealed(runtime, mail)
    house = House(runtime.keyring, sending_domain_of(session, runtime))
    delivery = delivery_named(session, runtime, returned)
    if delivery is None and mail.came_by == "event":
        delivery = _newest_to(session, runtime, returned.recipient, before=mail.received_at)
    mail.kind, mail.verdict, mail.status_code = returned.kind, returned.verdict, returned.status
    if delivery is not None:
        mail.delivery_id, mail.contact_id, mail.mailing_id = delivery.id, delivery.contact_id, delivery.mailing_id
        session.flush()
        mail.state = act(session, house, returned, delivery, at=mail.received_at)
    else:
        mail.state = "done" if returned.kind in MEANS_NOTHING else "to_look_at"
    mail.settled_at, mail.problem_code = clock.now(), None
    return None if delivery is None else delivery.mailing_id


def read_sealed(runtime: Runtime, mail: ReturnMail) -> Returned:
    """Return what a stored mail is; ``unknown`` for one that was forgotten or cannot be opened any more."""
    if mail.sealed is None:
        return Returned("unknown")
    try:
        return classify(unsealed(runtime.keyring, bytes(mail.sealed)))
    except (KeyringError, Unreadable):
        return Returned("unknown")


def delivery_named(session: ScopedSession, runtime: Runtime, returned: Returned) -> Delivery | None:
    """Return the mail of this house that a number signed by us names; None for none, or one of another house."""
    for organisation_id, delivery_id in read_delivery_numbers(runtime.keyring, returned.named):
        if organisation_id == session.organisation_id:
            return session.scalars(select(Delivery).where(Delivery.id == delivery_id)).one_or_none()
    return None


def _newest_to(session: ScopedSession, runtime: Runtime, address: str | None, *, before: datetime) -> Delivery | None:
    """Return the last mail to an address, for what the relay itself told us: many name the person and not the mail."""
    key = None if address is None else email_subject(session, runtime.keyring, address)
    contact_id = None if key is None else contacts_by_subject(session, [key]).get(key)
    if contact_id is None:
        return None
    row = Delivery
    return session.scalars(
        select(row)
        .where(row.contact_id == contact_id, row.address_hash == key)
        .where(row.handed_over_at.between(before - TOLD_WITHIN, before))
        .order_by(row.handed_over_at.desc(), row.id.desc())
        .limit(1)
    ).one_or_none()


def sending_domain_of(session: ScopedSession, runtime: Runtime) -> str:
    """Return the domain a house sends from."""
    setting = setting_of(session, runtime.settings)
    return (setting.from_address or runtime.settings.mail_from_address).rpartition("@")[2].lower()


def _claim(runtime: Runtime, organisation_id: int) -> list[tuple[int, int]]:
    row, now = ReturnMail, clock.now()
    with transaction(runtime.engine, organisation_id) as session:
        due = session.scalars(
            select(row.id)
            .where(row.state == "waiting", row.next_try_at <= now)
            .order_by(row.next_try_at, row.id)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        rows = session.execute(
            update(row)
            .where(row.id.in_(due))
            .values(attempts=row.attempts + 1, next_try_at=now + LEASE)
            .returning(row.id, row.attempts)
            .execution_options(synchronize_session=False)
        )
        return sorted((return_id, attempt) for return_id, attempt in rows)


def _note_failure(
    runtime: Runtime, organisation_id: int, return_id: int, *, attempt: int, problem: Exception
) -> None:  # fmt: skip
    log.error("returned mail failed", return_id=return_id, error=type(problem).__name__, exc_info=problem)
    values: dict[str, object] = {
        "next_try_at": clock.now() + AGAIN_AFTER * 2**attempt,
        "problem_code": "internal_error",
    }
    if attempt >= ATTEMPTS_MAX:
        values |= {"state": "to_look_at", "settled_at": clock.now()}
    row = ReturnMail
    with transaction(runtime.engine, organisation_id) as session:
        session.execute(
            update(row).where(row.id == return_id, row.state == "waiting", row.attempts == attempt).values(**values)
        )
