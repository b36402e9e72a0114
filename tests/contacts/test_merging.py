"""Two contacts become one and can be parted; a no of either counts for both."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select, update

from app.activities.ingest import upsert_activities, upsert_participations
from app.activities.models import Participation
from app.consent.gate import contactable
from app.consent.ledger import NewEvent, record_event
from app.consent.models import ConsentEvent, Suppression
from app.consent.suppressions import suppress
from app.contacts.access_export import export_contact
from app.contacts.directory import find_contact, identities_of
from app.contacts.editing import edit_contact, make_primary_address
from app.contacts.erasing import erase_contact
from app.contacts.errors import CannotMerge, CannotUnmerge, IdentityConflict, UnknownContact
from app.contacts.ingest import upsert_contacts
from app.contacts.merging import merge_contacts, merged_into, unmerge_contact
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession
from app.runtime import Runtime
from integrations.base import ActivityRecord, ContactRecord, IdentityRecord, ParticipationRecord
from tests.conftest import NOW

LATER = NOW + timedelta(hours=1)


def person(session: ScopedSession, runtime: Runtime, name: str, **more: object) -> int:
    """Store somebody with an address and a ticket, who consented to the newsletter; returns their id."""
    record = ContactRecord(
        source="csv",
        identities=(IdentityRecord("csv:customer", name),),
        email=f"{name}@example.org",
        given_name=name.title(),
        tags=(f"tag {name}",),
        **more,  # type: ignore[arg-type]
    )
    (stored,) = upsert_contacts(session, runtime.keyring, [record], actor="import", at=NOW)
    upsert_activities(session, [ActivityRecord("csv", "a1", "Dans", starts_at=NOW)], time_zone="Europe/Brussels")
    line = ParticipationRecord("csv", f"t-{name}", record, "csv", "a1", amount=Decimal(10), booked_at=NOW)
    upsert_participations(session, runtime.keyring, [line], time_zone="Europe/Brussels", actor="import", at=NOW)
    say(session, runtime, f"{name}@example.org", "granted")
    assert stored.contact_id is not None
    return stored.contact_id


def say(session: ScopedSession, runtime: Runtime, address: str, action: str) -> None:
    """Let somebody say yes or no to the newsletter, by their own act."""
    record_event(
        session,
        runtime.keyring,
        NewEvent(
            channel="email", purpose="newsletter", action=action, actor="contact", method="form", source="site",
            address=address, basis="consent" if action == "granted" else None, occurred_at=NOW,
            wording="Ja, graag." if action == "granted" else None, language="nl",
        ),
    )  # fmt: skip


def mailable(session: ScopedSession) -> set[int]:
    """Return who may be mailed the newsletter now."""
    gate = contactable.c
    return set(session.scalars(select(gate.contact_id).where(gate.purpose == "newsletter", gate.channel == "email")))


def test_a_merge_moves_everything_and_keeps_the_values_of_who_remains(session: ScopedSession, runtime: Runtime) -> None:
    an, anna = person(session, runtime, "an"), person(session, runtime, "anna", municipality="Gent")
    merge_contacts(session, anna, into_id=an, at=LATER)
    into = find_contact(session, an)
    gone = find_contact(session, anna)
    assert into is not None
    assert gone is not None
    assert (gone.state, gone.merged_into_id) == ("merged", an)
    assert (into.given_name, into.municipality, into.tags) == ("An", "Gent", ["tag an", "tag anna"])
    assert [(each.value_key, each.is_primary) for each in identities_of(session, [an])[an] if each.kind == "email"] == [
        ("an@example.org", True),
        ("anna@example.org", False),
    ]
    assert set(session.scalars(select(Participation.contact_id))) == {an}
    assert [each.id for each in merged_into(session, an)] == [anna]


def test_a_no_of_either_counts_for_the_merged_person_and_an_unmerge_restores(
    session: ScopedSession, runtime: Runtime
) -> None:
    an, anna = person(session, runtime, "an"), person(session, runtime, "anna")
    say(session, runtime, "anna@example.org", "withdrawn")
    assert mailable(session) == {an}
    merge_contacts(session, anna, into_id=an, at=LATER)
    assert mailable(session) == set()
    unmerge_contact(session, anna, at=LATER)
    assert mailable(session) == {an}


def test_whoever_was_suppressed_is_not_mailed_under_the_address_of_who_they_are_merged_into(
    session: ScopedSession, runtime: Runtime
) -> None:
    an, anna = person(session, runtime, "an"), person(session, runtime, "anna")
    suppress(session, runtime.keyring, ["anna@example.org"], channel="email", reason="manual", source="test", at=NOW)
    assert mailable(session) == {an}
    merge_contacts(session, anna, into_id=an, at=LATER)
    assert mailable(session) == set()
    unmerge_contact(session, anna, at=LATER)
    assert mailable(session) == {an}


def test_parting_gives_back_what_was_brought_along_and_nothing_else(session: ScopedSession, runtime: Runtime) -> None:
    an, anna = person(session, runtime, "an"), person(session, runtime, "anna", municipality="Gent", phone="+3291")
    before = {
        contact_id: {name: getattr(find_contact(session, contact_id), name) for name in ("email", "phone", "tags")}
        for contact_id in (an, anna)
    }
    merge_contacts(session, anna, into_id=an, at=LATER)
    edit_contact(session, an, {"municipality": "Aalst"}, tags=None, at=LATER)
    unmerge_contact(session, anna, at=LATER)
    session.expire_all()
    after = {
        contact_id: {name: getattr(find_contact(session, contact_id), name) for name in ("email", "phone", "tags")}
        for contact_id in (an, anna)
    }
    assert after == before
    kept = find_contact(session, an)
    assert kept is not None
    assert kept.municipality == "Aalst", "what was changed since the merge stays"
    lines = dict(session.execute(select(Participation.external_id, Participation.contact_id)).all())
    assert lines == {"t-an": an, "t-anna": anna}


def test_what_somebody_ordered_for_others_follows_a_merge_and_a_parting(
    session: ScopedSession, runtime: Runtime
) -> None:
    an, anna, bo = (person(session, runtime, name) for name in ("an", "anna", "bo"))
    session.execute(update(Participation).where(Participation.external_id == "t-bo").values(buyer_id=anna))

    def order() -> tuple[int, int | None]:
        line = select(Participation.contact_id, Participation.buyer_id).where(Participation.external_id == "t-bo")
        return tuple(session.execute(line).one())  # type: ignore[return-value]

    merge_contacts(session, anna, into_id=an, at=LATER)
    assert order() == (bo, an)
    unmerge_contact(session, anna, at=LATER)
    assert order() == (bo, anna)


def test_who_has_no_address_gets_the_one_of_who_is_merged_in(session: ScopedSession, runtime: Runtime) -> None:
    anna = person(session, runtime, "anna")
    nameless = ContactRecord(source="csv", identities=(IdentityRecord("csv:customer", "77"),))
    (stored,) = upsert_contacts(session, runtime.keyring, [nameless], actor="import", at=NOW)
    merge_contacts(session, anna, into_id=stored.contact_id or 0, at=LATER)
    into = find_contact(session, stored.contact_id or 0)
    assert into is not None
    assert into.email == "anna@example.org"
    unmerge_contact(session, anna, at=LATER)
    session.expire_all()
    assert into.email is None


def test_merges_are_undone_in_their_own_order(session: ScopedSession, runtime: Runtime) -> None:
    first, second, third = (person(session, runtime, name) for name in ("an", "bo", "cy"))
    merge_contacts(session, first, into_id=second, at=LATER)
    merge_contacts(session, second, into_id=third, at=LATER)
    with pytest.raises(CannotUnmerge) as refused:
        unmerge_contact(session, first, at=LATER)
    assert refused.value.code == "merged_further"
    unmerge_contact(session, second, at=LATER)
    unmerge_contact(session, first, at=LATER)
    session.expire_all()
    assert set(session.scalars(select(Contact.state))) == {"living"}
    assert dict(session.execute(select(ContactIdentity.value_key, ContactIdentity.contact_id).where(
        ContactIdentity.kind == "email")).all()) == {
        "an@example.org": first, "bo@example.org": second, "cy@example.org": third,
    }  # fmt: skip


def test_what_cannot_be_merged_is_refused(session: ScopedSession, runtime: Runtime) -> None:
    an = person(session, runtime, "an")
    with pytest.raises(CannotMerge):
        merge_contacts(session, an, into_id=an, at=LATER)
    with pytest.raises(UnknownContact):
        merge_contacts(session, an, into_id=999, at=LATER)
    with pytest.raises(CannotUnmerge):
        unmerge_contact(session, an, at=LATER)


def test_an_erased_person_is_nobody_and_their_address_stays_blocked(session: ScopedSession, runtime: Runtime) -> None:
    an = person(session, runtime, "an", birth_date=NOW.date(), attributes={"plaats": "A1"})
    facts = session.scalar(select(func.count()).select_from(ConsentEvent))
    erase_contact(session, runtime.keyring, an, at=LATER)
    session.expire_all()
    gone = find_contact(session, an)
    assert gone is not None
    assert (gone.state, gone.email, gone.given_name, gone.birth_date, gone.tags, gone.attributes) == (
        "erased", None, None, None, [], {},
    )  # fmt: skip
    assert session.scalar(select(func.count()).select_from(ContactIdentity)) == 0
    assert session.scalars(select(Suppression.reason)).all() == ["erased"]
    assert session.scalars(select(Participation.contact_id)).all() == [an]
    told = session.scalars(select(ConsentEvent.action).order_by(ConsentEvent.id)).all()
    assert (len(told), told[-1]) == ((facts or 0) + 1, "expired"), "what was said stays, and has ended"
    again = upsert_contacts(
        session,
        runtime.keyring,
        [ContactRecord("csv", (IdentityRecord("csv:customer", "an"),), email="AN@example.org", given_name="An")],
        actor="import",
        at=LATER,
    )
    assert [(each.contact_id, each.error) for each in again] == [(None, "erased")]
    assert mailable(session) == set()


def test_erasing_one_of_a_merged_pair_erases_both(session: ScopedSession, runtime: Runtime) -> None:
    an, anna = person(session, runtime, "an"), person(session, runtime, "anna")
    merge_contacts(session, anna, into_id=an, at=LATER)
    assert erase_contact(session, runtime.keyring, anna, at=LATER) == sorted((an, anna))
    assert set(session.scalars(select(Contact.given_name))) == {None}
    assert session.scalar(select(func.count()).select_from(Suppression)) == 2
    with pytest.raises(UnknownContact):
        erase_contact(session, runtime.keyring, an, at=LATER)


def test_a_corrected_address_becomes_primary_and_the_no_of_the_old_one_stays(
    session: ScopedSession, runtime: Runtime
) -> None:
    an = person(session, runtime, "an")
    bo = person(session, runtime, "bo")
    say(session, runtime, "an@example.org", "withdrawn")
    assert make_primary_address(session, runtime.keyring, an, "an@new.example", source="zaallicht", at=LATER)
    say(session, runtime, "an@new.example", "granted")
    assert mailable(session) == {bo}, "the no at the old address counts until the person lifts it there"
    with pytest.raises(IdentityConflict):
        make_primary_address(session, runtime.keyring, an, "bo@example.org", source="zaallicht", at=LATER)


def test_the_export_holds_everything_with_the_words_that_were_shown(session: ScopedSession, runtime: Runtime) -> None:
    an, bo = person(session, runtime, "an"), person(session, runtime, "bo")
    held = export_contact(session, an)
    assert set(held["held"]) >= {"contact", "identity", "participation", "consent_event", "permission"}
    assert held["held"]["contact"][0]["given_name"] == "An"
    assert "Ja, graag." in str(held["explained"]["notice_version"])
    assert "Dans" in str(held["explained"]["activity"])
    assert "bo@example.org" not in str(held)
    assert bo not in [row.get("contact_id") for rows in held["held"].values() for row in rows]
