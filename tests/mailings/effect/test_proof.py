"""What is called proven is right as often as it says, whatever the truth; small houses hear what they do not know."""

from __future__ import annotations

from math import isclose, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mailings.effect.proof import (
    PEOPLE_MANY,
    Side,
    design_effect,
    difference_of_means,
    difference_of_rates,
    rounded_up,
    side_of,
    student,
    wilson,
)

counts = st.integers(1, 5_000).flatmap(lambda people: st.tuples(st.just(people), st.integers(0, people)))


def test_the_interval_is_the_one_of_the_paper() -> None:
    # Newcombe 1998, table II, cases (a), (c) and (e), method 10.
    for treated, control, low, high in (
        ((70, 56), (80, 48), 0.0524, 0.3339),
        ((10, 9), (10, 3), 0.1705, 0.8090),
        ((56, 5), (29, 0), -0.0381, 0.1926),
    ):
        found = difference_of_rates(side_of(*treated), side_of(*control))
        assert found.low == pytest.approx(low, abs=5e-5)
        assert found.high == pytest.approx(high, abs=5e-5)


def test_wilson_is_the_interval_of_the_paper() -> None:
    # Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I: 81 of 263 and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@pytest.mark.parametrize(("freedom", "quantile"), [(4, 2.776), (10, 2.228), (30, 2.042), (1000, 1.962)])
def test_students_quantiles_are_those_of_the_tables(freedom: float, quantile: float) -> None:
    assert student(0.975, freedom) == pytest.approx(quantile, abs=0.01)


@given(treated=counts, control=counts)
def test_the_estimate_lies_in_its_interval_and_swapping_turns_it_around(
    treated: tuple[int, int], control: tuple[int, int]
) -> None:
    there = difference_of_rates(side_of(*treated), side_of(*control))
    back = difference_of_rates(side_of(*control), side_of(*treated))
    assert there.low is not None
    assert there.high is not None
    assert there.estimate is not None
    assert back.low is not None
    assert back.high is not None
    assert -1 <= there.low <= there.estimate <= there.high <= 1
    assert isclose(there.low, -back.high, abs_tol=1e-12)
    assert isclose(there.high, -back.low, abs_tol=1e-12)
    assert (there.verdict == "no_proof") == (there.more_people is not None)


@given(treated=counts, control=counts)
def test_looking_every_day_never_proves_what_looking_once_does_not(
    treated: tuple[int, int], control: tuple[int, int]
) -> None:
    once = difference_of_rates(side_of(*treated), side_of(*control))
    daily = difference_of_rates(side_of(*treated), side_of(*control), is_watched=True)
    assert daily.verdict in {once.verdict, "no_proof"}


def test_without_a_control_group_or_without_anybody_nothing_is_said() -> None:
    assert difference_of_rates(side_of(10, 3), Side()).verdict == "no_control"
    assert difference_of_rates(Side(), side_of(10, 3)).verdict == "nobody_treated"
    assert difference_of_means(Side(), Side()).verdict == "no_control"


def drawn(random: Random, people: int, rate: float) -> Side:
    return side_of(people, sum(random.random() < rate for _ in range(people)))


@pytest.mark.parametrize(
    ("people", "held", "rate", "uplift"),
    [(400, 45, 0.05, 0.0), (400, 45, 0.05, 0.04), (2_000, 200, 0.03, 0.02), (150, 150, 0.30, -0.1), (60, 8, 0.1, 0.0)],
)
def test_the_truth_lies_in_the_interval_at_least_as_often_as_it_says(
    people: int, held: int, rate: float, uplift: float
) -> None:
    random, runs, inside = Random(7), 400, 0
    for _ in range(runs):
        found = difference_of_rates(drawn(random, people, rate + uplift), drawn(random, held, rate))
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= uplift <= found.high
    # 95 %, less three standard deviations of a simulation of this length.
    assert inside / runs > 0.95 - 3 * sqrt(0.95 * 0.05 / runs)


def households(random: Random, count: int, rate: float) -> Side:
    """Couples of whom either both come or neither."""
    came = sum(random.random() < rate for _ in range(count))
    return Side(count, 2 * count, 2 * came, mm=4 * count, my=4 * came, yy=4 * came)


def test_couples_that_come_together_count_as_one() -> None:
    random, runs = Random(3), 400
    side = households(random, 500, 0.1)
    assert design_effect(side) == pytest.approx(2, abs=0.05)
    inside = naive = 0
    for _ in range(runs):
        treated, control = households(random, 500, 0.1), households(random, 60, 0.1)
        found = difference_of_rates(treated, control)
        inside += (found.low or 0) <= 0 <= (found.high or 0)
        alone = difference_of_rates(side_of(treated.people, treated.hits), side_of(control.people, control.hits))
        naive += (alone.low or 0) <= 0 <= (alone.high or 0)
    assert inside / runs > 0.92
    # And it matters: counted as people each of their own, chance passes for proof far too often.
    assert naive / runs < 0.90


def test_looking_every_day_of_a_season_still_proves_nothing_that_is_not_so() -> None:
    random, runs, wrong_daily, wrong_naive = Random(11), 200, 0, 0
    for _ in range(runs):
        treated = control = (0, 0)
        daily = naive = False
        for _day in range(40):
            treated = (treated[0] + 50, treated[1] + sum(random.random() < 0.06 for _ in range(50)))
            control = (control[0] + 20, control[1] + sum(random.random() < 0.06 for _ in range(20)))
            sides = side_of(*treated), side_of(*control)
            daily |= difference_of_rates(*sides, is_watched=True).verdict != "no_proof"
            naive |= difference_of_rates(*sides).verdict != "no_proof"
        wrong_daily, wrong_naive = wrong_daily + daily, wrong_naive + naive
    assert wrong_daily / runs <= 0.05
    assert wrong_naive / runs > 0.10


def test_the_people_that_it_is_said_to_take_are_enough_as_often_as_promised() -> None:
    first = difference_of_rates(side_of(900, 63), side_of(100, 4))
    assert first.verdict == "no_proof"
    assert first.more_people is not None
    people = 1_000 + first.more_people
    random, runs = Random(5), 200
    proven = sum(
        difference_of_rates(drawn(random, round(people * 0.9), 0.07), drawn(random, round(people * 0.1), 0.04)).verdict
        == "more"
        for _ in range(runs)
    )
    assert 0.70 < proven / runs < 0.92


def test_a_house_that_sees_no_difference_hears_a_number_it_can_read() -> None:
    found = difference_of_rates(side_of(500, 25), side_of(50, 2))
    assert found.more_people is not None
    assert found.more_people % 100 == 0
    assert difference_of_rates(side_of(5, 0), side_of(5, 0)).more_people is not None
    assert (difference_of_rates(side_of(90, 1), side_of(1, 0)).more_people or 0) <= PEOPLE_MANY


@pytest.mark.parametrize(
    ("number", "said"), [(0.2, 1), (9.1, 10), (11, 11), (387, 390), (4_010, 4_100), (99_900, 100_000)]
)
def test_people_are_rounded_up_to_two_digits(number: float, said: int) -> None:
    assert rounded_up(number) == said


def spent(random: Random, people: int, rate: float, ticket: float) -> Side:
    amounts = [ticket * random.choice((1, 2, 2, 4)) for _ in range(people) if random.random() < rate]
    total, squares = sum(amounts), sum(each * each for each in amounts)
    bought = len(amounts)
    return Side(people, people, bought, people, bought, bought, total, squares, total)


def test_the_truth_about_revenue_lies_in_the_interval_as_often_as_it_says() -> None:
    random, runs, inside, said = Random(13), 500, 0, 0
    truth = (0.08 - 0.05) * 20 * 2.25
    for _ in range(runs):
        found = difference_of_means(spent(random, 3_000, 0.08, 20), spent(random, 400, 0.05, 20))
        if found.low is None or found.high is None:
            continue
        said += 1
        inside += found.low <= truth <= found.high
    assert said > 0.9 * runs
    assert inside / said > 0.95 - 3 * sqrt(0.95 * 0.05 / said)


def test_revenue_of_a_handful_of_buyers_proves_nothing() -> None:
    found = difference_of_means(spent(Random(1), 100, 0.5, 20), spent(Random(1), 30, 0.1, 20))
    assert found.verdict == "no_proof"
    assert found.low is None
    assert found.estimate is not None
