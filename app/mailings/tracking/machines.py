"""Telling machines from people: scanners that follow links, and mail programs that fetch images ahead.

Pure. What a machine did is kept and counts for nothing. Where it cannot be told, it was a person: a report that counts
a scanner is wrong by one, while a reader who is taken for a machine is lost from it. Read 2026-11: Apple's Mail Privacy
Protection fetches every image of a mail through a proxy that calls itself ``Mozilla/5.0`` and no more; gateways
(Barracuda, Mimecast, Proofpoint, Microsoft Defender) follow every link within seconds, often as an ordinary browser.
The proxies of Gmail and Yahoo fetch when a person opens the mail, so they count as people. Bursts of links are told in
``app/contacts/bursts.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

# Nobody has received, opened and clicked a mail so soon after we handed it over.
TOO_SOON = timedelta(seconds=10)
_PEOPLES_PROXIES = re.compile(r"GoogleImageProxy|YahooMailProxy", re.IGNORECASE)
_MACHINES = re.compile(
    r"(?<!cu)bot\b|crawl|spider|scan|sentinel|preview|prefetch|proofpoint|mimecast|barracuda|trend ?micro|safelinks"
    r"|symantec|messagelabs|forcepoint|fortinet|sophos|headless|phantomjs|puppeteer|playwright|selenium"
    r"|^curl|^wget|python|^java/|go-http-client|okhttp|apache-httpclient|libwww|^ruby|^php|axios|node-fetch"
    r"|facebookexternalhit|whatsapp|linkcheck|monitor",
    re.IGNORECASE,
)
_FETCHED_AHEAD = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


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
