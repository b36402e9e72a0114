"""How a window moves with the day, where it has a short name: the last 12 months, more than 18 months ago."""

from __future__ import annotations

from typing import Literal

from app.segments.language.windows import Duration, FixedDay, Side, Window

Rolling = Literal["last", "since", "next", "ago", "between", "until", "now"]
TODAY, TOMORROW = Duration(), Duration(days=1)


def rolling_of(window: Window) -> tuple[Rolling, tuple[Duration, ...]] | None:  # noqa: PLR0911 (one per name)
    """Return how a window moves with the day, and by which durations; None for what stands still or has no short name.

    ``last``: so long up to today; ``since``: from so long ago on; ``next``: so long from today; ``ago``: longer ago;
    ``between`` two times ago, the nearer first; ``until``: everything up to today.
    """
    since, before = window.since, window.before
    if any(isinstance(side, FixedDay) or _is_mixed(side) for side in (since, before)):
        return None
    match since, before:
        case Duration() as start, None if _is_past(start):
            return "since", (start,)
        case Duration() as start, Duration() as end if _is_past(start):
            if end in (TODAY, TOMORROW):
                return "last", (start,)
            return ("between", (end, start)) if _is_past(end) else None
        case Duration() as start, Duration() as end if start == TODAY and _is_future(end):
            return "next", (end,)
        case None, Duration() as end if end in (TODAY, TOMORROW):
            return "until", ()
        case None, Duration() as end if _is_past(end):
            return "ago", (end,)
        case _:
            return None


def _is_past(span: Duration) -> bool:
    return span.months < 0 or span.days < 0


def _is_future(span: Duration) -> bool:
    return span.months > 0 or span.days > 0


def _is_mixed(side: Side | None) -> bool:
    return isinstance(side, Duration) and bool(side.months) and bool(side.days)
