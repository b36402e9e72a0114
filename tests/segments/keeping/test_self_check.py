"""The nightly comparison: finds what is wrong, puts it right, and says so to everybody who should know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from app import clock
from app.accounts.models import AuditEvent, Organisation
from app.db import transaction
from app.measures import take_measures
from app.runtime import Runtime
from app.segments.keeping.self_check import check_segments
from app.segments.models import SegmentUpkeep
from tests.segments.keeping.test_upkeep import LATELY, VIP, House

NIGHT = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> House:
    return House(runtime, organisation)


def check(house: House) -> int:
    with clock.set_to(NIGHT):
        house.keep()
        return check_segments(house.runtime, house.id)


@pytest.fixture
def spoiled(house: House) -> tuple[House, int, int]:
    """A house in which somebody is missing from one segment and somebody too many in another."""
    lately, vip = house.segment("Pas", LATELY), house.segment("Vip", VIP)
    with clock.set_to(NIGHT - timedelta(hours=3)):
        house.keep()
    house.run("DELETE FROM segment_membership WHERE segment_id = :id", id=lately)
    house.run(
        "INSERT INTO segment_membership (organisation_id, segment_id, contact_id, entered_at, entered_on,"
        " entered_because) VALUES (:house, :id, :who, now(), now(), 'data')",
        house=house.id, id=vip, who=house.second,
    )  # fmt: skip
    return house, lately, vip


def test_nothing_differs_and_nothing_is_written(house: House) -> None:
    lately = house.segment("Pas", LATELY)
    with capture_logs() as logs:
        assert check(house) == 0
    assert house.turned(lately) == [(house.first, "entered", "rule", ())]
    assert not [line for line in logs if line["log_level"] == "error"]


def test_what_differs_is_repaired_and_readers_of_the_feed_hear_it(spoiled: tuple[House, int, int]) -> None:
    house, lately, vip = spoiled
    assert check(house) == 2
    assert (house.members(lately), house.members(vip)) == ({house.first}, set())
    assert house.turned(lately)[-1] == (house.first, "entered", "repair", ())
    assert house.turned(vip)[-1] == (house.second, "left", "repair", ())


def test_what_differs_is_reported_without_saying_about_whom(spoiled: tuple[House, int, int]) -> None:
    house, lately, vip = spoiled
    with capture_logs() as logs:
        check(house)
    [line] = [line for line in logs if line["log_level"] == "error"]
    assert line["segments"] == {lately: 1, vip: 1}
    with house.opened() as session:
        events = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "segments.repair")).all()
        assert [(one.subject_id, one.details) for one in events] == [
            (lately, {"memberships": 1}),
            (vip, {"memberships": 1}),
        ]
    samples = {one.name: one.samples[0].value for one in take_measures(house.runtime).collect() if one.samples}
    assert samples["zaallicht_segment_differences"] == 2


def test_a_change_that_waits_is_no_defect(house: House) -> None:
    vip = house.segment("Vip", VIP)
    with clock.set_to(NIGHT):
        house.keep()
        house.tag(house.first, "vip")
        assert check_segments(house.runtime, house.id) == 0
        assert house.members(vip) == set()
        assert house.keep() == 1


def test_it_is_done_once_a_night_and_not_before_three(spoiled: tuple[House, int, int]) -> None:
    house, lately, _vip = spoiled
    with clock.set_to(NIGHT - timedelta(hours=1)):
        assert check_segments(house.runtime, house.id) == 0
    assert check(house) == 2
    house.run("DELETE FROM segment_membership WHERE segment_id = :id AND left_at IS NULL", id=lately)
    with clock.set_to(NIGHT + timedelta(hours=3)):
        assert check_segments(house.runtime, house.id) == 0
    with transaction(house.runtime.engine, house.id) as session:
        upkeep = session.get_one(SegmentUpkeep, house.id)
        assert (upkeep.checked_on, upkeep.differences) == (NIGHT.date(), 2)
