"""The keys that must never be in the database: they sign, encrypt and hash.

One file, mode 0600: a list of master keys by id, the newest last. Old keys stay, because hashes of erased addresses
cannot be made again. Every use derives its own key (HKDF-SHA-256), and every organisation its own hash key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class KeyringError(Exception):
    """The keyring cannot be read, or lacks a key that stored data was made with."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """All master keys of this installation, by id; ids grow."""

    keys: tuple[tuple[int, bytes], ...]

    @property
    def current_id(self) -> int:
        """The id new hashes and secrets are made with."""
        return self.keys[-1][0]

    def derived(self, use: str, *, key_id: int | None = None) -> bytes:
        """Return the 32-byte key for one use; raises KeyringError for an id that is not in the ring."""
        wanted = self.current_id if key_id is None else key_id
        for each_id, master in self.keys:
            if each_id == wanted:
                return _derived(master, use)
        raise KeyringError(f"key {wanted} is not in the keyring; restore the keyring this database was made with")

    def subject_key(self, organisation_id: int, kind: str, normalised: str, *, key_id: int) -> bytes:
        """Return the keyed hash by which the ledger knows an address (HMAC-SHA-256, 32 bytes).

        The key differs per organisation, so that two houses holding the same address cannot be joined (I24).
        """
        key = self.derived(f"subject/{organisation_id}", key_id=key_id)
        return hmac.digest(key, f"{kind}:{normalised}".encode(), hashlib.sha256)

    def lookup_hash(self, kind: str, value: str) -> bytes:
        """Return the hash under which the directory finds an organisation by a key, a token or a log-in address."""
        key = self.derived("directory", key_id=self.keys[0][0])
        return hmac.digest(key, f"{kind}:{value}".encode(), hashlib.sha256)

    def encrypted(self, text: str) -> bytes:
        """Return a secret as it may be stored: the key id, a colon, and a Fernet token."""
        fernet = Fernet(base64.urlsafe_b64encode(self.derived("secrets")))
        return f"{self.current_id}:".encode() + fernet.encrypt(text.encode())

    def decrypted(self, stored: bytes) -> str:
        """Return a stored secret; raises KeyringError where it was made with another keyring."""
        key_id, _, token = stored.partition(b":")
        fernet = Fernet(base64.urlsafe_b64encode(self.derived("secrets", key_id=int(key_id))))
        try:
            return fernet.decrypt(token).decode()
        except InvalidToken:
            raise KeyringError("a stored secret was made with another keyring") from None


@lru_cache(maxsize=4096)
def _derived(master: bytes, use: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=b"zaallicht", info=use.encode()).derive(master)


def load_keyring(path: Path) -> Keyring:
    """Read the keyring, making one with a first key where there is none yet."""
    if not path.exists():
        _write_new(path)
    try:
        held = json.loads(path.read_text())
        return Keyring(tuple(sorted((int(key_id), base64.b64decode(key)) for key_id, key in held.items())))
    except (OSError, ValueError, AttributeError) as problem:
        raise KeyringError(f"the keyring {path.name} cannot be read: {type(problem).__name__}") from problem


def _write_new(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"1": base64.b64encode(secrets.token_bytes(32)).decode()})
    written = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    try:
        # A second process that starts at the same moment must not replace the first one's keys.
        os.link(written, path)
    except FileExistsError:
        pass
    finally:
        written.unlink()
