"""A connected pretix, on a stand-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.db import transaction
from app.runtime import Runtime
from app.sync.connections import create_connection, hook_url, read_settings
from app.sync.models import Connection
from tests.standins.pretix import PretixStandin

Connect = Callable[..., Connection]


@pytest.fixture
def connect(runtime: Runtime, organisation: Organisation) -> Connect:
    """A function that connects a house (De Proef, unless another is given) to a stand-in."""

    def connect_to(standin: PretixStandin, *, organisation_id: int = organisation.id, **settings: Any) -> Connection:
        house = standin.house
        filled = read_settings(
            "pretix",
            {"base_url": standin.url, "organizer": house.organizer, **settings},
            {"token": house.token},
            allows_loopback=True,
        )
        with transaction(runtime.engine, organisation_id) as session:
            return create_connection(session, runtime.keyring, filled, name="De kassa", actor=SYSTEM)

    return connect_to


@pytest.fixture
def hook_path(runtime: Runtime) -> Callable[[Connection], str]:
    """A function that returns the path of a connection's webhook address."""
    return lambda connection: hook_url(runtime.keyring, connection, base_url="")
