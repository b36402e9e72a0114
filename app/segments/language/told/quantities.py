"""What a bound amounts to once a negation is drawn into it: "not at least 3 times" is "at most 2 times"."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

from app.segments.language.rules import Bounds, Range


class Shape(Enum):
    """How an amount is said; a grammar has one phrase for each."""

    NONE = auto()
    ANY = auto()
    NEVER = auto()
    AT_LEAST = auto()
    AT_MOST = auto()
    LESS_THAN = auto()
    MORE_THAN = auto()
    EXACTLY = auto()
    NOT_EXACTLY = auto()
    BETWEEN = auto()
    OUTSIDE = auto()


@dataclass(frozen=True, slots=True)
class Quantity:
    """A shape with its one or two numbers."""

    shape: Shape
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)

    @property
    def deciding(self) -> Decimal:
        """The number that stands beside the noun and decides whether it is singular."""
        return self.high if self.shape in (Shape.BETWEEN, Shape.OUTSIDE) else self.low


def quantity(bounds: Bounds, *, is_whole: bool, is_negated: bool = False) -> Quantity:
    """Say ``bounds`` (or, negated, what lies outside them) of something that is never below 0."""
    low, high = bounds.at_least, bounds.at_most
    if low is not None and low <= 0:
        low = None  # nothing measures less than nothing
    if low is None and high is None:
        return Quantity(Shape.NEVER if is_negated else Shape.ANY)
    if low is None or high is None:
        return _one_sided(low, high, is_whole=is_whole, is_negated=is_negated)
    if low == high:
        return Quantity(Shape.NOT_EXACTLY if is_negated else Shape.EXACTLY, low)
    return Quantity(Shape.OUTSIDE if is_negated else Shape.BETWEEN, low, high)


def in_range(limits: Range) -> Quantity:
    """Say the limits of a range."""
    if limits.low is None and limits.high is None:
        return Quantity(Shape.ANY)
    if limits.low is None or limits.high is None:
        bound = limits.high if limits.low is None else limits.low
        return Quantity(Shape.AT_MOST if limits.low is None else Shape.AT_LEAST, bound or Decimal(0))
    return Quantity(Shape.EXACTLY if limits.low == limits.high else Shape.BETWEEN, limits.low, limits.high)


def _one_sided(low: Decimal | None, high: Decimal | None, *, is_whole: bool, is_negated: bool) -> Quantity:
    if low is not None:
        if not is_negated:
            return Quantity(Shape.AT_LEAST, low)
        if low == 1 and is_whole:
            return Quantity(Shape.NONE)
        is_count = is_whole and low == low.to_integral_value()
        return Quantity(Shape.AT_MOST, low - 1) if is_count else Quantity(Shape.LESS_THAN, low)
    limit = Decimal(0) if high is None else high
    if not is_negated:
        return Quantity(Shape.NONE if limit == 0 else Shape.AT_MOST, limit)
    is_count = is_whole and limit == limit.to_integral_value()
    return Quantity(Shape.AT_LEAST, limit + 1) if is_count else Quantity(Shape.MORE_THAN, limit)
