"""Telling machines from people: scanners that follow links, and mail programs that fetch images ahead.

Pure. What a machine did is kept and counts for nothing. Where it cannot be told, it was a person: a report that counts
a scanner is wrong by one, while a reader who is taken for a machine is lost from it. Read 2026-11: Apple's Mail Privacy
Protection fetches every image of a mail through a proxy that calls itself ``Mozilla/5.0`` and no more; gateways
(Barracuda, Mimecast, Proofpoint, Microsoft Defender) follow every link within seconds, often as an ordinary browser.
The proxies of Gmail and Yahoo fetch when a person opens the mail, so they count as people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

# Nobody has received, opened and clicked a mail so soon after we handed it over.
TOO_SOON = timedelta(seconds=10)
# So many different links of one mail within so short a time: nobody reads like that.
BURST_LINKS, BURST_WITHIN = 3, timedelta(seconds=10)
ALL_LINKS_WITHIN = timedelta(seconds=3)

_PEOPLES_PROXIES = re.compile(r"GoogleImageProxy|YahooMailProxy", re.IGNORECASE)
_MACHINES = re.compile(
    r"(?<!cu)bot\b|crawl|spider|scan|sentinel|preview|prefetch|proofpoint|mimecast|barracuda|trend ?micro|safelinks"
    r"|symantec|messagelabs|forcepoint|fortinet|sophos|headless|phantomjs|puppeteer|playwright|selenium"
    r"|^curl|^wget|python|^java/|go-http-client|okhttp|apache-httpclient|libwww|^ruby|^php|axios|node-fetch"
    r"|facebookexternalhit|whatsapp|linkcheck|monitor",
    re.IGNORECASE,
)
_FETCHED_AHEAD = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


@dataclass(frozen=True, slots=True)
class Click:
    """A click as a burst is judged by: which link, when."""

    id: int
    link_id: int
    at: datetime


def is_machine(headers: Mapping[str, str], *, after: timedelta | None) -> bool:
    """Whether a hit with these request headers, ``after`` the hand-over of its mail, was no person's."""
    if after is not None and after < TOO_SOON:
        return True
    if any("prefetch" in headers.get(name, "").lower() or "preview" in headers.get(name, "").lower()
           for name in _FETCHED_AHEAD):  # fmt: skip
        return True
    agent = headers.get("User-Agent", "").strip()
    if _PEOPLES_PROXIES.search(agent):
        return False
    return agent in ("", "Mozilla/5.0") or bool(_MACHINES.search(agent))


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
