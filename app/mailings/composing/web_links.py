"""Links of a mail: which are links at all, and which are a personal field (the page of the activity it is about)."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

LINK_MAX = 2000
_FIELD = re.compile(r"\{\{\s*([a-z_]+\.[a-z_]*url)\s*\}\}")
_CONTROL = re.compile(r"[\x00-\x20\x7f\u2028\u2029\ue000\ue001]")


def clean_link(text: str) -> str:
    """Return a link as it is kept: trimmed, ``https://`` put before a bare domain; empty for what may be no link.

    ``https``, ``http``, ``mailto`` and ``tel`` are links, and a field that holds an address. ``javascript:`` and all
    the others are not.
    """
    text = text.strip()
    if _FIELD.fullmatch(text):
        return "{{ " + field_of(text) + " }}"
    text = _CONTROL.sub("", text)
    if re.fullmatch(r"(www\.)?[\w-]+(\.[\w-]+)*\.[a-zA-Z]{2,}(/\S*)?", text):
        text = f"https://{text}"
    return text if link_problem(text) is None else ""


def field_of(link: str) -> str:
    """Return the personal field that a link is, or nothing for an ordinary link."""
    match = _FIELD.fullmatch(link)
    return match[1] if match else ""


def link_problem(link: str) -> str | None:
    """Return why a link is none: ``empty``, ``scheme``, ``no_host``, ``too_long``, ``spaces``; None where it is one."""
    if not link.strip():
        return "empty"
    if field_of(link):
        return None
    if len(link) > LINK_MAX:
        return "too_long"
    if _CONTROL.search(link):
        return "spaces"
    return _address_problem(link)


def _address_problem(link: str) -> str | None:
    try:
        pieces = urlsplit(link)
        host = pieces.hostname
        _ = pieces.port
    except ValueError:
        return "no_host"
    if pieces.scheme in ("mailto", "tel"):
        return None if pieces.path else "no_host"
    if pieces.scheme not in ("http", "https"):
        return "scheme"
    # A name before an @ makes an address look like another's.
    if pieces.username is not None or not host or ("." not in host and host != "localhost"):
        return "no_host"
    return None


def with_parameter(link: str, name: str, value: str) -> str:
    """Return a link with one more parameter."""
    pieces = urlsplit(link)
    query = [*parse_qsl(pieces.query, keep_blank_values=True), (name, value)]
    return urlunsplit(pieces._replace(query=urlencode(query)))
