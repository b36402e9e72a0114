"""Numbers in addresses that mean a row: one that no row can have is not found, and never reaches the database."""

from __future__ import annotations

from typing import Any

from werkzeug.routing import IntegerConverter

ROW_ID_MAX = 2**63 - 1


class RowIdConverter(IntegerConverter):
    """What ``<int:…>`` in a route takes: a number that a row may have."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max": ROW_ID_MAX, **kwargs})


def row_id(text: str) -> int:
    """Read a row's number from a query; raises ValueError for one that no row can have."""
    number = int(text)
    if not 0 <= number <= ROW_ID_MAX:
        raise ValueError("no row can have this number")
    return number
