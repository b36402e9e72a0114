"""Telling a machine by how it clicks: links of one mail, followed faster than anybody reads. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# So many different links of one mail within so short a time: nobody reads like that.
BURST_LINKS, BURST_WITHIN = 3, timedelta(seconds=10)
ALL_LINKS_WITHIN = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Click:
    """A click as a burst is judged by: which link, when."""

    id: int
    link_id: int
    at: datetime


def in_a_burst(clicks: Iterable[Click], *, links: int) -> set[int]:
    """Return the clicks (by id) of one mail that belong together as only a machine's do; ``links`` are all it has.

    That is ``BURST_LINKS`` different links within ``BURST_WITHIN``, or every link of a mail with two or more within
    ``ALL_LINKS_WITHIN``.
    """
    ordered = sorted(clicks, key=lambda click: click.at)
    found = _together(ordered, links=BURST_LINKS, within=BURST_WITHIN)
    return found | (_together(ordered, links=links, within=ALL_LINKS_WITHIN) if links >= 2 else set())


def _together(ordered: list[Click], *, links: int, within: timedelta) -> set[int]:
    found: set[int] = set()
    for place, first in enumerate(ordered):
        near = [click for click in ordered[place:] if click.at - first.at <= within]
        if len({click.link_id for click in near}) >= links:
            found.update(click.id for click in near)
    return found
