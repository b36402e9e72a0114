"""Webhook deliveries as MailChimp makes them: PHP-style forms, signed, and not to be relied on."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from tests.standins.mailchimp_account import Account, Event, Webhook


@dataclass(frozen=True)
class Delivery:
    """A delivery ready to be posted."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    kind: str


def render(event: Event, hook: Webhook, *, at: datetime, without_action: bool = False) -> Delivery:
    """The delivery of an event to a webhook; real ones lack ``data[action]`` at times."""
    data = {name: value for name, value in event.data.items() if not (without_action and name == "action")}
    form = {"type": event.kind, "fired_at": event.fired_at.strftime("%Y-%m-%d %H:%M:%S"), "data": data}
    body = urlencode(list(_flatten(form))).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "MailChimp"}
    if hook.secret:
        stamp = int(at.timestamp())
        signed = hmac.new(hook.secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers["X-Mailchimp-Signature"] = f"t={stamp},v1={signed}"
    return Delivery(hook.url, headers, body, event.kind)


def wanted_by(event: Event, account: Account) -> list[Webhook]:
    """The webhooks of the event's list that announce its kind from its source."""
    hooks = account.lists[event.list_id].webhooks.values()
    return [hook for hook in hooks if hook.events.get(event.kind) and hook.sources.get(event.source)]


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flatten(inner, f"{name}[{key}]" if name else key)
    else:
        yield name, str(value)
