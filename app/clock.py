"""The one source of 'now'. Nothing else in the house may ask a computer what time it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

_set_to: ContextVar[datetime | None] = ContextVar("zaallicht_now", default=None)


def now() -> datetime:
    """Return the current instant, aware, in UTC."""
    return _set_to.get() or datetime.now(UTC)


def today(time_zone: str) -> date:
    """Return the local date in a zone (an IANA name)."""
    return now().astimezone(ZoneInfo(time_zone)).date()


def is_set() -> bool:
    """Whether somebody (a test, ``zaallicht tick --now``) has set the clock."""
    return _set_to.get() is not None


@contextmanager
def set_to(instant: datetime) -> Iterator[None]:
    """Hold the clock at an aware instant for the duration of the block."""
    if instant.tzinfo is None:
        raise ValueError("the clock is set to an aware instant only")
    token = _set_to.set(instant.astimezone(UTC))
    try:
        yield
    finally:
        _set_to.reset(token)
