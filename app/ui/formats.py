"""Dates, numbers and money as the person who looks writes them. All are Jinja filters of the same name."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from babel.dates import format_date as babel_date
from babel.dates import format_datetime as babel_datetime
from babel.dates import format_timedelta as babel_timedelta
from babel.numbers import format_currency, format_decimal, format_percent
from flask_babel import get_locale, get_timezone
from flask_babel import gettext as _

from app import clock
from app.ui.viewer import current_viewer

NOTHING = "–"


def show_date(value: date | datetime | None, *, style: str = "medium") -> str:
    """Return a date ("20 nov 2026"); an instant is first taken to the organisation's zone."""
    if value is None:
        return NOTHING
    if isinstance(value, datetime):
        value = value.astimezone(get_timezone()).date()
    return babel_date(value, format=style, locale=get_locale())


def show_datetime(value: datetime | None, *, style: str = "medium") -> str:
    """Return an instant in the organisation's zone, to the minute."""
    if value is None:
        return NOTHING
    day = show_date(value, style=style)
    time = babel_datetime(value, format="HH:mm", tzinfo=get_timezone(), locale=get_locale())
    return f"{day} {time}"


def show_number(value: int | float | Decimal | None, *, digits: int = 0) -> str:
    """Return a number with the language's grouping, rounded to at most ``digits`` decimals."""
    if value is None:
        return NOTHING
    pattern = "#,##0" + ("." + "#" * digits if digits else "")
    return format_decimal(value, format=pattern, locale=get_locale())


def show_money(value: Decimal | int | None, *, currency: str = "") -> str:
    """Return an amount in the organisation's currency, or in the one that is named (ISO 4217)."""
    if value is None:
        return NOTHING
    viewer = current_viewer()
    return format_currency(value, currency or (viewer.currency if viewer else "EUR"), locale=get_locale())


def show_percent(share: float | Decimal | None, *, digits: int = 0) -> str:
    """Return a share (0.25) as a percentage ("25%")."""
    if share is None:
        return NOTHING
    pattern = "0" + ("." + "#" * digits if digits else "") + "%"
    if str(get_locale()).startswith("fr"):
        pattern = pattern.replace("%", "\N{NO-BREAK SPACE}%")
    return format_percent(share, format=pattern, locale=get_locale())


def show_ago(value: datetime | None) -> str:
    """Return how long ago (or ahead) an instant is: "3 uur geleden", "just now"."""
    if value is None:
        return str(_("never"))
    distance = value - clock.now()
    if abs(distance) < timedelta(seconds=45):
        return str(_("just now"))
    return babel_timedelta(distance, add_direction=True, locale=get_locale())


FILTERS = {
    "date": show_date,
    "datetime": show_datetime,
    "number": show_number,
    "money": show_money,
    "percent": show_percent,
    "ago": show_ago,
}
