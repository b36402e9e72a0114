"""A house that can send, for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.accounts.models import Organisation
from app.runtime import Runtime
from tests.mailings.house_with_post import HouseWithPost
from tests.standins.smtp import SmtpStandIn


@pytest.fixture
def relay() -> Iterator[SmtpStandIn]:
    """A relay on loopback; the test fails where the house broke the protocol."""
    with SmtpStandIn() as standin:
        yield standin
    assert standin.violations == []


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation, relay: SmtpStandIn) -> HouseWithPost:
    """De Proef, with everything it needs to send."""
    return HouseWithPost(runtime, organisation, relay)
