"""The geometry of small charts. Templates draw them as inline SVG, so that no script and no style is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import acos, pi, sqrt


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in the units of the chart's view box; y runs down."""

    x: float
    y: float
    width: float
    height: float
    value: float


def bars(values: Sequence[float], *, width: float = 300, height: float = 80, gap_share: float = 0.25) -> list[Bar]:
    """Return upright bars that fill a box; zero draws nothing, any other value at least one unit high.

    Negative values count as zero.
    """
    if not values:
        return []
    highest = max(*values, 0)
    step = width / len(values)
    made = []
    for index, value in enumerate(values):
        tall = max(value / highest * height, 1.0) if value > 0 else 0.0
        left = index * step + step * gap_share / 2
        made.append(
            Bar(round(left, 2), round(height - tall, 2), round(step * (1 - gap_share), 2), round(tall, 2), value)
        )
    return made


@dataclass(frozen=True, slots=True)
class Reach:
    """An estimate with its interval on a line, in the units of the chart's view box: where each lies, and zero."""

    low: float
    estimate: float
    high: float
    zero: float


def reach(low: float, estimate: float, high: float, *, width: float = 600, margin: float = 12) -> Reach:
    """Return where an interval and its estimate lie on a line that holds zero as well, with room on both sides."""
    first, last = min(low, 0.0), max(high, 0.0)
    scale = (width - 2 * margin) / (last - first) if last > first else 0.0
    at = [round(margin + (each - first) * scale, 2) if scale else width / 2 for each in (low, estimate, high, 0.0)]
    return Reach(*at)


def sparkline(values: Sequence[float], *, width: float = 120, height: float = 28, margin: float = 2) -> str:
    """Return the ``points`` of a polyline through the values; a flat row of values lies in the middle."""
    if not values:
        return ""
    lowest, highest = min(values), max(values)
    reach = highest - lowest
    step = (width - 2 * margin) / max(len(values) - 1, 1)
    points = []
    for index, value in enumerate(values):
        share = (value - lowest) / reach if reach else 0.5
        points.append(f"{margin + index * step:.1f},{height - margin - share * (height - 2 * margin):.1f}")
    return " ".join(points)


def shares(values: Sequence[float]) -> list[float]:
    """Return each value as a percentage (0 to 100, one decimal) of the largest."""
    highest = max(values, default=0)
    return [round(100 * max(value, 0) / highest, 1) if highest > 0 else 0.0 for value in values]


def area(values: Sequence[float], *, width: float = 600, height: float = 140) -> str:
    """Return the ``points`` of a polygon under a line through the values, on a scale that begins at zero."""
    if not values:
        return ""
    highest = max(*values, 0) or 1
    step = width / max(len(values) - 1, 1)
    drawn = [*values, values[0]] if len(values) == 1 else values
    line = [
        f"{min(index * step, width):.1f},{height - max(value, 0) / highest * height:.1f}"
        for index, value in enumerate(drawn)
    ]
    return " ".join([f"0,{height:g}", *line, f"{width:g},{height:g}"])


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle, in the units of the chart's view box."""

    x: float
    y: float
    radius: float


def venn(only_a: int, only_b: int, both: int, *, width: float = 320, height: float = 200) -> tuple[Circle, Circle]:
    """Return two circles, a and b, whose areas and whose overlap are in proportion to the numbers, to fit a box."""
    a, b = sqrt((only_a + both) / pi), sqrt((only_b + both) / pi)
    distance = _distance(a, b, both)
    left, right = min(-a, distance - b), max(a, distance + b)
    tall = max(a, b)
    scale = min(width / (right - left), height / (2 * tall)) if tall else 0.0
    offset = (width - (right - left) * scale) / 2 - left * scale
    return tuple(  # type: ignore[return-value]  # two of them
        Circle(round(offset + at * scale, 2), round(height / 2, 2), round(radius * scale, 2))
        for at, radius in ((0.0, a), (distance, b))
    )


def _distance(a: float, b: float, overlap: float) -> float:
    """How far apart the centres of two circles lie that share this much, found by halving."""
    if overlap <= 0:
        return (a + b) * 1.05
    near, far = abs(a - b), a + b
    for _ in range(60):
        middle = (near + far) / 2
        if _shared(a, b, middle) > overlap:
            near = middle
        else:
            far = middle
    return (near + far) / 2


def _shared(a: float, b: float, distance: float) -> float:
    """The area that two circles share."""
    if distance >= a + b:
        return 0.0
    if distance <= abs(a - b):
        return pi * min(a, b) ** 2
    slice_a = (distance**2 + a**2 - b**2) / (2 * distance)
    slice_b = distance - slice_a
    return sum(
        radius**2 * acos(max(-1.0, min(1.0, part / radius))) - part * sqrt(max(radius**2 - part**2, 0.0))
        for radius, part in ((a, slice_a), (b, slice_b))
    )
