"""Slowing down whoever guesses passwords."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from app import clock
from app.accounts.login_attempts import PER_ACCOUNT_MAX, PER_PLACE_MAX, WINDOW, admit_attempt, forget_attempts
from app.accounts.models import LoginAttempt
from app.db import transaction
from app.runtime import Runtime


def attempt(runtime: Runtime, email: str = "robin@example.org", place: str = "192.0.2.1") -> timedelta | None:
    with transaction(runtime.engine, None) as session:
        return admit_attempt(session, runtime.keyring, email=email, place=place)


def test_an_address_is_tried_so_often_and_then_no_more(runtime: Runtime) -> None:
    assert [attempt(runtime, place=f"192.0.2.{n}") for n in range(PER_ACCOUNT_MAX)] == [None] * PER_ACCOUNT_MAX
    assert attempt(runtime, place="198.51.100.7") == WINDOW
    assert attempt(runtime, email=" ROBIN@example.org ") == WINDOW


def test_other_addresses_are_not_held_up(runtime: Runtime) -> None:
    for _ in range(PER_ACCOUNT_MAX):
        attempt(runtime)
    assert attempt(runtime, email="kim@example.org") is None


def test_one_place_cannot_try_many_addresses(runtime: Runtime) -> None:
    for number in range(PER_PLACE_MAX):
        assert attempt(runtime, email=f"person{number}@example.org") is None
    assert attempt(runtime, email="another@example.org") == WINDOW
    assert attempt(runtime, email="another@example.org", place="198.51.100.7") is None


def test_waiting_helps_and_trying_meanwhile_does_not_make_it_longer(runtime: Runtime) -> None:
    for _ in range(PER_ACCOUNT_MAX):
        attempt(runtime)
    later = clock.now() + timedelta(minutes=10)
    with clock.set_to(later):
        assert attempt(runtime) == WINDOW - timedelta(minutes=10)
    with clock.set_to(later + timedelta(minutes=5)):
        assert attempt(runtime) is None


def test_a_right_password_begins_the_count_anew(runtime: Runtime) -> None:
    for _ in range(PER_ACCOUNT_MAX):
        attempt(runtime)
    with transaction(runtime.engine, None) as session:
        forget_attempts(session, runtime.keyring, email="Robin@example.org")
    assert attempt(runtime) is None


def test_old_attempts_are_not_kept(runtime: Runtime) -> None:
    attempt(runtime)
    with clock.set_to(clock.now() + WINDOW):
        attempt(runtime, email="kim@example.org")
    with transaction(runtime.engine, None) as session:
        assert session.scalar(select(func.count()).select_from(LoginAttempt)) == 2
