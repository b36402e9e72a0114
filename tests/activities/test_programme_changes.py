"""What is called off or moved is noticed whatever way it comes in, with everybody who had a place."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from app.accounts.models import Organisation
from app.activities.ingest import upsert_activities, upsert_participations
from app.activities.programme_changes import Affected, finish_change, open_changes
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from integrations.base import ActivityRecord, ContactRecord, IdentityRecord, ParticipationRecord
from tests.conftest import NOW, make_user, signed_in

EVENING = datetime(2026, 12, 12, 19, 0, tzinfo=UTC)
ROSAS = ActivityRecord(source="kassa", external_id="1", title="Rosas", venue="Grote Zaal", starts_at=EVENING)


def store(session: ScopedSession, **changed: object) -> None:
    upsert_activities(session, [replace(ROSAS, **changed)], time_zone="Europe/Brussels")  # type: ignore[arg-type]


def book(
    session: ScopedSession, keyring: Keyring, number: int, *, email: str | None = None, status: str = "booked"
) -> None:
    record = ParticipationRecord(
        source="kassa",
        external_id=f"t{number}",
        contact=ContactRecord("kassa", (IdentityRecord("kassa", f"k{number}"),), email=email, family_name="Peeters"),
        activity_source="kassa",
        activity_external_id="1",
        booked_at=NOW - timedelta(days=3),
        quantity=2,
        status=status,
    )
    upsert_participations(session, keyring, [record], time_zone="Europe/Brussels", actor="import", at=NOW)


def kinds(session: ScopedSession) -> list[str]:
    return [one.change.kind for one in open_changes(session)]


def test_a_cancelled_performance_names_everybody_who_had_a_place_and_those_who_gave_it_back(
    session: ScopedSession, keyring: Keyring
) -> None:
    store(session)
    book(session, keyring, 1, email="an@example.org")
    book(session, keyring, 2)
    book(session, keyring, 3, status="cancelled")
    session.connection().exec_driver_sql("UPDATE participation SET updated_at = updated_at - interval '1 hour'")
    store(session, is_cancelled=True)
    book(session, keyring, 2, status="refunded")
    (one,) = open_changes(session)
    assert (one.change.kind, one.change.starts_before) == ("cancelled", EVENING)
    assert one.affected == Affected(people=2, tickets=4, without_address=1), "who cancelled before is not concerned"


def test_moved_twice_is_moved_once_and_moved_back_is_nothing(session: ScopedSession) -> None:
    store(session)
    store(session, starts_at=EVENING + timedelta(days=1))
    store(session, starts_at=EVENING + timedelta(days=7), venue="Kelder")
    (one,) = open_changes(session)
    assert (one.change.kind, one.change.starts_before, one.change.venue_before) == ("moved", EVENING, "Grote Zaal")
    store(session)
    assert kinds(session) == []


def test_what_goes_on_after_all_is_told_to_those_who_were_told_otherwise_only(session: ScopedSession) -> None:
    store(session)
    store(session, is_cancelled=True)
    store(session)
    assert kinds(session) == [], "nobody had been told"
    store(session, is_cancelled=True)
    (cancelled,) = open_changes(session)
    assert finish_change(session, cancelled.change.id)
    assert not finish_change(session, cancelled.change.id)
    store(session)
    assert kinds(session) == ["goes_on"]
    store(session, is_cancelled=True)
    assert kinds(session) == ["cancelled"]


@pytest.mark.parametrize(
    "changed",
    [{"title": "Rosas danst"}, {"url": "https://example.org/rosas"}, {"genres": ("dans",)}],
)
def test_other_changes_concern_nobody(session: ScopedSession, changed: dict[str, object]) -> None:
    store(session)
    store(session, **changed)
    assert kinds(session) == []


def test_the_past_is_no_news(session: ScopedSession) -> None:
    past = NOW - timedelta(days=400)
    store(session, starts_at=past)
    store(session, starts_at=past + timedelta(days=1), is_cancelled=True)
    assert kinds(session) == []


def test_a_marketer_sees_to_it_and_gets_a_segment_of_who_had_a_place(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        store(session)
        book(session, runtime.keyring, 1, email="an@example.org")
        store(session, is_cancelled=True)
        (one,) = open_changes(session)
    marketer = signed_in(client, make_user(runtime, organisation, "marketer"))
    assert "1 voorstelling is geannuleerd of verplaatst" in marketer.get("/").get_data(as_text=True)
    page = marketer.get("/activities/changes").get_data(as_text=True)
    assert "Geannuleerd; ze zou zijn op" in page
    assert "1 persoon had een plaats" in page
    builder = marketer.get(f"/segments/new?coming={one.activity.id}").get_data(as_text=True)
    rule = json.loads(re.search(r'id="field-rule"[^>]*>([^<]*)<', builder).group(1).replace("&#34;", '"'))  # type: ignore[union-attr]
    assert rule["where"]["activities"] == [one.activity.id]
    assert "refunded" in rule["where"]["statuses"]
    assert marketer.get("/segments/new?coming=99").status_code == 404
    assert marketer.post(f"/activities/changes/{one.change.id}/done").status_code == 302
    assert marketer.post(f"/activities/changes/{one.change.id}/done").status_code == 404
    assert "Alles is in orde" in marketer.get("/activities/changes").get_data(as_text=True)


def test_activities_are_narrowed_to_a_season_a_series_a_venue_and_for_whom(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        store(session, series="Abo A", audiences=("volwassenen",))
        store(session, external_id="2", title="Pettson", series="Familie", venue="Kelder", audiences=("kinderen",))
        store(session, external_id="3", title="Vorig jaar", starts_at=EVENING - timedelta(days=365))
    viewer = signed_in(client, make_user(runtime, organisation, "viewer"))

    def titles(query: str) -> list[str]:
        page = viewer.get(f"/activities?{query}").get_data(as_text=True)
        return [title for title in ("Rosas", "Pettson", "Vorig jaar") if f"<strong>{title}</strong>" in page]

    assert titles("") == ["Rosas", "Pettson", "Vorig jaar"]
    assert titles("season=2025") == ["Vorig jaar"]
    assert titles("series=Familie") == ["Pettson"]
    assert titles("venue=Kelder&season=2026") == ["Pettson"]
    assert titles("audience=volwassenen") == ["Rosas"]
    assert titles("season=99999999&q=ros") == ["Rosas"]
    assert titles("series=bestaat+niet") == []
