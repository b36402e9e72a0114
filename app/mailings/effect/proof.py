"""What a control group proves: a difference of rates or of means, how sure it is, and how many people more it takes.

People are drawn by household, so a household counts as one draw: each side is scaled down by its design effect before
anything is said (Rao & Scott, A simple method for the analysis of clustered binary data, Biometrics 48, 1992).

- Two rates: the hybrid score interval (Newcombe, Interval estimation for the difference between independent
  proportions, method 10, Statistics in Medicine 17, 1998), which holds for small numbers and rates near zero.
- Two means: Welch (The generalization of Student's problem, Biometrika 34, 1947), over households.
- What is looked at every day, and not once at its end: never narrower than an asymptotic confidence sequence
  (Robbins, Annals of Mathematical Statistics 41, 1970; Waudby-Smith et al., arXiv 2103.06476), so that looking often
  does not make chance into proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log, log10, sqrt
from statistics import NormalDist
from typing import Literal

LEVEL = 0.95
POWER = 0.80
# Below so many buyers on either side the mean of what people spend is told by one or two of them.
BUYERS_MIN = 10
# Differences smaller than this share of the control group's rate, or than half a percentage point, nobody asks for.
SMALLEST_SHARE, SMALLEST_POINTS = 0.20, 0.005
# How large an effect a confidence sequence expects, as a difference of rates; it holds whatever the effect is.
EXPECTED_EFFECT = 0.03
PEOPLE_MANY = 1_000_000

Verdict = Literal["more", "less", "no_proof", "no_control", "nobody_treated"]
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison, by household: sums over households of people (m), those it happened to (y), money (r).

    ``people`` is the sum of m, ``hits`` of y, ``amount`` of r; ``mm`` is the sum of m², ``my`` of m·y, and so on.
    """

    households: int = 0
    people: int = 0
    hits: int = 0
    mm: float = 0.0
    my: float = 0.0
    yy: float = 0.0
    amount: float = 0.0
    rr: float = 0.0
    mr: float = 0.0

    @property
    def rate(self) -> float:
        """The share of the people to whom it happened; 0 where there are none."""
        return self.hits / self.people if self.people else 0.0

    @property
    def mean(self) -> float:
        """The amount for each person; 0 where there are none."""
        return self.amount / self.people if self.people else 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more happened on the treated side: ``estimate`` with its interval, and what that proves.

    ``more_people``: about how many more it takes to prove a difference as large as this one (or the smallest anybody
    would ask for), at 80 % power; None where it is proven or cannot be said.
    """

    verdict: Verdict
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    more_people: int | None = None


def side_of(people: int, hits: int) -> Side:
    """Return a side on which everybody is a household of their own."""
    return Side(people, people, hits, mm=people, my=hits, yy=hits)


def difference_of_rates(treated: Side, control: Side, *, level: float = LEVEL, is_watched: bool = False) -> Difference:
    """Compare the rates of two sides. ``is_watched``: it is looked at while it goes on, as often as one likes."""
    missing = _missing(treated, control)
    if missing:
        return missing
    estimate = treated.rate - control.rate
    low, high = _newcombe(treated, control, level)
    if is_watched:
        reach = _sequence_reach(_variance(treated) + _variance(control), level)
        low, high = max(min(low, estimate - reach), -1.0), min(max(high, estimate + reach), 1.0)
    verdict = _verdict(low, high)
    more = _people_needed(treated, control, level) if verdict == "no_proof" else None
    return Difference(verdict, estimate, low, high, more)


def difference_of_means(treated: Side, control: Side, *, level: float = LEVEL) -> Difference:
    """Compare what people spent, each on average. Without an interval where too few bought on either side."""
    missing = _missing(treated, control)
    if missing:
        return missing
    estimate = treated.mean - control.mean
    if min(treated.hits, control.hits) < BUYERS_MIN:
        return Difference("no_proof", estimate)
    parts = [(_variance_of_mean(side), side.households - 1) for side in (treated, control)]
    variance = sum(each for each, _ in parts)
    freedom = variance**2 / sum(each**2 / degrees for each, degrees in parts if each) if variance else 1.0
    reach = student(1 - (1 - level) / 2, freedom) * sqrt(variance)
    return Difference(_verdict(estimate - reach, estimate + reach), estimate, estimate - reach, estimate + reach)


def wilson(hits: float, people: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of one rate (Wilson, JASA 22, 1927); people need not be a whole number."""
    z = NORMAL.inv_cdf(1 - (1 - level) / 2)
    rate = hits / people
    middle = rate + z * z / (2 * people)
    reach = z * sqrt(max(rate * (1 - rate), 0.0) / people + z * z / (4 * people * people))
    whole = 1 + z * z / people
    return max((middle - reach) / whole, 0.0), min((middle + reach) / whole, 1.0)


def student(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t (Abramowitz & Stegun 26.7.5), to three digits from 4 degrees of freedom."""
    z, v = NORMAL.inv_cdf(probability), max(freedom, 4.0)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


def design_effect(side: Side) -> float:
    """Return by how much drawing households, and not people, enlarges the variance of a rate; never below 1.

    Where it happened to nobody or to everybody the data do not say: people of a household are taken to act as one.
    """
    plain = side.rate * (1 - side.rate) / max(side.people - 1, 1)
    if plain <= 0 or side.households < 2:
        return max(side.mm / side.people, 1.0)
    return max(_clustered(side, side.rate, side.yy, side.my) / plain, 1.0)


def rounded_up(number: float) -> int:
    """Return a number of people as one would say it: two digits, rounded up (387 is 390)."""
    if number <= 10:
        return max(ceil(number), 1)
    unit = int(10 ** (floor(log10(number)) - 1))
    return ceil(number / unit) * unit


def _missing(treated: Side, control: Side) -> Difference | None:
    if not control.people:
        return Difference("no_control")
    return None if treated.people else Difference("nobody_treated")


def _verdict(low: float, high: float) -> Verdict:
    if low > 0:
        return "more"
    return "less" if high < 0 else "no_proof"


def _newcombe(treated: Side, control: Side, level: float) -> tuple[float, float]:
    intervals = []
    for side in (treated, control):
        effect = design_effect(side)
        intervals.append(wilson(side.hits / effect, side.people / effect, level=level))
    (low_t, high_t), (low_c, high_c) = intervals
    estimate = treated.rate - control.rate
    return (
        estimate - sqrt((treated.rate - low_t) ** 2 + (high_c - control.rate) ** 2),
        estimate + sqrt((high_t - treated.rate) ** 2 + (control.rate - low_c) ** 2),
    )


def _variance(side: Side) -> float:
    """The variance of a rate; where it happened to nobody or everybody, as if it had not to one (Agresti & Caffo)."""
    rate = (side.hits + 1) / (side.people + 2)
    return rate * (1 - rate) / side.people * design_effect(side)


def _sequence_reach(variance: float, level: float) -> float:
    """How far a confidence sequence reaches to either side of an estimate with this variance."""
    information, prior = 1 / variance, EXPECTED_EFFECT**2
    grown = 1 + prior * information
    return sqrt(grown / prior * (2 * log(1 / (1 - level)) + log(grown))) / information


def _variance_of_mean(side: Side) -> float:
    return _clustered(side, side.mean, side.rr, side.mr)


def _clustered(side: Side, ratio: float, squares: float, products: float) -> float:
    """The variance of a ratio of sums over households (linearised; Cochran, Sampling Techniques, 6.3)."""
    if side.households < 2:
        return 0.0
    spread = squares - 2 * ratio * products + ratio * ratio * side.mm
    return max(spread, 0.0) * side.households / (side.households - 1) / side.people**2


def _people_needed(treated: Side, control: Side, level: float) -> int | None:
    """How many more, shared out as they are now (Fleiss, Statistical Methods for Rates and Proportions, 4.3)."""
    smallest = max(control.rate * SMALLEST_SHARE, SMALLEST_POINTS)
    wanted = max(abs(treated.rate - control.rate), smallest)
    z = NORMAL.inv_cdf(1 - (1 - level) / 2) + NORMAL.inv_cdf(POWER)
    share = control.people / treated.people
    spread = sum(_variance(side) * side.people * by for side, by in ((treated, 1.0), (control, 1 / share)))
    needed = z * z * spread / wanted**2 * (1 + share)
    more = needed - treated.people - control.people
    return rounded_up(max(more, 1)) if more < PEOPLE_MANY else PEOPLE_MANY
