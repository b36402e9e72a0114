"""Counting how often: shared by all processes, gone when it weighs nothing, and by hash only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.accounts.models import RateCount
from app.accounts.rate_limits import Limit, admit, network_of
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import NOW

THREE = Limit("test", 3, timedelta(minutes=10))


def tried(runtime: Runtime, about: str = "here", limit: Limit = THREE) -> bool:
    """Whether one more was admitted, each in a transaction of its own."""
    try:
        with transaction(runtime.engine, None) as session:
            if admit(session, runtime.keyring, {limit: about}) is not None:
                raise LookupError
    except LookupError:
        return False
    return True


def test_so_many_pass_and_the_next_waits(runtime: Runtime) -> None:
    assert [tried(runtime) for _ in range(5)] == [True, True, True, False, False]
    assert tried(runtime, about="elsewhere")


def test_the_window_slides_so_that_a_border_lets_no_second_load_through(runtime: Runtime) -> None:
    with clock.set_to(NOW + timedelta(minutes=9)):
        assert [tried(runtime) for _ in range(3)] == [True] * 3
    with clock.set_to(NOW + timedelta(minutes=11)):
        assert [tried(runtime) for _ in range(2)] == [False, False]
    with clock.set_to(NOW + timedelta(minutes=20)):
        assert tried(runtime)


def test_no_address_is_kept_and_nothing_once_it_weighs_nothing(runtime: Runtime) -> None:
    assert tried(runtime, about="192.0.2.7")
    with transaction(runtime.engine, None) as session:
        (row,) = session.scalars(select(RateCount)).all()
        assert b"192.0.2.7" not in bytes(row.bucket_hash)
    with clock.set_to(NOW + timedelta(minutes=21)):
        assert tried(runtime, about="198.51.100.1")
    with transaction(runtime.engine, None) as session:
        assert len(session.scalars(select(RateCount)).all()) == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::3", "20010db800010002"),
        ("2001:db8:1:2:ffff::9", "20010db800010002"),
        ("fe80::1%eth0", "fe80000000000000"),
        ("", ""),
    ],
)
def test_a_household_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network
