"""The table of systems that can be connected."""

from __future__ import annotations

import pytest

from integrations.base import Permanent
from integrations.catalogue import SYSTEMS, System, system_named


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda system: system.system)
def test_every_system_opens_what_its_kind_says_and_asks_for_something_secret(system: System) -> None:
    assert (system.open_source is None) == (system.kind == "destination")
    assert (system.open_destination is None) == (system.kind == "source")
    assert system.capabilities.system == system.system
    assert any(field.is_secret for field in system.fields)
    assert all(field.label.strip() for field in system.fields)
    assert not any(field.is_secret and field.default for field in system.fields)


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda system: system.system)
def test_opening_a_system_asks_the_network_nothing(system: System) -> None:
    values = {field.name: field.default or "stadstheater-us1" for field in system.fields}
    opener = system.open_source or system.open_destination
    assert opener is not None
    opened = opener(values, values, False)
    assert opened.capabilities == system.capabilities


def test_a_system_nobody_knows_is_refused() -> None:
    with pytest.raises(Permanent, match="unknown_system"):
        system_named("fax")
