"""What has run out ends once, at its own instant, whatever the clocks of the house do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update

from app import clock
from app.accounts.models import Organisation
from app.consent.explain import explain
from app.consent.ledger import record_event, record_events
from app.consent.models import ConsentEvent, Permission, Purpose
from app.consent.rebuild import differences
from app.consent.retention import due_by_purpose, end_all_due, end_due
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from app.worker import tick
from tests.conftest import NOW
from tests.consent.people import a_grant, a_withdrawal, make_contact

AN = "an@example.org"
LATER = NOW + timedelta(days=1100)


def ended(session: ScopedSession) -> int:
    return session.scalar(select(func.count()).select_from(ConsentEvent).where(ConsentEvent.action == "expired")) or 0


def test_what_has_run_out_ends_once_and_only_that(session: ScopedSession, keyring: Keyring) -> None:
    """I27."""
    record_events(
        session,
        keyring,
        [
            a_grant(AN),
            a_grant("bo@example.org", occurred_at=NOW - timedelta(days=30)),
            a_grant("cis@example.org", purpose="service", basis="service"),
            a_grant("dirk@example.org"),
            a_withdrawal("dirk@example.org"),
        ],
    )
    just_before = NOW + timedelta(days=1096) - timedelta(seconds=1)
    assert due_by_purpose(session, at=just_before) == {"newsletter": 1}
    with clock.set_to(LATER):
        assert due_by_purpose(session, at=LATER) == {"newsletter": 2}
        assert [end_due(session, keyring, at=LATER) for _ in range(3)] == [2, 0, 0]
    assert ended(session) == 2
    assert differences(session) == []


def test_whoever_said_yes_again_meanwhile_goes_on(session: ScopedSession, keyring: Keyring) -> None:
    contact_id = make_contact(session, keyring, AN)
    record_event(session, keyring, a_grant(AN))
    with clock.set_to(NOW + timedelta(days=900)):
        record_event(session, keyring, a_grant(AN))
    with clock.set_to(LATER):
        assert end_due(session, keyring, at=LATER) == 0
        assert explain(session, contact_id, channel="email", purpose="newsletter").is_allowed


def test_an_ending_is_nobodys_no(session: ScopedSession, keyring: Keyring) -> None:
    contact_id = make_contact(session, keyring, AN)
    record_event(session, keyring, a_grant(AN))
    with clock.set_to(LATER):
        end_due(session, keyring, at=LATER)
        found = explain(session, contact_id, channel="email", purpose="newsletter")
        assert (found.reason, found.is_negative) == ("expired", False)
        record_event(session, keyring, a_grant(AN, actor="import", method="form", occurred_at=LATER))
        assert explain(session, contact_id, channel="email", purpose="newsletter").is_allowed


@pytest.mark.parametrize(
    "given",
    [
        datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Brussels"), fold=0),
        datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Brussels"), fold=1),
        datetime(2026, 3, 29, 1, 59, 59, tzinfo=ZoneInfo("Europe/Brussels")),
        datetime(2026, 3, 29, 3, 0, tzinfo=ZoneInfo("Europe/Brussels")),
    ],
)
def test_summer_time_neither_shortens_nor_doubles(session: ScopedSession, keyring: Keyring, given: datetime) -> None:
    """I27: beaten every half hour through the night the clocks change, it ends at its own instant and once."""
    session.execute(update(Purpose).values(retention_days=154))
    record_event(session, keyring, a_grant(AN, occurred_at=given.astimezone(UTC)))
    ends = given.astimezone(UTC) + timedelta(days=154)
    assert session.scalars(select(Permission.valid_until)).one() == ends
    beats = [ends - timedelta(hours=6) + timedelta(minutes=30) * number for number in range(24)]
    counts = []
    for at in beats:
        with clock.set_to(at):
            counts.append(end_due(session, keyring, at=at))
    assert sum(counts) == 1
    assert beats[counts.index(1)] >= ends > beats[counts.index(1)] - timedelta(minutes=30)


def test_the_heartbeat_ends_it_for_every_house_in_parts(runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        record_events(session, runtime.keyring, [a_grant(f"an{number}@example.org") for number in range(501)])
    with clock.set_to(LATER):
        assert tick(runtime, only="retention") == {"retention": 501}
        assert end_all_due(runtime, organisation.id) == 0
