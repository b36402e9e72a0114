"""I1: no claim says yes that commits after a covering no, in any order of their steps, on real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.accounts.models import Organisation
from app.consent import gate
from app.consent.gate import Decision, claim, contactable
from app.consent.ledger import record_event, record_events, record_opt_outs
from app.consent.models import ConsentEvent
from app.consent.rebuild import differences
from app.consent.subjects import email_subject
from app.consent.suppressions import suppress
from app.contacts.erasing import erase_contact
from app.contacts.ingest import upsert_contacts
from app.contacts.merging import merge_contacts
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from integrations.base import ConsentRecord, ConsentState, ContactRecord, IdentityRecord
from tests.conftest import NOW
from tests.consent.people import a_grant, a_withdrawal, make_contact, opt_out_arguments
from tests.consent.schedules import Actor, conduct, schedules

CLAIM_STOPS = ("pg_advisory", "contactable")
RECORD_STOPS = ("pg_advisory", "INSERT INTO consent_event", "INSERT INTO suppression")
STEPS = 4  # read, lock, decide or append, commit

Change = Callable[[ScopedSession, Keyring, int], Any]


def unsubscribe(session: ScopedSession, keyring: Keyring, number: int) -> None:
    record_event(session, keyring, a_withdrawal(f"an{number}@example.org"))


def unsubscribe_at_the_other_address(session: ScopedSession, keyring: Keyring, number: int) -> None:
    record_event(session, keyring, a_withdrawal(f"an{number}@werk.example"))


def object_elsewhere(session: ScopedSession, keyring: Keyring, number: int) -> None:
    record_opt_outs(session, keyring, [f"an{number}@example.org"], **opt_out_arguments(None))


def suppress_the_address(session: ScopedSession, keyring: Keyring, number: int) -> None:
    suppress(session, keyring, [f"an{number}@example.org"], channel="email", reason="manual", source="test", at=NOW)


def move_identity(session: ScopedSession, keyring: Keyring, address: str, *, into: str) -> None:
    identity = ContactIdentity
    theirs, mine = (email_subject(session, keyring, each) for each in (address, into))
    target = select(identity.contact_id).where(identity.subject_key == mine).scalar_subquery()
    session.execute(update(identity).where(identity.subject_key == theirs).values(contact_id=target, is_primary=False))


def import_an_address_that_said_no(session: ScopedSession, keyring: Keyring, number: int) -> None:
    identities = (IdentityRecord("email", f"old{number}@example.org"),)
    person = ContactRecord(source="box office", identities=identities, email=f"an{number}@example.org")
    upsert_contacts(session, keyring, [person], actor="import", at=NOW)


def import_an_opt_out(session: ScopedSession, keyring: Keyring, number: int) -> None:
    said = ConsentRecord("email", "newsletter", ConsentState.OUT, None, "unknown", external_id=f"file:{number}")
    person = ContactRecord(source="box office", identities=(), email=f"an{number}@example.org", consents=(said,))
    upsert_contacts(session, keyring, [person], actor="import", at=NOW)


def merge_into_somebody_who_said_no(session: ScopedSession, keyring: Keyring, number: int) -> None:
    no, an = (number_of(session, f"{name}{number}@example.org") for name in ("no", "an"))
    merge_contacts(session, no, into_id=an, at=NOW)


def erase(session: ScopedSession, keyring: Keyring, number: int) -> None:
    erase_contact(session, keyring, number_of(session, f"an{number}@example.org"), at=NOW)


def number_of(session: ScopedSession, address: str) -> int:
    return session.scalars(select(Contact.id).where(Contact.email == address)).one()


def restrict(session: ScopedSession, keyring: Keyring, number: int) -> None:
    session.execute(update(Contact).where(Contact.email == f"an{number}@example.org").values(is_restricted=True))


# What may happen to somebody, and before which statements it stops.
CHANGES: dict[Change, Sequence[str]] = {
    unsubscribe: RECORD_STOPS,
    unsubscribe_at_the_other_address: RECORD_STOPS,
    object_elsewhere: RECORD_STOPS,
    suppress_the_address: RECORD_STOPS,
    import_an_address_that_said_no: ("INSERT INTO identity",),
    import_an_opt_out: ("INSERT INTO consent_event",),
    merge_into_somebody_who_said_no: ("UPDATE identity",),
    erase: ("INSERT INTO suppression", "UPDATE contact"),
    restrict: ("UPDATE contact",),
}


def prepared(runtime: Runtime, organisation_id: int, number: int) -> int:
    """Make a contact with two addresses and a yes, and somebody else who said no; returns the contact."""
    with transaction(runtime.engine, organisation_id) as session:
        contact_id = make_contact(session, runtime.keyring, f"an{number}@example.org", f"an{number}@werk.example")
        make_contact(session, runtime.keyring, f"no{number}@example.org")
        make_contact(session, runtime.keyring, f"yes{number}@example.org")
    with transaction(runtime.engine, organisation_id) as session:
        record_event(session, runtime.keyring, a_grant(f"an{number}@example.org"))
    with transaction(runtime.engine, organisation_id) as session:
        noes = [a_withdrawal(f"{name}{number}@example.org", purpose="newsletter") for name in ("no", "old")]
        record_events(session, runtime.keyring, noes)
    return contact_id


def violations(runtime: Runtime, organisation_id: int, change: Change) -> Iterator[str]:
    """Run claim (a) against a change (b) in every order; yield the schedules that let a mail slip through."""
    for number, schedule in enumerate(schedules(STEPS, STEPS)):
        contact_id = prepared(runtime, organisation_id, number)

        def claims(session: ScopedSession, contact_id: int = contact_id) -> list[Decision]:
            return claim(session, channel="email", purpose="newsletter", contact_ids=[contact_id], at=NOW)

        def changes(session: ScopedSession, number: int = number) -> Any:
            return change(session, runtime.keyring, number)

        actors = {
            "a": Actor(runtime, organisation_id, claims, CLAIM_STOPS),
            "b": Actor(runtime, organisation_id, changes, CHANGES[change]),
        }
        commits = conduct(runtime, schedule, actors)
        (decision,) = actors["a"].result
        if decision.is_allowed and commits == "ba":
            yield schedule
        with transaction(runtime.engine, organisation_id) as session:
            assert not session.scalar(
                select(func.count()).select_from(contactable).where(contactable.c.contact_id == contact_id)
            )


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_no_claim_slips_past_a_no_in_any_order_of_their_steps(
    runtime: Runtime, organisation: Organisation, change: Change
) -> None:
    assert list(violations(runtime, organisation.id, change)) == []


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_the_schedules_find_the_hole_when_the_claim_takes_no_locks(
    runtime: Runtime, organisation: Organisation, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that the test above can fail."""
    monkeypatch.setattr(gate, "_locked", lambda _session, contact_ids, **_kwargs: set(contact_ids))
    assert next(violations(runtime, organisation.id, change), None) is not None


@pytest.mark.slow
def test_two_who_record_about_one_person_leave_what_a_rebuild_says(
    runtime: Runtime, organisation: Organisation
) -> None:
    """I8 under concurrency, in every order of the steps."""
    for number, schedule in enumerate(schedules(STEPS, STEPS)):
        address = f"an{number}@example.org"

        def grants(session: ScopedSession, address: str = address) -> None:
            record_event(session, runtime.keyring, a_grant(address, external_id=f"form {address}"))

        def withdraws(session: ScopedSession, address: str = address) -> None:
            record_event(session, runtime.keyring, a_withdrawal(address))

        conduct(
            runtime,
            schedule,
            {
                "a": Actor(runtime, organisation.id, grants, RECORD_STOPS),
                "b": Actor(runtime, organisation.id, withdraws, RECORD_STOPS),
            },
        )
    with transaction(runtime.engine, organisation.id) as session:
        assert differences(session) == []
        assert session.scalar(select(func.count()).select_from(ConsentEvent)) == 2 * 70


def outcomes(runtime: Runtime, organisation_id: int, second: Change, third: Change) -> Iterator[tuple[str, bool, str]]:
    """Run claim (a) and two changes (b, c) in every order of work and commit; yield the schedule, the claim's answer
    and the order of the commits."""
    for number, schedule in enumerate(schedules(2, 2, 2)):
        contact_id = prepared(runtime, organisation_id, number)

        def claims(session: ScopedSession, contact_id: int = contact_id) -> list[Decision]:
            return claim(session, channel="email", purpose="newsletter", contact_ids=[contact_id], at=NOW)

        def changes(session: ScopedSession, change: Change, number: int = number) -> Any:
            return change(session, runtime.keyring, number)

        actors = {
            "a": Actor(runtime, organisation_id, claims, ()),
            "b": Actor(runtime, organisation_id, partial(changes, change=second), ()),
            "c": Actor(runtime, organisation_id, partial(changes, change=third), ()),
        }
        commits = conduct(runtime, schedule, actors)
        yield schedule, actors["a"].result[0].is_allowed, commits


def come_back(session: ScopedSession, keyring: Keyring, number: int) -> None:
    record_event(session, keyring, a_grant(f"an{number}@example.org", method="preference_page"))


def unsubscribe_somebody_else(session: ScopedSession, keyring: Keyring, number: int) -> None:
    record_event(session, keyring, a_withdrawal(f"yes{number}@example.org"))


def merge_with_somebody_else(session: ScopedSession, keyring: Keyring, number: int) -> None:
    move_identity(session, keyring, f"yes{number}@example.org", into=f"an{number}@example.org")


@pytest.mark.slow
def test_no_claim_slips_past_a_no_while_the_person_comes_back(runtime: Runtime, organisation: Organisation) -> None:
    """I1 with three connections: a yes counts only while the person's return is the last word committed."""
    for schedule, is_allowed, commits in outcomes(runtime, organisation.id, unsubscribe, come_back):
        said = commits[: commits.index("a")]
        assert not (is_allowed and said in {"b", "cb"}), schedule
    with transaction(runtime.engine, organisation.id) as session:
        assert differences(session) == []


@pytest.mark.slow
def test_no_claim_slips_past_a_no_that_is_spoken_while_it_is_merged_in(
    runtime: Runtime, organisation: Organisation
) -> None:
    """I1 with three connections: the no and the merge that lets it cover the person, in either order."""
    answers = set()
    for schedule, is_allowed, commits in outcomes(
        runtime, organisation.id, unsubscribe_somebody_else, merge_with_somebody_else
    ):
        assert not (is_allowed and commits.endswith("a")), schedule
        answers.add(is_allowed)
    assert answers == {True, False}
