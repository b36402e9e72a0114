"""Reading everybody who changed from a list that moves while it is read.

MailChimp pages by offset over a live listing, sorted by ``last_changed`` in whole seconds. Somebody who changes leaves
their place for the end; everybody behind them moves up one, and the one who moves over the page's edge is skipped. So
after each page the walk asks again from the last second it saw, at offset 0, where nothing can have moved. Only where
more people than fit on a page share a second does it page by offset. Each such page begins with the last row of the one
before: where another row stands there, somebody moved, and that second is read again from its start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from integrations.base import MemberState, Transient

SECOND = timedelta(seconds=1)
RESTARTS_MAX = 100
_Mark = tuple[datetime | None, str, str]


class FetchPage(Protocol):
    """One page of the listing, oldest change first, of who changed since an instant (None: ever)."""

    def __call__(self, since: datetime | None, offset: int) -> Sequence[MemberState]: ...


def whole_second(instant: datetime) -> datetime:
    """The instant in UTC, down to its second: MailChimp ignores a filter with a fraction and returns everybody.

    Raises ValueError for an instant without a zone.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return instant.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk is: since when it asks, how far into that answer, and which row must stand there (``edge``)."""

    since: datetime | None
    offset: int = 0
    edge: _Mark | None = None
    restarts: int = 0

    def following(self, page: Sequence[MemberState], *, is_full: bool) -> _Place | None:
        """The next place to ask after a page, or None at the end."""
        if self.edge is not None and (not page or _mark(page[0]) != self.edge):
            return _Place(self.since, restarts=self.restarts + 1)
        if not is_full:
            return None
        last_changed_at = page[-1].changed_at
        later = last_changed_at - SECOND if last_changed_at else None
        if later is not None and (self.since is None or later > self.since):
            return _Place(later)
        return _Place(self.since, self.offset + len(page) - 1, _mark(page[-1]), self.restarts)


def walk_changes(fetch: FetchPage, since: datetime | None, *, page_size: int) -> Iterator[MemberState]:
    """Yield every state met since then, once each; the same person again only with a later change.

    Remembers no more than a page or a crowded second, however long the list. Raises Transient ``list_moves`` where a
    crowded second never holds still, rather than leave somebody out. ``page_size`` is at least 2.
    """
    met: set[_Mark] = set()
    place: _Place | None = _Place(whole_second(since) if since else None)
    while place is not None:
        page = fetch(place.since, place.offset)
        for state in page:
            if _mark(state) not in met:
                met.add(_mark(state))
                yield state
        place = place.following(page, is_full=len(page) >= page_size)
        if place is not None and place.restarts > RESTARTS_MAX:
            raise Transient("list_moves", hint="the list changes faster than it can be read")
        if place is not None and place.since is not None:
            met = {mark for mark in met if mark[0] is None or mark[0] >= place.since}


def _mark(state: MemberState) -> _Mark:
    return (state.changed_at, state.status, state.external_id or state.email)


def page_through(fetch: Callable[[int], tuple[Sequence[str], int]]) -> Iterator[str]:
    """Yield every entry of a listing that can only be paged by offset, once each.

    ``fetch(offset)`` gives a page and the vendor's total. The listing is read again while its total falls during a
    reading, which is when somebody may have moved over an edge.
    """
    met: set[str] = set()
    while True:
        offset, totals = 0, list[int]()
        while True:
            page, total = fetch(offset)
            totals.append(total)
            yield from (entry for entry in dict.fromkeys(page) if entry not in met)
            met.update(page)
            offset += len(page)
            if not page or offset >= total:
                break
        if totals[-1] >= totals[0]:
            return
