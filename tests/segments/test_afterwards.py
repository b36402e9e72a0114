"""What a segment's page tells afterwards: its size over time, why people came and went, and a snapshot of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app import clock
from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments import definitions
from app.segments.membership import evaluate_segment
from app.segments.models import Segment
from app.segments.people import members_page, members_to_export, people_on, segments_with
from app.segments.problems import NameTakenError, SegmentMissingError
from app.segments.sizes import movements_since, sizes_between
from app.segments.snapshot import freeze_segment
from tests.conftest import NOW
from tests.segments.filling import Filled
from tests.segments.people import DAY, move_in, person, visits

RECENT = {"type": "participation", "at_least": 1, "between": ["-P10D", "P1D"]}


@pytest.fixture
def house(session: ScopedSession) -> Filled:
    return move_in(
        session, person(1, *visits(5)), person(2, *visits(9), allowed=False), person(3), person(4, *visits(2))
    )


@pytest.fixture
def segment(session: ScopedSession, house: Filled) -> Segment:
    kept = definitions.create_segment(session, name="Pas geweest", rule=RECENT)
    evaluate_segment(session, kept.id)
    return kept


def names(session: ScopedSession, segment_id: int) -> list[str | None]:
    return [one.contact.given_name for one in members_page(session, segment_id, after=0, limit=10)]


def test_sizes_follow_who_came_and_left_day_by_day(session: ScopedSession, segment: Segment) -> None:
    with clock.set_to(NOW + timedelta(days=3)):
        evaluate_segment(session, segment.id)
    sizes = sizes_between(session, segment.id, since=DAY - timedelta(days=1), until=DAY + timedelta(days=4))
    assert [size.people for size in sizes] == [0, 3, 3, 3, 2, 2]
    assert sizes[0].on == DAY - timedelta(days=1)
    late = sizes_between(session, segment.id, since=DAY + timedelta(days=3), until=DAY + timedelta(days=3))
    assert [size.people for size in late] == [2]


def test_movements_say_why(session: ScopedSession, segment: Segment) -> None:
    with clock.set_to(NOW + timedelta(days=3)):
        evaluate_segment(session, segment.id)
    found = {one.because: (one.entered, one.left) for one in movements_since(session, segment.id, DAY)}
    assert found == {"rule": (3, 0), "time": (0, 1)}
    assert movements_since(session, segment.id, DAY + timedelta(days=9)) == []


def test_a_snapshot_holds_who_was_in_it_whatever_happens_later(session: ScopedSession, segment: Segment) -> None:
    frozen = freeze_segment(session, segment.id, name="Pas geweest, 20 november")
    evaluate_segment(session, frozen.id)
    with clock.set_to(NOW + timedelta(days=30)):
        evaluate_segment(session, segment.id)
        evaluate_segment(session, frozen.id)
    assert names(session, segment.id) == []
    assert names(session, frozen.id) == ["Nummer 1", "Nummer 2", "Nummer 4"]


def test_a_snapshot_touches_nobody_who_is_not_in_it(session: ScopedSession, segment: Segment, house: Filled) -> None:
    before = {one.id: one.updated_at for one in session.scalars(sa.select(Contact))}
    freeze_segment(session, segment.id, name="Momentopname")
    session.expire_all()
    outsider = house.world.contacts[2].id
    for one in session.scalars(sa.select(Contact)):
        assert ("Momentopname" in one.tags) is (one.id != outsider)
        assert (one.updated_at == before[one.id]) is (one.id == outsider)


def test_a_snapshot_never_joins_an_existing_tag_or_segment(session: ScopedSession, segment: Segment) -> None:
    session.execute(sa.update(Contact).where(Contact.given_name == "Nummer 3").values(tags=["vip"]))
    for name in ("vip", "pas GEWEEST"):
        with pytest.raises(NameTakenError):
            freeze_segment(session, segment.id, name=name)
    assert session.scalar(sa.select(sa.func.count()).where(Contact.tags.contains(["pas GEWEEST"]))) == 0
    with pytest.raises(SegmentMissingError):
        freeze_segment(session, 999_999, name="Niets")


def test_an_export_for_a_purpose_holds_only_who_may_be_mailed_for_it(session: ScopedSession, segment: Segment) -> None:
    everybody = [row[1] for row in members_to_export(session, segment.id)]
    mailable = [row[1] for row in members_to_export(session, segment.id, purpose="newsletter")]
    assert everybody == ["Nummer 1", "Nummer 2", "Nummer 4"]
    assert mailable == ["Nummer 1", "Nummer 4"]


def test_who_was_in_it_on_a_day_is_remembered_or_worked_out(session: ScopedSession, segment: Segment) -> None:
    with clock.set_to(NOW + timedelta(days=30)):
        then, is_remembered = people_on(session, segment, DAY, after=0, limit=10)
        assert ([one.contact.given_name for one in then], is_remembered) == (
            ["Nummer 1", "Nummer 2", "Nummer 4"],
            True,
        )
        before, is_remembered = people_on(session, segment, DAY - timedelta(days=4), after=0, limit=10)
        assert ([one.contact.given_name for one in before], is_remembered) == (["Nummer 1", "Nummer 2"], False)


def test_the_segments_of_somebody_come_first(session: ScopedSession, segment: Segment, house: Filled) -> None:
    other = definitions.create_segment(session, name="A niemand", rule={"type": "any", "rules": []})
    evaluate_segment(session, other.id)
    found = segments_with(session, house.world.contacts[0].id)
    assert [(one.segment.name, one.since) for one in found] == [("Pas geweest", DAY), ("A niemand", None)]
