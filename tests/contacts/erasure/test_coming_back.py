"""Who was erased does not creep back in, and is welcome back by an act of their own."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from app.activities.ingest import upsert_activities, upsert_participations
from app.activities.models import Participation
from app.consent.gate import contactable
from app.consent.ledger import NewEvent, record_events
from app.consent.models import Suppression
from app.consent.rebuild import differences
from app.contacts.editing import make_primary_address
from app.contacts.erasing import erase_contact
from app.contacts.ingest import UpsertResult, upsert_contacts
from app.contacts.merging import merge_contacts
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession
from app.runtime import Runtime
from integrations.base import ActivityRecord, ContactRecord, IdentityRecord, ParticipationRecord
from tests.conftest import NOW

ERASED_AT = NOW + timedelta(hours=1)
LATER = NOW + timedelta(days=2)
AN = "an@example.org"
BOX_OFFICE = ContactRecord("box office", (IdentityRecord("box office:customer", "K-10001"),), email=AN, given_name="An")


def stored(session: ScopedSession, runtime: Runtime, record: ContactRecord = BOX_OFFICE) -> UpsertResult:
    (result,) = upsert_contacts(session, runtime.keyring, [record], actor="system", at=LATER)
    return result


def yes(method: str, at: datetime, action: str = "granted", purpose: str = "newsletter") -> NewEvent:
    return NewEvent(
        address=AN,
        channel="email",
        purpose=purpose,
        action=action,
        basis="consent",
        occurred_at=at,
        actor="contact",
        method=method,
        source="website",
        wording="Ja, graag",
        language="nl",
    )


def erased(session: ScopedSession, runtime: Runtime) -> int:
    contact_id = stored(session, runtime).contact_id
    assert contact_id is not None
    record_events(session, runtime.keyring, [yes("form", NOW), yes("form", NOW, purpose="partner_offers")])
    erase_contact(session, runtime.keyring, contact_id, at=ERASED_AT)
    return contact_id


def mailable(session: ScopedSession) -> set[str]:
    return set(session.scalars(select(contactable.c.purpose)))


def test_no_source_brings_an_erased_person_back_by_address_or_by_number(
    session: ScopedSession, runtime: Runtime
) -> None:
    erased(session, runtime)
    moved = ContactRecord("box office", BOX_OFFICE.identities, email="an@new.example", given_name="An")
    for record in (BOX_OFFICE, ContactRecord("csv", (), email=" AN@Example.org "), moved):
        assert (stored(session, runtime, record).contact_id, stored(session, runtime, record).error) == (None, "erased")
    assert session.scalar(select(func.count()).select_from(ContactIdentity)) == 0


def test_a_booking_after_the_erasure_makes_somebody_new_who_gets_no_marketing(
    session: ScopedSession, runtime: Runtime
) -> None:
    old = erased(session, runtime)
    upsert_activities(session, [ActivityRecord("box office", "hamlet", "Hamlet")], time_zone="Europe/Brussels")

    def book(number: str, at: datetime) -> str | None:
        line = ParticipationRecord(
            "box office", number, BOX_OFFICE, "box office", "hamlet", booked_at=at, status="booked"
        )
        (result,) = upsert_participations(
            session, runtime.keyring, [line], time_zone="Europe/Brussels", actor="system", at=LATER
        )
        return result.error

    assert book("T1", ERASED_AT - timedelta(minutes=1)) == "erased", "what they booked before says nothing new"
    assert session.scalar(select(func.count()).select_from(Participation)) == 0
    assert book("T2", ERASED_AT + timedelta(minutes=1)) is None
    back = session.scalars(select(Contact).where(Contact.state == "living")).one()
    assert (back.id != old, back.given_name) == (True, "An")
    record_events(session, runtime.keyring, [yes("box_ticked", LATER)])
    assert mailable(session) == set(), "a box ticked at a booking is no proof of whose address it is"
    assert stored(session, runtime).outcome == "unchanged", "from now on the box office may tell us more"


def test_confirming_a_new_yes_lifts_the_block_and_brings_back_nothing_else(
    session: ScopedSession, runtime: Runtime
) -> None:
    erased(session, runtime)
    (back,) = upsert_contacts(session, runtime.keyring, [BOX_OFFICE], actor="contact", at=LATER)
    assert back.outcome == "created"
    record_events(session, runtime.keyring, [yes("form", LATER)])
    assert mailable(session) == set(), "anybody can type an address into a form"
    record_events(session, runtime.keyring, [yes("confirmation_page", LATER, action="confirmed")])
    assert mailable(session) == {"newsletter"}, "and not the partners they had said yes to before"
    assert session.scalar(select(func.count()).select_from(Suppression)) == 0
    assert differences(session) == []


def test_a_block_for_another_reason_is_never_lifted(session: ScopedSession, runtime: Runtime) -> None:
    from app.consent.suppressions import suppress

    suppress(session, runtime.keyring, [AN], channel="email", reason="never_contact", source="list", at=NOW)
    erased(session, runtime)
    upsert_contacts(session, runtime.keyring, [BOX_OFFICE], actor="contact", at=LATER)
    record_events(session, runtime.keyring, [yes("confirmation_page", LATER, action="confirmed")])
    assert (mailable(session), session.scalars(select(Suppression.reason)).all()) == (set(), ["never_contact"])


def test_of_two_people_who_share_a_mailbox_the_other_stays_without_the_address(
    session: ScopedSession, runtime: Runtime
) -> None:
    bo = ContactRecord(
        "box office", (IdentityRecord("box office:customer", "K-20002"),), given_name="Bo", phone="+32470112233"
    )
    held = stored(session, runtime, bo).contact_id
    erased(session, runtime)
    shared = ContactRecord("box office", bo.identities, email=AN, given_name="Bo", municipality="Gent")
    told = stored(session, runtime, shared)
    assert (told.contact_id, told.error) == (held, None)
    person = session.scalars(select(Contact).where(Contact.id == held).execution_options(populate_existing=True)).one()
    assert (person.given_name, person.municipality, person.phone, person.email) == ("Bo", "Gent", "+32470112233", None)


def test_erasing_somebody_who_was_merged_erases_what_every_part_was_known_by(
    session: ScopedSession, runtime: Runtime
) -> None:
    an = stored(session, runtime).contact_id
    anna = stored(session, runtime, ContactRecord("csv", (), email="anna@example.org", given_name="Anna")).contact_id
    assert an is not None
    assert anna is not None
    make_primary_address(session, runtime.keyring, anna, "anna@work.example", source="zaallicht", at=NOW)
    merge_contacts(session, anna, into_id=an, at=NOW)
    erase_contact(session, runtime.keyring, anna, at=ERASED_AT)
    for address in (AN, "anna@example.org", "anna@work.example"):
        assert stored(session, runtime, ContactRecord("csv", (), email=address)).error == "erased"
    assert session.scalar(select(func.count()).select_from(Suppression)) == 3
    assert differences(session) == []
