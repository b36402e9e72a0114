"""Where bounces come back to, and by which number: addresses that only we can have made.

A mail's number is in its Message-ID and, where the house keeps a mailbox for bounces, in the envelope's sender
(variable envelope return paths), so that a bounce names the delivery it is about whatever it quotes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator

from app.keyring import Keyring, KeyringError

_SIGNED = 10
_NUMBER = re.compile(r"d(\d{1,9})\.(\d{1,18})\.(\d{1,9})\.([a-z2-7]{16})")


def delivery_number(keyring: Keyring, organisation_id: int, delivery_id: int) -> str:
    """Return a delivery's number as it travels: letters, digits and dots, signed."""
    said = f"d{organisation_id}.{delivery_id}.{keyring.current_id}"
    return f"{said}.{_signature(keyring, said, keyring.current_id)}"


def read_delivery_number(keyring: Keyring, text: str) -> tuple[int, int] | None:
    """Return the organisation and delivery named in a text such as an address or Message-ID, or None if not by us."""
    return next(read_delivery_numbers(keyring, text), None)


def read_delivery_numbers(keyring: Keyring, text: str) -> Iterator[tuple[int, int]]:
    """Return every organisation and delivery that a text names by a number of ours, as they come."""
    for organisation_id, delivery_id, key_id, signature in _NUMBER.findall(text.lower()):
        said = f"d{organisation_id}.{delivery_id}.{key_id}"
        try:
            expected = _signature(keyring, said, int(key_id))
        except KeyringError:
            continue
        if hmac.compare_digest(expected, signature):
            yield int(organisation_id), int(delivery_id)


def return_path(bounce_address: str, number: str) -> str:
    """Return the address of a mailbox with a number behind a plus sign (RFC 5233), which it must accept."""
    local, _, domain = bounce_address.rpartition("@")
    return f"{local}+{number}@{domain}"


def _signature(keyring: Keyring, said: str, key_id: int) -> str:
    digest = hmac.digest(keyring.derived("return paths", key_id=key_id), said.encode(), hashlib.sha256)
    return base64.b32encode(digest[:_SIGNED]).decode().lower()
