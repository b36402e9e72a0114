"""What happens by itself: due runs, polls in between, and the worker that dies for real."""

from __future__ import annotations

import os
import signal
import warnings

from app.audiences.beat import keep_audiences
from app.audiences.runs import latest_runs, queued_runs
from app.db import make_engine
from app.runtime import Runtime
from app.worker import HEARTBEATS, HOOK_PROCESSORS
from tests.audiences.world import World

AN = "an@example.org"


def beat(world: World) -> int:
    return keep_audiences(world.runtime, world.organisation.id)


def test_audiences_have_a_heartbeat_and_mailchimp_a_reader_of_its_webhooks() -> None:
    assert "audiences" in {heartbeat.name for heartbeat in HEARTBEATS}
    assert "mailchimp" in HOOK_PROCESSORS


def test_a_draft_is_left_alone(world: World) -> None:
    world.people(2)
    world.audience()
    assert beat(world) == 0
    assert world.mailchimp.requests == []


def test_an_active_audience_is_kept_in_step_by_itself(world: World) -> None:
    world.people(10)
    audience_id = world.audience()
    world.run(audience_id)
    world.person(AN)
    assert beat(world) == 0, "nothing is due yet"
    world.later(minutes=16)
    assert beat(world) >= 1
    assert AN in world.tagged()


def test_an_audience_that_waits_for_a_person_is_only_polled(world: World) -> None:
    emails = world.people(5)
    audience_id = world.audience()
    world.run(audience_id)
    world.people(5, prefix="q")
    world.later(minutes=16)
    beat(world)
    with world.transaction() as session:
        waiting = latest_runs(session, [audience_id])[audience_id]
    assert waiting.state == "braked"
    world.mailchimp.unsubscribe_by_person(emails[0])
    world.later(minutes=16)
    beat(world)
    with world.transaction() as session:
        assert latest_runs(session, [audience_id])[audience_id].id == waiting.id
        assert queued_runs(session) == []
    assert not world.is_mailable(emails[0])


def test_a_failing_mail_system_is_not_asked_every_few_seconds(world: World) -> None:
    from tests.standins.mailchimp import Fault

    world.person(AN)
    audience_id = world.audience()
    world.run(audience_id)
    world.later(minutes=6)
    world.mailchimp.fail_next(Fault.SERVER_ERROR, times=500)
    beat(world)
    asked = len(world.mailchimp.requests)
    world.later(seconds=10)
    beat(world)
    assert len(world.mailchimp.requests) == asked
    world.mailchimp.recover()
    world.later(minutes=6)
    assert beat(world) == 1


def test_a_worker_that_is_killed_in_the_middle_of_a_push_loses_nothing(world: World) -> None:
    """A real process, a real SIGKILL, between the hand-over and storing what came of it."""
    emails = set(world.people(4))
    audience_id = world.audience()
    run_id = world.queue(audience_id)
    with warnings.catch_warnings():
        # Newer Pythons warn of forking with threads about; the child does nothing but what it is forked for.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _die_after(world, run_id, "made known")
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert set(world.states(audience_id).values()) == {"claimed"}
    world.later(minutes=6)
    world.withdraw("p0000@example.org")
    assert world.scheduled(audience_id).state == "done"
    assert world.tagged() == emails - {"p0000@example.org"}
    assert world.mailchimp.status("p0000@example.org") == "unsubscribed"


def _die_after(world: World, run_id: int, step: str) -> None:
    from app.audiences.engine import carry_out

    def kill(reached: str) -> None:
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        # The parent's connections are not ours to use: a pool of our own.
        engine = make_engine(world.runtime.engine.url.render_as_string(hide_password=False))
        world.guards_transactions = False
        carry_out(
            Runtime(world.runtime.settings, world.runtime.keyring, engine),
            world.organisation.id,
            run_id,
            reached=kill,
        )
    finally:
        os._exit(1)
