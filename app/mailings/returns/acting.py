"""What follows from a mail that came back, once it is certain which of our mails it is about.

=============  ======================================================================================================
bounce: dead   the address is stopped; where the report names another address than ours (it was passed on), counted
bounce: soft   counted; mail to the address pauses when it goes on
bounce: policy a strike for the breaker of sending and receiving domain; the person is left as they were (I20)
bounce: mail   kept with the delivery, nothing follows
bounce: other  a person looks at it; nothing else follows (I20)
complaint      an objection in the ledger, against all marketing by e-mail
unsubscribe    a withdrawal of what the mail was for, with its one receipt where the country asks for it (I22)
reply          a person reads it
auto_reply, delay, notice   nothing
=============  ======================================================================================================

Everything is idempotent: said twice, or by two ways in, it is one fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import case, select, update

from app.consent.ledger import NewEvent, record_event
from app.consent.models import Purpose
from app.consent.preferences import unsubscribe
from app.consent.subjects import email_subject, identity
from app.contacts.deliverability import count_soft_bounce, mark_bouncing
from app.contacts.engagement import MailEventRecord, record_engagement
from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.arrivals import NOT_RECEIVED, SOURCE, forget_arrived
from app.mailings.models import Delivery
from app.mailings.returns.breakers import note_refusals
from app.mailings.returns.classifying import Returned

Outcome = Literal["done", "to_look_at"]
# The worst that is known of a mail stands.
CAME_BACK = ("refused", "bounced_for_now", "bounced", "complained")


@dataclass(frozen=True, slots=True)
class House:
    """For whom something is done: the keyring, and the domain the house sends from."""

    keyring: Keyring
    sending_domain: str


def act(session: ScopedSession, house: House, returned: Returned, delivery: Delivery, *, at: datetime) -> Outcome:
    """Do what follows from what came back about a delivery, and say whether a person should look at it too."""
    match returned.kind:
        case "bounce":
            return _bounce(session, house, returned, delivery, at=at)
        case "complaint":
            complain(session, house.keyring, delivery, at=at)
        case "unsubscribe":
            opt_out(session, house.keyring, delivery)
        case "reply" | "unknown":
            return "to_look_at"
    return "done"


def stop_address(session: ScopedSession, delivery: Delivery, *, code: str | None, at: datetime) -> None:
    """Note that the mailbox a delivery went to does not exist."""
    if delivery.address_hash is not None:
        mark_bouncing(session, [bytes(delivery.address_hash)], at=at)
    _note(session, delivery, "bounced", code=code, at=at)
    _record_bounce(session, delivery, at=at)


def complain(session: ScopedSession, keyring: Keyring, delivery: Delivery, *, at: datetime) -> None:
    """Record that somebody told their mailbox provider that a mail was not wanted: an objection."""
    if delivery.address_hash is not None:
        record_event(
            session,
            keyring,
            NewEvent(
                subject_key=bytes(delivery.address_hash),
                channel="email",
                purpose=None,
                action="objected",
                occurred_at=at,
                actor="contact",
                method="complaint",
                source="complaint",
                external_id=f"complaint {delivery.id}",
                evidence={"reason": "complaint", "delivery_id": delivery.id},
            ),
        )
    _note(session, delivery, "complained", code=None, at=at)


def opt_out(session: ScopedSession, keyring: Keyring, delivery: Delivery) -> None:
    """Record that somebody stops by mail what a delivery was for; all marketing where it was for none."""
    if delivery.address_hash is None:
        return
    is_marketing = session.scalar(select(Purpose.is_marketing).where(Purpose.code == delivery.purpose))
    purpose = delivery.purpose if is_marketing else None
    unsubscribe(session, keyring, bytes(delivery.address_hash), purpose=purpose, method="mail")


def receiving_domain(session: ScopedSession, delivery: Delivery, returned: Returned) -> str:
    """Return the domain a delivery went to: of the address we hold, else of the one the report names; or nothing."""
    held = session.scalar(
        select(identity.c.value_key).where(
            identity.c.kind == "email", identity.c.subject_key == delivery.address_hash
        ).limit(1)
    )  # fmt: skip
    return str(held or returned.recipient or "").rpartition("@")[2].lower()


def _bounce(session: ScopedSession, house: House, returned: Returned, delivery: Delivery, *, at: datetime) -> Outcome:
    code = returned.status
    verdict = returned.verdict
    if verdict == "dead" and _was_passed_on(session, house.keyring, returned, delivery):
        verdict = "soft"
    is_news = False
    if verdict == "dead":
        stop_address(session, delivery, code=code, at=at)
    elif verdict == "soft":
        if delivery.address_hash is not None:
            count_soft_bounce(session, bytes(delivery.address_hash), at=at)
        is_news = _note(session, delivery, "bounced_for_now", code=code, at=at)
        _record_bounce(session, delivery, at=at)
    else:
        is_news = _note(session, delivery, "refused", code=code, at=at)
    # Once for each mail: who has one of our numbers can make a report about that mail, and must not stop a domain.
    if is_news and verdict in ("policy", "soft") and code is not None:
        domain = receiving_domain(session, delivery, returned)
        note_refusals(session, [(domain, _as_refusal(verdict, code))], sending_domain=house.sending_domain, at=at)
    return "to_look_at" if verdict in ("unknown", None) else "done"


def _as_refusal(verdict: str, code: str) -> str:
    """A refusal for policy counts as one, also where the code says another thing than the words."""
    return code if verdict != "policy" or code[1:3] == ".7" else "5.7.0"


def _was_passed_on(session: ScopedSession, keyring: Keyring, returned: Returned, delivery: Delivery) -> bool:
    """Whether a report is about an address other than the one we wrote to: the mailbox we wrote to passed it on."""
    if returned.recipient is None or delivery.address_hash is None:
        return False
    return email_subject(session, keyring, returned.recipient) != bytes(delivery.address_hash)


def _note(session: ScopedSession, delivery: Delivery, what: str, *, code: str | None, at: datetime) -> bool:
    """Keep with the delivery what came back of it, unless that or worse is known; returns whether it was news.

    Its state is whatever sending says: a bounce may be faster than the relay's own answer (I19).
    """
    row = Delivery
    rank = case({word: place for place, word in enumerate(CAME_BACK)}, value=row.came_back, else_=-1)
    noted = session.execute(
        update(row)
        .where(row.id == delivery.id, rank < CAME_BACK.index(what))
        .values(came_back=what, came_back_at=at, came_back_code=code)
        .execution_options(synchronize_session=False)
    )
    if what in NOT_RECEIVED:
        forget_arrived(session, [delivery.id])
    return bool(noted.rowcount)  # type: ignore[attr-defined]


def _record_bounce(session: ScopedSession, delivery: Delivery, *, at: datetime) -> None:
    if delivery.contact_id is None:
        return
    record = MailEventRecord(
        contact_id=delivery.contact_id,
        event="bounced",
        occurred_at=at,
        source=SOURCE,
        external_id=f"bounced {delivery.id}",
        mailing_id=delivery.mailing_id,
        delivery_id=delivery.id,
    )
    record_engagement(session, [record], at=at)
