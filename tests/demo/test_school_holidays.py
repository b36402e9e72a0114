"""The calendar against what the Flemish government published for each school year."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from app.demo.school_holidays import holiday_on, holidays_of

# onderwijs.vlaanderen.be, school holidays by year, read 2026-11-20: first and last day, summer left out.
PUBLISHED = {
    2021: ("2021-11-01 2021-11-07", "2021-12-27 2022-01-09", "2022-02-28 2022-03-06", "2022-04-04 2022-04-18"),
    2022: ("2022-10-31 2022-11-06", "2022-12-26 2023-01-08", "2023-02-20 2023-02-26", "2023-04-03 2023-04-16"),
    2023: ("2023-10-30 2023-11-05", "2023-12-25 2024-01-07", "2024-02-12 2024-02-18", "2024-04-01 2024-04-14"),
    2024: ("2024-10-28 2024-11-03", "2024-12-23 2025-01-05", "2025-03-03 2025-03-09", "2025-04-07 2025-04-21"),
    2025: ("2025-10-27 2025-11-02", "2025-12-22 2026-01-04", "2026-02-16 2026-02-22", "2026-04-06 2026-04-19"),
    2026: ("2026-11-02 2026-11-08", "2026-12-21 2027-01-03", "2027-02-08 2027-02-14", "2027-03-29 2027-04-11"),
}


@pytest.mark.parametrize("year", PUBLISHED)
def test_the_rules_give_the_published_holidays(year: int) -> None:
    made = tuple(f"{holiday.first_on} {holiday.last_on}" for holiday in holidays_of(year))
    assert made == (*PUBLISHED[year], f"{year + 1}-07-01 {year + 1}-08-31")


def test_a_day_knows_its_holiday() -> None:
    assert holiday_on(date(2026, 11, 4)) == "autumn"
    assert holiday_on(date(2027, 1, 3)) == "christmas"
    assert holiday_on(date(2027, 1, 4)) is None
    assert holiday_on(date(2026, 8, 31)) == "summer"


def test_holidays_never_overlap_in_any_year() -> None:
    for year in range(1990, 2090):
        held = holidays_of(year)
        for earlier, later in pairwise(held):
            assert earlier.first_on <= earlier.last_on < later.first_on - timedelta(days=20)
