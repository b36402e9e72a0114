"""Dates, numbers and money as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app import clock
from app.ui import formats
from tests.ui.gallery import make_gallery, make_viewer


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("nl", ("21 nov 2026", "21 nov 2026 00:30", "20.413", "€\xa012,50", "25%")),
        ("fr", ("21 nov. 2026", "21 nov. 2026 00:30", "20\u202f413", "12,50\xa0€", "25\xa0%")),
        ("en", ("21 Nov 2026", "21 Nov 2026 00:30", "20,413", "€12.50", "25%")),
    ],
)
def test_each_language_writes_its_own_way(language: str, expected: tuple[str, ...]) -> None:
    instant = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    app = make_gallery(make_viewer(language=language))
    with app.test_request_context("/"):
        app.preprocess_request()
        written = (
            formats.show_date(instant),
            formats.show_datetime(instant),
            formats.show_number(20413),
            formats.show_money(Decimal("12.5")),
            formats.show_percent(0.254),
        )
    assert written == expected


def test_a_date_is_not_moved_by_a_zone() -> None:
    app = make_gallery(make_viewer(language="en", time_zone="America/New_York"))
    with app.test_request_context("/"):
        app.preprocess_request()
        assert formats.show_date(date(2026, 11, 20)) == "20 Nov 2026"
        assert formats.show_date(datetime(2026, 11, 20, 2, tzinfo=UTC)) == "19 Nov 2026"


def test_how_long_ago_is_told_from_the_clock_of_the_house() -> None:
    app = make_gallery(make_viewer(language="nl"))
    with app.test_request_context("/"):
        app.preprocess_request()
        assert formats.show_ago(clock.now() - timedelta(hours=3)) == "3 uur geleden"
        assert formats.show_ago(clock.now() - timedelta(seconds=3)) == "zonet"
        assert formats.show_ago(None) == "nooit"


def test_what_is_not_known_shows_as_a_dash() -> None:
    with make_gallery(None).test_request_context("/"):
        for show in (
            formats.show_date,
            formats.show_datetime,
            formats.show_number,
            formats.show_money,
            formats.show_percent,
        ):
            assert show(None) == "–"
