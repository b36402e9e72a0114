"""Reading a list of Campaign Monitor's that moves while it is read.

It is paged by number, over a live listing, oldest change first. Whoever leaves a state makes everybody behind them move
up one, and somebody slips over the edge of a page. So every page is asked for such that it begins with the last row
already seen. Where nobody known stands on it, people have left, and the walk steps back until it meets somebody known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from integrations.base import Transient
from integrations.esp.campaign_monitor_client import Page

PAGE_SIZE_MAX = 1_000
STEP_BACK = 500
STEPS_BACK_MAX = 100
OVERLAP = timedelta(days=1)

Row = Mapping[str, Any]
# One page by its number (from 1) and size.
FetchPage = Callable[[int, int], Page]


def first_day(since: datetime, zone: timezone | None) -> date:
    """The day to ask changes from: the filter is by whole days in the account's zone, and a day of overlap is taken.

    With the zone unknown it is counted in UTC: the overlap is wider than any zone is far from it. Raises ValueError for
    an instant without a zone.
    """
    if since.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return (since.astimezone(zone or UTC) - OVERLAP).date()


def page_from(offset: int) -> tuple[int, int]:
    """The number and size of a page that holds the row at ``offset`` and as many behind it as any page can."""
    size = max(range(PAGE_SIZE_MAX // 2, PAGE_SIZE_MAX + 1), key=lambda size: size - offset % size)
    return offset // size + 1, size


def walk(fetch: FetchPage, *, told_by: Sequence[str] = ("EmailAddress", "Date")) -> Iterator[Row]:
    """Yield every row of a listing that has an address; some have a mobile number only. ``told_by`` are the fields
    that tell two rows apart.

    Nobody who stays in the listing is left out, and after a step back some may come twice. Remembers one page. Raises
    Transient ``list_moves`` where the list never holds still.
    """
    offset, furthest, steps_back = 0, 0, 0
    known: frozenset[tuple[Any, ...]] = frozenset()
    while True:
        number, size = page_from(offset)
        page = fetch(number, size)
        rows = page.rows[offset - (number - 1) * size :]
        marks = [tuple(row.get(name) for name in told_by) for row in rows]
        if offset and known.isdisjoint(marks):
            steps_back += 1
            if steps_back > STEPS_BACK_MAX:
                raise Transient("list_moves", hint="the list changes faster than it can be read")
            offset = max(0, offset - STEP_BACK * steps_back)
            continue
        yield from (row for row, mark in zip(rows, marks, strict=True) if row.get("EmailAddress") and mark not in known)
        if offset + len(rows) >= page.total:
            return
        if len(rows) < 2:
            raise Transient("unexpected_answer", hint="a page ends before the listing does")
        known = frozenset(marks)
        offset += len(rows) - 1
        if offset > furthest:
            furthest, steps_back = offset, 0
