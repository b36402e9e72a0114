"""Tokens of followed links and pixels: which delivery, which link. Numbers only, signed, and good for years.

A token names the master key it was signed with, so that links in old mails keep working when keys are added. What a
click leads to is looked up by number, so that nobody can make one of ours lead elsewhere.
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

Kind = Literal["click", "open"]

CODES: dict[Kind, int] = {"click": 1, "open": 2}
VERSION = 1
_HEAD = struct.Struct(">BBHIQQ")
_SIGNATURE_BYTES = 12
_TEXT_LENGTH = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What a followed address says: whose house, which mail to one person, and which link (0 for the pixel)."""

    organisation_id: int
    delivery_id: int
    link_id: int = 0


def make_token(keyring: Keyring, kind: Kind, followed: Followed) -> str:
    """Return the token: 48 characters that are safe in an address."""
    key_id = keyring.current_id
    head = _HEAD.pack(
        VERSION, CODES[kind], key_id, followed.organisation_id, followed.delivery_id, followed.link_id
    )  # fmt: skip
    return base64.urlsafe_b64encode(head + _signature(keyring, key_id, head)).decode()


def read_token(keyring: Keyring, kind: Kind, token: str) -> Followed | None:
    """Return what a token of this kind says, or None for one that is not ours, altered or of another kind."""
    if len(token) != _TEXT_LENGTH or not token.isascii():
        return None
    try:
        body = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    head, signature = body[: _HEAD.size], body[_HEAD.size :]
    version, code, key_id, organisation_id, delivery_id, link_id = _HEAD.unpack(head)
    try:
        expected = _signature(keyring, key_id, head)
    except KeyringError:
        return None
    if not hmac.compare_digest(signature, expected) or (version, code) != (VERSION, CODES[kind]):
        return None
    return Followed(organisation_id=organisation_id, delivery_id=delivery_id, link_id=link_id)


def _signature(keyring: Keyring, key_id: int, head: bytes) -> bytes:
    return hmac.digest(keyring.derived("followed links", key_id=key_id), head, hashlib.sha256)[:_SIGNATURE_BYTES]
