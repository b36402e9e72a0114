"""The gallery of components, and who looks at it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.ui.gallery import make_gallery, make_viewer


@pytest.fixture
def gallery() -> FlaskClient:
    """The gallery as an administrator who reads English sees it."""
    return make_gallery(make_viewer(language="en")).test_client()


@pytest.fixture
def visitor() -> FlaskClient:
    """Somebody who is not signed in."""
    return make_gallery(None).test_client()
