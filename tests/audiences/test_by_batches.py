"""Thousands at once: jobs that the vendor does by itself, with noes and deaths in between, bring nobody back."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.audiences import by_batches
from app.audiences.engine import carry_out, poll
from app.audiences.models import AudienceBatch, AudienceRun
from tests.audiences.test_kills import KillAt, Killed
from tests.audiences.test_pages import browser
from tests.audiences.world import World
from tests.standins.mailchimp import Fault

PEOPLE = 6
STEPS = ("claimed for a batch", "batch handed over", "batch known", "batch read back", "batch stored")


@pytest.fixture(autouse=True)
def _few_are_thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_batches, "BATCHES_FROM", 2)


def open_batches(world: World) -> int:
    with world.transaction() as session:
        return len(session.scalars(select(AudienceBatch.audience_id)).all())


def go_on(world: World, run: AudienceRun, **later: float) -> AudienceRun:
    world.later(**later)
    carry_out(world.runtime, world.organisation.id, run.id)
    return world.run_row(run.id)


def test_a_first_load_is_one_job_and_everybody_has_their_own_result(world: World) -> None:
    people = world.people(PEOPLE)
    world.mailchimp.add_member(people[0], "unsubscribed", by="api")
    audience_id = world.audience()
    world.mailchimp.add_field("FNAME")
    run = world.run(audience_id)
    assert (run.state, run.counts["added"], run.counts["to_push"], run.counts["pushed"]) == ("done", 5, 5, 5)
    counts = world.mailchimp.counts()
    assert (counts["post_batch"], counts["put_member"], counts["post_segment_members"]) == (1, 0, 1)
    assert world.tagged() == set(people[1:])
    assert world.mailchimp.status(people[0]) == "unsubscribed"
    assert open_batches(world) == 0
    again = world.run(audience_id)
    assert again.counts["unchanged"] == 5
    assert world.mailchimp.counts()["post_batch"] == 1


def test_a_job_that_outlasts_its_turn_is_gone_on_with_and_opt_outs_come_home_meanwhile(world: World) -> None:
    people = world.people(PEOPLE)
    world.mailchimp.add_member("old@example.org")
    world.person("old@example.org", wanted=False)
    audience_id = world.audience()
    world.mailchimp.behave(batch_looks=30)
    run = world.run(audience_id)
    assert (run.state, run.counts["to_push"]) == ("queued", PEOPLE)
    assert open_batches(world) == 1
    page = browser(world, "viewer").get(f"/audiences/{audience_id}/status").text
    assert "Pushing" in page
    assert f"of {PEOPLE}" in page
    world.mailchimp.unsubscribe_by_person("old@example.org")
    assert poll(world.runtime, world.organisation.id, audience_id)
    assert not world.is_mailable("old@example.org")
    assert open_batches(world) == 1
    world.mailchimp.behave(batch_looks=1)
    for _ in range(9):
        if run.state == "done":
            break
        run = go_on(world, run, seconds=10)
    assert (run.state, run.counts["added"], run.counts["pushed"]) == ("done", PEOPLE, PEOPLE)
    assert world.tagged() == set(people)
    assert world.mailchimp.counts()["post_batch"] == 1


@pytest.mark.parametrize("where", ["here", "there"])
def test_a_no_while_the_job_runs_stands_when_it_has_ended(world: World, where: str) -> None:
    """R2: the vendor adds them a moment after they said no."""
    people = world.people(PEOPLE)
    said = people[2]
    audience_id = world.audience()

    def say_no() -> None:
        world.mailchimp.in_a_batch()
        if where == "there" and world.mailchimp.status(said) == "subscribed":
            world.mailchimp.unsubscribe_by_person(said)
        else:
            world.withdraw(said)

    world.mailchimp.behave(batch_looks=2)
    world.mailchimp.in_a_batch(between=say_no)
    run = world.run(audience_id)
    while run.state == "queued":
        run = go_on(world, run, seconds=10)
    world.later(minutes=6)
    world.scheduled(audience_id)
    assert world.mailchimp.status(said) == "unsubscribed"
    assert not world.is_mailable(said)
    assert world.tagged() == set(people) - {said}


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_that_dies_with_a_job_under_way_loses_nothing_and_makes_no_second_job(world: World, step: str) -> None:
    people = world.people(PEOPLE)
    audience_id = world.audience()
    run_id = world.queue(audience_id)
    with pytest.raises(Killed):
        carry_out(world.runtime, world.organisation.id, run_id, reached=KillAt(step))
    world.withdraw(people[0])
    for _ in range(4):
        world.later(minutes=6)
        world.scheduled(audience_id)
    assert world.mailchimp.emails("subscribed") == set(people[1:])
    assert world.tagged() == set(people[1:])
    assert set(world.states(audience_id)) == set(people[1:])
    # Who was made known and not tagged is pushed again as a whole; no job is made a second time for anything else.
    assert world.mailchimp.counts()["post_batch"] == (2 if step == "batch stored" else 1)
    assert open_batches(world) == 0


def test_a_job_without_an_answer_is_found_and_one_that_was_refused_leaves_nobody_waiting(world: World) -> None:
    people = world.people(PEOPLE)
    audience_id = world.audience()
    world.mailchimp.fail_next(Fault.DROP_AFTER, kind="post_batch")
    assert world.run(audience_id).failure_code == "connection_lost"
    world.later(minutes=6)
    assert world.scheduled(audience_id).state == "done"
    assert world.tagged() == set(people)
    assert world.mailchimp.counts()["post_batch"] == 1
    more = world.people(PEOPLE, prefix="q")
    world.mailchimp.fail_next(Fault.FORBIDDEN, kind="post_batch")
    assert world.run(audience_id).failure_code == "forbidden"
    assert (open_batches(world), set(world.states(audience_id).values())) == (0, {"in"})
    assert world.run(audience_id).counts["added"] == PEOPLE
    assert world.tagged() == {*people, *more}


def test_whoever_has_no_result_and_a_job_the_vendor_forgot_are_looked_up_one_by_one(world: World) -> None:
    people = world.people(PEOPLE)
    audience_id = world.audience()
    world.mailchimp.in_a_batch(throttled=1, lost=2)
    assert world.run(audience_id).counts["uncertain"] == 2
    world.mailchimp.in_a_batch()
    assert world.run(audience_id).counts["read_back"] == 2
    assert world.tagged() == set(people)
    world.people(PEOPLE, prefix="q")
    world.mailchimp.behave(batch_looks=99)
    run = world.run(audience_id)
    world.mailchimp.forget_batches()
    world.mailchimp.behave(batch_looks=1)
    while run.state == "queued":
        run = go_on(world, run, seconds=10)
    assert run.state == "done"
    assert open_batches(world) == 0
    assert len(world.tagged()) == 2 * PEOPLE


def test_another_audience_of_the_list_waits_for_the_job_and_a_removed_one_takes_its_people_off(world: World) -> None:
    world.people(PEOPLE)
    audience_id = world.audience()
    world.mailchimp.behave(batch_looks=99)
    run = world.run(audience_id)
    other = world.audience(world.segment(name="Anderen"), name="Anderen", tag="Zaallicht: anderen")
    assert world.run(other).state == "queued"
    world.mailchimp.forget_batches()
    world.mailchimp.behave(batch_looks=1)
    while run.state == "queued":
        run = go_on(world, run, seconds=10)
    assert world.scheduled(other).state == "done"
