"""What nobody but a person can decide: answers of people, and mails that came back and say too little.

Nothing is learnt from a decision; the next mail like it waits again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select, update

from app import clock
from app.accounts.addresses import normalise_email
from app.consent.ledger import NewEvent, record_event
from app.consent.subjects import contacts_by_subject, email_subject
from app.contacts.deliverability import mark_bouncing
from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.models import Delivery
from app.mailings.returns.acting import stop_address
from app.mailings.returns.models import ReturnMail
from app.mailings.returns.processing import read_sealed
from app.runtime import Runtime

Which = Literal["replies", "others"]
Decision = Literal["dead", "ignored", "opted_out", "reply"]
DECISIONS: tuple[Decision, ...] = ("dead", "ignored", "opted_out", "reply")


class AddressMissing(Exception):
    """The mail names none of ours, so that a person must say which address is meant, and it must be an address."""


class AddressUnknown(Exception):
    """Nobody in the house has this address."""


@dataclass(frozen=True, slots=True)
class ToDecide:
    """A mail as a person looks at it. ``names_ours``: a number of ours says which mail it is about."""

    id: int
    kind: str
    received_at: datetime
    names_ours: bool
    contact_id: int | None
    mailing_id: int | None
    sender: str
    subject: str
    text: str
    recipient: str
    status_code: str | None


def count_to_decide(session: ScopedSession) -> dict[Which, int]:
    """Return how many answers of people and how many other mails wait."""
    row = ReturnMail
    is_reply = row.kind == "reply"
    replies, others = session.execute(
        select(
            func.count().filter(is_reply, row.delivery_id.is_not(None)),
            func.count().filter(~is_reply | row.delivery_id.is_(None)),
        ).where(row.state == "to_look_at")
    ).one()
    return {"replies": replies, "others": others}


def to_decide(
    session: ScopedSession, runtime: Runtime, *, which: Which, before_id: int | None = None, limit: int = 25
) -> Sequence[ToDecide]:
    """Return the mails that wait, the newest first, from below ``before_id`` on, opened to be read.

    Only an answer to a mail of ours is an answer; the rest is whatever found its way into the mailbox.
    """
    row = ReturnMail
    is_answer = (row.kind == "reply") & row.delivery_id.is_not(None)
    query = (
        select(row)
        .where(row.state == "to_look_at", is_answer if which == "replies" else func.coalesce(~is_answer, True))
        .order_by(row.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(row.id < before_id)
    return [_opened(runtime, mail) for mail in session.scalars(query)]


def decide(
    session: ScopedSession,
    keyring: Keyring,
    return_id: int,
    *,
    decision: Decision,
    address: str = "",
    actor_id: int,
) -> bool:
    """Do what a person decides about a mail; returns False where it does not wait (any more).

    ``dead`` and ``opted_out`` are about the mail it names; where it names none, about ``address``. Raises
    AddressMissing or AddressUnknown, and then nothing is done.
    """
    row = ReturnMail
    mail = session.scalars(
        select(row).where(row.id == return_id, row.state == "to_look_at").with_for_update()
    ).one_or_none()
    if mail is None:
        return False
    if decision in ("dead", "opted_out"):
        _act(session, keyring, mail, decision=decision, address=address, actor_id=actor_id)
    mail.state, mail.decision, mail.decided_by, mail.settled_at = "decided", decision, actor_id, clock.now()
    return True


def ignore_all(session: ScopedSession, *, up_to_id: int, actor_id: int) -> int:
    """Put aside every mail that names none of ours, up to the newest that the person has seen; returns how many."""
    row = ReturnMail
    done = session.execute(
        update(row)
        .where(row.state == "to_look_at", row.delivery_id.is_(None), row.id <= up_to_id)
        .values(state="decided", decision="ignored", decided_by=actor_id, settled_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def _act(
    session: ScopedSession, keyring: Keyring, mail: ReturnMail, *, decision: Decision, address: str, actor_id: int
) -> None:
    delivery = session.scalars(select(Delivery).where(Delivery.id == mail.delivery_id)).one_or_none()
    key = bytes(delivery.address_hash) if delivery is not None and delivery.address_hash is not None else None
    key = key or _key_of(session, keyring, address)
    now = clock.now()
    if decision == "opted_out":
        record_event(session, keyring, _withdrawal(key, mail, actor_id=actor_id))
    elif delivery is not None:
        stop_address(session, delivery, code=mail.status_code, at=now)
    else:
        mark_bouncing(session, [key], at=now)


def _withdrawal(key: bytes, mail: ReturnMail, *, actor_id: int) -> NewEvent:
    return NewEvent(
        subject_key=key,
        channel="email",
        purpose=None,
        action="withdrawn",
        occurred_at=mail.received_at,
        actor="staff",
        actor_id=actor_id,
        method="mail",
        source="zaallicht",
        external_id=f"return mail {mail.id}",
        evidence={"return_mail_id": mail.id},
    )


def _key_of(session: ScopedSession, keyring: Keyring, address: str) -> bytes:
    if normalise_email(address) is None:
        raise AddressMissing
    key = email_subject(session, keyring, address)
    if key is None:
        raise AddressMissing
    if not contacts_by_subject(session, [key]):
        raise AddressUnknown
    return key


def _opened(runtime: Runtime, mail: ReturnMail) -> ToDecide:
    returned = read_sealed(runtime, mail)
    return ToDecide(
        id=mail.id,
        kind=mail.kind or "unknown",
        received_at=mail.received_at,
        names_ours=mail.delivery_id is not None,
        contact_id=mail.contact_id,
        mailing_id=mail.mailing_id,
        sender=returned.sender,
        subject=returned.subject,
        text=returned.text,
        recipient=returned.recipient or "",
        status_code=mail.status_code,
    )
