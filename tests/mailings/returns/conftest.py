"""A house whose mail comes back: a mailing to An, and everybody's number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.consent.models import ConsentEvent
from app.consent.subjects import email_subject
from app.contacts.models import ContactIdentity, MailEvent
from app.db import ScopedSession
from app.mailings.models import Delivery, Mailing, MailingVersion
from app.mailings.return_paths import delivery_number
from app.mailings.returns.models import ReturnMail
from app.mailings.returns.processing import process_returns
from app.mailings.returns.receiving import take_in
from tests.mailings.house_with_post import HouseWithPost

AN = "an@example.org"


@dataclass
class HouseWithReturns:
    """Short words for what these tests do again and again."""

    house: HouseWithPost
    mailing_id: int

    def mailed(self, address: str = AN, *, state: str = "accepted", count_as: str = "newsletter") -> int:
        """A mail of the mailing that left an hour ago; returns its delivery."""
        contact_id = self.house.person(address)
        now, ours = clock.now(), {"organisation_id": self.house.organisation.id}
        with self.house.transaction() as session:
            delivery = Delivery(
                **ours,
                kind="mailing",
                contact_id=contact_id,
                purpose=count_as,
                mailing_id=self.mailing_id,
                mailing_version=1,
                state=state,
                planned_at=now - timedelta(hours=2),
                next_try_at=now - timedelta(hours=2),
                decided_at=now - timedelta(hours=1),
                rules_version="gate 1",
                decision_reason="consent",
                decided_by=1,
                address_hash=email_subject(session, self.house.runtime.keyring, address),
                handed_over_at=now - timedelta(hours=1),
                lease_until=now + timedelta(minutes=5) if state == "handed_over" else None,
            )
            session.add(delivery)
            session.flush()
            return delivery.id

    def number(self, delivery_id: int, *, organisation_id: int | None = None) -> str:
        house = organisation_id or self.house.organisation.id
        return delivery_number(self.house.runtime.keyring, house, delivery_id)

    def comes_back(self, raw: bytes, **more: str) -> ReturnMail:
        """Take a mail in, read it, and return what became of it."""
        with self.house.transaction() as session:
            take_in(session, self.house.runtime.keyring, raw, came_by="pipe", **more)
        process_returns(self.house.runtime, self.house.organisation.id)
        return self.mails()[-1]

    def mails(self) -> list[ReturnMail]:
        with self.house.transaction() as session:
            return list(session.scalars(select(ReturnMail).order_by(ReturnMail.id)))

    def identity(self, address: str = AN) -> ContactIdentity:
        with self.house.transaction() as session:
            return session.scalars(select(ContactIdentity).where(ContactIdentity.value == address)).one()

    def delivery(self, delivery_id: int) -> Delivery:
        return self.house.delivery(id=delivery_id)

    def events(self) -> list[MailEvent]:
        with self.house.transaction() as session:
            return list(session.scalars(select(MailEvent).order_by(MailEvent.id)))

    def noes(self) -> list[ConsentEvent]:
        with self.house.transaction() as session:
            return list(session.scalars(select(ConsentEvent).where(ConsentEvent.action.in_(("objected", "withdrawn")))))

    def mailing(self) -> Mailing:
        with self.house.transaction() as session:
            return session.scalars(select(Mailing).where(Mailing.id == self.mailing_id)).one()


def make_mailing(session: ScopedSession, name: str) -> int:
    """A mailing that is being sent; returns its id."""
    now, ours = clock.now(), {"organisation_id": session.organisation_id}
    same = {"purpose": "newsletter", "content": {}, "state": "sending", "version": 1}
    mailing = Mailing(**ours, **same, name=name, created_at=now, updated_at=now)
    session.add(mailing)
    session.flush()
    session.add(MailingVersion(**ours, mailing_id=mailing.id, version=1, content={}, frozen_at=now))
    session.flush()
    return mailing.id


@pytest.fixture
def back(house: HouseWithPost) -> HouseWithReturns:
    with house.transaction() as session:
        return HouseWithReturns(house, make_mailing(session, "Het najaar"))
