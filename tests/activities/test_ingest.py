"""Storing what is on offer and who took part: idempotent, with local dates that stay in step."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from app.activities.ingest import ParticipationResult, upsert_activities, upsert_participations
from app.activities.models import Activity, Participation
from app.contacts.models import Contact
from app.db import ScopedSession
from app.runtime import Runtime
from integrations.base import ActivityRecord, ContactRecord, IdentityRecord, ParticipationRecord
from tests.conftest import NOW

ZONE = "Europe/Brussels"
LATER = NOW + timedelta(days=1)
AN = ContactRecord(source="csv", identities=(), email="an@example.org", given_name="An")
# Half past midnight in Brussels, still the day before in UTC.
MIDNIGHT_SHOW = datetime(2026, 12, 4, 23, 30, tzinfo=UTC)


def show(external_id: str = "a1", **more: Any) -> ActivityRecord:
    """An evening of dance."""
    whole = ActivityRecord("csv", external_id, "Winterreise", genres=("dance",), starts_at=MIDNIGHT_SHOW, venue="Zaal")
    return dataclasses.replace(whole, **more)


def ticket(external_id: str = "t1", **more: Any) -> ParticipationRecord:
    """Two tickets for it."""
    whole = ParticipationRecord(
        "csv", external_id, AN, "csv", "a1", quantity=2, amount=Decimal("37.50"), booked_at=NOW, channel="web"
    )
    return dataclasses.replace(whole, **more)


def store(
    session: ScopedSession, runtime: Runtime, *records: ParticipationRecord, at: datetime = NOW
) -> list[ParticipationResult]:
    """Store participations as an import does."""
    results = upsert_participations(session, runtime.keyring, records, time_zone=ZONE, actor="import", at=at)
    session.expire_all()
    return results


def only(session: ScopedSession) -> Participation:
    """Return the one participation there is."""
    return session.scalars(select(Participation)).one()


def test_an_activity_has_the_local_date_of_its_start(session: ScopedSession) -> None:
    (result,) = upsert_activities(session, [show()], time_zone=ZONE)
    activity = session.get_one(Activity, (session.organisation_id, result.activity_id))
    assert (result.outcome, activity.starts_on, activity.genres) == ("created", date(2026, 12, 5), ["dance"])


def test_the_same_activities_again_change_nothing(session: ScopedSession) -> None:
    records = [show(f"a{n}") for n in range(5)]
    upsert_activities(session, records, time_zone=ZONE)
    before = session.execute(text("SELECT id, xmin FROM activity ORDER BY id")).all()
    again = upsert_activities(session, records, time_zone=ZONE)
    assert {each.outcome for each in again} == {"unchanged"}
    assert session.execute(text("SELECT id, xmin FROM activity ORDER BY id")).all() == before


def test_what_a_source_leaves_out_of_an_activity_stays(session: ScopedSession) -> None:
    upsert_activities(session, [show(url="https://house.example/a1", audiences=("family",))], time_zone=ZONE)
    (result,) = upsert_activities(
        session, [show(title="Winterreise!", genres=(), starts_at=None, venue=None)], time_zone=ZONE
    )
    activity = session.scalars(select(Activity)).one()
    assert (result.outcome, activity.title, activity.genres, activity.venue) == (
        "updated", "Winterreise!", ["dance"], "Zaal",
    )  # fmt: skip
    assert (activity.starts_at, activity.audiences) == (MIDNIGHT_SHOW, ["family"])


def test_an_activity_named_by_its_number_keeps_the_title_it_had(session: ScopedSession) -> None:
    upsert_activities(session, [show()], time_zone=ZONE)
    (again,) = upsert_activities(session, [show(title="a1")], time_zone=ZONE)
    (other,) = upsert_activities(session, [show("a2", title="a2")], time_zone=ZONE)
    assert (again.outcome, other.outcome) == ("unchanged", "created")
    assert list(session.scalars(select(Activity.title).order_by(Activity.external_id))) == ["Winterreise", "a2"]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (show(external_id=" "), "no_external_id"),
        (show(title=""), "no_title"),
        (show(starts_at=datetime(2026, 1, 1)), "naive_instant"),  # noqa: DTZ001  that is what is tried
    ],
)
def test_an_activity_that_says_too_little_is_refused(session: ScopedSession, record: ActivityRecord, code: str) -> None:
    bad, good = upsert_activities(session, [record, show("a2")], time_zone=ZONE)
    assert (bad.error, good.outcome) == (code, "created")


def test_a_participation_is_stored_with_its_contact_and_local_dates(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show()], time_zone=ZONE)
    (result,) = store(session, runtime, ticket(booked_at=datetime(2026, 10, 1, 22, 30, tzinfo=UTC)))
    held = only(session)
    assert result.outcome == "created"
    assert (held.contact_id, held.quantity, held.amount) == (result.contact_id, 2, Decimal("37.50"))
    assert (held.booked_on, held.activity_on) == (date(2026, 10, 2), date(2026, 12, 5))


def test_the_same_participations_again_change_nothing(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show()], time_zone=ZONE)
    tickets = [ticket(f"t{n}", booked_at=None) for n in range(5)]
    first = store(session, runtime, *tickets)
    before = session.execute(text("SELECT id, xmin FROM participation ORDER BY id")).all()
    again = store(session, runtime, *tickets, at=LATER)
    assert {each.outcome for each in again} == {"unchanged"}
    assert [each.participation_id for each in again] == [each.participation_id for each in first]
    assert session.execute(text("SELECT id, xmin FROM participation ORDER BY id")).all() == before
    assert session.scalar(select(func.count()).select_from(Contact)) == 1


def test_a_refund_changes_the_line_and_keeps_what_it_does_not_say(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show()], time_zone=ZONE)
    store(session, runtime, ticket())
    (result,) = store(session, runtime, ticket(status="refunded", amount=None, booked_at=None, channel=None), at=LATER)
    held = only(session)
    assert (result.outcome, held.status, held.is_valid, held.updated_at) == ("updated", "refunded", False, LATER)
    assert (held.amount, held.booked_at, held.channel) == (Decimal("37.50"), NOW, "web")


def test_when_an_activity_moves_its_participations_follow(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show(), show("a2")], time_zone=ZONE)
    store(session, runtime, ticket(), ticket("t2", activity_external_id="a2"))
    upsert_activities(session, [show(starts_at=MIDNIGHT_SHOW + timedelta(days=7))], time_zone=ZONE)
    rows = session.execute(select(Participation.external_id, Participation.activity_on)).all()
    assert {row.external_id: row.activity_on for row in rows} == {"t1": date(2026, 12, 12), "t2": date(2026, 12, 5)}


def test_without_a_date_of_the_activity_the_visit_itself_counts(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show(starts_at=None)], time_zone=ZONE)
    store(session, runtime, ticket(attended_at=datetime(2026, 11, 10, 13, 0, tzinfo=UTC)), ticket("t2"))
    rows = session.execute(select(Participation.external_id, Participation.activity_on)).all()
    assert {row.external_id: row.activity_on for row in rows} == {"t1": date(2026, 11, 10), "t2": NOW.date()}


def test_of_two_lines_with_the_same_key_the_last_is_right(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show()], time_zone=ZONE)
    results = store(session, runtime, ticket(), ticket(quantity=4))
    assert [each.outcome for each in results] == ["created", "unchanged"]
    assert only(session).quantity == 4


def test_a_ticket_passed_on_moves_to_its_new_owner(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show()], time_zone=ZONE)
    store(session, runtime, ticket())
    bo = dataclasses.replace(AN, email="bo@example.org", given_name="Bo")
    (result,) = store(session, runtime, ticket(contact=bo), at=LATER)
    assert (result.outcome, only(session).contact_id) == ("updated", result.contact_id)


def test_who_ordered_is_kept_beside_who_comes(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show()], time_zone=ZONE)
    bo = dataclasses.replace(AN, email="bo@example.org", given_name="Bo")

    def stored(**more: Any) -> tuple[str, str | None]:
        (result,) = store(session, runtime, ticket(**more), at=LATER)
        people = dict(session.execute(select(Contact.id, Contact.email)).all())
        held = only(session)
        assert held.contact_id == result.contact_id
        return people[held.contact_id], people.get(held.buyer_id)

    assert stored(buyer=AN) == ("an@example.org", None), "who books for themselves is one person"
    assert stored(contact=bo, buyer=AN) == ("bo@example.org", "an@example.org")
    assert stored(contact=bo) == ("bo@example.org", "an@example.org"), "a row that tells of no buyer takes none away"
    assert stored(contact=AN) == ("an@example.org", None), "the ticket went back to who bought it"
    assert stored(contact=bo, buyer=bo) == ("bo@example.org", None)
    assert stored(contact=bo, buyer=ContactRecord("csv", ())) == ("bo@example.org", None), "a buyer nobody can know"


def test_what_an_erased_person_took_part_in_is_never_given_back(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show()], time_zone=ZONE)
    (first,) = store(session, runtime, ticket())
    session.execute(text("DELETE FROM identity"))
    session.execute(update(Contact).values(state="erased", email=None, given_name=None))
    (again,) = store(session, runtime, ticket(), at=LATER)
    assert again.contact_id != first.contact_id
    assert only(session).contact_id == first.contact_id


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (ticket(activity_external_id="nowhere"), "unknown_activity"),
        (ticket(status="lost"), "unknown_status"),
        (ticket(quantity=-1), "invalid_quantity"),
        (ticket(external_id=""), "no_external_id"),
        (ticket(contact=dataclasses.replace(AN, email="geen adres")), "invalid_email"),
        (ticket(booked_at=datetime(2026, 1, 1)), "naive_instant"),  # noqa: DTZ001  that is what is tried
    ],
)
def test_a_bad_line_is_refused_and_the_good_ones_are_kept(
    session: ScopedSession, runtime: Runtime, record: ParticipationRecord, code: str
) -> None:
    upsert_activities(session, [show()], time_zone=ZONE)
    bad, good = store(session, runtime, record, ticket("t9"))
    assert (bad.outcome, bad.error, good.outcome) == ("error", code, "created")
    assert only(session).external_id == "t9"


def test_a_line_whose_identities_contradict_each_other_is_refused(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show()], time_zone=ZONE)
    bo = ContactRecord(source="csv", identities=(IdentityRecord("csv:id", "2"),), email="bo@example.org")
    store(session, runtime, ticket(), ticket("t2", contact=bo))
    (result,) = store(session, runtime, ticket("t3", contact=dataclasses.replace(bo, email="an@example.org")))
    assert result.error == "identity_conflict"
