"""Whatever happens, in whatever order and on whatever days: the kept members are those of a full evaluation.

A state machine over real PostgreSQL with real commits. After every beat the members of each segment, the feed of
entries and exits read with a cursor, and the numbers that pages show must all agree with the rule.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app import clock
from app.activities.models import Activity as ActivityRow
from app.activities.models import Participation as ParticipationRow
from app.consent.models import Permission, Suppression
from app.contacts.erasing import erase_contact
from app.contacts.errors import CannotMerge, CannotUnmerge, UnknownContact
from app.contacts.merging import merge_contacts, unmerge_contact
from app.contacts.models import Contact as ContactRow
from app.contacts.models import MailEvent, Pass
from app.db import transaction
from app.runtime import Runtime
from app.segments import definitions
from app.segments.changes import changes_after
from app.segments.compiling.compiler import select_members
from app.segments.compiling.permission_sql import select_permitted
from app.segments.compiling.scope import scope_of
from app.segments.keeping import following
from app.segments.keeping.alike_visits import find_differing_visits
from app.segments.keeping.kept import kept_segments
from app.segments.keeping.permitted import find_differences, scope_to_show, stored_answers
from app.segments.keeping.upkeep import keep_segments_current
from app.segments.language.schemas import parse_rule
from app.segments.membership import members_now
from app.segments.problems import InvalidRuleError
from tests.conftest import make_house
from tests.segments import worlds
from tests.segments.filling import fill

PEOPLE = st.integers(0, 5)
# Dates that a day or two later enter or leave one of the windows below.
NEAR_EDGES = st.sampled_from([-366, -365, -183, -31, -30, -29, -28, -1, 0, 1, 2, 6, 7, 8])
GENRES = ["Dans", "circus", "Théâtre"]
WINDOWS = [["-P30D", "P1D"], ["-P1M", None], ["-P1Y", "-P1M"], ["P0D", "P7D"], [None, "-P6M"]]
# Conditions that the passing of days changes, more often than chance would bring them.
TIMELY: list[dict[str, Any]] = [
    *({"type": "participation", "at_least": 1, "between": window} for window in WINDOWS),
    *({"type": "last_participation", "between": window, "date": "booking"} for window in WINDOWS),
    {"type": "anniversary", "field": "birth_date", "between": ["P0D", "P7D"]},
    {"type": "anniversary", "field": "attributes.since", "between": ["P0D", "P1M"]},
    {"type": "profile", "field": "age", "op": "between", "value": [25, None]},
    {"type": "permission", "channel": "email", "purpose": "newsletter", "is": "allowed"},
    {"type": "engagement", "event": "opened", "at_most": 0, "between": ["-P1M", None]},
    {"type": "pass", "programme": "uitpas", "is": "active"},
    {"type": "likely_same", "rule": {"type": "last_participation", "between": ["-P1M", None]}},
]
run_number = count(1)


class KeptHouse(RuleBasedStateMachine):
    """A house in which anything may happen between two beats."""

    runtime: ClassVar[Runtime]

    @initialize(
        world=worlds.worlds(),
        zone=st.sampled_from(["Europe/Brussels", "America/St_Johns"]),
        wanted=st.lists(st.sampled_from(TIMELY), min_size=2, max_size=3),
        visits=st.lists(st.tuples(PEOPLE, NEAR_EDGES), min_size=3, max_size=8),
    )
    def move_in(self, world: Any, zone: str, wanted: list[dict[str, Any]], visits: list[tuple[int, int]]) -> None:
        self.number, self.events = next(run_number), count()
        self.now = datetime(world.day.year, world.day.month, world.day.day, 11, tzinfo=UTC)
        self.cursor, self.told = 0, dict[int, set[int]]()
        self.segments: list[int] = []
        self.house = make_house(self.runtime, f"Huis {self.number}")
        with self.opened() as session:
            session.execute(sa.text("UPDATE organisation SET time_zone = :zone"), {"zone": zone})
            filled = fill(session, world)
            self.people = [one.id for one in filled.world.contacts]
            self.activities = [self._add_activity(session, genre) for genre in GENRES]
            # An activity of every genre stays as it is, so that no genre is ever gone.
            for genre in GENRES:
                self._add_activity(session, genre)
            for one in wanted:
                made = definitions.create_segment(session, name=f"S{next(self.events)}", rule=one)
                self.segments.append(made.id)
        for who, days in visits:
            self.book(who, 0, days, 1)
        self.beat()

    def _add_activity(self, session: Any, genre: str) -> int:
        row = ActivityRow(
            organisation_id=self.house.id, source="machine", external_id=str(next(self.events)), title="x",
            genres=[genre], starts_at=self.now, starts_on=self.today, created_at=self.now, updated_at=self.now,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id

    @contextmanager
    def opened(self) -> Any:
        with clock.set_to(self.now), transaction(self.runtime.engine, self.house.id) as session:
            yield session

    @property
    def today(self) -> date:
        return self.now.astimezone(ZoneInfo("Europe/Brussels")).date()

    def person(self, who: int) -> int:
        return self.people[who % len(self.people)]

    # --- segments ---

    @precondition(lambda self: len(self.segments) < 5)
    @rule(data=st.data())
    def make_segment(self, data: st.DataObject) -> None:
        wanted = data.draw(st.sampled_from(TIMELY) | worlds.rules(depth=1, segments=()))
        if self.segments and data.draw(st.booleans()):
            wanted = {
                "type": "all",
                "rules": [wanted, {"type": "segment", "segment": self.segments[-1], "is": "member"}],
            }
        # A rule may name a journey that this house does not have.
        with suppress(InvalidRuleError), self.opened() as session:
            made = definitions.create_segment(session, name=f"S{next(self.events)}", rule=wanted)
            self.segments.append(made.id)

    @precondition(lambda self: self.segments)
    @rule(data=st.data(), which=st.integers(0, 3))
    def change_rule(self, data: st.DataObject, which: int) -> None:
        wanted = data.draw(st.sampled_from(TIMELY) | worlds.rules(depth=1, segments=()))
        with suppress(InvalidRuleError), self.opened() as session:
            number = self.segments[which % len(self.segments)]
            definitions.update_segment(session, number, name=f"S{next(self.events)}", rule=wanted)

    # --- people and what they do ---

    @rule(
        who=PEOPLE,
        which=st.integers(0, 2),
        days=NEAR_EDGES,
        tickets=st.integers(1, 3),
    )
    def book(self, who: int, which: int, days: int, tickets: int) -> None:
        at, on = self.now + timedelta(days=days), self.today + timedelta(days=days)
        with self.opened() as session:
            session.add(
                ParticipationRow(
                    organisation_id=self.house.id, contact_id=self.person(who), activity_id=self.activities[which],
                    source="machine", external_id=str(next(self.events)), quantity=tickets, booked_at=at, booked_on=on,
                    activity_on=on, created_at=self.now, updated_at=self.now,
                )
            )  # fmt: skip

    @rule(who=PEOPLE, status=st.sampled_from(["cancelled", "attended", "refunded", "booked"]))
    def change_status(self, who: int, status: str) -> None:
        self.update(ParticipationRow, ParticipationRow.contact_id == self.person(who), status=status)

    @rule(who=PEOPLE, days=st.integers(-40, 40))
    def move_visits(self, who: int, days: int) -> None:
        moved = ParticipationRow.activity_on + days
        self.update(ParticipationRow, ParticipationRow.contact_id == self.person(who), activity_on=moved)

    @rule(which=st.integers(0, 2), genre=st.sampled_from(GENRES), venue=st.sampled_from(["Kelder", None]))
    def change_activity(self, which: int, genre: str, venue: str | None) -> None:
        self.update(ActivityRow, ActivityRow.id == self.activities[which], genres=[genre], venue=venue)

    @rule(
        who=PEOPLE,
        values=st.fixed_dictionaries(
            {},
            optional={
                "postcode": st.sampled_from(worlds.POSTCODES),
                "family_name": st.sampled_from(worlds.NAMES),
                "phone": st.sampled_from(["0470 12 34 56", None]),
                "birth_date": st.sampled_from([date(2000, 2, 29), date(1999, 12, 31), date(2013, 3, 1), None]),
                "tags": st.sampled_from([[], ["VIP"], ["pers"]]),
                "attributes": st.sampled_from([{}, {"since": "2024-02-29"}, {"score": 10}]),
                "is_restricted": st.booleans(),
            },
        ).filter(bool),
    )
    def edit(self, who: int, values: dict[str, Any]) -> None:
        self.update(ContactRow, ContactRow.id == self.person(who), **values)

    def update(self, table: Any, where: Any, **values: Any) -> None:
        with self.opened() as session:
            changed = sa.update(table).where(where).values(values)
            session.execute(changed.execution_options(synchronize_session=False))

    @rule(who=PEOPLE, kind=st.sampled_from(["allow", "deny", "ends", "pause", "suppress"]))
    def change_permission(self, who: int, kind: str) -> None:
        key = str(self.person(who)).encode()
        soon = self.now + timedelta(days=3)
        with self.opened() as session:
            if kind == "suppress":
                given = {"organisation_id": self.house.id, "address_hash": key, "hash_key_id": 1, "channel": "email"}
                session.merge(Suppression(**given, reason="x", source="x", since=self.now))
                return
            given = {"organisation_id": self.house.id, "subject_key": key, "channel": "email", "purpose": "newsletter"}
            is_allowed = kind != "deny"
            session.merge(
                Permission(
                    **given, is_allowed=is_allowed, is_negative=not is_allowed, basis="consent", reason="x",
                    since=self.now, decided_by=1, valid_until=soon if kind == "ends" else None,
                    paused_until=soon if kind == "pause" else None,
                )
            )  # fmt: skip

    @rule(who=PEOPLE, days=st.integers(-40, 0))
    def open_a_mail(self, who: int, days: int) -> None:
        at = self.now + timedelta(days=days)
        given = {"source": "machine", "external_id": str(next(self.events)), "recorded_at": self.now}
        with self.opened() as session:
            session.add(
                MailEvent(
                    organisation_id=self.house.id, contact_id=self.person(who), event="opened", occurred_at=at,
                    occurred_on=self.today + timedelta(days=days), **given,
                )
            )  # fmt: skip

    @rule(who=PEOPLE, days=st.integers(-2, 40))
    def give_a_pass(self, who: int, days: int) -> None:
        number = str(next(self.events))
        with self.opened() as session:
            session.add(
                Pass(
                    organisation_id=self.house.id, contact_id=self.person(who), programme="uitpas", number=number,
                    number_key=number, expires_on=self.today + timedelta(days=days), source="machine",
                    created_at=self.now, updated_at=self.now,
                )
            )  # fmt: skip

    @rule(one=PEOPLE, other=PEOPLE, kind=st.sampled_from(["merge", "merge", "unmerge", "erase"]))
    def become_one(self, one: int, other: int, kind: str) -> None:
        with suppress(CannotMerge, CannotUnmerge, UnknownContact), self.opened() as session:
            if kind == "merge":
                merge_contacts(session, self.person(one), into_id=self.person(other), at=self.now)
            elif kind == "unmerge":
                unmerge_contact(session, self.person(one), at=self.now)
            else:
                erase_contact(session, self.runtime.keyring, self.person(one), at=self.now)

    # --- time, and beats ---

    @rule(days=st.sampled_from([1, 1, 1, 2, 3, 28, 31, 365]), hours=st.integers(-3, 3))
    def let_days_go_by(self, days: int, hours: int) -> None:
        self.now += timedelta(days=days, hours=hours)

    @rule(days=st.lists(st.sampled_from([1, 1, 2, 5, 28]), min_size=1, max_size=4))
    def beat_on_several_days(self, days: list[int]) -> None:
        self.beat()
        for each in days:
            self.now += timedelta(days=each)
            self.beat()

    @rule()
    def set_the_clock_back(self) -> None:
        self.now -= timedelta(days=1)

    @rule()
    def let_a_beat_be_killed(self) -> None:
        def killed(*_: Any) -> None:
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(following, "write_turns", killed)
            with suppress(KeyboardInterrupt), clock.set_to(self.now):
                keep_segments_current(self.runtime, self.house.id)

    @rule()
    def beat(self) -> None:
        with clock.set_to(self.now):
            keep_segments_current(self.runtime, self.house.id)
        self.compare()

    def compare(self) -> None:
        with self.opened() as session:
            self.read_feed(session)
            for one in kept_segments(session):
                assert one.rule is not None
                assert one.state is not None
                assert one.state.problem is None, one.state.problem
                full = set(session.scalars(select_members(one.rule, scope_of(session))))
                kept = {member.contact_id for member in members_now(session, one.segment_id, limit=None)}
                note(f"segment {one.segment_id}: {one.rule}")
                assert kept == full, one.segment_id
                assert self.told.get(one.segment_id, set()) == full
                assert one.state.member_count == len(full)
            assert stored_answers(session) is not None, "after a beat the stored answers of the gate are used"
            assert not find_differences(session)
            assert not find_differing_visits(session)

    @invariant()
    def a_count_of_the_permitted_is_that_of_the_gate(self) -> None:
        """At any moment, also while changes wait: of the stored answers only those are used that are right."""
        if not hasattr(self, "house"):
            return
        with self.opened() as session:
            scope, by_gate = scope_to_show(session), scope_of(session)
            for purpose in ("newsletter", "partner_offers"):
                shown, asked = (
                    set(
                        session.execute(
                            select_permitted("email", purpose, organisation_id=self.house.id, stored=one.stored)
                        ).all()
                    )
                    for one in (scope, by_gate)
                )
                assert {tuple(row) for row in shown} == {tuple(row) for row in asked}
            for who in ("person", "household"):
                came = {"type": "participation", "at_least": 1, "between": ["-P1M", None]}
                alike = parse_rule({"type": "likely_same", "who": who, "rule": came})
                shown_members, members = (set(session.scalars(select_members(alike, one))) for one in (scope, by_gate))
                assert shown_members == members, who

    def read_feed(self, session: Any) -> None:
        """Follow entries and exits two at a time; each must be a turn from where we had them."""
        while (page := changes_after(session, self.cursor, limit=2)).items:
            self.cursor = page.cursor
            for change in page.items:
                members = self.told.setdefault(change.segment_id, set())
                assert (change.contact_id in members) is (change.kind == "left")
                members.symmetric_difference_update({change.contact_id})

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.beat()

    @invariant()
    def there_is_a_house(self) -> None:
        assert not hasattr(self, "house") or self.house.id


def test_kept_members_are_those_of_a_full_evaluation_whatever_happens(runtime: Runtime) -> None:
    KeptHouse.runtime = runtime
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        KeptHouse,
        settings=settings(
            max_examples=12,
            stateful_step_count=16,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
