"""The keys that sign a house's mail: made here, one half told to DNS by whoever keeps the domain.

A key signs only once DNS was seen to hold its other half; before that, a signature would be a broken promise.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.dkim import Algorithm, Signer
from app.mailings.models import DkimKey

RSA_BITS = 2048
SELECTORS: dict[str, Algorithm] = {"zaallicht-r": "rsa-sha256", "zaallicht-e": "ed25519-sha256"}


def create_keys(session: ScopedSession, keyring: Keyring, domain: str) -> list[DkimKey]:
    """Make the keys of a domain, one RSA and one Ed25519, and return them; those that are there already stay."""
    for selector, algorithm in SELECTORS.items():
        key = _generated(algorithm)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        session.execute(
            insert(DkimKey)
            .values(
                organisation_id=session.organisation_id,
                domain=domain,
                selector=selector,
                algorithm=algorithm,
                private_key=keyring.encrypted(pem),
                public_key=_public(key),
                created_at=clock.now(),
            )
            .on_conflict_do_nothing()
        )
    return keys_of(session, domain)


def keys_of(session: ScopedSession, domain: str) -> list[DkimKey]:
    """Return the keys of a domain, by selector."""
    return list(session.scalars(select(DkimKey).where(DkimKey.domain == domain).order_by(DkimKey.selector)))


def signers_of(session: ScopedSession, keyring: Keyring, domain: str) -> Sequence[Signer]:
    """Return what signs mail from a domain now."""
    return tuple(
        Signer(key.domain, key.selector, _algorithm(key), keyring.decrypted(key.private_key))
        for key in keys_of(session, domain)
        if key.published_at is not None
    )


def record_of(key: DkimKey) -> tuple[str, str]:
    """Return the name and the text of the DNS record that publishes a key."""
    kind = "ed25519" if key.algorithm == "ed25519-sha256" else "rsa"
    return f"{key.selector}._domainkey.{key.domain}", f"v=DKIM1; k={kind}; p={key.public_key}"


def _algorithm(key: DkimKey) -> Algorithm:
    return "ed25519-sha256" if key.algorithm == "ed25519-sha256" else "rsa-sha256"


def _generated(algorithm: Algorithm) -> RSAPrivateKey | Ed25519PrivateKey:
    if algorithm == "ed25519-sha256":
        return Ed25519PrivateKey.generate()
    return generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def _public(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    if isinstance(key, Ed25519PrivateKey):
        return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()
