"""Campaign Monitor's webhooks: one list and up to a thousand events in a body, unsigned, at least once.

They are hints to read somebody again. An update that changes neither the address nor makes anybody inactive is none: it
is most often the echo of our own push. Read on Campaign Monitor's webhooks page, November 2026.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import HookEvent

EVENTS_MAX = 1_000
# What became of somebody, in the words every connector uses.
DEACTIVATED: Mapping[str, str] = {"Bounced": "cleaned", "Deleted": "archived"}


def read_events(body: bytes) -> Sequence[HookEvent]:
    """The hints in a delivery, oldest first; [] for a body that is none. Never raises.

    Their dates carry no zone, so ``occurred_at`` is None. The dedupe key is a hash: it may be stored and logged.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return []
    events = told.get("Events") if isinstance(told, dict) else None
    list_id = _text(told.get("ListID")) if isinstance(told, dict) else None
    if not isinstance(events, list) or list_id is None:
        return []
    rows = [row for row in events[:EVENTS_MAX] if isinstance(row, dict)]
    rows.sort(key=lambda row: str(row.get("Date", "")))
    return [event for row in rows if (event := _event(row, list_id)) is not None]


def dedupe_key(body: bytes) -> str | None:
    """What repeats of one delivery have in common; None for a body that is no delivery."""
    keys = [event.dedupe_key for event in read_events(body)]
    return hashlib.sha256("\n".join(keys).encode()).hexdigest() if keys else None


def _event(row: Mapping[str, Any], list_id: str) -> HookEvent | None:
    email, old_email, state = (_text(row.get(name)) for name in ("EmailAddress", "OldEmailAddress", "State"))
    if email is None:
        return None
    is_moved = old_email is not None and old_email.casefold() != email.casefold()
    kind = _kind(_text(row.get("Type")), state, is_moved=is_moved)
    if kind is None:
        return None
    told = [kind, list_id, email.casefold(), old_email or "", state or "", str(row.get("Date", ""))]
    return HookEvent(
        kind=kind,
        list_external_id=list_id,
        email=email,
        occurred_at=None,
        dedupe_key=hashlib.sha256("\n".join(told).encode()).hexdigest(),
        old_email=old_email if is_moved else None,
        reason=state,
    )


def _kind(word: str | None, state: str | None, *, is_moved: bool) -> str | None:
    match word:
        case "Subscribe":
            return "subscribe"
        case "Deactivate":
            return DEACTIVATED.get(state or "", "unsubscribe")
        case "Update" if is_moved:
            return "upemail"
        case "Update" if state != "Active":
            return "profile"
        case _:
            return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
