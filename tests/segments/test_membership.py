"""Who was in a segment, from when until when, and why."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from app import clock
from app.accounts.models import Organisation
from app.contacts.erasing import erase_contact
from app.contacts.merging import merge_contacts, unmerge_contact
from app.contacts.models import Contact as ContactRow
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from app.segments import definitions, membership
from app.segments.keeping.upkeep import keep_segments_current
from app.segments.membership import Difference, evaluate_segment
from app.segments.models import Segment, SegmentMembership
from app.worker import tick
from tests.conftest import NOW
from tests.segments.people import move_in, person, visits

CAME_LATELY = {"type": "participation", "at_least": 1, "between": ["-P30D", "P1D"]}
TAGGED = {"type": "tag", "tag": "vip"}


def members(session: ScopedSession, segment: Segment) -> list[int]:
    return [one.contact_id for one in membership.members_now(session, segment.id, limit=None)]


def told(session: ScopedSession, segment: Segment) -> list[tuple[int, str, str]]:
    return [(one.contact_id, one.kind, one.because) for one in membership.changes_since(session, segment.id)]


def tag(session: ScopedSession, contact_id: int, *tags: str) -> None:
    changed = {"tags": list(tags), "updated_at": clock.now()}
    session.execute(sa.update(ContactRow).where(ContactRow.id == contact_id).values(**changed))


def test_a_new_segment_takes_in_whom_its_rule_holds_for(session: ScopedSession) -> None:
    filled = move_in(session, person(1, *visits(5)), person(2, *visits(50)))
    segment = definitions.create_segment(session, name="Pas geweest", rule=CAME_LATELY)
    assert evaluate_segment(session, segment.id) == Difference(entered=1, left=0, members=1)
    assert members(session, segment) == [filled.world.contacts[0].id]
    assert (segment.member_count, segment.evaluated_on) == (1, date(2026, 11, 20))
    assert told(session, segment) == [(filled.world.contacts[0].id, "entered", "rule")]


def test_an_evaluation_that_changes_nothing_writes_nothing(session: ScopedSession) -> None:
    move_in(session, person(1, *visits(5)))
    segment = definitions.create_segment(session, name="Pas geweest", rule=CAME_LATELY)
    evaluate_segment(session, segment.id)
    assert evaluate_segment(session, segment.id) == Difference(entered=0, left=0, members=1)
    assert len(told(session, segment)) == 1


def test_the_passing_of_time_takes_somebody_out_and_says_so(session: ScopedSession) -> None:
    filled = move_in(session, person(1, *visits(5)))
    segment = definitions.create_segment(session, name="Pas geweest", rule=CAME_LATELY)
    evaluate_segment(session, segment.id)
    with clock.set_to(NOW + timedelta(days=26)):
        assert evaluate_segment(session, segment.id) == Difference(entered=0, left=1, members=0)
    assert told(session, segment)[-1] == (filled.world.contacts[0].id, "left", "time")


def test_changed_data_on_a_new_day_is_not_blamed_on_time(session: ScopedSession) -> None:
    filled = move_in(session, person(1), person(2))
    first, second = (one.id for one in filled.world.contacts)
    tag(session, first, "VIP")
    segment = definitions.create_segment(session, name="Vip", rule=TAGGED)
    evaluate_segment(session, segment.id)
    with clock.set_to(NOW + timedelta(days=3)):
        tag(session, first)
        tag(session, second, "vip")
        evaluate_segment(session, segment.id)
    assert sorted(told(session, segment)[1:]) == sorted([(first, "left", "data"), (second, "entered", "data")])


def test_another_rule_is_the_reason_for_its_entries_and_exits(session: ScopedSession) -> None:
    filled = move_in(session, person(1, *visits(5)), person(2, *visits(50)))
    first, second = (one.id for one in filled.world.contacts)
    segment = definitions.create_segment(session, name="Pas geweest", rule=CAME_LATELY)
    evaluate_segment(session, segment.id)
    longer_ago = {"type": "participation", "at_least": 1, "between": ["-P60D", "-P30D"]}
    definitions.update_segment(session, segment.id, name="Geweest", rule=longer_ago)
    with clock.set_to(NOW + timedelta(hours=1)):
        assert evaluate_segment(session, segment.id) == Difference(entered=1, left=1, members=1)
    assert set(told(session, segment)) == {
        (first, "entered", "rule"),
        (first, "left", "rule"),
        (second, "entered", "rule"),
    }


def test_who_comes_back_has_two_stretches(session: ScopedSession) -> None:
    filled = move_in(session, person(1))
    one = filled.world.contacts[0].id
    tag(session, one, "vip")
    segment = definitions.create_segment(session, name="Vip", rule=TAGGED)
    for days, tags in ((0, ["vip"]), (10, []), (20, ["vip"])):
        with clock.set_to(NOW + timedelta(days=days)):
            tag(session, one, *tags)
            evaluate_segment(session, segment.id)
    rows = session.scalars(sa.select(SegmentMembership).order_by(SegmentMembership.entered_at)).all()
    assert [(row.entered_on.day, row.left_on and row.left_on.day) for row in rows] == [(20, 30), (10, None)]


def test_leaving_and_coming_back_within_one_instant_is_staying(session: ScopedSession) -> None:
    filled = move_in(session, person(1))
    one = filled.world.contacts[0].id
    segment = definitions.create_segment(session, name="Vip", rule=TAGGED)
    for tags in (["vip"], [], ["vip"]):
        tag(session, one, *tags)
        evaluate_segment(session, segment.id)
    assert members(session, segment) == [one]
    assert [change[1] for change in told(session, segment)] == ["entered"]


def test_a_past_day_is_remembered_and_a_day_before_the_segment_is_worked_out(session: ScopedSession) -> None:
    filled = move_in(session, person(1, *visits(5)))
    one = filled.world.contacts[0].id
    segment = definitions.create_segment(session, name="Pas geweest", rule=CAME_LATELY)
    evaluate_segment(session, segment.id)
    with clock.set_to(NOW + timedelta(days=40)):
        evaluate_segment(session, segment.id)
        for day, expected in (
            (date(2026, 11, 20), ([one], True)),
            (date(2026, 12, 29), ([one], True)),
            (date(2026, 11, 14), ([], False)),
            (date(2026, 11, 16), ([one], False)),
            (date(2027, 1, 30), ([], False)),
        ):
            found, is_remembered = membership.members_on(session, segment, day)
            assert ([member.contact_id for member in found], is_remembered) == expected, day


def test_somebody_who_is_erased_leaves_every_segment(session: ScopedSession) -> None:
    filled = move_in(session, person(1))
    one = filled.world.contacts[0].id
    segment = definitions.create_segment(session, name="Allen", rule={"type": "all", "rules": []})
    evaluate_segment(session, segment.id)
    session.execute(sa.update(ContactRow).where(ContactRow.id == one).values(state="erased"))
    with clock.set_to(NOW + timedelta(hours=1)):
        assert evaluate_segment(session, segment.id) == Difference(entered=0, left=1, members=0)


def test_members_come_in_pages_by_id(session: ScopedSession) -> None:
    filled = move_in(session, *(person(number) for number in range(5)))
    segment = definitions.create_segment(session, name="Allen", rule={"type": "all", "rules": []})
    evaluate_segment(session, segment.id)
    ids = sorted(one.id for one in filled.world.contacts)
    first = membership.members_now(session, segment.id, limit=2)
    rest = membership.members_now(session, segment.id, after=first[-1].contact_id, limit=10)
    assert [one.contact_id for one in (*first, *rest)] == ids


def test_the_heartbeat_evaluates_what_is_due_and_then_rests(runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        one = move_in(session, person(1, *visits(5))).world.contacts[0].id
        segment = definitions.create_segment(session, name="Pas geweest", rule=CAME_LATELY)
    assert tick(runtime, only="segments") == {"segments": 1}
    with clock.set_to(NOW + timedelta(minutes=10)), transaction(runtime.engine, organisation.id) as session:
        assert membership.due_segments(session) == []
        tag(session, one, "anything")
        assert membership.due_segments(session) == [segment.id]
    with clock.set_to(datetime(2026, 12, 24, 9, tzinfo=UTC)):
        assert keep_segments_current(runtime, organisation.id) == 1
        with transaction(runtime.engine, organisation.id) as session:
            assert members(session, segment) == []


def test_a_segment_is_due_when_one_it_refers_to_gets_another_rule(runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        one = move_in(session, person(1)).world.contacts[0].id
        tag(session, one, "pers")
        first = definitions.create_segment(session, name="A", rule=TAGGED)
        second = definitions.create_segment(
            session, name="B", rule={"type": "segment", "segment": first.id, "is": "member"}
        )
    assert keep_segments_current(runtime, organisation.id) == 0
    with transaction(runtime.engine, organisation.id) as session:
        assert membership.due_segments(session) == []
        definitions.update_segment(session, first.id, name="A", rule={"type": "tag", "tag": "pers"})
        assert membership.due_segments(session) == [first.id, second.id]
    assert keep_segments_current(runtime, organisation.id) == 2
    with transaction(runtime.engine, organisation.id) as session:
        assert membership.due_segments(session) == []
        for segment in (first, second):
            assert told(session, segment) == [(one, "entered", "rule")]


def test_one_segment_that_cannot_be_evaluated_keeps_no_other_waiting(
    runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        move_in(session, person(1, *visits(5)))
        broken = definitions.create_segment(session, name="Kapot", rule=TAGGED)
        broken.rule = {"type": "segment", "segment": 999_999, "is": "member"}
        good = definitions.create_segment(session, name="Goed", rule=CAME_LATELY)
    assert keep_segments_current(runtime, organisation.id) == 1
    with transaction(runtime.engine, organisation.id) as session:
        assert len(members(session, good)) == 1
        assert broken.id in membership.due_segments(session)


# --- who was in it then -----------------------------------------------------------------------------------------------


def as_of(session: ScopedSession, segment: Segment, day: date) -> list[int]:
    found, is_remembered = membership.members_on(session, segment, day)
    assert is_remembered
    return [one.contact_id for one in found]


def test_leaving_and_coming_back_is_remembered_by_the_day(session: ScopedSession) -> None:
    one = move_in(session, person(1)).world.contacts[0].id
    segment = definitions.create_segment(session, name="Vip", rule=TAGGED)
    for days, tags in ((0, ["vip"]), (2, []), (4, ["vip"]), (6, [])):
        with clock.set_to(NOW + timedelta(days=days)):
            tag(session, one, *tags)
            evaluate_segment(session, segment.id)
    with clock.set_to(NOW + timedelta(days=9)):
        in_it = [as_of(session, segment, date(2026, 11, 20) + timedelta(days=days)) for days in range(8)]
    assert in_it == [[one], [one], [], [], [one], [one], [], []]


def test_whoever_became_part_of_somebody_is_remembered_as_them_and_as_themselves_once_parted(
    session: ScopedSession,
) -> None:
    filled = move_in(session, person(1, email=None), person(2, email=None), person(3, email=None))
    first, second, third = (one.id for one in filled.world.contacts)
    tag(session, first, "vip")
    segment = definitions.create_segment(session, name="Vip", rule=TAGGED)
    evaluate_segment(session, segment.id)
    with clock.set_to(NOW + timedelta(days=3)):
        merge_contacts(session, first, into_id=second, at=clock.now())
        assert as_of(session, segment, date(2026, 11, 20)) == [second]
        merge_contacts(session, second, into_id=third, at=clock.now())
        assert as_of(session, segment, date(2026, 11, 20)) == [third]
        unmerge_contact(session, second, at=clock.now())
        unmerge_contact(session, first, at=clock.now())
        assert as_of(session, segment, date(2026, 11, 20)) == [first]


def test_both_halves_of_a_person_are_remembered_as_one(session: ScopedSession) -> None:
    filled = move_in(session, person(1, email=None), person(2, email=None))
    first, second = (one.id for one in filled.world.contacts)
    for one in (first, second):
        tag(session, one, "vip")
    segment = definitions.create_segment(session, name="Vip", rule=TAGGED)
    evaluate_segment(session, segment.id)
    with clock.set_to(NOW + timedelta(days=3)):
        merge_contacts(session, first, into_id=second, at=clock.now())
        assert as_of(session, segment, date(2026, 11, 20)) == [second]
        found, _ = membership.members_on(session, segment, date(2026, 11, 20), after=second)
        assert found == []


def test_whoever_was_erased_is_in_no_segment_of_the_past_any_more(session: ScopedSession, keyring: Keyring) -> None:
    filled = move_in(session, person(1), person(2))
    first, second = (one.id for one in filled.world.contacts)
    segment = definitions.create_segment(session, name="Allen", rule={"type": "all", "rules": []})
    evaluate_segment(session, segment.id)
    with clock.set_to(NOW + timedelta(days=3)):
        erase_contact(session, keyring, first, at=clock.now())
        assert as_of(session, segment, date(2026, 11, 20)) == [second]


def test_another_rule_does_not_change_who_was_in_it_before(session: ScopedSession) -> None:
    filled = move_in(session, person(1, *visits(5)), person(2, *visits(50)))
    first, second = (one.id for one in filled.world.contacts)
    segment = definitions.create_segment(session, name="Pas geweest", rule=CAME_LATELY)
    evaluate_segment(session, segment.id)
    with clock.set_to(NOW + timedelta(days=3)):
        longer_ago = {"type": "participation", "at_least": 1, "between": ["-P90D", "-P30D"]}
        definitions.update_segment(session, segment.id, name="Geweest", rule=longer_ago)
        evaluate_segment(session, segment.id)
    with clock.set_to(NOW + timedelta(days=5)):
        assert as_of(session, segment, date(2026, 11, 22)) == [first]
        assert as_of(session, segment, date(2026, 11, 23)) == [second]
