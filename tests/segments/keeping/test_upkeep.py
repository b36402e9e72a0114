"""The heartbeat: what changed is followed, days go by over their edges, and what fails keeps its last good members."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import clock
from app.accounts.models import Organisation
from app.consent.models import Permission
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.segments import definitions, membership
from app.segments.changes import changes_after
from app.segments.keeping import days, difference, evaluating, following, in_full, upkeep
from app.segments.keeping.entries import hold_upkeep
from app.segments.keeping.upkeep import keep_segments_current, look_for_work
from app.segments.membership import evaluate_segment
from app.segments.models import Segment, SegmentState
from tests.conftest import NOW
from tests.segments.people import move_in, person, visits

Json = dict[str, Any]
LATELY = {"type": "participation", "at_least": 1, "between": ["-P30D", "P1D"]}
VIP = {"type": "tag", "tag": "vip"}
ALLOWED = {"type": "permission", "channel": "email", "purpose": "newsletter", "is": "allowed"}
DANCE = {"type": "participation", "at_least": 1, "where": {"genres": ["Dans"]}}
# The date in a field of the house's own: time changes it, and no index finds whom.
OWN_DATE = {"type": "anniversary", "field": "attributes.since", "between": ["P0D", "P1D"]}


class House:
    """A house with two people: one came five days ago, the other fifty."""

    def __init__(self, runtime: Runtime, organisation: Organisation) -> None:
        self.runtime, self.id = runtime, organisation.id
        with self.opened() as session:
            filled = move_in(session, person(1, *visits(5)), person(2, *visits(50)))
            self.first, self.second = (one.id for one in filled.world.contacts)
            self.activity = filled.world.contacts[0].participations[0].activity.id

    @contextmanager
    def opened(self) -> Iterator[ScopedSession]:
        with transaction(self.runtime.engine, self.id) as session:
            yield session

    def run(self, statement: str, **values: Any) -> None:
        with self.opened() as session:
            session.execute(sa.text(statement), values)

    def tag(self, contact_id: int, *tags: str) -> None:
        self.run("UPDATE contact SET tags = :tags WHERE id = :id", tags=list(tags), id=contact_id)

    def segment(self, name: str, rule: Json) -> int:
        with self.opened() as session:
            return definitions.create_segment(session, name=name, rule=rule).id

    def keep(self) -> int:
        return keep_segments_current(self.runtime, self.id)

    def members(self, segment_id: int) -> set[int]:
        with self.opened() as session:
            return {one.contact_id for one in membership.members_now(session, segment_id, limit=None)}

    def turned(self, segment_id: int) -> list[tuple[int, str, str, tuple[str, ...]]]:
        with self.opened() as session:
            page = changes_after(session, 0, segment_ids=[segment_id])
            return [(one.contact_id, one.kind, one.because, one.what) for one in page.items]

    def state(self, segment_id: int) -> SegmentState:
        with self.opened() as session:
            return session.get_one(SegmentState, (self.id, segment_id))


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> House:
    return House(runtime, organisation)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[list[int] | None]:
    """For whom rules were evaluated, in order: ids, or None for everybody."""
    seen: list[list[int] | None] = []
    find_turns = difference.find_turns

    def watched(*args: Any, only: list[int] | None = None) -> Any:
        seen.append(None if only is None else list(only))
        return find_turns(*args, only=only)

    for module in (days, following, evaluating):
        monkeypatch.setattr(module, "find_turns", watched)
    return seen


def test_a_changed_contact_is_evaluated_and_nobody_else(house: House, evaluated: list[list[int] | None]) -> None:
    vip, lately = house.segment("Vip", VIP), house.segment("Pas", LATELY)
    house.keep()
    evaluated.clear()
    house.tag(house.second, "vip")
    assert house.keep() == 1
    assert evaluated == [[house.second]]
    assert (house.members(vip), house.members(lately)) == ({house.second}, {house.first})
    assert house.turned(vip) == [(house.second, "entered", "data", ("contact",))]
    assert house.state(vip).member_count == 1


def test_an_idle_look_finds_no_work_and_evaluates_nothing(house: House, evaluated: list[list[int] | None]) -> None:
    house.segment("Vip", VIP)
    house.keep()
    evaluated.clear()
    with house.opened() as session:
        assert look_for_work(session).is_none
    assert house.keep() == 0
    assert evaluated == []


def test_the_statement_of_a_day_is_written_the_day_before_in_a_beat_with_nothing_to_do(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment_id = house.segment("lately", LATELY)
    upkeep._written_on.clear()
    house.keep()
    house.keep()

    def too_late(*_: Any, **__: Any) -> None:
        raise AssertionError("the statement is written when it is needed")

    monkeypatch.setattr(difference, "_different", too_late)
    with clock.set_to(NOW + timedelta(days=1)):
        house.tag(house.first, "vip")
        house.keep()
    assert house.members(segment_id) == {house.first}


def test_an_idle_look_reads_no_permission_that_ends_later(house: House) -> None:
    with house.opened() as session:
        session.execute(sa.text("SET LOCAL enable_seqscan = off"))
        plan = session.scalars(sa.text(f"EXPLAIN {upkeep.LOOK}"), {"organisation_id": session.organisation_id}).all()
    conditions = [line for line in plan if "Index Cond" in line]
    assert any("valid_until <=" in line for line in conditions), plan
    assert any("paused_until <=" in line for line in conditions), plan


def test_a_day_evaluates_whoever_stands_on_an_edge_and_nobody_else(
    house: House, evaluated: list[list[int] | None]
) -> None:
    vip, lately = house.segment("Vip", VIP), house.segment("Pas", LATELY)
    house.keep()
    evaluated.clear()
    with clock.set_to(NOW + timedelta(days=25)):
        assert house.keep() == 0
        # Nobody has a date that either edge passed over: 21 October to 14 November, and 21 November to 15 December.
        assert evaluated == [[]]
    evaluated.clear()
    with clock.set_to(NOW + timedelta(days=26)):
        assert house.keep() == 1
        assert evaluated == [[house.first]]
    assert house.members(lately) == set()
    assert house.turned(lately)[-1] == (house.first, "left", "time", ())
    assert {house.state(one).evaluated_on for one in (vip, lately)} == {date(2026, 12, 16)}


def test_several_days_at_once_end_as_day_by_day(house: House) -> None:
    ahead = house.segment("Straks", {"type": "participation", "at_least": 1, "between": ["-P60D", "-P40D"]})
    house.keep()
    assert house.members(ahead) == {house.second}
    with clock.set_to(NOW + timedelta(days=200)):
        assert house.keep() == 1
    assert house.members(ahead) == set()


def test_a_clock_that_goes_back_takes_back_what_time_did(house: House) -> None:
    lately = house.segment("Pas", LATELY)
    with clock.set_to(NOW + timedelta(days=40)):
        house.keep()
        assert house.members(lately) == set()
    assert house.keep() == 1
    assert house.members(lately) == {house.first}
    assert house.state(lately).evaluated_on == date(2026, 11, 20)


def test_another_time_zone_is_another_day_for_everybody(house: House) -> None:
    """At noon in Brussels it is the next day already on Kiritimati."""
    edge = house.segment("Rand", {"type": "participation", "at_least": 1, "between": ["-P5D", "-P4D"]})
    with clock.set_to(datetime(2026, 11, 20, 11, tzinfo=UTC)):
        house.keep()
        assert house.members(edge) == {house.first}
        house.run("UPDATE organisation SET time_zone = 'Pacific/Kiritimati' WHERE id = :id", id=house.id)
        house.keep()
        assert house.members(edge) == set()


def test_a_leaf_that_cannot_name_its_dates_is_evaluated_for_everybody_each_day(
    house: House, evaluated: list[list[int] | None]
) -> None:
    house.run('UPDATE contact SET attributes = \'{"since": "2020-11-21"}\' WHERE id = :id', id=house.first)
    own = house.segment("Jubileum", OWN_DATE)
    house.keep()
    assert house.members(own) == set()
    evaluated.clear()
    with clock.set_to(NOW + timedelta(days=1)):
        house.keep()
    assert evaluated == [None]
    assert house.turned(own) == [(house.first, "entered", "time", ())]


def test_whoever_changed_is_not_blamed_on_the_day_that_went_by(house: House) -> None:
    lately = house.segment("Pas", LATELY)
    house.keep()
    house.run("UPDATE participation SET status = 'cancelled' WHERE contact_id = :id", id=house.first)
    with clock.set_to(NOW + timedelta(days=26)):
        house.keep()
    assert house.turned(lately)[-1] == (house.first, "left", "data", ("participation",))


def test_a_permission_that_runs_out_counts_from_that_second(house: House) -> None:
    allowed = house.segment("Mag", ALLOWED)
    until = NOW + timedelta(hours=3)
    with house.opened() as session:
        key = str(house.first).encode()
        session.execute(sa.update(Permission).where(Permission.subject_key == key).values(valid_until=until))
    house.keep()
    assert house.members(allowed) == {house.first, house.second}
    with clock.set_to(until - timedelta(seconds=1)):
        assert house.keep() == 0
    with clock.set_to(until + timedelta(seconds=1)):
        assert house.keep() == 1
    assert house.turned(allowed)[-1] == (house.first, "left", "time", ())


def test_a_pause_that_is_over_counts_from_that_second(house: House) -> None:
    allowed = house.segment("Mag", ALLOWED)
    until = NOW + timedelta(hours=3)
    with house.opened() as session:
        key = str(house.first).encode()
        session.execute(sa.update(Permission).where(Permission.subject_key == key).values(paused_until=until))
    house.keep()
    assert house.members(allowed) == {house.second}
    with clock.set_to(until + timedelta(seconds=1)):
        assert house.keep() == 1
    assert house.members(allowed) == {house.first, house.second}


def test_a_child_that_needs_no_guardian_any_more_enters_on_their_birthday(house: House) -> None:
    house.run("UPDATE contact SET birth_date = '2013-12-01', country = 'BE' WHERE id = :id", id=house.first)
    allowed = house.segment("Mag", ALLOWED)
    house.keep()
    assert house.members(allowed) == {house.second}
    with clock.set_to(datetime(2026, 11, 30, 22, 59, tzinfo=UTC)):
        assert house.keep() == 0
    with clock.set_to(datetime(2026, 11, 30, 23, 1, tzinfo=UTC)):
        assert house.keep() == 1
    assert house.members(allowed) == {house.first, house.second}


def test_a_purpose_that_is_put_away_concerns_everybody(house: House) -> None:
    allowed = house.segment("Mag", ALLOWED)
    house.keep()
    house.run("UPDATE purpose SET is_active = false WHERE code = 'newsletter'")
    assert house.keep() == 2
    assert house.members(allowed) == set()


def test_another_rule_is_followed_in_every_segment_that_refers_to_it(house: House) -> None:
    first = house.segment("A", LATELY)
    second = house.segment("B", {"type": "segment", "segment": first, "is": "not_member"})
    third = house.segment("C", {"type": "segment", "segment": second, "is": "member"})
    other = house.segment("D", VIP)
    house.keep()
    assert (house.members(second), house.members(third)) == ({house.second}, {house.second})
    before = house.state(other).evaluated_at
    with house.opened() as session, clock.set_to(NOW + timedelta(minutes=1)):
        definitions.update_segment(session, first, name="A", rule={"type": "all", "rules": []})
    with clock.set_to(NOW + timedelta(minutes=2)):
        assert house.keep() == 3
    assert [house.members(one) for one in (first, second, third)] == [{house.first, house.second}, set(), set()]
    assert house.turned(third)[-1] == (house.second, "left", "rule", ())
    assert house.state(other).evaluated_at == before


def test_likely_same_people_are_followed_when_the_other_one_changes(house: House) -> None:
    likely = house.segment("Zelfde", {"type": "likely_same", "rule": VIP})
    same = "UPDATE contact SET phone = '0470 12 34 56' WHERE id = ANY (:ids)"
    house.run(same, ids=[house.first, house.second])
    house.keep()
    house.tag(house.second, "vip")
    assert house.keep() == 1
    assert house.members(likely) == {house.first}
    house.run("UPDATE contact SET phone = '0479 00 00 00' WHERE id = :id", id=house.second)
    assert house.keep() == 1
    assert house.turned(likely)[-1] == (house.first, "left", "data", ("alike",))


def test_many_changes_at_once_are_one_pass_over_everybody(
    house: House, evaluated: list[list[int] | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluating, "MANY", 1)
    vip = house.segment("Vip", VIP)
    house.keep()
    evaluated.clear()
    house.run("UPDATE contact SET tags = '{vip}'")
    assert house.keep() == 2
    assert evaluated == [None]
    assert house.turned(vip) == [(one, "entered", "data", ()) for one in (house.first, house.second)]


# --- what cannot be evaluated -----------------------------------------------------------------------------------------


def test_a_genre_that_is_gone_keeps_the_last_members_until_the_rule_changes(house: House) -> None:
    house.run("UPDATE activity SET genres = '{Dans}' WHERE id = :id", id=house.activity)
    dance = house.segment("Dans", DANCE)
    house.keep()
    assert house.members(dance) == {house.first}
    house.run("UPDATE activity SET genres = '{Dans en beweging}' WHERE id = :id", id=house.activity)
    assert house.keep() == 0
    assert house.members(dance) == {house.first}
    state = house.state(dance)
    assert (state.problem, state.problem_about) == ("segment_names_gone", ["dans"])
    renamed = {**DANCE, "where": {"genres": ["Dans en beweging"]}}
    with house.opened() as session:
        definitions.update_segment(session, dance, name="Dans", rule={**renamed, "at_least": 2})
    # Waiting to try again does not keep a new rule waiting.
    assert house.keep() == 1
    assert (house.members(dance), house.state(dance).problem) == (set(), None)


def test_a_genre_that_comes_back_brings_the_segment_up_to_date(house: House) -> None:
    house.run("UPDATE activity SET genres = '{Dans}' WHERE id = :id", id=house.activity)
    dance = house.segment("Dans", DANCE)
    house.keep()
    house.run("UPDATE activity SET genres = '{}' WHERE id = :id", id=house.activity)
    house.keep()
    house.run("UPDATE participation SET status = 'cancelled' WHERE contact_id = :id", id=house.first)
    house.run("UPDATE activity SET genres = '{dans}' WHERE id = :id", id=house.activity)
    with clock.set_to(NOW + evaluating.RETRY_AFTER + timedelta(minutes=1)):
        house.keep()
    assert (house.members(dance), house.state(dance).problem) == (set(), None)


def test_somebody_who_asks_to_count_again_takes_the_rule_as_it_stands(house: House) -> None:
    house.run("UPDATE activity SET genres = '{Dans}' WHERE id = :id", id=house.activity)
    dance = house.segment("Dans", DANCE)
    house.keep()
    house.run("UPDATE activity SET genres = '{}' WHERE id = :id", id=house.activity)
    house.keep()
    with house.opened() as session:
        assert evaluate_segment(session, dance).left == 1
    assert (house.members(dance), house.state(dance).problem) == (set(), None)
    assert house.keep() == 0


def test_a_name_that_never_was_is_no_problem(house: House) -> None:
    segment = house.segment("Opera", {**DANCE, "where": {"genres": ["opera"]}})
    house.keep()
    house.run("UPDATE activity SET genres = '{Circus}' WHERE id = :id", id=house.activity)
    house.keep()
    assert house.state(segment).problem is None


def test_one_bad_rule_is_found_by_itself_and_keeps_no_other_waiting(house: House) -> None:
    good, bad, better = house.segment("Goed", LATELY), house.segment("Kapot", VIP), house.segment("Beter", VIP)
    house.run(
        "UPDATE segment SET rule = :rule WHERE id = :id",
        rule='{"type": "segment", "segment": 999999, "is": "member"}',
        id=bad,
    )
    house.tag(house.second, "vip")
    assert house.keep() == 2
    assert (house.members(good), house.members(better)) == ({house.first}, {house.second})
    assert house.state(bad).problem == "segment_missing"
    house.tag(house.first, "vip")
    assert house.keep() == 1
    assert house.members(better) == {house.first, house.second}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make evaluations of one segment take longer than they may."""

    def make(segment_id: int) -> None:
        monkeypatch.setattr(in_full, "EVALUATION_S", 0.2)
        monkeypatch.setattr(following, "SECONDS_A_STEP", 0.2)
        find_turns = difference.find_turns

        def lingering(session: ScopedSession, wanted: Json, *args: Any, **more: Any) -> Any:
            if segment_id in wanted:
                session.execute(sa.text("SELECT pg_sleep(5)"))
            return find_turns(session, wanted, *args, **more)  # type: ignore[arg-type]

        for module in (days, following, evaluating):
            monkeypatch.setattr(module, "find_turns", lingering)

    return make


def test_a_segment_that_takes_too_long_keeps_its_members_and_the_others_go_on(
    house: House, slow: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy, light = house.segment("Zwaar", VIP), house.segment("Licht", VIP)
    house.tag(house.first, "vip")
    house.keep()
    slow(heavy)
    house.tag(house.second, "vip")
    house.keep()
    assert (house.members(heavy), house.members(light)) == ({house.first}, {house.first, house.second})
    assert house.state(heavy).problem == "segment_too_slow"
    monkeypatch.undo()
    with clock.set_to(NOW + evaluating.RETRY_AFTER + timedelta(seconds=1)):
        house.keep()
    assert (house.members(heavy), house.state(heavy).problem) == ({house.first, house.second}, None)


# --- more than one at a time ------------------------------------------------------------------------------------------


def test_a_second_worker_leaves_an_organisation_to_the_first(house: House) -> None:
    vip = house.segment("Vip", VIP)
    house.keep()
    house.tag(house.first, "vip")
    with house.opened() as first:
        assert hold_upkeep(first) is not None
        assert house.keep() == 0
    assert house.members(vip) == set()
    assert house.keep() == 1


def test_a_beat_that_is_killed_half_way_is_done_again_and_nothing_happens_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    vip, lately = house.segment("Vip", VIP), house.segment("Pas", LATELY)
    house.keep()
    house.tag(house.second, "vip")
    write_turns = following.write_turns

    def killed(*args: Any) -> None:
        write_turns(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(following, "write_turns", killed)
    with pytest.raises(KeyboardInterrupt):
        house.keep()
    monkeypatch.undo()
    assert house.members(vip) == set()
    assert house.keep() == 1
    assert house.turned(vip) == [(house.second, "entered", "data", ("contact",))]
    assert house.members(lately) == {house.first}


def test_changing_a_rule_and_counting_at_once_does_not_wait_for_upkeep_of_others(
    house: House, organisation: Organisation
) -> None:
    """The page holds the segment's row, upkeep its own: neither order of the two may end in a deadlock."""
    vip = house.segment("Vip", VIP)
    house.keep()
    house.tag(house.first, "vip")
    with house.opened() as page:
        definitions.update_segment(page, vip, name="Vips", rule={**VIP, "tag": "pers"})
        with clock.set_to(NOW + timedelta(minutes=1)):
            assert house.keep() == 1
        assert page.get_one(Segment, (organisation.id, vip)).version == 2
        assert evaluate_segment(page, vip).left == 1
    house.keep()
    assert house.members(vip) == set()
