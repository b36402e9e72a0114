"""Fixtures that start a stand-in and stop it again; imported by tests/conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standins.pretix import PretixStandin
from tests.standins.pretix_house import CapturedHouse, captures_folder, invented_house


@pytest.fixture
def pretix_standin() -> Iterator[PretixStandin]:
    """An invented box office with 137 orders, on loopback."""
    with PretixStandin(invented_house()) as standin:
        yield standin


@pytest.fixture
def captured_pretix() -> Iterator[PretixStandin]:
    """The box office of the real captures, on loopback; its ``house`` is a ``CapturedHouse``."""
    with PretixStandin(CapturedHouse(captures_folder())) as standin:
        yield standin
