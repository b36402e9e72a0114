"""Two segments compared, and the four parts that they make."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app import clock
from app.contacts.models import Contact as ContactRow
from app.db import ScopedSession
from app.segments.building.preview import preview_rule
from app.segments.definitions import create_segment
from app.segments.membership import evaluate_segment
from app.segments.models import Segment, SegmentMembership
from app.segments.overlap import Overlap, Part, compare_segments, part_rule
from app.segments.problems import SegmentMissingError
from tests.conftest import NOW
from tests.segments.people import move_in, person, visits

CAME_LATELY = {"type": "participation", "at_least": 1, "between": ["-P30D", "P1D"]}
TAGGED = {"type": "tag", "tag": "vip"}


@pytest.fixture
def two(session: ScopedSession) -> tuple[Segment, Segment]:
    """Five people: one in both, two only lately, one only a vip, one neither; and somebody erased who was all of it."""
    filled = move_in(
        session, person(1, *visits(5)), person(2, *visits(6)), person(3, *visits(7)), person(4), person(5), person(6)
    )
    ids = [one.id for one in filled.world.contacts]
    for number in (0, 3, 5):
        session.execute(sa.update(ContactRow).where(ContactRow.id == ids[number]).values(tags=["VIP"]))
    session.execute(sa.update(ContactRow).where(ContactRow.id == ids[5]).values(state="erased"))
    a = create_segment(session, name="Pas geweest", rule=CAME_LATELY)
    return a, create_segment(session, name="Vip", rule=TAGGED)


def test_the_four_parts_are_counted_by_rule_before_anything_is_stored(
    session: ScopedSession, two: tuple[Segment, Segment]
) -> None:
    a, b = two
    assert compare_segments(session, a.id, b.id) == Overlap(both=1, only_a=2, only_b=1, neither=1)
    assert compare_segments(session, b.id, a.id) == Overlap(both=1, only_a=1, only_b=2, neither=1)


def test_stored_membership_is_used_while_it_is_up_to_date_and_the_rule_when_it_is_not(
    session: ScopedSession, two: tuple[Segment, Segment]
) -> None:
    a, b = two
    long_after = NOW + timedelta(hours=1)
    with clock.set_to(long_after):
        for one in two:
            evaluate_segment(session, one.id)
        # The tick takes what changed before it; nothing is committed here for it to see.
        session.execute(sa.text("DELETE FROM contact_change"))
        session.execute(sa.delete(SegmentMembership).where(SegmentMembership.segment_id == b.id))
        # What is stored is what is compared: nothing was changed through a verb, so both count as up to date.
        assert compare_segments(session, a.id, b.id) == Overlap(both=0, only_a=3, only_b=0, neither=2)
    with clock.set_to(long_after + timedelta(days=26)):
        assert compare_segments(session, a.id, b.id) == Overlap(both=0, only_a=0, only_b=2, neither=3)


def test_a_segment_over_itself_is_wholly_in_both(session: ScopedSession, two: tuple[Segment, Segment]) -> None:
    a, _ = two
    assert compare_segments(session, a.id, a.id) == Overlap(both=3, only_a=0, only_b=0, neither=2)


def test_a_segment_that_is_not_there_is_said_to_be_missing(
    session: ScopedSession, two: tuple[Segment, Segment]
) -> None:
    with pytest.raises(SegmentMissingError):
        compare_segments(session, two[0].id, 10**9)


@pytest.mark.parametrize("part", ["both", "only_a", "only_b", "neither"])
def test_the_rule_of_a_part_holds_for_as_many_people_as_were_counted(
    session: ScopedSession, two: tuple[Segment, Segment], part: Part
) -> None:
    a, b = two
    counted = compare_segments(session, a.id, b.id)
    assert preview_rule(session, part_rule(a.id, b.id, part)).count == getattr(counted, part)
