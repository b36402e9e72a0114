"""Bounces and complaints that a relay tells as events (JSON), turned into the reports that mail itself would bring.

Pure. What follows from a report is said once, for reports by mail and for these (``processing``). Which relay speaks is
seen from the shape of what it posts:

generic
    ``{"events": [{"event": "bounce" | "complaint", "recipient", "message_id", "status", "description", "id"}]}``;
    signed in ``X-Zaallicht-Signature: t=<seconds>,v1=<hex>``, the HMAC-SHA-256 of ``<t>.<body>``
Mailgun
    ``{"signature", "event-data"}``; HMAC-SHA-256 of timestamp and token, in the body
    (documentation.mailgun.com, webhook payloads, read 2026-11-21)
Mandrill
    the form field ``mandrill_events``; ``X-Mandrill-Signature``, HMAC-SHA-1 of the address and the sorted fields
Postmark
    ``{"RecordType": "Bounce" | "SpamComplaint", …}``; does not sign (postmarkapp.com/email-webhooks, the same day)

With a key, what is signed wrongly or not at all is refused. Deliveries, opens, clicks and retries mean nothing here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

WORDS_MAX = 400
EVENTS_MAX = 1000
# A hard bounce of which nothing more is known than that: the words decide, else a person does.
SAYS_NOTHING = "5.0.0"


class NotEvents(Exception):
    """What was posted is no list of events that we know."""


class NotSigned(Exception):
    """What was posted is not signed with the key that the house gave."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A request as it came: the full address it was posted to, its fields where it is a form, and its headers."""

    url: str
    body: bytes
    form: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Event:
    kind: Literal["bounce", "complaint"]
    recipient: str
    message_id: str
    status: str
    said: str
    key: str


def reports_of(posted: Posted, *, key: str | None) -> list[bytes]:
    """Return a report as octets of mail for each bounce and complaint among the events.

    Raises NotEvents for what is no event of a relay we know, NotSigned where ``key`` is given and did not sign it.
    """
    if "mandrill_events" in posted.form:
        _check(key, _mandrill_signature, posted, posted.headers.get("X-Mandrill-Signature", ""))
        events = _mandrill(_json(posted.form["mandrill_events"]))
    else:
        told = _json(posted.body)
        if not isinstance(told, dict):
            raise NotEvents
        if "event-data" in told:
            signature = _dict(told.get("signature"))
            _check(key, _mailgun_signature(signature), posted, str(signature.get("signature", "")))
            events = _mailgun(_dict(told["event-data"]))
        elif "RecordType" in told:
            if key:
                raise NotSigned
            events = _postmark(told)
        elif isinstance(told.get("events"), list):
            _check_generic(key, posted)
            events = _generic(told["events"])
        else:
            raise NotEvents
    return [_report(event) for event in events]


def _check(key: str | None, signature: Callable[[str, Posted], str], posted: Posted, given: str) -> None:
    if key and not hmac.compare_digest(signature(key, posted).encode(), given.encode()):
        raise NotSigned


def _check_generic(key: str | None, posted: Posted) -> None:
    parts = dict(
        part.strip().partition("=")[::2] for part in posted.headers.get("X-Zaallicht-Signature", "").split(",")
    )
    said = parts.get("t", "").encode() + b"." + posted.body
    _check(
        key, lambda secret, _posted: hmac.new(secret.encode(), said, "sha256").hexdigest(), posted, parts.get("v1", "")
    )


def _mandrill_signature(key: str, posted: Posted) -> str:
    said = posted.url + "".join(name + posted.form[name] for name in sorted(posted.form))
    return base64.b64encode(hmac.digest(key.encode(), said.encode(), hashlib.sha1)).decode()


def _mailgun_signature(signature: Mapping[str, Any]) -> Callable[[str, Posted], str]:
    said = f"{signature.get('timestamp', '')}{signature.get('token', '')}".encode()
    return lambda key, _posted: hmac.new(key.encode(), said, "sha256").hexdigest()


def _generic(events: Iterable[Any]) -> Iterator[_Event]:
    for each in map(_dict, list(events)[:EVENTS_MAX]):
        kind = each.get("event")
        if kind in ("bounce", "complaint"):
            status = _text(each.get("status")) or SAYS_NOTHING
            yield _Event(
                kind,
                _text(each.get("recipient")),
                _text(each.get("message_id")),
                status,
                _text(each.get("description")),
                _text(each.get("id")),
            )


def _mailgun(event: Mapping[str, Any]) -> Iterator[_Event]:
    name, told = event.get("event"), _dict(event.get("delivery-status"))
    # It tries what failed for now again by itself.
    is_bounce = name == "failed" and event.get("severity") == "permanent"
    if not is_bounce and name != "complained":
        return
    message_id = _text(_dict(_dict(event.get("message")).get("headers")).get("message-id"))
    said = f"{told.get('code', '')} {told.get('message') or told.get('description') or ''}"
    status = _text(told.get("enhanced-code")) or SAYS_NOTHING
    kind: Literal["bounce", "complaint"] = "bounce" if is_bounce else "complaint"
    yield _Event(kind, _text(event.get("recipient")), message_id, status, said, _text(event.get("id")))


_MANDRILL = {"bad_mailbox": "5.1.1", "invalid_domain": "5.1.2", "mailbox_full": "5.2.2"}


def _mandrill(events: Any) -> Iterator[_Event]:
    for each in map(_dict, events[:EVENTS_MAX] if isinstance(events, list) else []):
        name, mail = each.get("event"), _dict(each.get("msg"))
        if name not in ("hard_bounce", "soft_bounce", "spam"):
            continue
        otherwise = "4.0.0" if name == "soft_bounce" else SAYS_NOTHING
        status = _MANDRILL.get(_text(mail.get("bounce_description")), otherwise)
        key = f"{each.get('_id', '')} {each.get('ts', '')} {name}"
        kind: Literal["bounce", "complaint"] = "complaint" if name == "spam" else "bounce"
        yield _Event(kind, _text(mail.get("email")), "", status, _text(mail.get("diag")), key)


_POSTMARK = {
    **dict.fromkeys(("HardBounce", "BadEmailAddress"), "5.1.1"),
    **dict.fromkeys(("SoftBounce", "Transient", "DnsError"), "4.0.0"),
    **dict.fromkeys(("Blocked", "SpamNotification", "DMARCPolicy"), "5.7.1"),
}


def _postmark(event: Mapping[str, Any]) -> Iterator[_Event]:
    kind = {"Bounce": "bounce", "SpamComplaint": "complaint"}.get(_text(event.get("RecordType")))
    status = _POSTMARK.get(_text(event.get("Type")), "")
    if kind == "complaint" or (kind == "bounce" and status):
        said = f"{_text(event.get('Details'))} {_text(event.get('Description'))}"
        yield _Event(kind, _text(event.get("Email")), "", status, said, _text(event.get("ID")))  # type: ignore[arg-type]


def _report(event: _Event) -> bytes:
    """Return an event as the mail that RFC 3464 or RFC 5965 asks for."""
    what = "delivery-status" if event.kind == "bounce" else "feedback-report"
    recipient, status = _one_line(event.recipient), _one_line(event.status)
    if event.kind == "bounce":
        fields = (
            f"Reporting-MTA: dns; relay\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\nAction: failed\r\n"
            f"Status: {status}\r\nDiagnostic-Code: smtp; {_one_line(event.said)}\r\n"
        )
    else:
        fields = f"Feedback-Type: abuse\r\nVersion: 1\r\nOriginal-Rcpt-To: {recipient}\r\n"
    message_id = _one_line(event.message_id).strip("<>")
    return (
        f"From: <mailer-daemon@relay.invalid>\r\nSubject: told by the relay\r\nX-Event: {_one_line(event.key)}\r\n"
        f'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type={what}; boundary="zl"\r\n\r\n'
        f"--zl\r\nContent-Type: text/plain\r\n\r\ntold by the relay\r\n"
        f"--zl\r\nContent-Type: message/{what}\r\n\r\n{fields}\r\n"
        f"--zl\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{message_id}>\r\n\r\n--zl--\r\n"
    ).encode()


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise NotEvents from None


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return str(value) if isinstance(value, (str, int)) else ""


def _one_line(text: str) -> str:
    """Return what somebody said so that it cannot begin another line of the report."""
    said = "".join(character if " " <= character <= "~" else " " for character in text)
    return " ".join(said.split())[:WORDS_MAX]
