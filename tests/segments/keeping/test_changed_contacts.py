"""Every change that a rule may look at is noted by the database itself and taken exactly once, whoever commits when."""

from __future__ import annotations

import threading
import typing
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from app.accounts.models import Organisation
from app.db import ScopedSession, open_session, transaction
from app.runtime import Runtime
from app.segments import definitions, membership
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import Scope
from app.segments.keeping.changed_contacts import Changed, peek_changed, take_changed
from app.segments.keeping.upkeep import keep_segments_current
from app.segments.language.rules import Leaf
from app.segments.language.schemas import parse_rule
from tests.conftest import make_house
from tests.segments.people import DAY, move_in, person, visits

# One change to each table that says something about contact :c (or activity :a), and the kind that is noted for it.
CHANGES = {
    "contact": "UPDATE contact SET postcode = '1000' WHERE id = :c",
    "a tag": "UPDATE contact SET tags = '{x}' WHERE id = :c",
    "an identity that comes": "INSERT INTO identity (organisation_id, contact_id, kind, value, value_key, source,"
    " created_at) SELECT organisation_id, :c, 'card', '1', '1', 'x', now() FROM contact WHERE id = :c",
    "an identity that bounces": "UPDATE identity SET deliverability = 'bouncing' WHERE contact_id = :c",
    "an identity that goes": "DELETE FROM identity WHERE contact_id = :c",
    "a participation that comes": "INSERT INTO participation (organisation_id, contact_id, activity_id, source,"
    " external_id, booked_at, booked_on, activity_on, created_at, updated_at) SELECT organisation_id, :c, :a, 'x',"
    " 'x', now(), now(), now(), now(), now() FROM contact WHERE id = :c",
    "a participation that is cancelled": "UPDATE participation SET status = 'cancelled' WHERE contact_id = :c",
    "a participation that goes": "DELETE FROM participation WHERE contact_id = :c",
    "a permission that changes": "UPDATE permission SET is_allowed = false WHERE subject_key = :k",
    "a permission that goes": "DELETE FROM permission WHERE subject_key = :k",
    "a suppression": "INSERT INTO suppression (organisation_id, address_hash, hash_key_id, channel, reason, source,"
    " since) SELECT organisation_id, :k, 1, 'email', 'x', 'x', now() FROM contact WHERE id = :c",
    "a genre of an activity": "UPDATE activity SET genres = '{nieuw}' WHERE id = :a",
    "a mail that was opened": "INSERT INTO mail_event (organisation_id, contact_id, event, occurred_at, occurred_on,"
    " source, external_id, recorded_at) SELECT organisation_id, :c, 'opened', now(), now(), 'x', 'x', now()"
    " FROM contact WHERE id = :c",
    "a pass": "INSERT INTO pass (organisation_id, contact_id, programme, number, number_key, source, created_at,"
    " updated_at) SELECT organisation_id, :c, 'uitpas', '1', '1', 'x', now(), now() FROM contact WHERE id = :c",
}
KINDS = {"an identity": "identity", "a participation": "participation", "a permission": "permission"}
KINDS |= {"a suppression": "suppression", "a genre": "activity", "a mail": "mail_event", "a pass": "pass"}


def people(session: ScopedSession) -> tuple[dict[str, object], int]:
    """One person with a visit, an address and a permission, and the id of somebody who is left alone."""
    filled = move_in(session, person(1, *visits(5)), person(2, *visits(50)))
    first, second = filled.world.contacts
    activity = first.participations[0].activity.id
    return {"c": first.id, "a": activity, "k": str(first.id).encode()}, second.id


def drain(session: ScopedSession) -> Changed:
    return take_changed(session, limit=None)


@contextmanager
def another(runtime: Runtime, organisation: Organisation) -> Iterator[ScopedSession]:
    """A second connection with a transaction of its own, which the test commits."""
    with open_session(runtime.engine, organisation.id) as session:
        session.begin()
        yield session


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_noted_for_whom_it_is_about(session: ScopedSession, name: str) -> None:
    values, other = people(session)
    drain(session)
    used = {key: value for key, value in values.items() if f":{key}" in CHANGES[name]}
    session.execute(sa.text(CHANGES[name]), used)
    kind = next((kind for beginning, kind in KINDS.items() if name.startswith(beginning)), "contact")
    noted = drain(session)
    assert noted.contacts == {values["c"]: {kind}}
    assert other not in noted.contacts
    assert drain(session).contacts == {}


@pytest.mark.parametrize(
    ("statement", "is_noted"),
    [
        ("UPDATE activity SET title = 'Anders', url = 'https://x.example', updated_at = now()", False),
        ("UPDATE activity SET venue = 'Elders'", True),
        ("UPDATE organisation SET name = 'Anders'", False),
        ("UPDATE organisation SET country = 'FR'", True),
        ("UPDATE organisation SET time_zone = 'UTC'", True),
        ("UPDATE purpose SET position = 7", False),
        ("UPDATE purpose SET is_active = false", True),
    ],
)
def test_what_no_rule_looks_at_is_not_noted(session: ScopedSession, statement: str, *, is_noted: bool) -> None:
    people(session)
    drain(session)
    session.execute(sa.text(statement))
    noted = drain(session)
    assert (noted != Changed()) is is_noted


def test_a_statement_that_changes_many_leaves_one_note_in_which_each_is_named_once(session: ScopedSession) -> None:
    filled = move_in(session, *(person(number, *visits(5, 6, 7)) for number in range(20)))
    drain(session)
    session.execute(sa.text("UPDATE participation SET quantity = 2"))
    ids = session.execute(sa.text("SELECT ids FROM contact_change")).scalars().all()
    assert ids == [sorted(one.id for one in filled.world.contacts)]


def test_both_are_noted_when_a_participation_moves_from_one_to_another(session: ScopedSession) -> None:
    values, other = people(session)
    drain(session)
    session.execute(
        sa.text("UPDATE participation SET contact_id = :o WHERE contact_id = :c"), {"o": other, "c": values["c"]}
    )
    assert set(drain(session).contacts) == {values["c"], other}


def test_whoever_was_alike_before_a_change_is_remembered_by_what_they_had_in_common(session: ScopedSession) -> None:
    values, _other = people(session)
    set_phone = sa.text("UPDATE contact SET phone = :phone WHERE id = :c RETURNING like_phone")
    key = session.scalar(set_phone, {"phone": "0470 12 34 56", "c": values["c"]})
    drain(session)
    session.execute(set_phone, {"phone": None, "c": values["c"]})
    assert session.scalar(sa.text("SELECT lost_keys FROM contact_change")) == [key]


def test_notes_stay_within_their_house(runtime: Runtime, organisation: Organisation) -> None:
    neighbours = make_house(runtime, "De Buren")
    with transaction(runtime.engine, organisation.id) as session:
        people(session)
    with transaction(runtime.engine, neighbours.id) as session:
        assert drain(session).contacts == {}


# --- two connections --------------------------------------------------------------------------------------------------


def test_a_change_in_flight_is_left_for_the_next_time(runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        values, other = people(session)
        drain(session)
    tag = sa.text("UPDATE contact SET tags = '{x}' WHERE id = :c")
    with another(runtime, organisation) as slow:
        # The slow one notes first, and so has the lower number; it commits last.
        slow.execute(tag, {"c": values["c"]})
        with transaction(runtime.engine, organisation.id) as session:
            session.execute(tag, {"c": other})
        with transaction(runtime.engine, organisation.id) as session:
            assert set(drain(session).contacts) == {other}
        slow.commit()
    with transaction(runtime.engine, organisation.id) as session:
        assert set(drain(session).contacts) == {values["c"]}


def test_a_change_that_commits_while_we_evaluate_is_seen_the_next_time(
    runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        values, _other = people(session)
    with another(runtime, organisation) as tick:
        assert values["c"] in drain(tick).contacts
        with transaction(runtime.engine, organisation.id) as session:
            session.execute(sa.text("UPDATE contact SET tags = '{x}' WHERE id = :c"), {"c": values["c"]})
        tick.commit()
    with transaction(runtime.engine, organisation.id) as session:
        assert drain(session).contacts == {values["c"]: {"contact"}}


def test_what_was_taken_is_back_when_the_evaluation_is_cut_off(runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        values, other = people(session)
    with another(runtime, organisation) as killed:
        assert set(drain(killed).contacts) == {values["c"], other}
        killed.rollback()
    with transaction(runtime.engine, organisation.id) as session:
        assert set(drain(session).contacts) == {values["c"], other}


ALLOWED = {"type": "permission", "channel": "email", "purpose": "newsletter", "is": "allowed"}
VENUE = {"type": "participation", "at_least": 1, "where": {"venues": ["nieuw"]}}
IDENTITY = """
INSERT INTO identity (organisation_id, contact_id, kind, value, value_key, subject_key, is_primary, source, created_at)
SELECT organisation_id, id, 'email', 'x@example.org', 'x@example.org', 'x', true, 'x', now() FROM contact WHERE id = :c
"""
PERMISSION = """
INSERT INTO permission (organisation_id, subject_key, channel, purpose, is_allowed, is_negative, basis, reason, since,
                        decided_by)
SELECT organisation_id, 'x', 'email', 'newsletter', true, false, 'consent', 'x', now(), 1 FROM contact WHERE id = :c
"""
BOOKING = CHANGES["a participation that comes"]
MOVE = "UPDATE activity SET venue = 'nieuw' WHERE id = :a"


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        (ALLOWED, IDENTITY, PERMISSION),
        (ALLOWED, PERMISSION, IDENTITY),
        (VENUE, BOOKING, MOVE),
        (VENUE, MOVE, BOOKING),
    ],
    ids=["identity first", "permission first", "booking first", "venue first"],
)
def test_two_halves_of_a_truth_from_two_transactions_meet_whoever_commits_last(
    runtime: Runtime, organisation: Organisation, rule: dict[str, object], first: str, second: str
) -> None:
    """Neither transaction sees the other's half, and a tick between their commits sees only one of them."""
    with transaction(runtime.engine, organisation.id) as session:
        filled = move_in(session, person(1, email=None), person(2, *visits(5)))
        values = {"c": filled.world.contacts[0].id, "a": filled.world.contacts[1].participations[0].activity.id}
        segment = definitions.create_segment(session, name="Samen", rule=rule)
    keep_segments_current(runtime, organisation.id)
    with another(runtime, organisation) as late:
        run(late, second, values)
        with transaction(runtime.engine, organisation.id) as early:
            run(early, first, values)
        keep_segments_current(runtime, organisation.id)
        late.commit()
    keep_segments_current(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        found = {one.contact_id for one in membership.members_now(session, segment.id, limit=None)}
        scope = Scope(organisation.id, DAY, organisation.time_zone)
        assert values["c"] in found
        assert found == set(session.scalars(select_members(parse_rule(rule), scope)))


def run(session: ScopedSession, statement: str, values: dict[str, int]) -> None:
    session.execute(sa.text(statement), {key: value for key, value in values.items() if f":{key}" in statement})


def test_writers_of_the_same_people_do_not_wait_for_one_anothers_notes(
    runtime: Runtime, organisation: Organisation
) -> None:
    """Two transactions note the same two contacts in opposite order: with a row per contact that were a deadlock."""
    with transaction(runtime.engine, organisation.id) as session:
        values, other = people(session)
        drain(session)
    noted, problems = threading.Barrier(2), list[Exception]()
    opened = sa.text(CHANGES["a mail that was opened"].replace("'x', 'x', now()", "'x', :x, now()"))

    def write(name: str, contact_ids: list[object]) -> None:
        try:
            with transaction(runtime.engine, organisation.id) as session:
                session.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
                for number, contact_id in enumerate(contact_ids):
                    session.execute(opened, {"c": contact_id, "x": f"{name}{number}"})
                    noted.wait(timeout=20)
        except Exception as problem:  # handed to the test
            problems.append(problem)

    in_both_orders = [("a", [values["c"], other]), ("b", [other, values["c"]])]
    threads = [threading.Thread(target=write, args=each) for each in in_both_orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert problems == []
    with transaction(runtime.engine, organisation.id) as session:
        assert set(peek_changed(session).contacts) == {values["c"], other}
        assert session.scalar(sa.text("SELECT count(*) FROM contact_change")) == 4


# --- nothing is forgotten ---------------------------------------------------------------------------------------------

EVERYTHING = [
    {"type": "participation", "at_least": 1, "measure": "genres", "where": {"genres": ["dans"], "weekdays": [1]}},
    {"type": "first_participation", "between": ["-P1M", None], "date": "booking"},
    {"type": "last_participation"},
    {"type": "share", "of": {"venues": ["zaal"]}, "at_least": 0.4},
    {"type": "profile", "field": "age", "op": "between", "value": [1, 90]},
    {"type": "anniversary", "field": "birth_date", "between": ["P0D", "P7D"]},
    ALLOWED,
    {"type": "tag", "tag": "vip"},
    {"type": "sample", "percent": 10, "seed": "x"},
    {"type": "engagement", "event": "opened", "at_least": 1},
    {"type": "pass", "programme": "uitpas", "is": "active"},
    {"type": "journey", "journey": 1, "is": "active"},
    {"type": "deliverability", "is": "bouncing"},
    {"type": "likely_same", "rule": {"type": "tag", "tag": "vip"}},
]


def test_every_table_that_a_rule_reads_notes_its_changes(session: ScopedSession) -> None:
    scope = Scope(session.organisation_id, DAY, "Europe/Brussels")
    read, kinds = set[str](), set[str]()
    for rule in EVERYTHING:
        kinds.add(type(parse_rule(rule)).__name__)
        query = select_members(parse_rule(rule), scope).compile(
            dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": True}
        )
        plan = session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {query}").scalar_one()
        read |= set(relations(plan))
    noting = set(
        session.scalars(sa.text("SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'note_%'"))
    )
    # Facts never change (a guardian's proof counts by way of the permission that rests on it), and packed history
    # follows participations in the transaction that changes them.
    assert {one for one in read - {"consent_event"} if not one.startswith("contact_history")} <= noting
    assert {leaf.__name__ for leaf in typing.get_args(Leaf)} - {"InSegment"} == kinds
    assert {"contact", "identity", "participation", "activity", "permission", "suppression", "purpose"} <= read


def relations(plan: object) -> Iterator[str]:
    if isinstance(plan, list):
        for one in plan:
            yield from relations(one)
    elif isinstance(plan, dict):
        if "Relation Name" in plan:
            yield str(plan["Relation Name"])
        for one in plan.values():
            yield from relations(one)
