"""Notice versions: the exact wording people were shown, immutable, with its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.consent.models import NoticeVersion
from app.db import ScopedSession

UNKNOWN_LANGUAGE = "und"


@dataclass(frozen=True, slots=True)
class Wording:
    """A text for one purpose in one language, and where it was used first (a form, a source, a settings page)."""

    purpose: str
    language: str
    text: str
    source: str

    @property
    def sha256(self) -> bytes:
        """The hash of the text as UTF-8, which the database checks again."""
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def key(self) -> tuple[str, str, bytes]:
        """What makes two wordings the same version."""
        return self.purpose, self.language, self.sha256


def find_or_create_notices(session: ScopedSession, wordings: Iterable[Wording]) -> dict[tuple[str, str, bytes], int]:
    """Return the version's id for every wording's ``key``, creating those that nobody has been shown before."""
    wanted = {wording.key: wording for wording in wordings}
    found = _find(session, wanted)
    missing = [wanted[key] for key in sorted(wanted.keys() - found.keys())]
    if missing:
        session.execute(
            insert(NoticeVersion).on_conflict_do_nothing(),
            [
                {
                    "organisation_id": session.organisation_id,
                    "purpose": wording.purpose,
                    "language": wording.language,
                    "wording": wording.text,
                    "wording_sha256": wording.sha256,
                    "source": wording.source,
                    "created_at": clock.now(),
                }
                for wording in missing
            ],
        )
        found = _find(session, wanted)
    return found


def find_or_create_notice(session: ScopedSession, wording: Wording) -> int:
    """Return the id of the version with this wording, creating it where it is new."""
    return find_or_create_notices(session, [wording])[wording.key]


def _find(session: ScopedSession, keys: Iterable[tuple[str, str, bytes]]) -> dict[tuple[str, str, bytes], int]:
    version = NoticeVersion
    rows = session.execute(
        select(version.id, version.purpose, version.language, version.wording_sha256).where(
            tuple_(version.purpose, version.language, version.wording_sha256).in_(list(keys))
        )
    )
    return {(purpose, language, bytes(sha256)): notice_id for notice_id, purpose, language, sha256 in rows}
