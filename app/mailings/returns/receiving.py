"""Taking in what comes back: stored sealed before anybody reads it, once each, and forgotten after a while."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from datetime import timedelta
from hashlib import sha256
from typing import Literal

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.mailings.returns.models import ReturnMail
from app.mailings.returns.reading import READ_OCTETS_MAX, Unreadable
from app.runtime import Runtime

CameBy = Literal["mailbox", "hook", "pipe", "event"]

# What nobody decided about by then is not read any more; the counts stay a little longer.
SEALED_FOR, KEPT_FOR = timedelta(days=30), timedelta(days=180)
_RECIPIENT = re.compile(r"[!-;=?-~]{1,250}")


def take_in(
    session: ScopedSession, keyring: Keyring, raw: bytes, *, came_by: CameBy, recipient: str | None = None
) -> bool:
    """Store a mail that came back; returns False for one that is stored already, or is empty.

    Its first 256 kB are kept: a report comes first, and what follows is the mail it is about. ``recipient`` is whom
    the server that hands it in took it for; it goes before the headers, as servers write it (``Delivered-To``).
    """
    kept = raw[:READ_OCTETS_MAX]
    if not kept.strip():
        return False
    if recipient and _RECIPIENT.fullmatch(recipient):
        kept = f"Delivered-To: {recipient}\r\n".encode() + kept
    now = clock.now()
    stored = session.execute(
        insert(ReturnMail)
        .values(
            organisation_id=session.organisation_id,
            came_by=came_by,
            received_at=now,
            next_try_at=now,
            raw_sha256=sha256(kept).digest(),
            sealed=sealed(keyring, kept),
        )
        .on_conflict_do_nothing()
        .returning(ReturnMail.id)
    )
    return stored.first() is not None


def sealed(keyring: Keyring, raw: bytes) -> bytes:
    """Return a mail as it is stored: compressed, and encrypted with the keyring."""
    return keyring.encrypted(base64.b64encode(zlib.compress(raw, 6)).decode())


def unsealed(keyring: Keyring, stored: bytes) -> bytes:
    """Return a mail as it came. Raises KeyringError with another keyring, Unreadable for what is none of ours."""
    try:
        packed = base64.b64decode(keyring.decrypted(stored), validate=True)
        return zlib.decompressobj().decompress(packed, 2 * READ_OCTETS_MAX)
    except (binascii.Error, zlib.error, ValueError) as problem:
        raise Unreadable from problem


def forget_old_returns(runtime: Runtime, organisation_id: int) -> int:
    """Empty the mails that came back long ago, and remove what is left of them later; returns how many."""
    row, now = ReturnMail, clock.now()
    with transaction(runtime.engine, organisation_id) as session:
        emptied = session.execute(
            update(row)
            .where(row.sealed.is_not(None), row.received_at < now - SEALED_FOR, row.state != "waiting")
            .values(sealed=None)
            .execution_options(synchronize_session=False)
        )
        session.execute(
            update(row)
            .where(row.sealed.is_(None), row.state == "to_look_at")
            .values(state="done", problem_code="never_looked_at", settled_at=now)
            .execution_options(synchronize_session=False)
        )
        gone = session.execute(
            delete(row)
            .where(row.received_at < now - KEPT_FOR, row.state != "waiting")
            .execution_options(synchronize_session=False)
        )
    return int(emptied.rowcount + gone.rowcount)  # type: ignore[attr-defined]
