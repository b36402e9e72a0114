"""A slip of the pen in an address, found before a mail goes nowhere: ``an@gmial.com`` was meant as ``an@gmail.com``.

Pure, and never more than a question: whoever says that the address is right is believed.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.accounts.addresses import normalise_email

# Where most of the audience of a house in Flanders, Brussels, Wallonia or the Netherlands has its mailbox.
PROVIDERS = (
    "gmail.com", "hotmail.com", "hotmail.be", "hotmail.nl", "hotmail.fr", "outlook.com", "outlook.be", "live.be",
    "live.nl", "live.com", "msn.com", "icloud.com", "me.com", "yahoo.com", "yahoo.fr", "telenet.be", "skynet.be",
    "proximus.be", "scarlet.be", "pandora.be", "voo.be", "ziggo.nl", "kpnmail.nl", "planet.nl", "hetnet.nl", "home.nl",
    "xs4all.nl", "upcmail.nl", "casema.nl", "chello.nl", "quicknet.nl", "orange.fr", "free.fr", "laposte.net",
    "protonmail.com", "proton.me", "gmx.net", "gmx.com", "gmx.de", "web.de",
    "live.de", "mail.com", "ymail.com", "aol.com", "yahoo.de", "googlemail.com",
)  # fmt: skip
SURE_FROM_LENGTH = 7


def likely_meant(address: str, *, beside: Iterable[str] = ()) -> str | None:
    """Return the address that was probably meant, or None where there is nothing to ask.

    ``beside``: domains that are as well known as those of large providers, such as the most usual ones of a house.
    """
    normalised = normalise_email(address)
    if normalised is None:
        return None
    local, _, domain = normalised.rpartition("@")
    well_known = (*PROVIDERS, *beside)
    if domain in well_known or len(domain) < SURE_FROM_LENGTH:
        return None
    near = [each for each in well_known if _is_one_slip(domain, each)]
    # More than one that is as near says nothing about which was meant, but the first is the most common.
    return f"{local}@{near[0]}" if near else None


def _is_one_slip(typed: str, meant: str) -> bool:
    """Whether one letter was added, left out, replaced or swapped with its neighbour."""
    if abs(len(typed) - len(meant)) > 1:
        return False
    start = next((n for n, (a, b) in enumerate(zip(typed, meant, strict=False)) if a != b), min(len(typed), len(meant)))
    rest, wanted = typed[start:], meant[start:]
    is_swapped = len(rest) > 1 and len(wanted) > 1 and rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:]
    return rest[1:] == wanted or rest == wanted[1:] or rest[1:] == wanted[1:] or is_swapped
