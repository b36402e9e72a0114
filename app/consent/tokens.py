"""Tokens of the links in mails: unsubscribe, preferences, confirm, new address. Signed, and valid for years.

A token holds numbers and the keyed hash of the address, never the address. It names the master key it was signed with,
so that new keys can be added while the links in old mails keep working. One kind of link cannot be used for another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import Literal

from app.keyring import Keyring, KeyringError

Kind = Literal["unsubscribe", "preferences", "confirm", "address"]

CODES: dict[Kind, int] = {"unsubscribe": 1, "preferences": 2, "confirm": 3, "address": 4}
VERSION = 1
_HEAD = struct.Struct(">BBHIQ32s")
_SIGNATURE_BYTES = 16
_TEXT_MAX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a link says: whose house, which address (by its hash), and what the mail was for.

    ``purpose`` None is all direct marketing. ``event_id`` is the request (or the change of
    address) that a confirmation answers, else 0.
    """

    kind: Kind
    organisation_id: int
    subject_key: bytes
    purpose: str | None = None
    event_id: int = 0


def make_token(keyring: Keyring, claims: Claims) -> str:
    """Return the token for a link: about 95 characters that are safe in an address."""
    purpose = (claims.purpose or "").encode()
    key_id = keyring.current_id
    head = _HEAD.pack(VERSION, CODES[claims.kind], key_id, claims.organisation_id, claims.event_id, claims.subject_key)
    return base64.urlsafe_b64encode(head + purpose + _signature(keyring, key_id, head + purpose)).decode().rstrip("=")


def read_token(keyring: Keyring, kind: Kind, token: str) -> Claims | None:
    """Return what a token of this kind says, or None for one that is not ours, altered or of another kind."""
    body = _decoded(token)
    if body is None or len(body) < _HEAD.size + _SIGNATURE_BYTES:
        return None
    signed, signature = body[:-_SIGNATURE_BYTES], body[-_SIGNATURE_BYTES:]
    version, code, key_id, organisation_id, event_id, subject_key = _HEAD.unpack_from(signed)
    try:
        expected = _signature(keyring, key_id, signed)
    except KeyringError:
        return None
    if not hmac.compare_digest(signature, expected) or (version, code) != (VERSION, CODES[kind]):
        return None
    return Claims(
        kind=kind,
        organisation_id=organisation_id,
        subject_key=subject_key,
        purpose=signed[_HEAD.size :].decode() or None,
        event_id=event_id,
    )


def _decoded(token: str) -> bytes | None:
    if len(token) > _TEXT_MAX or not token.isascii():
        return None
    try:
        body = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    # Base64 has several spellings of one text; only ours counts.
    return body if base64.urlsafe_b64encode(body).decode().rstrip("=") == token else None


def _signature(keyring: Keyring, key_id: int, signed: bytes) -> bytes:
    return hmac.digest(keyring.derived("links", key_id=key_id), signed, hashlib.sha256)[:_SIGNATURE_BYTES]
