"""What a form showed to whoever sends it, signed into it: so that the ledger keeps exactly that wording.

A page is good for a day. A snippet on the house's own site says the same to everybody for as long as it stands there;
once the house published another wording it is good for thirty days more. What is older is shown again, as it is now.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import select

from app import clock
from app.consent.models import NoticeVersion, Purpose
from app.consent.notices import Wording
from app.consent.wordings import beginning_wording, wording_for
from app.db import ScopedSession
from app.keyring import Keyring

PAGE_LASTS = timedelta(hours=24)
SNIPPET_OUTLIVES = timedelta(days=30)
HASH_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What was signed into a form: which, in which language, when (None: a snippet), and the wording by purpose as the
    beginning of its SHA-256. ``nonce`` tells one showing from another."""

    form_id: int
    language: str
    shown_at: datetime | None
    wordings: Mapping[str, str]
    nonce: str


def show(form_id: int, language: str, wordings: Mapping[str, Wording], *, is_snippet: bool = False) -> Shown:
    """Return what a form shows now."""
    return Shown(
        form_id=form_id,
        language=language,
        shown_at=None if is_snippet else clock.now(),
        wordings={code: _short(wording) for code, wording in wordings.items()},
        nonce="" if is_snippet else secrets.token_urlsafe(9),
    )


def sign(keyring: Keyring, shown: Shown) -> str:
    """Return the text a form carries in a hidden field."""
    at = None if shown.shown_at is None else int(shown.shown_at.timestamp())
    return str(_serializer(keyring).dumps([shown.form_id, shown.language, at, dict(shown.wordings), shown.nonce]))


def read(keyring: Keyring, text: str) -> Shown | None:
    """Return what was shown, or None for a text that is not ours."""
    try:
        form_id, language, at, wordings, nonce = _serializer(keyring).loads(text)
    except (BadData, ValueError, TypeError):
        return None
    shown_at = None if at is None else datetime.fromtimestamp(at, clock.now().tzinfo)
    return Shown(form_id=form_id, language=language, shown_at=shown_at, wordings=wordings, nonce=nonce)


def current_wordings(
    session: ScopedSession, purposes: Sequence[Purpose], *, language: str, house: str
) -> dict[str, Wording]:
    """Return what each purpose shows now."""
    return {each.code: wording_for(session, each, language=language, house=house) for each in purposes}


def wording_shown(session: ScopedSession, purpose: Purpose, shown: Shown, *, house: str) -> Wording | None:
    """Return the very wording a form showed for a purpose, or None where the form is too old to go by."""
    wanted = shown.wordings.get(purpose.code)
    now = wording_for(session, purpose, language=shown.language, house=house)
    if wanted is None or (shown.shown_at is not None and clock.now() - shown.shown_at > PAGE_LASTS):
        return None
    if _short(now) == wanted:
        return now
    if shown.shown_at is None and _replaced_long_ago(session, now):
        return None
    earlier = [beginning_wording(purpose, language=shown.language, house=house), *_versions(session, purpose, shown)]
    return next((wording for wording in earlier if _short(wording) == wanted), None)


def _versions(session: ScopedSession, purpose: Purpose, shown: Shown) -> list[Wording]:
    version = NoticeVersion
    rows = session.scalars(select(version).where(version.purpose == purpose.code, version.language == shown.language))
    return [Wording(row.purpose, row.language, row.wording, row.source) for row in rows]


def _replaced_long_ago(session: ScopedSession, now: Wording) -> bool:
    version = NoticeVersion
    published_at = session.scalar(
        select(version.created_at).where(
            version.purpose == now.purpose, version.language == now.language, version.wording_sha256 == now.sha256
        )
    )
    return published_at is not None and clock.now() - published_at > SNIPPET_OUTLIVES


def _short(wording: Wording) -> str:
    return wording.sha256.hex()[:HASH_LENGTH]


def _serializer(keyring: Keyring) -> Any:
    # The newest key signs, all of them are understood.
    return URLSafeSerializer([keyring.derived("sign-up forms", key_id=key_id) for key_id, _ in keyring.keys])
