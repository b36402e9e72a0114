"""The geometry of charts: areas that are true."""

from __future__ import annotations

from math import acos, pi, sqrt

import pytest

from app.ui import charts
from app.ui.charts import Circle


def lens(a: Circle, b: Circle) -> float:
    """The area two circles share, by the textbook formula."""
    apart = abs(b.x - a.x)
    if apart >= a.radius + b.radius:
        return 0.0
    if apart <= abs(a.radius - b.radius):
        return pi * min(a.radius, b.radius) ** 2
    first = (apart**2 + a.radius**2 - b.radius**2) / (2 * apart * a.radius)
    second = (apart**2 + b.radius**2 - a.radius**2) / (2 * apart * b.radius)
    root = sqrt(
        (-apart + a.radius + b.radius)
        * (apart + a.radius - b.radius)
        * (apart - a.radius + b.radius)
        * (apart + a.radius + b.radius)
    )
    return a.radius**2 * acos(first) + b.radius**2 * acos(second) - root / 2


@pytest.mark.parametrize(
    ("only_a", "only_b", "both"),
    [(300, 60, 4), (100, 100, 100), (0, 500, 20), (10, 0, 90), (1, 1, 100_000), (5000, 7, 3)],
)
def test_circles_and_their_overlap_are_in_proportion(only_a: int, only_b: int, both: int) -> None:
    a, b = charts.venn(only_a, only_b, both)
    unit = pi * a.radius**2 / (only_a + both)
    assert pi * b.radius**2 / unit == pytest.approx(only_b + both, rel=0.03)
    assert lens(a, b) / unit == pytest.approx(both, rel=0.05, abs=0.01 * (only_a + only_b + both))


@pytest.mark.parametrize(("only_a", "only_b", "both"), [(300, 60, 0), (0, 0, 40), (9, 0, 0), (1, 100_000, 0)])
def test_circles_fit_their_box(only_a: int, only_b: int, both: int) -> None:
    for circle in charts.venn(only_a, only_b, both, width=320, height=200):
        assert circle.x - circle.radius >= -0.05
        assert circle.x + circle.radius <= 320.05
        assert circle.radius <= 100.05
    a, b = charts.venn(only_a, only_b, both)
    if not both:
        assert abs(b.x - a.x) >= a.radius + b.radius


def test_nothing_to_compare_draws_nothing() -> None:
    assert [circle.radius for circle in charts.venn(0, 0, 0)] == [0.0, 0.0]


def test_an_area_begins_at_zero_and_spans_the_box() -> None:
    assert charts.area([0, 5, 10], width=100, height=50) == "0,50 0.0,50.0 50.0,25.0 100.0,0.0 100,50"
    assert charts.area([0, 0], width=100, height=50) == "0,50 0.0,50.0 100.0,50.0 100,50"
    assert charts.area([4], width=100, height=50) == "0,50 0.0,0.0 100.0,0.0 100,50"
    assert charts.area([]) == ""


def test_an_interval_lies_on_a_line_that_holds_zero_as_well() -> None:
    above = charts.reach(0.01, 0.03, 0.05, width=600, margin=10)
    assert (above.zero, above.high) == (10, 590)
    assert above.zero < above.low < above.estimate < above.high
    around = charts.reach(-0.02, 0.0, 0.02)
    assert around.estimate == around.zero == 300
    nothing = charts.reach(0, 0, 0, width=600)
    assert (nothing.low, nothing.high) == (300, 300)
