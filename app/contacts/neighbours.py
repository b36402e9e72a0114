"""What rooms above this one add to the pages of contacts: moments for a timeline, groups to filter a list by, and
pages that tell more.

They register at import; this room knows them by these shapes only, so that imports keep pointing down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Select

from app.db import ScopedSession

MOMENTS_PER_ROOM_MAX = 200


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to a person. ``title`` and ``text`` are facts (names, titles); ``what`` is a code that
    pages put in words: ``visited``, ``will_visit``, ``cancelled``, ``entered``, ``left``, ``pushed``, ``refused``,
    ``taken_off``, ``mailed``, ``clicked``, ``mail_came_back``, ``stopped_by_mail``,
    ``complained_of_mail``, ``began_journey``, ``ended_journey``, ``no_arrived``, ``no_under_way``, ``no_fails``.
    The page at ``endpoint`` with ``arguments`` tells more."""

    at: datetime | date
    what: str
    title: str
    text: str = ""
    endpoint: str = ""
    arguments: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of contacts a list can be narrowed to: their names by id, and the ids of the contacts in one."""

    names: Callable[[ScopedSession], list[tuple[int, str]]]
    members: Callable[[int], Select[int]]


@dataclass(frozen=True, slots=True)
class MorePage:
    """A page about one person in another room: words (English, marked for translation), an icon, and its endpoint,
    which takes ``contact_id``."""

    label: str
    symbol: str
    endpoint: str


MORE_PAGES: list[MorePage] = []
TIMELINES: list[Callable[[ScopedSession, int], list[Moment]]] = []
GROUPS: dict[str, Groups] = {}


def add_timeline(reader: Callable[[ScopedSession, int], list[Moment]]) -> None:
    """Add what a room knows of a person to their timeline."""
    TIMELINES.append(reader)


def add_groups(kind: str, groups: Groups) -> None:
    """Let lists of contacts be narrowed to groups of a kind (``segment``)."""
    GROUPS[kind] = groups


def add_page(page: MorePage) -> None:
    """Offer a page about a person from their own."""
    MORE_PAGES.append(page)


def moments_of(session: ScopedSession, contact_id: int) -> list[Moment]:
    """Return everything that happened to a person, newest first."""
    moments = [moment for read in TIMELINES for moment in read(session, contact_id)]
    return sorted(moments, key=lambda moment: moment.at.isoformat()[:19], reverse=True)
