"""What happened to mails: once each, about living people, and opens only of who agreed to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.consent.models import Permission
from app.contacts.engagement import MailEventRecord, record_engagement
from app.contacts.ingest import upsert_contacts
from app.contacts.merging import merge_contacts, unmerge_contact
from app.contacts.models import Contact, ContactIdentity, MailEvent
from app.db import ScopedSession
from app.runtime import Runtime
from integrations.base import ContactRecord
from tests.conftest import NOW


@pytest.fixture
def an(session: ScopedSession, runtime: Runtime) -> int:
    return somebody(session, runtime, "an")


def somebody(session: ScopedSession, runtime: Runtime, name: str) -> int:
    record = ContactRecord("csv", (), email=f"{name}@example.org")
    (stored,) = upsert_contacts(session, runtime.keyring, [record], actor="import", at=NOW)
    assert stored.contact_id is not None
    return stored.contact_id


def allow(session: ScopedSession, contact_id: int, purpose: str) -> None:
    key = session.scalar(select(ContactIdentity.subject_key).where(ContactIdentity.contact_id == contact_id))
    session.add(
        Permission(
            organisation_id=session.organisation_id, subject_key=key, channel="email", purpose=purpose,
            is_allowed=True, is_negative=False, basis="consent", reason="granted", since=NOW, decided_by=1,
        )
    )  # fmt: skip
    session.flush()


def happened(contact_id: int, event: str, external_id: str = "1", **more: Any) -> MailEventRecord:
    return MailEventRecord(contact_id, event, more.pop("at", NOW), "esp", external_id, **more)


def events(session: ScopedSession) -> list[tuple[int, str]]:
    rows = session.execute(select(MailEvent.contact_id, MailEvent.event).order_by(MailEvent.id))
    return [(row.contact_id, row.event) for row in rows]


def test_an_event_that_is_told_twice_is_kept_once(session: ScopedSession, an: int) -> None:
    delivered = happened(an, "delivered")
    assert record_engagement(session, [delivered, delivered], at=NOW) == {("esp", "1")}
    assert record_engagement(session, [delivered], at=NOW) == set()
    assert events(session) == [(an, "delivered")]


@pytest.mark.parametrize(("event", "purpose"), [("opened", "track_open"), ("clicked", "track_click")])
def test_without_consent_to_it_nothing_is_stored_of_an_opening_or_a_click(
    session: ScopedSession, an: int, event: str, purpose: str
) -> None:
    assert record_engagement(session, [happened(an, event)], at=NOW) == set()
    allow(session, an, "newsletter")
    assert record_engagement(session, [happened(an, event)], at=NOW) == set()
    allow(session, an, purpose)
    assert record_engagement(session, [happened(an, event)], at=NOW) == {("esp", "1")}
    session.execute(update(Permission).values(is_allowed=False))
    assert record_engagement(session, [happened(an, event, "2")], at=NOW) == set()


def test_the_day_is_the_one_on_the_wall_of_the_house(session: ScopedSession, an: int) -> None:
    late = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)  # half past midnight in Brussels, the night the clock goes back
    record_engagement(session, [happened(an, "delivered", at=late)], at=NOW)
    assert session.scalar(select(MailEvent.occurred_on)) == date(2026, 10, 25)


def test_nothing_happens_later_than_we_hear_of_it(session: ScopedSession, an: int) -> None:
    record_engagement(session, [happened(an, "bounced", at=NOW + timedelta(days=400))], at=NOW)
    assert session.scalar(select(MailEvent.occurred_at)) == NOW


def test_an_event_about_a_merged_contact_is_about_who_they_are_now(
    session: ScopedSession, runtime: Runtime, an: int
) -> None:
    bo = somebody(session, runtime, "bo")
    record_engagement(session, [happened(an, "delivered")], at=NOW)
    merge_contacts(session, an, into_id=bo, at=NOW)
    record_engagement(session, [happened(an, "bounced", "2")], at=NOW)
    assert events(session) == [(bo, "delivered"), (bo, "bounced")]
    unmerge_contact(session, an, at=NOW)
    assert events(session) == [(an, "delivered"), (bo, "bounced")]


def test_nothing_is_kept_about_the_erased_and_the_unknown(session: ScopedSession, an: int) -> None:
    session.execute(update(Contact).where(Contact.id == an).values(state="erased"))
    assert record_engagement(session, [happened(an, "delivered"), happened(10**9, "bounced", "2")], at=NOW) == set()


def test_an_event_that_does_not_exist_is_refused(session: ScopedSession, an: int) -> None:
    with pytest.raises(ValueError, match="read"):
        record_engagement(session, [happened(an, "read")], at=NOW)
