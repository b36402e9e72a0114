"""The house of journeys, for the tests of pages, simulations and rehearsals."""

from __future__ import annotations

import pytest

from app.accounts.models import Organisation
from app.runtime import Runtime
from tests.journeys.moving.house import Walks


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> Walks:
    return Walks(runtime, organisation)
