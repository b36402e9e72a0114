"""What one run has in hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app import clock
from app.audiences.lease import Lease, renew_lease
from app.audiences.models import Audience
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from integrations.base import Destination

CHANNEL = "email"
# After this a push lets others have their turn; the same run goes on at the next beat.
TURN = timedelta(seconds=45)

# Called with the name of every step of a run once it is behind us; tests kill the run there.
Reached = Callable[[str], None]


def unwatched(_step: str) -> None:
    """Nobody looks on."""


@dataclass(frozen=True, slots=True)
class ListPlace:
    """One list at one destination. Two audiences may share it; its opt-outs count for both."""

    connection_id: int
    list_ref: str
    system: str


@dataclass(slots=True)
class Work:
    """A run under way: the audience as it was when it began, the destination, and the lease that makes it the only one.

    ``run_id`` None: the poll between two runs. ``counts`` is what was done, for the run's row, the turns before
    included.
    """

    runtime: Runtime
    audience: Audience
    place: ListPlace
    destination: Destination
    lease: Lease
    run_id: int | None = None
    reached: Reached = unwatched
    counts: Counter[str] = field(default_factory=Counter)
    turn_ends_at: datetime = field(default_factory=lambda: clock.now() + TURN)

    @property
    def is_turn_over(self) -> bool:
        """Whether it is for others now."""
        return clock.now() >= self.turn_ends_at

    @contextmanager
    def fenced(self) -> Iterator[ScopedSession]:
        """Open a transaction that only commits while the lease is ours. Raises LeaseLost."""
        with transaction(self.runtime.engine, self.audience.organisation_id) as session:
            renew_lease(session, self.lease, at=clock.now())
            yield session
