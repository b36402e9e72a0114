"""The compiler and an independent evaluator agree on random houses and random rules, on real PostgreSQL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.compiling.compiler import inline, select_checks, select_members, select_truths
from app.segments.compiling.scope import Scope
from app.segments.language.rules import Rule, leaves, with_closed_days
from app.segments.language.schemas import parse_rule
from app.segments.language.windows import ClosedPeriod, in_order
from tests.segments import worlds
from tests.segments.evaluator import World
from tests.segments.filling import fill

DIALECT = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]
RULES = st.lists(worlds.rules(depth=2, segments=(1, 2)), min_size=1, max_size=6)


def compiled_from(world: World, rule: dict[str, Any]) -> Rule:
    inlined = inline(parse_rule(rule), lambda segment_id: parse_rule(world.segments[segment_id]))
    return with_closed_days(inlined, in_order(ClosedPeriod(first, last) for first, last in world.closed))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(world=worlds.worlds(), rules=RULES)
def test_the_database_and_the_evaluator_find_the_same_members(
    session: ScopedSession, world: World, rules: list[dict[str, Any]]
) -> None:
    scope = Scope(session.organisation_id, world.day, world.zone.key)
    with session.begin_nested() as savepoint:
        ids = fill(session, world)
        for rule in rules:
            statement = select_members(compiled_from(ids.world, ids.rule(rule)), scope)
            found = set(session.scalars(statement))
            note(f"{rule}\n{statement.compile(dialect=DIALECT)}")
            assert found == ids.world.members(ids.rule(rule)), rule
        savepoint.rollback()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(world=worlds.worlds(), rules=RULES)
def test_a_person_is_checked_by_the_same_meaning_as_everybody(
    session: ScopedSession, world: World, rules: list[dict[str, Any]]
) -> None:
    scope = Scope(session.organisation_id, world.day, world.zone.key)
    with session.begin_nested() as savepoint:
        ids = fill(session, world)
        person = ids.world.contacts[0]
        whole = {"type": "any", "rules": [ids.rule(rule) for rule in rules]}
        compiled = compiled_from(ids.world, whole)
        row = session.execute(select_checks([compiled, *leaves(compiled)], scope, contact_id=person.id)).one_or_none()
        if person.state == "living":
            assert row is not None
            assert row[1] is ids.world.holds(whole, person)
            only = set(session.scalars(select_members(compiled, scope, only=[person.id])))
            assert only == ({person.id} if row[1] else set())
        else:
            assert row is None
        savepoint.rollback()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(world=worlds.worlds(), rules=RULES, part=st.integers(0, 3))
def test_many_rules_at_once_say_what_each_says_alone(
    session: ScopedSession, world: World, rules: list[dict[str, Any]], part: int
) -> None:
    scope = Scope(session.organisation_id, world.day, world.zone.key)
    with session.begin_nested() as savepoint:
        ids = fill(session, world)
        wanted = [compiled_from(ids.world, ids.rule(rule)) for rule in rules]
        living = {one.id: one for one in ids.world.contacts if one.state == "living"}
        some = [one.id for one in ids.world.contacts][:part]
        chosen = sa.select(Contact.id).where(Contact.id.in_(some))
        for only, reached in ((None, living), (some, some), (chosen, some)):
            rows = session.execute(select_truths(wanted, scope, only=only)).all()
            told = {row.contact_id: tuple(row[1:]) for row in rows}
            assert len(told) == len(rows)
            assert told == {
                one: tuple(ids.world.holds(ids.rule(rule), living[one]) for rule in rules)
                for one in reached
                if one in living
            }
            for rule, compiled in zip(rules, wanted, strict=True):
                members = set(session.scalars(select_members(compiled, scope, only=only)))
                assert members == {one for one in ids.world.members(ids.rule(rule)) if one in reached}
        savepoint.rollback()
