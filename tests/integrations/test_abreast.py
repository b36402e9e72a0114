"""Calls side by side keep their order, their limit, and what they found out before one of them failed."""

from __future__ import annotations

import threading

import pytest

from integrations.abreast import abreast
from integrations.base import Permanent, Transient


def test_answers_come_in_the_order_of_the_questions_whoever_is_first_done() -> None:
    second_is_done = threading.Event()

    def call(number: int) -> int:
        if number == 1:
            assert second_is_done.wait(5)
        if number == 2:
            second_is_done.set()
        return number

    assert list(abreast(call, range(1, 9), width=2)) == list(range(1, 9))


def test_the_first_failure_is_raised_after_the_answers_of_what_was_under_way() -> None:
    all_started = threading.Barrier(3, timeout=5)
    started: list[int] = []

    def call(number: int) -> int:
        started.append(number)
        all_started.wait()
        if number == 1:
            raise Transient("rate_limited")
        if number == 2:
            raise Permanent("refused")
        return number

    answers: list[int] = []
    with pytest.raises(Transient):
        answers.extend(abreast(call, range(1, 100), width=3))
    assert sorted(started) == [1, 2, 3]


def test_answers_that_came_before_and_beside_a_failure_are_not_lost() -> None:
    beside = threading.Event()

    def call(number: int) -> int:
        if number == 3:
            assert beside.wait(5)
            raise Transient("rate_limited")
        if number == 4:
            beside.set()
        return number

    answers: list[int] = []
    with pytest.raises(Transient):
        answers.extend(abreast(call, range(1, 100), width=2))
    assert answers == [1, 2, 4]


def test_a_defect_is_not_swallowed() -> None:
    def call(number: int) -> int:
        raise ZeroDivisionError(number)

    with pytest.raises(ZeroDivisionError):
        list(abreast(call, range(3), width=2))


def test_who_stops_listening_stops_the_calls() -> None:
    started: list[int] = []

    def call(number: int) -> int:
        started.append(number)
        return number

    stream = abreast(call, range(1_000), width=2)
    assert next(stream) == 0
    stream.close()
    assert len(started) <= 4
