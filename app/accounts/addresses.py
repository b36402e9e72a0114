"""What an address is, so that the ledger, matching and every destination mean the same one."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import idna

LOCAL_OCTETS_MAX = 64
ADDRESS_OCTETS_MAX = 254

# RFC 5322 dot-atom, with the letters RFC 6531 adds. Quoted local parts exist on paper only and are refused.
_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")


def normalise_email(text: str) -> str | None:
    """Return the one spelling of an e-mail address, or None where no such address can exist.

    Trimmed, lower case, Unicode NFC, the domain in its ASCII form (IDNA 2008, UTS 46). Normalising twice changes
    nothing. The local part is lower-cased too: no mailbox provider of our houses tells case apart, and an opt-out of
    ``An@…`` must stop ``an@…``.
    """
    local, at, domain = unicodedata.normalize("NFC", text.strip().removeprefix("mailto:")).rpartition("@")
    local = unicodedata.normalize("NFC", local.lower())
    ascii_domain = _ascii_domain(domain)
    if not at or ascii_domain is None or not _LOCAL.fullmatch(local):
        return None
    address = f"{local}@{ascii_domain}"
    if len(local.encode()) > LOCAL_OCTETS_MAX or len(address.encode()) > ADDRESS_OCTETS_MAX:
        return None
    return address


@lru_cache(maxsize=8192)  # a house's files hold few domains, and IDNA looks at every letter
def _ascii_domain(domain: str) -> str | None:
    try:
        encoded = idna.encode(domain.strip().removesuffix("."), uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return None
    return encoded if _DOMAIN.fullmatch(encoded) else None
