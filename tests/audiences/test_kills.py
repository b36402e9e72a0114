"""A worker may die between any two steps of a run: the next run repairs, and nobody was pushed without a decision."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.audiences.models import AudienceMember
from app.consent.models import ConsentEvent
from tests.audiences.world import World
from tests.consent.people import a_grant, a_withdrawal

STAYS, LEAVES, SAYS_NO, OPTED_OUT, NEW = (f"{name}@example.org" for name in ("an", "bo", "cis", "dirk", "els"))

# Every step a run may die after, in the order of docs/developers/audiences.md. A test below proves the list complete.
STEPS = (
    "begun",
    "inbox drained",
    "read back",
    "read back stored",
    "page read",
    "opt-outs committed",
    "cursor moved",
    "looked",
    "noes announced",
    "unsubscribed there",
    "noes stored",
    "announcements asked for",
    "planned",
    "tag made",
    "claimed",
    "made known",
    "results stored",
    "claimed for the tag",
    "tagged",
    "tags stored",
    "tag taken off",
    "leavers stored",
    "ended",
)


class Killed(BaseException):
    """What a kill looks like from the inside: nothing that handles errors sees it."""


class KillAt:
    """Dies at a step, the nth time it is reached; remembers what was reached."""

    def __init__(self, step: str | None = None, *, nth: int = 1) -> None:
        self.step, self.left, self.reached = step, nth, []

    def __call__(self, step: str) -> None:
        self.reached.append(step)
        if step == self.step:
            self.left -= 1
            if self.left == 0:
                raise Killed


def eventful(world: World) -> int:
    """An audience whose next run has something to do at every step."""
    world.person(STAYS, given_name="An")
    for email in (LEAVES, SAYS_NO, OPTED_OUT):
        world.person(email)
    audience_id = world.audience()
    world.run(audience_id)
    with world.transaction() as session:
        from app.contacts.models import Contact

        session.get_one(Contact, (world.organisation.id, world.contacts[LEAVES])).tags = []
        session.get_one(Contact, (world.organisation.id, world.contacts[STAYS])).given_name = "Anna"
    world.withdraw(SAYS_NO)
    world.mailchimp.unsubscribe_by_person(OPTED_OUT)
    world.person(NEW)
    world.later(minutes=20)
    return audience_id


def assert_in_step(world: World, audience_id: int) -> None:
    assert world.states(audience_id) == {STAYS: "in", NEW: "in"}
    assert world.tagged() - {OPTED_OUT} == {STAYS, NEW}
    assert world.mailchimp.emails("subscribed") == {STAYS, LEAVES, NEW}
    assert world.mailchimp.fields(STAYS)["FNAME"] == "Anna"
    with world.transaction() as session:
        said = session.scalars(
            select(ConsentEvent.source)
            .where(ConsentEvent.contact_id == world.contacts[OPTED_OUT])
            .order_by(ConsentEvent.id)
        ).all()
    assert said == ["website", "mailchimp"]


@pytest.mark.parametrize("step", [step for step in STEPS if step not in ("announcements asked for", "tag made")])
def test_a_run_that_is_killed_after_any_step_is_repaired_by_the_next(world: World, step: str) -> None:
    audience_id = eventful(world)
    if step.startswith("read back"):
        die(world, audience_id, "claimed")
        world.later(minutes=6)
    die(world, audience_id, step)
    decided = [member for member in world.members(audience_id) if member.state in ("in", "claimed")]
    assert all(member.permission_event_id is not None for member in decided)
    assert world.mailchimp.status(OPTED_OUT) == "unsubscribed"
    world.later(minutes=6)
    run = world.run(audience_id)
    assert (run.state, run.failure_code) == ("done", None)
    assert_in_step(world, audience_id)


@pytest.mark.parametrize(
    "step", ["tag made", "claimed", "made known", "results stored", "claimed for the tag", "tagged"]
)
def test_a_first_push_that_is_killed_goes_on_without_asking_again(world: World, step: str) -> None:
    emails = set(world.people(3))
    audience_id = world.audience()
    die(world, audience_id, step)
    world.later(minutes=6)
    assert world.scheduled(audience_id).state == "done"
    assert (set(world.states(audience_id)), world.tagged()) == (emails, emails)


@pytest.mark.parametrize("step", ["claimed", "made known", "results stored", "claimed for the tag", "tagged"])
def test_a_no_spoken_after_the_kill_is_kept_by_the_repair(world: World, step: str) -> None:
    world.person(STAYS)
    world.person(SAYS_NO)
    audience_id = world.audience()
    die(world, audience_id, step)
    world.withdraw(SAYS_NO)
    world.later(minutes=6)
    world.scheduled(audience_id)
    assert world.mailchimp.emails("subscribed") == {STAYS}
    assert world.mailchimp.status(SAYS_NO) in ("absent", "unsubscribed")
    assert set(world.states(audience_id)) == {STAYS}


def test_a_yes_given_after_the_kill_is_kept_by_the_repair(world: World) -> None:
    """We meant to opt somebody out there and died first; meanwhile they came back by themselves."""
    world.person(STAYS)
    audience_id = world.audience()
    world.run(audience_id)
    world.withdraw(STAYS)
    die(world, audience_id, "noes announced")
    world.later(minutes=6)
    world.record(a_grant(STAYS, occurred_at=world.now))
    assert world.is_mailable(STAYS)
    run = world.run(audience_id)
    assert (run.state, world.mailchimp.status(STAYS), world.tagged()) == ("done", "subscribed", {STAYS})


def test_the_list_of_steps_is_complete(world: World) -> None:
    audience_id = eventful(world)
    watch = KillAt()
    world.run(audience_id, reached=watch)
    first = KillAt()
    world.run(world.audience(world.segment(name="Nog een"), name="Nog een", tag="Nog een"), reached=first)
    reached = set(watch.reached) | set(first.reached) | {"read back", "read back stored", "announcements asked for"}
    assert reached == set(STEPS)


def test_the_run_that_was_killed_is_told_apart(world: World) -> None:
    world.people(2)
    audience_id = world.audience()
    run_id = die(world, audience_id, "claimed")
    assert world.run_row(run_id).state == "running"
    world.later(minutes=6)
    world.scheduled(audience_id)
    assert world.run_row(run_id).state == "abandoned"


def test_a_lost_lease_stops_the_run_before_it_changes_anything_more(world: World) -> None:
    """A worker that hung for longer than its lease wakes up after another one did the work."""
    world.people(2)
    audience_id = world.audience()

    def overtaken(step: str) -> None:
        if step == "claimed":
            world.later(minutes=6)
            assert world.scheduled(audience_id).state == "done"

    run = world.run(audience_id, reached=overtaken)
    assert run.state == "abandoned"
    with world.transaction() as session:
        states = session.scalars(select(AudienceMember.state)).all()
    assert states == ["in", "in"]


def test_an_opt_out_recorded_twice_at_once_stands_once(world: World) -> None:
    audience_id = eventful(world)
    world.record(a_withdrawal(OPTED_OUT, purpose="newsletter", source="mailchimp", method="destination"))
    world.run(audience_id)
    assert not world.is_mailable(OPTED_OUT)


def die(world: World, audience_id: int, step: str) -> int:
    """Run and die after a step; returns the id of the run that was killed."""
    run_id = world.queue(audience_id)
    from app.audiences.engine import carry_out

    kill = KillAt(step)
    with pytest.raises(Killed):
        carry_out(world.runtime, world.organisation.id, run_id, reached=kill)
    return run_id
