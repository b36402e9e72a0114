"""MailChimp's webhooks: whether a body is MailChimp's, and what it hints at.

A delivery is a form with keys in PHP's manner (``data[merges][FNAME]``), comes at least once, in any order, or never,
and carries no id. So it is only ever a hint to read somebody again. Read on MailChimp's webhooks page, November 2026.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from integrations.base import HookEvent

SIGNATURE_HEADER = "x-mailchimp-signature"
TOLERANCE_S = 300
KINDS = frozenset({"subscribe", "unsubscribe", "profile", "cleaned", "upemail", "campaign"})
FIELDS_MAX = 1_000
DEPTH_MAX = 8

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


def is_signed(headers: Mapping[str, str], body: bytes, *, secret: str, now: datetime) -> bool:
    """Whether the header ``t=<unix>,v1=<hex>`` holds a signature of these raw bytes, made within 300 s of ``now``.

    v1 is HMAC-SHA-256 with ``secret`` over "<t>." and the body. Compared in constant time. Never raises.
    """
    header = next((value for name, value in headers.items() if name.lower() == SIGNATURE_HEADER), "")
    parts = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in parts if name == "t"]
    if len(stamps) != 1 or not re.fullmatch(r"[0-9]{1,12}", stamps[0]):
        return False
    if abs(now.timestamp() - int(stamps[0])) > TOLERANCE_S:
        return False
    expected = signature(body, secret=secret, stamp=int(stamps[0])).encode()
    given = [value.encode() for name, _, value in parts if name == "v1"]
    return any(hmac.compare_digest(expected, candidate) for candidate in given)


def signature(body: bytes, *, secret: str, stamp: int) -> str:
    """The v1 signature in hexadecimal of a body delivered at ``stamp`` (Unix seconds)."""
    return hmac.new(secret.encode(), str(stamp).encode() + b"." + body, hashlib.sha256).hexdigest()


def decode_form(body: bytes) -> dict[str, Any]:
    """A form with PHP-style keys as nested dicts; ``a[]`` counts up. Never raises: what cannot be read is left out."""
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        return {}
    form: dict[str, Any] = {}
    for key, value in pairs:
        match = _KEY.fullmatch(key)
        if match:
            _put(form, [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])], value)
    return form


def _put(form: dict[str, Any], path: list[str], value: str) -> None:
    if len(path) > DEPTH_MAX:
        return
    inner = form
    for name in path[:-1]:
        below = inner.setdefault(name or str(len(inner)), {})
        if not isinstance(below, dict):
            return
        inner = below
    inner[path[-1] or str(len(inner))] = value


def read_event(body: bytes) -> HookEvent | None:
    """What a delivery hints at; None for an empty probe, an unknown kind or a body that is no delivery.

    ``reason`` is MailChimp's (manual, abuse, hard); ``data[action]`` is not used, as real deliveries lack it. The
    dedupe key is a hash, so that it may be stored and logged.
    """
    form = decode_form(body)
    kind, data = _text(form.get("type")), form.get("data")
    if kind is None or kind not in KINDS or not isinstance(data, dict):
        return None
    email = _text(data.get("new_email") if kind == "upemail" else data.get("email"))
    list_id, fired_at = _text(data.get("list_id")), _text(form.get("fired_at"))
    who = _text(data.get("id")) or _text(data.get("new_id")) or email or ""
    return HookEvent(
        kind=kind,
        list_external_id=list_id,
        email=email,
        occurred_at=_instant(fired_at),
        dedupe_key=hashlib.sha256("\n".join([kind, who, list_id or "", fired_at or ""]).encode()).hexdigest(),
        old_email=_text(data.get("old_email")),
        reason=_text(data.get("reason")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _instant(text: str | None) -> datetime | None:
    """MailChimp writes no zone; UTC is assumed, and nothing may hang on it."""
    try:
        return datetime.strptime(text or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
