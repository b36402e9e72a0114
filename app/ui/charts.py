"""The geometry of small charts. Templates draw them as inline SVG, so that no script and no style is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
