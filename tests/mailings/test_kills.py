"""A worker may be killed between any two steps of a hand-over: at most one mail, and none lost unseen (I21)."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.db import make_engine
from app.mailings.sending import send_due
from app.runtime import Runtime
from tests.mailings.house_with_post import PLAIN_WRITERS, HouseWithPost

# Every step a worker may die after, in their order; a test proves the list complete.
STEPS = ("reserved", "connected", "written", "claimed", "handed over", "answered")
CERTAIN = {"reserved", "connected", "written", "claimed"}
AN = "an@example.org"


def killed_at(house: HouseWithPost, step: str) -> None:
    """A real process that sends, and a real SIGKILL when it reaches the step."""
    with warnings.catch_warnings():
        # Newer Pythons warn of forking with threads about; the child does nothing but what it is forked for.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _send_until(house, step)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def _send_until(house: HouseWithPost, step: str) -> None:
    def kill(reached: str) -> None:
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        # The parent's connections are not ours to use: a pool of our own.
        engine = make_engine(house.runtime.engine.url.render_as_string(hide_password=False))
        runtime = Runtime(house.runtime.settings, house.runtime.keyring, engine)
        send_due(runtime, house.organisation.id, writers=PLAIN_WRITERS, reached=kill)
    finally:
        os._exit(1)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["mailing", "journey", "letter"])
def test_whatever_the_moment_nobody_gets_it_twice_and_nobody_is_forgotten(
    house: HouseWithPost, step: str, kind: str
) -> None:
    """I21"""
    if kind == "letter":
        house.ask(to=AN)
    else:
        house.mail_to(house.person(AN), kind="campaign" if kind == "mailing" else kind)
    killed_at(house, step)
    was_sent = len(house.relay.delivered)
    assert was_sent == (1 if step == "answered" else 0)
    for minutes in (1, 3, 11, 60):
        house.send(later=timedelta(minutes=minutes))
    if step in CERTAIN:
        assert house.recipients() == [AN]
        assert house.states() == ["accepted"]
    else:
        assert len(house.relay.delivered) == was_sent, "never sent again by itself"
        assert house.states() == ["uncertain"]
        assert house.delivery().problem_code == "interrupted"


@pytest.mark.parametrize("step", STEPS)
def test_a_batch_that_is_killed_reaches_everybody_once_or_is_listed(house: HouseWithPost, step: str) -> None:
    """I21"""
    addresses = [f"an{number}@huis{number}.example" for number in range(12)]
    house.mail_to(*(house.person(address) for address in addresses))
    killed_at(house, step)
    was_sent = len(house.relay.delivered)
    for minutes in (1, 3, 11, 60):
        house.send(later=timedelta(minutes=minutes))
    states = house.states()
    assert len(house.recipients()) == len(set(house.recipients())), "nobody twice"
    assert set(states) <= {"accepted", "uncertain"}, "nobody is forgotten"
    assert states.count("accepted") + states.count("uncertain") == 12
    if step in CERTAIN:
        assert sorted(house.recipients()) == sorted(addresses)
        assert "uncertain" not in states
    else:
        assert states.count("uncertain") >= max(was_sent, 1), "whatever may have left is looked at by a person"


def test_a_worker_that_dies_before_the_relay_answers_leaves_an_uncertain_mail(house: HouseWithPost) -> None:
    """I21"""
    house.mail_to(house.person(AN))
    children: list[int] = []
    is_known = threading.Event()

    def kill() -> None:
        is_known.wait(timeout=30)
        os.kill(children[0], signal.SIGKILL)

    # The relay has the mail, and kills the worker instead of answering it.
    house.relay.at_dot = kill
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _send_until(house, "a step that is none")
    children.append(child)
    is_known.set()
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    house.relay.at_dot = lambda: None
    for minutes in (1, 11, 60):
        house.send(later=timedelta(minutes=minutes))
    assert house.recipients() == [AN]
    assert house.states() == ["uncertain"]


def test_a_no_spoken_after_the_kill_is_kept(house: HouseWithPost) -> None:
    """I1 I21"""
    house.mail_to(house.person(AN))
    killed_at(house, "claimed")
    house.withdraw(AN, actor="import")
    for minutes in (1, 3, 11):
        house.send(later=timedelta(minutes=minutes))
    assert house.recipients() == []
    assert house.states() == ["cancelled"]


def test_the_list_of_steps_is_complete(house: HouseWithPost) -> None:
    seen: list[str] = []
    house.ask()
    house.send(reached=seen.append)
    assert tuple(seen) == STEPS


def test_a_worker_that_was_only_slow_stops_before_it_does_harm(house: HouseWithPost) -> None:
    """I21"""
    house.mail_to(house.person(AN))
    others: list[Callable[[], int]] = [lambda: house.send(later=timedelta(minutes=1))]

    def overtaken(step: str) -> None:
        if step == "claimed" and others:
            others.pop()()  # the claim has run out meanwhile, and another worker sends

    house.send(reached=overtaken)
    assert house.recipients() == [AN]
    assert house.states() == ["accepted"]


def test_an_answer_that_comes_very_late_is_still_noted(house: HouseWithPost) -> None:
    house.mail_to(house.person(AN))

    def lapse(step: str) -> None:
        if step == "answered":
            house.send(later=timedelta(minutes=11))
            assert house.states() == ["uncertain"]

    house.send(reached=lapse)
    assert house.states() == ["accepted"]


def test_two_workers_share_what_is_due_and_send_nothing_twice(house: HouseWithPost) -> None:
    for number in range(30):
        house.ask(to=f"an{number}@example.org")
    seen: list[str] = []

    def meanwhile(step: str) -> None:
        seen.append(step)
        if step == "reserved" and seen.count("reserved") == 1:
            house.send()

    house.send(reached=meanwhile)
    assert sorted(house.recipients()) == sorted(f"an{number}@example.org" for number in range(30))
    assert set(house.states()) == {"accepted"}
