"""What a mail of a journey can say about the visit it goes about."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.accounts.models import Organisation
from app.db import ScopedSession
from app.journeys import visit_fields as _visit_fields  # noqa: F401  the reader is added
from app.journeys.models import Enrolment
from app.mailings.composing.fields import Row, Words, read_fields
from app.runtime import Runtime
from tests.journeys.entering.house import House

VISIT = ("activity.title", "activity.date", "activity.time", "activity.venue", "activity.url", "party_size")


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> House:
    return House(runtime, organisation)


def words(house: House, language: str) -> Words:
    def read(session: ScopedSession) -> Words:
        way = session.query(Enrolment).one()
        rows = [Row(7, way.contact_id, way.id), Row(8, way.contact_id)]
        found = read_fields(session, rows, language=language)
        assert not set(found[8]) & set(VISIT)
        return {name: found[7][name] for name in VISIT if name in found[7]}

    return house.do(read)


def test_a_mail_of_a_journey_knows_the_performance_and_the_whole_party(house: House) -> None:
    starts_at = datetime(2026, 12, 11, 19, 0, tzinfo=UTC)
    house.show(1, starts_at, venue="Grote zaal", url="https://deproef.example/1")
    journey = house.publish({"type": "participation", "on": "booked"})
    house.book("an", 1, quantity=2)
    house.book("an", 1)
    house.book("an", 1, status="cancelled", quantity=5)
    house.beat()
    assert house.entered(journey) == ["an"]
    assert words(house, "nl") == {
        "activity.title": "Show 1", "activity.date": "11 december 2026", "activity.time": "20:00",
        "activity.venue": "Grote zaal", "activity.url": "https://deproef.example/1", "party_size": "3",
    }  # fmt: skip
    assert words(house, "fr")["activity.date"] == "11 décembre 2026"


def test_what_is_not_known_is_left_out(house: House) -> None:
    house.show(1, None)
    house.publish({"type": "participation", "on": "booked"})
    house.book("an", 1)
    house.beat()
    found = words(house, "en")
    assert set(found) == {"activity.title", "activity.date", "party_size"}
