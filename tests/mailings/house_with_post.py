"""A house that can send: its settings, a relay on loopback, people, and time that can pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, select

from app import clock
from app.accounts.audit import SYSTEM
from app.accounts.letters import request_letter
from app.accounts.models import Letter, Organisation
from app.consent.ledger import record_event
from app.consent.subjects import identity
from app.db import ScopedSession, transaction
from app.mailings.deliveries import Reserved
from app.mailings.freezing import freeze
from app.mailings.mail_settings import Sender, setting_of
from app.mailings.mailings import create_mailing
from app.mailings.mime import Content, envelope_sender, message_of
from app.mailings.models import Delivery, Mailing
from app.mailings.outgoing import Refused, Writer, Written
from app.mailings.return_paths import delivery_number
from app.mailings.sending import WRITERS, send_due
from app.runtime import Runtime
from integrations.esp.smtp import Envelope
from tests.consent.people import a_grant, a_withdrawal, make_contact
from tests.mailings.campaigns import a_draft
from tests.standins.smtp import SmtpStandIn

FROM = "post@deproef.example"
ADDRESS = "Zaalstraat 1, 9000 Gent"


def write_mailings(
    session: ScopedSession, runtime: Runtime, sender: Sender, reserved: Sequence[Reserved]
) -> list[Written | Refused]:
    """The plainest mailing there is: the same words for everybody, to the primary address."""
    return [_write_mailing(session, runtime, sender, each) for each in reserved]


def _write_mailing(session: ScopedSession, runtime: Runtime, sender: Sender, reserved: Reserved) -> Written | Refused:
    found = session.execute(
        select(identity.c.value, identity.c.subject_key).where(
            identity.c.contact_id == reserved.contact_id, identity.c.kind == "email", identity.c.is_primary
        )
    ).one_or_none()
    if found is None:
        return Refused(reserved, "no_address")
    number = delivery_number(runtime.keyring, sender.organisation_id, reserved.id)
    content = Content("Nieuws", "Dag\n", "<p>Dag</p>")
    message = message_of(sender, content, to_address=found.value, number=number, at=clock.now())
    envelope = Envelope(envelope_sender(sender, number=number), found.value, message)
    return Written(reserved, envelope, bytes(found.subject_key))


PLAIN_WRITERS: Mapping[str, Writer] = {**WRITERS, "mailing": write_mailings}


def plan_mailing(
    session: ScopedSession, *contact_ids: int, purpose: str = "newsletter", priority: int = 50, kind: str = "campaign"
) -> int:
    """A mailing that is being sent, with a delivery for each of these people, whatever their permission; its id."""
    now, count = clock.now(), session.scalar(select(func.count()).select_from(Mailing)) or 0
    draft = a_draft(name=f"Mailing {count}", purpose=purpose, priority=priority, kind=kind)
    mailing = create_mailing(session, draft, actor=SYSTEM)
    version = freeze(session, mailing.id)
    if kind == "campaign":
        mailing.state, mailing.planned_at, mailing.started_at = "sending", now, now
    session.flush()
    rows = [
        {
            "organisation_id": session.organisation_id,
            "kind": "mailing",
            "contact_id": contact_id,
            "purpose": purpose,
            "mailing_id": mailing.id,
            "mailing_version": version,
            "variant": "A",
            "language": "nl",
            "planned_at": now,
            "next_try_at": now,
            "enrolment_id": contact_id if kind == "journey" else None,
            "step_id": "s1" if kind == "journey" else None,
        }
        for contact_id in contact_ids
    ]
    if rows:
        session.execute(insert(Delivery), rows)
    return mailing.id


class HouseWithPost:
    """A house, its relay, and short words for what tests do again and again."""

    def __init__(self, runtime: Runtime, organisation: Organisation, relay: SmtpStandIn) -> None:
        self.runtime, self.organisation, self.relay = runtime, organisation, relay
        with self.transaction() as session:
            house = session.scalars(select(Organisation)).one()
            house.legal_address = ADDRESS
            setting = setting_of(session, runtime.settings)
            setting.relay_host, setting.relay_port, setting.relay_security = "127.0.0.1", relay.port, "none"
            setting.from_address = FROM

    @contextmanager
    def transaction(self) -> Iterator[ScopedSession]:
        with transaction(self.runtime.engine, self.organisation.id) as session:
            yield session

    def ask(self, kind: str = "preferences_link", to: str = "an@example.org", **more: Any) -> int:
        """Ask for a letter; returns its id."""
        with self.transaction() as session:
            asked = {"kind": kind, "to_address": to, "language": "nl", "facts": {}}
            letter_id = request_letter(session, self.runtime.keyring, **(asked | more))
        assert letter_id is not None
        return letter_id

    def person(self, address: str, *, says_yes: bool = True) -> int:
        """Somebody with an address, who wants the newsletter."""
        with self.transaction() as session:
            contact_id = make_contact(session, self.runtime.keyring, address)
        if says_yes:
            self.record(a_grant(address))
        return contact_id

    def record(self, event: Any) -> None:
        with self.transaction() as session:
            record_event(session, self.runtime.keyring, event)

    def withdraw(self, address: str, **more: Any) -> None:
        self.record(a_withdrawal(address, **more))

    def mail_to(self, *contact_ids: int, **more: Any) -> list[int]:
        """Plan the newsletter for people; returns the deliveries."""
        with self.transaction() as session:
            mailing_id = plan_mailing(session, *contact_ids, **more)
            return list(
                session.scalars(select(Delivery.id).where(Delivery.mailing_id == mailing_id).order_by(Delivery.id))
            )

    def send(self, *, later: timedelta = timedelta(), reached: Callable[[str], None] = lambda _step: None) -> int:
        with clock.set_to(clock.now() + later):
            return send_due(self.runtime, self.organisation.id, writers=PLAIN_WRITERS, reached=reached)

    def delivery(self, **which: Any) -> Delivery:
        with self.transaction() as session:
            return session.scalars(select(Delivery).filter_by(**which)).one()

    def states(self) -> list[str]:
        with self.transaction() as session:
            return list(session.scalars(select(Delivery.state).order_by(Delivery.id)))

    def letter(self, letter_id: int) -> Letter:
        with self.transaction() as session:
            return session.scalars(select(Letter).where(Letter.id == letter_id)).one()

    def recipients(self) -> list[str]:
        return [mail.recipient for mail in self.relay.delivered]
