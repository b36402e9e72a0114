"""What a contact's page tells of mailings."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.contacts.ingest import upsert_contacts
from app.contacts.models import MailEvent
from app.db import ScopedSession, transaction
from app.mailings.freezing import freeze
from app.mailings.mailings import MailingDraft, create_mailing
from app.mailings.models import Delivery
from app.mailings.on_contacts import mailings_of
from app.mailings.why_sent import mails_to
from app.runtime import Runtime
from integrations.base import ContactRecord, IdentityRecord
from tests.conftest import NOW
from tests.mailings.campaigns import words


@pytest.fixture
def contact_id(runtime: Runtime, organisation: Organisation) -> int:
    record = ContactRecord("test", (IdentityRecord("email", "an@example.org"),), email="an@example.org")
    with transaction(runtime.engine, organisation.id) as session:
        (result,) = upsert_contacts(session, runtime.keyring, [record], actor="import", at=NOW)
        assert result.contact_id is not None
        return result.contact_id


def got(session: ScopedSession, contact_id: int, *, state: str = "accepted") -> int:
    """Let somebody get a mailing; returns its number."""
    draft = MailingDraft(name=f"Nieuws {state}", purpose="newsletter", content=words())
    mailing_id = create_mailing(session, draft, actor=SYSTEM).id
    gone = {} if state == "planned" else {
        "decided_at": NOW, "rules_version": "1", "decision_reason": "consent", "decided_by": 1, "address_hash": b"a",
        "handed_over_at": NOW,
    }  # fmt: skip
    session.add(
        Delivery(
            organisation_id=session.organisation_id, kind="mailing", purpose="newsletter", contact_id=contact_id,
            mailing_id=mailing_id, mailing_version=freeze(session, mailing_id), state=state, planned_at=NOW,
            next_try_at=NOW, **gone,
        )
    )  # fmt: skip
    session.flush()
    return mailing_id


def clicks(session: ScopedSession, contact_id: int, mailing_id: int, minutes: int, *, is_machine: bool = False) -> None:
    at = NOW + timedelta(minutes=minutes)
    session.add(
        MailEvent(
            organisation_id=session.organisation_id, contact_id=contact_id, event="clicked", occurred_at=at,
            occurred_on=at.date(), mailing_id=mailing_id, is_machine=is_machine, source="zaallicht",
            external_id=f"{mailing_id}:{minutes}", recorded_at=at,
        )
    )  # fmt: skip
    session.flush()


def test_a_mailing_that_was_got_and_clicked_in_is_told_once_each(session: ScopedSession, contact_id: int) -> None:
    mailing_id = got(session, contact_id)
    clicks(session, contact_id, mailing_id, 1, is_machine=True)
    clicks(session, contact_id, mailing_id, 9)
    clicks(session, contact_id, mailing_id, 5)
    told = [(moment.what, moment.at) for moment in mailings_of(session, contact_id)]
    assert told == [("mailed", NOW), ("clicked", NOW + timedelta(minutes=5))]


def test_what_is_only_planned_is_no_moment_and_what_came_back_is_told_as_that(
    session: ScopedSession, contact_id: int
) -> None:
    got(session, contact_id, state="planned")
    mailing_id = got(session, contact_id)
    session.execute(update(Delivery).where(Delivery.mailing_id == mailing_id).values(came_back="bounced"))
    assert [(moment.what, moment.title) for moment in mailings_of(session, contact_id)] == [
        ("mail_came_back", "Nieuws accepted")
    ]


def test_the_list_of_mails_names_the_mailing(session: ScopedSession, contact_id: int) -> None:
    got(session, contact_id)
    assert [mail.name for mail in mails_to(session, contact_id)] == ["Nieuws accepted"]
