"""I1: no claim says yes that commits after a covering no, in any order of their steps, on real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.accounts.models import Organisation
from app.consent import gate
from app.consent.gate import Decision, claim, contactable
from app.consent.ledger import record_event, record_opt_outs
from app.consent.locks import lock_for_change
from app.consent.models import ConsentEvent
from app.consent.rebuild import differences
from app.consent.subjects import email_subject
from app.consent.suppressions import suppress
from app.contacts.models import ContactIdentity
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from tests.conftest import NOW
from tests.consent.people import a_grant, a_withdrawal, make_contact, opt_out_arguments
from tests.consent.schedules import Actor, conduct, schedules

CLAIM_STOPS = ("pg_advisory", "contactable")
CHANGE_STOPS = ("pg_advisory", "INSERT INTO consent_event", "INSERT INTO suppression", "UPDATE identity")
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


def merge_with_somebody_who_said_no(session: ScopedSession, keyring: Keyring, number: int) -> None:
    addresses = [f"an{number}@example.org", f"an{number}@werk.example", f"no{number}@example.org"]
    keys = [email_subject(session, keyring, address) or b"" for address in addresses]
    lock_for_change(session, keys, channels=["email"])
    target = select(ContactIdentity.contact_id).where(ContactIdentity.subject_key == keys[0]).scalar_subquery()
    session.execute(
        update(ContactIdentity)
        .where(ContactIdentity.subject_key == keys[2])
        .values(contact_id=target, is_primary=False)
    )


CHANGES: Sequence[Change] = (
    unsubscribe,
    unsubscribe_at_the_other_address,
    object_elsewhere,
    suppress_the_address,
    merge_with_somebody_who_said_no,
)


def prepared(runtime: Runtime, organisation_id: int, number: int) -> int:
    """Make a contact with two addresses and a yes, and somebody else who said no; returns the contact."""
    with transaction(runtime.engine, organisation_id) as session:
        contact_id = make_contact(session, runtime.keyring, f"an{number}@example.org", f"an{number}@werk.example")
        make_contact(session, runtime.keyring, f"no{number}@example.org")
    with transaction(runtime.engine, organisation_id) as session:
        record_event(session, runtime.keyring, a_grant(f"an{number}@example.org"))
    with transaction(runtime.engine, organisation_id) as session:
        record_event(session, runtime.keyring, a_withdrawal(f"no{number}@example.org", purpose="newsletter"))
    return contact_id


def violations(runtime: Runtime, organisation_id: int, change: Change) -> list[str]:
    """Run claim (a) against a change (b) in every order; return the schedules that let a mail slip through."""
    found = []
    for number, schedule in enumerate(schedules(STEPS, STEPS)):
        contact_id = prepared(runtime, organisation_id, number)

        def claims(session: ScopedSession, contact_id: int = contact_id) -> list[Decision]:
            return claim(session, channel="email", purpose="newsletter", contact_ids=[contact_id], at=NOW)

        def changes(session: ScopedSession, number: int = number) -> Any:
            return change(session, runtime.keyring, number)

        actors = {
            "a": Actor(runtime, organisation_id, claims, CLAIM_STOPS),
            "b": Actor(runtime, organisation_id, changes, CHANGE_STOPS),
        }
        commits = conduct(runtime, schedule, actors)
        (decision,) = actors["a"].result
        if decision.is_allowed and commits == "ba":
            found.append(schedule)
        with transaction(runtime.engine, organisation_id) as session:
            assert not session.scalar(
                select(func.count()).select_from(contactable).where(contactable.c.contact_id == contact_id)
            )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_no_claim_slips_past_a_no_in_any_order_of_their_steps(
    runtime: Runtime, organisation: Organisation, change: Change
) -> None:
    assert violations(runtime, organisation.id, change) == []


@pytest.mark.slow
@pytest.mark.parametrize("change", [unsubscribe, suppress_the_address])
def test_the_schedules_find_the_hole_when_the_claim_takes_no_locks(
    runtime: Runtime, organisation: Organisation, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that the test above can fail."""
    monkeypatch.setattr(gate, "lock_for_decision", lambda *_args, **_kwargs: None)
    assert violations(runtime, organisation.id, change) != []


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
                "a": Actor(runtime, organisation.id, grants, CHANGE_STOPS),
                "b": Actor(runtime, organisation.id, withdraws, CHANGE_STOPS),
            },
        )
    with transaction(runtime.engine, organisation.id) as session:
        assert differences(session) == []
        assert session.scalar(select(func.count()).select_from(ConsentEvent)) == 2 * 70
