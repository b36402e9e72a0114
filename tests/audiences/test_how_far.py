"""How far a push is told to be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.audiences.how_far import HowFar, how_far
from tests.conftest import NOW

BEGAN = {"push_began_at": NOW.isoformat()}


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({}, None),
        ({"to_push": 0, **BEGAN}, None),
        ({"to_push": 1000, **BEGAN}, HowFar(0, 1000, None)),
        ({"to_push": 1000, "pushed": 9, **BEGAN}, HowFar(9, 1000, None)),
        ({"to_push": 1000, "pushed": 250, **BEGAN}, HowFar(250, 1000, 300.0)),
        ({"to_push": 1000, "pushed": 100, "in_batch": 150, **BEGAN}, HowFar(250, 1000, 300.0)),
        ({"to_push": 1000, "pushed": 1400, **BEGAN}, HowFar(1000, 1000, 0.0)),
    ],
)
def test_the_rest_takes_as_long_as_the_pace_so_far_says(counts: dict[str, Any], told: HowFar | None) -> None:
    assert how_far(counts, at=NOW + timedelta(seconds=100)) == told
