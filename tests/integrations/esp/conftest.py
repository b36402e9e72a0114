"""The rigs on which connectors are tested."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integrations.esp.mailchimp_rig import MailChimpRig
from tests.standins.mailchimp import MailChimpStandIn


@pytest.fixture
def mailchimp_rig(mailchimp_standin: MailChimpStandIn) -> Iterator[MailChimpRig]:
    """The connector on its stand-in; the test fails where any request carried a status but ``unsubscribed``."""
    rig = MailChimpRig(mailchimp_standin)
    yield rig
    rig.close()
    bodies = [recorded.body for recorded in mailchimp_standin.requests if isinstance(recorded.body, dict)]
    assert {body["status"] for body in bodies if "status" in body} <= {"unsubscribed"}
