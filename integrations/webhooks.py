"""Telling another system that something happened: one signed POST, bounded in time, and never to a private address.

Signed as the Standard Webhooks specification says: ``webhook-id`` names the message and stays the same when it is
repeated, ``webhook-timestamp`` is when it was sent, and ``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256
over ``id.timestamp.body``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlsplit

import requests

from integrations.base import Permanent, Transient, UnknownOutcome
from integrations.json_api import GuardedAdapter, PrivateAddress, is_loopback_name, is_reachable, literal_address

CONNECT_S, READ_S = 5.0, 10.0
WAIT_LONGEST_S = 24 * 3600.0


def check_target(url: str, *, allows_loopback: bool) -> str:
    """Return the address to call. Raises Permanent: ``bad_address``, ``insecure_address`` or ``private_address``.

    https only (http to loopback, where that is allowed), no user name, no literal private address. Where a name leads
    is looked at on every call.
    """
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        is_whole = parts.scheme in ("http", "https") and bool(host) and parts.port != 0
    except ValueError as error:
        raise Permanent("bad_address") from error
    if not is_whole or parts.username or parts.password:
        raise Permanent("bad_address")
    literal = literal_address(host)
    is_private = literal is not None and not is_reachable(literal, allows_loopback=allows_loopback)
    is_local = is_loopback_name(host)
    if is_private or (is_local and not allows_loopback) or host.endswith((".local", ".internal", ".localdomain")):
        raise Permanent("private_address")
    if parts.scheme != "https" and not is_local:
        raise Permanent("insecure_address")
    return url.strip()


def signature(secret: bytes, *, message_id: str, sent_at: datetime, body: bytes) -> str:
    """Return ``v1,…`` over the message."""
    signed = f"{message_id}.{int(sent_at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def call(
    url: str, body: bytes, *, message_id: str, secret: bytes, sent_at: datetime, allows_loopback: bool = False
) -> None:
    """Deliver one message; returns when the other system said that it has it (any 2xx).

    Raises Permanent (``bad_address``, ``insecure_address``, ``private_address``, ``moved``, ``refused``,
    ``bad_certificate``), Transient (``rate_limited``, ``server_error``, ``unreachable``), or UnknownOutcome where the
    message left and no answer came.
    """
    target = check_target(url, allows_loopback=allows_loopback)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Zaallicht",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": signature(secret, message_id=message_id, sent_at=sent_at, body=body),
    }
    with requests.Session() as session:
        session.trust_env = False  # a proxy or .netrc file of the machine is none of theirs
        adapter = GuardedAdapter(allows_loopback=allows_loopback)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        try:
            with session.post(
                target, data=body, headers=headers, timeout=(CONNECT_S, READ_S), allow_redirects=False, stream=True
            ) as response:
                _judge(response)
        except PrivateAddress as error:
            raise Permanent("private_address") from error
        except requests.exceptions.SSLError as error:
            raise Permanent("bad_certificate") from error
        except (requests.exceptions.ConnectTimeout, requests.exceptions.InvalidSchema) as error:
            raise Transient("unreachable", hint=type(error).__name__) from error
        except requests.exceptions.ReadTimeout as error:
            raise UnknownOutcome("no_answer") from error
        except requests.RequestException as error:
            raise Transient("unreachable", hint=type(error).__name__) from error


def _judge(response: requests.Response) -> None:
    status = response.status_code
    if 200 <= status < 300:
        return
    if status in {429, 408} or status >= 500:
        after = response.headers.get("Retry-After", "").strip()
        wait_s = min(float(after), WAIT_LONGEST_S) if after.isdecimal() else None
        raise Transient("rate_limited" if status == 429 else "server_error", hint=str(status), retry_after_s=wait_s)
    raise Permanent("moved" if 300 <= status < 400 else "refused", hint=str(status))
