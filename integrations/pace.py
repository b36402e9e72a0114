"""Asking no faster than a vendor allows, so that nobody has to be told to slow down.

A bucket holds a few calls to begin with and fills at the vendor's rate. All who speak with one account in this process
share its bucket; other processes have their own, and what they do together is what 429 and Retry-After are for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

BURST = 60  # calls that may follow each other at once: a page somebody waits for, or a short reading


class Pace:
    """At most ``calls_per_minute`` in the long run, and ``BURST`` at once. Safe to share between threads."""

    def __init__(self, calls_per_minute: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._monotonic = calls_per_minute / 60, monotonic
        self._free, self._at = float(BURST), monotonic()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take one call, and return how many seconds to wait before it is made (0: none)."""
        with self._lock:
            now = self._monotonic()
            self._free = min(float(BURST), self._free + (now - self._at) * self._per_s) - 1
            self._at = now
            return max(0.0, -self._free / self._per_s)


_PACES: dict[tuple[str, str], Pace] = {}
_PACES_LOCK = threading.Lock()


def pace_of(base_url: str, account: str, *, calls_per_minute: int | None) -> Pace | None:
    """Return the one pace of an account; None where its vendor publishes no limit."""
    if calls_per_minute is None:
        return None
    with _PACES_LOCK:
        return _PACES.setdefault((base_url, account), Pace(calls_per_minute))
