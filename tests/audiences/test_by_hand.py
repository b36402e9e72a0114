"""Whom a journey puts in an audience or keeps out of it: pushed as others are, and never past the gate."""

from __future__ import annotations

import pytest

from app.accounts.audit import SYSTEM
from app.audiences.by_hand import put_in_audience
from app.audiences.definitions import remove_audience
from app.audiences.problems import AudienceInUse, UnknownAudience
from app.journeys.drafts import make_journey
from app.journeys.publishing import publish
from app.journeys.running import archive_journey
from tests.audiences.world import World

AN, BEN, CAS = "an@example.org", "ben@example.org", "cas@example.org"


def put(world: World, audience_id: int, email: str, *, is_in: bool) -> None:
    with world.transaction() as session:
        put_in_audience(session, audience_id, [world.contacts[email]], is_in=is_in, journey_id=None)


def test_who_is_put_in_is_pushed_beside_the_segment_and_who_is_kept_out_is_taken_off(world: World) -> None:
    world.person(AN)
    world.person(BEN, wanted=False)
    audience_id = world.audience()
    world.run(audience_id)
    assert world.tagged() == {AN}
    put(world, audience_id, BEN, is_in=True)
    put(world, audience_id, AN, is_in=False)
    world.run(audience_id)
    assert world.tagged() == {BEN}
    put(world, audience_id, AN, is_in=True)
    put(world, audience_id, AN, is_in=True)
    world.run(audience_id)
    assert world.tagged() == {AN, BEN}


def test_nobody_is_put_in_past_the_gate(world: World) -> None:
    """I18"""
    world.person(CAS, wanted=False, permitted=False)
    world.person(BEN, wanted=False)
    audience_id = world.audience()
    for email in (BEN, CAS):
        put(world, audience_id, email, is_in=True)
    world.run(audience_id)
    assert world.tagged() == {BEN}
    world.withdraw(BEN)
    world.run(audience_id)
    assert world.tagged() == set()


def test_another_audience_is_not_touched(world: World) -> None:
    world.person(BEN, wanted=False)
    segment_id = world.segment()
    first = world.audience(segment_id)
    second = world.audience(segment_id, name="Tweede", tag="Zaallicht: tweede")
    put(world, first, BEN, is_in=True)
    world.run(first)
    world.run(second)
    assert world.tagged() == {BEN}
    assert world.tagged("Zaallicht: tweede") == set()


def test_an_audience_that_a_running_journey_works_with_stays(world: World) -> None:
    audience_id = world.audience()
    steps = [{"id": "a", "type": "audience", "audience": audience_id, "do": "add"}]
    definition = {"trigger": {"type": "api"}, "purpose": "newsletter", "steps": steps}
    with world.transaction() as session:
        journey_id = make_journey(session, "Welkom", definition, created_by=None).id
        publish(session, journey_id, actor=SYSTEM)
    with world.transaction() as session, pytest.raises(AudienceInUse) as used:
        remove_audience(session, audience_id, actor=SYSTEM)
    assert used.value.journeys == ("Welkom",)
    with world.transaction() as session:
        archive_journey(session, journey_id, actor=SYSTEM)
        remove_audience(session, audience_id, actor=SYSTEM)
    with world.transaction() as session, pytest.raises(UnknownAudience):
        put_in_audience(session, audience_id, [1], is_in=True, journey_id=None)
