"""Fixtures that serve the stand-ins; the conftest at the top loads them as a plugin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standins.mailchimp import MailChimpStandIn


@pytest.fixture
def mailchimp_standin() -> Iterator[MailChimpStandIn]:
    """A MailChimp on loopback; the test fails where a request or an answer broke the vendor's contract."""
    with MailChimpStandIn() as standin:
        yield standin
    assert standin.violations == []
