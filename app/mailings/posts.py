"""Connections to relays, kept from beat to beat: greeting, encrypting and logging in costs more than a mail.

A process keeps its own. A connection belongs to a relay with its user and password, so that no house ever sends by
another's.
"""

from __future__ import annotations

import time
from threading import Lock
from types import TracebackType
from typing import Self

from integrations.esp.smtp import Relay, SmtpPost

# Relays hang up on who says nothing for some minutes.
KEPT_S = 60.0


class Posts:
    """Open connections that nobody uses at this moment; for several threads. Close it at the end (``with``)."""

    def __init__(self, *, kept_s: float = KEPT_S) -> None:
        self._kept_s = kept_s
        self._idle: list[tuple[float, SmtpPost]] = []
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def take(self, relay: Relay) -> SmtpPost:
        """Return a connection to this very relay, kept or new; nobody else has it. Raises Permanent as SmtpPost does.

        ``SmtpPost.connect`` finds out whether a kept one still lives.
        """
        self._close_old()
        with self._lock:
            for place, (_since_s, post) in enumerate(self._idle):
                if post.relay == relay:
                    del self._idle[place]
                    return post
        return SmtpPost(relay)

    def give_back(self, post: SmtpPost) -> None:
        """Keep a connection for who needs one next."""
        with self._lock:
            self._idle.append((time.monotonic(), post))
        self._close_old()

    def close(self) -> None:
        """Hang up on all."""
        with self._lock:
            posts, self._idle = [post for _since_s, post in self._idle], []
        for post in posts:
            post.close()

    def _close_old(self) -> None:
        oldest_s = time.monotonic() - self._kept_s
        with self._lock:
            old = [post for since_s, post in self._idle if since_s < oldest_s]
            self._idle = [each for each in self._idle if each[0] >= oldest_s]
        for post in old:
            post.close()
