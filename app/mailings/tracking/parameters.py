"""Parameters that tell a house's web statistics which mailing a visit came from (``utm_…``): the same for everybody."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit


def with_parameters(url: str, *, source: str, campaign: str) -> str:
    """Return a web address with ``utm_source``, ``utm_medium`` and ``utm_campaign``, the rest of it untouched.

    One that has parameters of this kind already is left as it is: somebody chose those. Nothing personal is in them.
    """
    parts = urlsplit(url)
    if any(name.lower().startswith("utm_") for name, _value in parse_qsl(parts.query, keep_blank_values=True)):
        return url
    added = f"utm_source={quote(source, safe='')}&utm_medium=email&utm_campaign={quote(_plain(campaign), safe='')}"
    query = f"{parts.query}&{added}" if parts.query else added
    return urlunsplit(parts._replace(query=query))


def _plain(name: str) -> str:
    """Return a name as statistics show it best: small letters, digits and hyphens."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-") or "mailing"
