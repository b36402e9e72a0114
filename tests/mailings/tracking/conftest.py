"""A mailing that was sent to An, and what is followed of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.contacts.models import MailEvent
from app.mailings.models import Delivery, Mailing, MailingVersion, MailSetting
from app.mailings.tracking.links import Link, following_of, link_words, links_of
from tests.consent.people import a_grant
from tests.mailings.house_with_post import HouseWithPost

URLS = ["https://deproef.example/lear", "https://deproef.example/kaarten?dag=3", "https://deproef.example/huis"]
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
BASE = "https://zaal.example"


@dataclass
class Sent:
    """A mail to An that left an hour ago, and the words of its links."""

    house: HouseWithPost
    mailing_id: int
    delivery_id: int
    contact_id: int
    address: str

    def agree(self, *purposes: str) -> None:
        for purpose in purposes:
            self.house.record(a_grant(self.address, purpose=purpose))

    def links(self) -> list[Link]:
        with self.house.transaction() as session:
            return links_of(session, mailing_id=self.mailing_id, version=1, urls=URLS)

    def words(self) -> dict[str, str]:
        links = self.links()
        with self.house.transaction() as session:
            following = following_of(session, self.house.runtime.keyring, base_url=BASE)
            rows = session.scalars(select(Delivery).where(Delivery.id == self.delivery_id)).all()
            return dict(link_words(session, following, links, rows)[self.delivery_id])

    def events(self) -> list[MailEvent]:
        with self.house.transaction() as session:
            return list(session.scalars(select(MailEvent).order_by(MailEvent.id)))

    def path(self, word: str = "link_1") -> str:
        """The path of a followed address."""
        return self.words()[word].removeprefix(BASE)


@pytest.fixture
def sent(house: HouseWithPost) -> Sent:
    address = "an@example.org"
    contact_id = house.person(address)
    now = clock.now()
    ours = {"organisation_id": house.organisation.id}
    with house.transaction() as session:
        session.scalars(select(MailSetting)).one().tracks = True
        mailing = Mailing(
            **ours, name="Het najaar", purpose="newsletter", content={}, created_at=now, updated_at=now, version=1
        )
        session.add(mailing)
        session.flush()
        session.add(MailingVersion(**ours, mailing_id=mailing.id, version=1, content={}, frozen_at=now))
        session.flush()
        delivery = Delivery(
            **ours,
            kind="mailing",
            contact_id=contact_id,
            purpose="newsletter",
            mailing_id=mailing.id,
            mailing_version=1,
            state="accepted",
            planned_at=now - timedelta(hours=2),
            next_try_at=now - timedelta(hours=2),
            decided_at=now - timedelta(hours=1),
            rules_version="gate 1",
            decision_reason="consent",
            decided_by=1,
            address_hash=b"x" * 32,
            handed_over_at=now - timedelta(hours=1),
            settled_at=now - timedelta(hours=1),
        )
        session.add(delivery)
        session.flush()
        return Sent(house, mailing.id, delivery.id, contact_id, address)


@pytest.fixture
def browser_of_an(client: FlaskClient) -> FlaskClient:
    """An's browser."""
    client.environ_base["HTTP_USER_AGENT"] = BROWSER["User-Agent"]
    return client
