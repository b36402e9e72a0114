"""The suppression list: whom no list of the client's mails, whatever the list says.

It has no filter, so it is read in full, and kept as hashes: it may be long. Somebody may stand on it and be Active on a
list, after signing up again by a form; the strictest reading is taken, which is theirs to lift there and not ours.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import date, timezone

from integrations.base import MemberState, MemberStatus
from integrations.esp.campaign_monitor_changes import FetchPage, Row, walk
from integrations.esp.campaign_monitor_client import Client, Page, local_instant
from integrations.esp.campaign_monitor_members import folded

OPTED_OUT = "suppressed"


@dataclass(slots=True)
class Suppressions:
    """The suppression list of a client as it was read."""

    _reasons: dict[bytes, str] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Remember one row."""
        self._reasons[_digest(str(row["EmailAddress"]))] = sys.intern(_reason(row))

    def overrule(self, state: MemberState) -> MemberState:
        """How somebody is really held who is held on a list as ``state`` says."""
        reason = self._reasons.get(_digest(state.email))
        return state if reason is None else changed(state, status=_status(reason), reason=reason)

    def holds(self, email: str) -> bool:
        """Whether an address is on the list."""
        return _digest(email) in self._reasons

    def status(self, email: str) -> MemberStatus:
        """What an address's place on the list means; UNSUBSCRIBED, the strictest, for one that is not known to be."""
        return _status(self._reasons.get(_digest(email), OPTED_OUT))


def read_suppressions(client: Client, client_id: str) -> Iterator[Row]:
    """Yield every row of a client's suppression list; each has at least an address."""
    return walk(_pages(client, client_id))


def suppressed_state(row: Row, *, zone: timezone | None) -> MemberState:
    """A row of the suppression list as our record: bounced, or opted out with the reason given."""
    reason = _reason(row)
    return MemberState(str(row["EmailAddress"]), _status(reason), local_instant(row.get("Date"), zone), reason)


def is_since(row: Row, day: date | None) -> bool:
    """Whether a row may be of that day or later; one that does not tell always may."""
    return day is None or str(row.get("Date") or "9")[:10] >= day.isoformat()


def _pages(client: Client, client_id: str) -> FetchPage:
    def fetch(page: int, size: int) -> Page:
        path = ("clients", client_id, "suppressionlist")
        return client.get_page(*path, page=page, pagesize=size, orderfield="date", orderdirection="asc")

    return fetch


def _reason(row: Row) -> str:
    return str(row.get("SuppressionReason") or OPTED_OUT)


def _status(reason: str) -> MemberStatus:
    return MemberStatus.CLEANED if "bounce" in reason.lower() else MemberStatus.UNSUBSCRIBED


def _digest(email: str) -> bytes:
    return hashlib.sha256(folded(email).encode()).digest()[:16]
