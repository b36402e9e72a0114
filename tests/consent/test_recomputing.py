"""Rules that change: what the new ones deny is denied from that commit on, and the rest follows in the background."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.accounts.models import Organisation
from app.consent import recomputing
from app.consent.countries import COUNTRIES, EVERYWHERE
from app.consent.explain import explain
from app.consent.gate import contactable
from app.consent.ledger import record_events
from app.consent.models import Permission, Purpose, Recomputation
from app.consent.rebuild import differences
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import NOW
from tests.consent.people import a_grant, a_withdrawal, make_contact

AN, BO = "an@example.org", "bo@example.org"


@pytest.fixture
def people(runtime: Runtime, organisation: Organisation) -> dict[str, int]:
    """An ticked a box two hundred days ago; Bo is an impersonal address of a company."""
    with transaction(runtime.engine, organisation.id) as session:
        found = {each: make_contact(session, runtime.keyring, each) for each in (AN, BO)}
    with transaction(runtime.engine, organisation.id) as session:
        company = a_grant(BO, basis="impersonal_address", evidence={"legal_person": "BE0123456789"})
        record_events(session, runtime.keyring, [a_grant(AN, occurred_at=NOW - timedelta(days=200)), company])
    return found


def change(runtime: Runtime, organisation: Organisation, **rules: Any) -> None:
    """Change the rules behind everybody's back: only the trigger can know."""
    with transaction(runtime.engine, organisation.id) as session:
        session.execute(update(Purpose).where(Purpose.code == "newsletter").values(**rules))


def mailable(runtime: Runtime, organisation: Organisation, people: dict[str, int]) -> set[str]:
    """Whom the gate lets through; the explanation says the same."""
    with transaction(runtime.engine, organisation.id) as session:
        allowed = set(session.scalars(select(contactable.c.contact_id).where(contactable.c.purpose == "newsletter")))
        for contact_id in people.values():
            told = explain(session, contact_id, channel="email", purpose="newsletter")
            assert told.is_allowed == (contact_id in allowed), told
    return {address for address, contact_id in people.items() if contact_id in allowed}


def is_settled(runtime: Runtime, organisation: Organisation) -> bool:
    with transaction(runtime.engine, organisation.id) as session:
        waits = session.scalar(select(func.count()).select_from(Purpose).where(Purpose.tightened_at.is_not(None)))
        return waits == 0 and differences(session) == [] and recomputing.progress_of(session) == []


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ({"allowed_bases": ["consent"]}, {AN}),
        ({"allowed_bases": ["impersonal_address"]}, {BO}),
        ({"needs_confirmation": True}, {BO}),
        ({"retention_days": 100}, {BO}),
        ({"retention_days": None}, {AN, BO}),
    ],
)
def test_what_stricter_rules_deny_is_denied_before_anything_is_recomputed(
    runtime: Runtime, organisation: Organisation, people: dict[str, int], rules: dict[str, Any], left: set[str]
) -> None:
    assert mailable(runtime, organisation, people) == {AN, BO}
    change(runtime, organisation, **rules)
    assert mailable(runtime, organisation, people) == left
    assert not is_settled(runtime, organisation)
    recomputing.recompute_all_due(runtime, organisation.id)
    assert mailable(runtime, organisation, people) == left
    assert is_settled(runtime, organisation)
    change(runtime, organisation, allowed_bases=["consent", "soft_opt_in", "impersonal_address"],
           needs_confirmation=False, retention_days=1096)  # fmt: skip
    recomputing.recompute_all_due(runtime, organisation.id)
    assert mailable(runtime, organisation, people) == {AN, BO}, "what the rules allow again follows by itself"
    assert is_settled(runtime, organisation)


def test_another_country_counts_from_the_moment_it_is_set(
    runtime: Runtime, organisation: Organisation, people: dict[str, int]
) -> None:
    def move(country: str) -> None:
        with transaction(runtime.engine, organisation.id) as session:
            session.execute(update(Organisation).values(country=country))

    move("NL")
    assert mailable(runtime, organisation, people) == {AN}
    recomputing.recompute_all_due(runtime, organisation.id)
    assert mailable(runtime, organisation, people) == {AN}
    assert is_settled(runtime, organisation)
    move("BE")
    recomputing.recompute_all_due(runtime, organisation.id)
    assert mailable(runtime, organisation, people) == {AN, BO}


def test_the_gate_knows_every_difference_between_countries_that_the_table_holds() -> None:
    assert {code for code, rules in COUNTRIES.items() if rules.bases - EVERYWHERE} == {"BE"}
    assert COUNTRIES["BE"].bases - EVERYWHERE == {"impersonal_address"}


def test_a_no_that_a_lost_yes_had_lifted_counts_again_at_every_address(
    runtime: Runtime, organisation: Organisation
) -> None:
    other = "an@werk.example"
    with transaction(runtime.engine, organisation.id) as session:
        people = {AN: make_contact(session, runtime.keyring, AN, other)}
    with transaction(runtime.engine, organisation.id) as session:
        said = [a_grant(AN, action="confirmed", method="confirmation_page"), a_withdrawal(other), a_grant(other)]
        record_events(session, runtime.keyring, said)
    assert mailable(runtime, organisation, people) == {AN}
    change(runtime, organisation, needs_confirmation=True)
    assert mailable(runtime, organisation, people) == set()
    recomputing.recompute_all_due(runtime, organisation.id)
    assert mailable(runtime, organisation, people) == set()
    assert is_settled(runtime, organisation)


def test_a_worker_that_dies_loses_one_step_and_the_next_goes_on(
    runtime: Runtime, organisation: Organisation, people: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recomputing, "SUBJECTS_A_STEP", 1)
    change(runtime, organisation, allowed_bases=["consent"])
    with transaction(runtime.engine, organisation.id) as session:
        assert recomputing.recompute_step(session)

    def dies() -> None:
        with transaction(runtime.engine, organisation.id) as session:
            recomputing.recompute_step(session)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dies()
    with transaction(runtime.engine, organisation.id) as session:
        assert recomputing.progress_of(session) == [recomputing.Progress("newsletter", 1, 2)]
    with transaction(runtime.engine, organisation.id) as held, transaction(runtime.engine, organisation.id) as second:
        assert recomputing.recompute_step(held)
        assert not recomputing.recompute_step(second), "two workers do not do the same"
    recomputing.recompute_all_due(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(Recomputation.subjects_done)).all() == [2]
        assert session.scalars(select(Permission.is_allowed).order_by(Permission.is_allowed)).all() == [False, True]
    assert is_settled(runtime, organisation)
