"""I1 for mail: a claim and a no in every order of their steps, on real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from app.consent.ledger import record_event, record_opt_outs
from app.consent.suppressions import suppress
from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.claiming import claim_written
from app.mailings.deliveries import mark_handed_over
from app.mailings.mail_settings import Sender, sender_of
from app.mailings.models import Delivery
from app.mailings.outgoing import Written
from app.mailings.reserving import reserve
from tests.conftest import NOW
from tests.consent.people import a_withdrawal, opt_out_arguments
from tests.consent.schedules import Actor, conduct, schedules
from tests.mailings.house_with_post import HouseWithPost, write_mailings

CLAIM_STOPS = ("contactable", "UPDATE delivery SET state = 'claimed'")
RECORD_STOPS = ("INSERT INTO consent_event", "INSERT INTO suppression", "UPDATE delivery SET lease_until")
STEPS = 4  # begin, decide or append, claim or cancel, commit


def unsubscribe(session: ScopedSession, keyring: Keyring, number: int) -> None:
    record_event(session, keyring, a_withdrawal(f"an{number}@example.org", purpose="newsletter"))


def opt_out_elsewhere(session: ScopedSession, keyring: Keyring, number: int) -> None:
    record_opt_outs(session, keyring, [f"an{number}@example.org"], **opt_out_arguments(None))


def suppress_the_address(session: ScopedSession, keyring: Keyring, number: int) -> None:
    suppress(session, keyring, [f"an{number}@example.org"], channel="email", reason="manual", source="test", at=NOW)


CHANGES: Sequence[Callable[[ScopedSession, Keyring, int], Any]] = (unsubscribe, opt_out_elsewhere, suppress_the_address)


def ready(house: HouseWithPost, number: int) -> Written:
    """A mail that is written and reserved, and not yet claimed."""
    house.mail_to(house.person(f"an{number}@example.org"))
    with house.transaction() as session:
        (reserved,) = reserve(session, kinds=["mailing"], limit=1)
        sender = sender_of(session, house.runtime)
        assert isinstance(sender, Sender)
        (written,) = write_mailings(session, house.runtime, sender, [reserved])
    assert isinstance(written, Written)
    return written


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_after_a_no_no_mail_is_claimed_and_what_was_claimed_is_stopped(
    house: HouseWithPost, change: Callable[[ScopedSession, Keyring, int], Any]
) -> None:
    """I1"""
    orders = set()
    for number, schedule in enumerate(schedules(STEPS, STEPS)):
        written = ready(house, number)

        def claims(session: ScopedSession, written: Written = written) -> Any:
            return claim_written(session, [written])

        def changes(session: ScopedSession, number: int = number) -> Any:
            return change(session, house.runtime.keyring, number)

        actors = {
            "a": Actor(house.runtime, house.organisation.id, claims, CLAIM_STOPS),
            "b": Actor(house.runtime, house.organisation.id, changes, RECORD_STOPS),
        }
        commits = conduct(house.runtime, schedule, actors)
        leases, _denied = actors["a"].result
        orders.add((commits, bool(leases)))
        with house.transaction() as session:
            state = session.scalars(select(Delivery.state).where(Delivery.id == written.reserved.id)).one()
            assert state == "cancelled", (schedule, commits)
            for delivery_id, lease in leases.items():
                assert mark_handed_over(session, [delivery_id], lease=lease) == {}, schedule
    # A claim that commits after the no says no; one that commits before it may say yes.
    assert ("ba", True) not in orders
    assert {("ba", False), ("ab", True)} <= orders
