"""The links of a frozen version, and how they stand in each person's mail: followed only where the person agreed.

The writer of mailings asks, in this order (docs/developers/mailings.md):

1. ``links_of``: the links of a template, registered once; what is no web address, or holds a personal field, is not.
2. ``following_of``: whether and how the house follows at all.
3. ``link_words``: per mail, what each ``link_N`` is, and ``pixel`` for who agreed to that; ``with_pixel`` is the HTML
   of the variant that has one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Protocol
from urllib.parse import urlsplit

from sqlalchemy import any_, select
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.consent.gate import contactable
from app.consent.subjects import ids
from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.models import Mailing, MailSetting
from app.mailings.skeleton import hole
from app.mailings.tracking.models import MailLink
from app.mailings.tracking.parameters import with_parameters
from app.mailings.tracking.tokens import Followed, make_token

URL_MAX = 2000
_WEB = re.compile(r"https?://[!-~]+\Z")
_PIXEL = f'<img src="{hole("pixel")}" width="1" height="1" alt="" style="border:0;width:1px;height:1px">'


class ToOnePerson(Protocol):
    """A delivery, as far as links go: ``Reserved`` is one."""

    @property
    def id(self) -> int: ...
    @property
    def contact_id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a template: where it leads, the house's own parameters included. ``id`` None: it is never followed.

    ``is_new``: it was registered just now, so that nobody may keep it before the caller's transaction is committed.
    """

    id: int | None
    url: str
    is_new: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Following:
    """How a house follows clicks and opens; ``is_on`` False: it does not."""

    keyring: Keyring
    base_url: str
    organisation_id: int
    is_on: bool


def links_of(session: ScopedSession, *, mailing_id: int, version: int, urls: Sequence[str]) -> list[Link]:
    """Return the links of a frozen version in the order given (``link_1`` first), registering those that are new.

    The same address is the same link, also in another language or variant, and leads where it led when it was first
    asked for: a mailing that is renamed afterwards changes nothing. Idempotent.
    """
    wanted = {_key(url): url for url in urls if _may_be_followed(url)}
    known = _registered(session, mailing_id, version)
    missing = {key: url for key, url in wanted.items() if key not in known}
    if missing:
        _register(session, mailing_id, version, missing)
        new = _registered(session, mailing_id, version)
        known = {key: link if key in known else replace(link, is_new=True) for key, link in new.items()}
    return [known.get(_key(url)) or Link(None, url) for url in urls]


def following_of(session: ScopedSession, keyring: Keyring, *, base_url: str) -> Following:
    """Return how the house follows; a house that never said so does not."""
    is_on = bool(session.scalar(select(MailSetting.tracks)))
    return Following(keyring, base_url, session.organisation_id, is_on)


def link_words(
    session: ScopedSession, following: Following, links: Sequence[Link], rows: Sequence[ToOnePerson]
) -> dict[int, Mapping[str, str]]:
    """Return, per delivery, the words of its links: ``{"link_1": address, …}``.

    Without the person's consent to clicks the address is the link itself; with it, one of ours that leads there. The
    word ``pixel`` is there only for who agreed to opens: their mail is made from ``with_pixel``. Who agreed is asked
    of the gate, in one statement for all rows (I16). Everybody else shares one mapping.
    """
    direct = {f"link_{place}": link.url for place, link in enumerate(links, 1)}
    agreed = _agreed(session, rows) if following.is_on else {}
    words: dict[int, Mapping[str, str]] = {}
    for row in rows:
        purposes = agreed.get(row.contact_id or 0)
        words[row.id] = direct if not purposes else _personal(following, links, row.id, purposes, direct)
    return words


def with_pixel(html: str) -> str:
    """Return the HTML of a mail with the hole ``pixel`` in an image at its end, for who agreed to opens."""
    head, end, tail = html.rpartition("</body>")
    return f"{head}{_PIXEL}{end}{tail}" if end else f"{html.rstrip()}{_PIXEL}\n"


def _personal(
    following: Following, links: Sequence[Link], delivery_id: int, purposes: set[str], direct: Mapping[str, str]
) -> Mapping[str, str]:
    words = dict(direct)
    organisation_id = following.organisation_id
    if "track_click" in purposes:
        for place, link in enumerate(links, 1):
            if link.id is not None:
                followed = Followed(organisation_id=organisation_id, delivery_id=delivery_id, link_id=link.id)
                token = make_token(following.keyring, "click", followed)
                words[f"link_{place}"] = f"{following.base_url}/t/c/{token}"
    if "track_open" in purposes:
        followed = Followed(organisation_id=organisation_id, delivery_id=delivery_id)
        words["pixel"] = f"{following.base_url}/t/o/{make_token(following.keyring, 'open', followed)}"
    return words


def _agreed(session: ScopedSession, rows: Sequence[ToOnePerson]) -> dict[int, set[str]]:
    """Return what each contact agreed to be followed in, as the gate says now."""
    gate = contactable.c
    contact_ids = {row.contact_id for row in rows if row.contact_id is not None}
    found = session.execute(
        select(gate.contact_id, gate.purpose).where(
            gate.organisation_id == session.organisation_id,
            gate.contact_id == any_(ids(contact_ids)),
            gate.channel == "email",
            gate.purpose.in_(("track_open", "track_click")),
        )
    )
    agreed: dict[int, set[str]] = {}
    for contact_id, purpose in found:
        agreed.setdefault(contact_id, set()).add(purpose)
    return agreed


def _registered(session: ScopedSession, mailing_id: int, version: int) -> dict[bytes, Link]:
    row = MailLink
    found = session.execute(
        select(row.asked_sha256, row.id, row.url).where(row.mailing_id == mailing_id, row.version == version)
    )
    return {bytes(key): Link(link_id, url) for key, link_id, url in found}


def _register(session: ScopedSession, mailing_id: int, version: int, missing: Mapping[bytes, str]) -> None:
    """Store new links; somebody who registers the same ones at this moment is waited for, and theirs stand."""
    source = session.scalar(select(MailSetting.utm_source))
    name = session.scalar(select(Mailing.name).where(Mailing.id == mailing_id)) or ""
    now = clock.now()
    session.execute(
        insert(MailLink).on_conflict_do_nothing(),
        [
            {
                "organisation_id": session.organisation_id,
                "mailing_id": mailing_id,
                "version": version,
                "asked_sha256": key,
                "url": with_parameters(url, source=source, campaign=name) if source else url,
                "registered_at": now,
            }
            for key, url in sorted(missing.items())
        ],
    )


def _may_be_followed(url: str) -> bool:
    """Whether a link is a plain web address that is the same for everybody. ``mailto:`` and personal ones are not."""
    if len(url) > URL_MAX or not _WEB.match(url):
        return False
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _key(url: str) -> bytes:
    return sha256(url.encode(errors="surrogatepass")).digest()
