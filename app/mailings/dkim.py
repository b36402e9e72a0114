"""Signing mail (DKIM, RFC 6376, and RFC 8463 for Ed25519), relaxed in headers and body.

Pure: octets in, octets out. The signature covers the one-click header pair, as RFC 8058 asks, and names each header
once more than it occurs, so that none can be added.
"""

from __future__ import annotations

import base64
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
_SIGNED = [name.encode() for name in SIGNED]


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of a domain, with the selector under which DNS holds its other half."""

    domain: str
    selector: str
    algorithm: Algorithm
    private_pem: str = field(repr=False)


def signed(message: bytes, signers: Sequence[Signer], *, at: datetime, relaxed: bytes | None = None) -> bytes:
    """Return a message (lines end in CRLF) with a signature of each signer before it.

    ``relaxed``: its body as ``relaxed_body`` makes it, where the caller knows.
    """
    if not signers:
        return message
    head, _, body = message.partition(b"\r\n\r\n")
    body_hash = base64.b64encode(sha256(relaxed_body(body) if relaxed is None else relaxed).digest()).decode()
    names, lines = _chosen(_headers(head))
    signatures = [_signature(names, lines, body_hash, signer, at=at) for signer in signers]
    return b"".join([*signatures, message])


def _signature(names: Sequence[bytes], lines: bytes, body_hash: str, signer: Signer, *, at: datetime) -> bytes:
    value = (
        f" v=1; a={signer.algorithm}; c=relaxed/relaxed; d={signer.domain};\r\n s={signer.selector};"
        f" t={int(at.timestamp())}; bh={body_hash};\r\n h={_folded(tuple(names))};\r\n b="
    ).encode()
    made = base64.b64encode(_made(signer, lines + b"dkim-signature:" + _relaxed_value(value))).decode()
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


def _chosen(headers: Sequence[tuple[bytes, bytes]]) -> tuple[list[bytes], bytes]:
    """Return the names to list and the lines to sign: the last of a name first, and each name once too often."""
    by_name: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        by_name.setdefault(name, []).append(value)
    names: list[bytes] = []
    lines: list[bytes] = []
    for name in _SIGNED:
        found = by_name.get(name, [])
        lines += [name + b":" + _relaxed_value(value) + b"\r\n" for value in reversed(found)]
        names += [name] * (len(found) + 1)
    return names, b"".join(lines)


def _headers(head: bytes) -> list[tuple[bytes, bytes]]:
    # A header goes on where a line begins with a blank; NUL stands in no header.
    unfolded = head.replace(b"\r\n ", b"\0 ").replace(b"\r\n\t", b"\0\t")
    pairs = (line.partition(b":") for line in unfolded.split(b"\r\n") if line)
    return [(name.strip().lower(), value.replace(b"\0", b"")) for name, _colon, value in pairs]


def _relaxed_value(value: bytes) -> bytes:
    return _single_blanks(value.replace(b"\r\n", b"")).strip(b" ")


def _single_blanks(octets: bytes) -> bytes:
    """Return octets with every run of blanks as one. Patterns took longer than the signature itself."""
    tidy = octets.replace(b"\t", b" ")
    while b"  " in tidy:
        tidy = tidy.replace(b"  ", b" ")
    return tidy


def relaxed_lines(lines: bytes) -> bytes:
    """Return whole lines (each ends in CRLF) as they are hashed in a body of which they are not the end."""
    return _single_blanks(lines).replace(b" \r\n", b"\r\n")


def relaxed_body(body: bytes) -> bytes:
    """Return a body as RFC 6376 section 3.4.4 has it hashed."""
    tidy = relaxed_lines(body).removesuffix(b" ")
    while tidy.endswith(b"\r\n"):
        tidy = tidy[:-2]
    return tidy + b"\r\n" if tidy else b""


@lru_cache(maxsize=256)
def _folded(names: tuple[bytes, ...]) -> str:
    lines, line = [], ""
    for name in names:
        if len(line) + len(name) > 68:
            lines.append(line)
            line = ""
        line += f"{name.decode()}:"
    return "\r\n  ".join([*lines, line]).removesuffix(":")
