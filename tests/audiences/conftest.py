"""A world per test: a house, its people, and a MailChimp on loopback that keeps MailChimp's rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.accounts.models import Organisation
from app.runtime import Runtime
from integrations import catalogue
from tests.audiences.world import World
from tests.standins.mailchimp import MailChimpStandIn


@pytest.fixture
def world(
    runtime: Runtime,
    organisation: Organisation,
    mailchimp_standin: MailChimpStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    made = World(runtime, organisation, mailchimp_standin)
    guarded = replace(catalogue.MAILCHIMP, open_destination=made.open_destination)
    monkeypatch.setitem(catalogue.SYSTEMS, "mailchimp", guarded)  # type: ignore[arg-type]
    yield made
    made.close()
