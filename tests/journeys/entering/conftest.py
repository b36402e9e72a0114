"""The house in which things happen."""

from __future__ import annotations

import pytest

from app.accounts.models import Organisation
from app.runtime import Runtime
from tests.journeys.entering.house import House
from tests.journeys.moving.house import Walks


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> House:
    return House(runtime, organisation)


@pytest.fixture
def walks(runtime: Runtime, organisation: Organisation) -> Walks:
    return Walks(runtime, organisation)
