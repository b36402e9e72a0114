"""Steps of a push against a no, in every order; gated by the steps themselves, never by sleeping."""

from __future__ import annotations

import threading

import pytest

from app import clock
from app.audiences.engine import carry_out
from tests.audiences.world import World

AN, BO = "an@example.org", "bo@example.org"
PUSH_STEPS = ("planned", "tag made", "claimed", "made known", "results stored", "claimed for the tag", "tagged")


@pytest.mark.parametrize("step", PUSH_STEPS)
def test_a_no_spoken_here_at_any_step_of_a_push_ends_as_a_no_there(world: World, step: str) -> None:
    """Before the claim the gate stops it; between claim and hand-over it is carried out there in the same run."""
    world.person(AN)
    world.person(BO)
    audience_id = world.audience()
    spoken: list[str] = []

    def speak(reached: str) -> None:
        if reached == step and not spoken:
            spoken.append(reached)
            world.withdraw(AN)

    run = world.run(audience_id, reached=speak)
    assert (run.state, spoken) == ("done", [step])
    assert world.mailchimp.emails("subscribed") == {BO}
    is_before_claim = step in ("planned", "tag made")
    assert world.mailchimp.status(AN) == ("absent" if is_before_claim else "unsubscribed")
    assert world.states(audience_id) == {BO: "in"}
    assert run.counts.get("denied_at_gate", 0) == (1 if step in PUSH_STEPS[:5] else 0)


@pytest.mark.parametrize("step", PUSH_STEPS)
def test_a_no_spoken_there_at_any_step_of_a_push_is_never_undone(world: World, step: str) -> None:
    world.person(AN)
    world.mailchimp.add_member(AN)
    audience_id = world.audience()
    spoken: list[str] = []

    def speak(reached: str) -> None:
        if reached == step and not spoken:
            spoken.append(reached)
            world.mailchimp.unsubscribe_by_admin(AN)

    world.run(audience_id, reached=speak)
    assert spoken == [step]
    world.later(minutes=20)
    world.run(audience_id)
    assert world.mailchimp.status(AN) == "unsubscribed"
    assert world.mailchimp.opted_out_by(AN) == "admin"
    assert (world.is_mailable(AN), world.states(audience_id)) == (False, {})


def test_a_withdrawal_waits_for_the_claim_and_acts_right_after_it(world: World) -> None:
    """The claim's transaction holds the locks; the withdrawal commits after it, and is carried out there."""
    world.person(AN)
    audience_id = world.audience()
    withdrawn = threading.Event()

    def withdraw() -> None:
        with clock.set_to(world.now):
            world.withdraw(AN)
        withdrawn.set()

    def speak(reached: str) -> None:
        if reached == "claimed":
            other = threading.Thread(target=withdraw)
            other.start()
            other.join(timeout=10)

    world.run(audience_id, reached=speak)
    assert withdrawn.is_set()
    assert world.mailchimp.status(AN) == "unsubscribed"


def test_one_writer_per_audience_and_per_list(world: World) -> None:
    """A second worker finds the run taken; a second audience on the same list has to wait as well."""
    world.people(2)
    segment_id = world.segment()
    one = world.audience(segment_id)
    two = world.audience(segment_id, name="Twee", tag="Twee")
    tried: list[tuple[bool, bool]] = []
    other_run = world.queue(two)

    def try_too(reached: str) -> None:
        if reached == "claimed" and not tried:
            again = world.queue(one)
            house = world.organisation.id
            tried.append((carry_out(world.runtime, house, again), carry_out(world.runtime, house, other_run)))

    world.run(one, reached=try_too)
    assert tried == [(False, False)]
    assert carry_out(world.runtime, world.organisation.id, other_run)
    assert world.run_row(other_run).state == "done"


def test_two_workers_that_start_at_the_same_moment_do_the_work_once(world: World) -> None:
    world.people(3)
    audience_id = world.audience()
    run_id = world.queue(audience_id)
    gate = threading.Barrier(2, timeout=10)
    begun: list[bool] = []

    def work() -> None:
        with clock.set_to(world.now):
            gate.wait()
            begun.append(carry_out(world.runtime, world.organisation.id, run_id))

    # Two threads hold connections of the same pool, so that the guard against open transactions cannot tell whose.
    world.guards_transactions = False
    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert sorted(begun) == [False, True]
    assert world.pushes() == 3
