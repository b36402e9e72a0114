"""Signing mail (DKIM, RFC 6376, and RFC 8463 for Ed25519), relaxed in headers and body.

Pure: octets in, octets out. The signature covers the one-click header pair, as RFC 8058 asks, and names each header
once more than it occurs, so that none can be added.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

Algorithm = Literal["rsa-sha256", "ed25519-sha256"]

SIGNED = (
    "from",
    "to",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "auto-submitted",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
)


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of a domain, with the selector under which DNS holds its other half."""

    domain: str
    selector: str
    algorithm: Algorithm
    private_pem: str = field(repr=False)


def signed(message: bytes, signers: Sequence[Signer], *, at: datetime) -> bytes:
    """Return a message (lines end in CRLF) with a signature of each signer before it."""
    if not signers:
        return message
    head, _, body = message.partition(b"\r\n\r\n")
    headers = _headers(head)
    body_hash = base64.b64encode(sha256(relaxed_body(body)).digest()).decode()
    signatures = [_signature(headers, body_hash, signer, at=at) for signer in signers]
    return b"".join(signatures) + message


def _signature(headers: Sequence[tuple[bytes, bytes]], body_hash: str, signer: Signer, *, at: datetime) -> bytes:
    names, lines = _chosen(headers)
    value = (
        f" v=1; a={signer.algorithm}; c=relaxed/relaxed; d={signer.domain};\r\n s={signer.selector};"
        f" t={int(at.timestamp())}; bh={body_hash};\r\n h={_folded(names)};\r\n b="
    ).encode()
    octets = b"".join(line + b"\r\n" for line in lines) + b"dkim-signature:" + _relaxed_value(value)
    made = base64.b64encode(_made(signer, octets)).decode()
    broken = "\r\n ".join(made[start : start + 72] for start in range(0, len(made), 72))
    return b"DKIM-Signature:" + value + broken.encode() + b"\r\n"


def _made(signer: Signer, octets: bytes) -> bytes:
    key = _key(signer.private_pem)
    if isinstance(key, RSAPrivateKey):
        return key.sign(octets, PKCS1v15(), SHA256())
    # RFC 8463 section 3: what is signed is the hash.
    return key.sign(sha256(octets).digest())


@lru_cache(maxsize=256)
def _key(private_pem: str) -> RSAPrivateKey | Ed25519PrivateKey:
    key = load_pem_private_key(private_pem.encode(), password=None)
    if not isinstance(key, (RSAPrivateKey, Ed25519PrivateKey)):
        raise ValueError("DKIM knows RSA and Ed25519 keys")
    return key


def _chosen(headers: Sequence[tuple[bytes, bytes]]) -> tuple[list[str], list[bytes]]:
    """Return the names to list and the lines to sign: the last of a name first, and each name once too often."""
    names: list[str] = []
    lines: list[bytes] = []
    for name in SIGNED:
        found = [value for each, value in headers if each == name.encode()]
        lines += [name.encode() + b":" + _relaxed_value(value) for value in reversed(found)]
        names += [name] * (len(found) + 1)
    return names, lines


def _headers(head: bytes) -> list[tuple[bytes, bytes]]:
    unfolded = re.split(rb"\r\n(?![ \t])", head)
    pairs = (line.partition(b":") for line in unfolded if line)
    return [(name.strip().lower(), value) for name, _colon, value in pairs]


def _relaxed_value(value: bytes) -> bytes:
    return re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" \t")


def relaxed_body(body: bytes) -> bytes:
    """Return a body as RFC 6376 section 3.4.4 has it hashed. Patterns took longer than the signature itself."""
    tidy = body.replace(b"\t", b" ")
    while b"  " in tidy:
        tidy = tidy.replace(b"  ", b" ")
    tidy = tidy.replace(b" \r\n", b"\r\n").removesuffix(b" ")
    while tidy.endswith(b"\r\n"):
        tidy = tidy[:-2]
    return tidy + b"\r\n" if tidy else b""


def _folded(names: Sequence[str]) -> str:
    lines, line = [], ""
    for name in names:
        if len(line) + len(name) > 68:
            lines.append(line)
            line = ""
        line += f"{name}:"
    return "\r\n  ".join([*lines, line]).removesuffix(":")
