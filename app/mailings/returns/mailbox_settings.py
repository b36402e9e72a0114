"""Where a house has its bounces fetched, and the address at which a relay may hand them in."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.accounts import directory
from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.returns.mailbox import forget_mailbox_trouble
from app.mailings.returns.models import ReturnMailbox

# A password was given for this mailbox and for no other.
NAMES_IT = ("host", "port", "user")


def mailbox_row(session: ScopedSession) -> ReturnMailbox:
    """Return the house's mailbox for what comes back; one that fetches nothing where none was filled in."""
    found = session.scalars(select(ReturnMailbox)).one_or_none()
    if found is not None:
        return found
    session.execute(insert(ReturnMailbox).values(organisation_id=session.organisation_id).on_conflict_do_nothing())
    return session.scalars(select(ReturnMailbox)).one()


def change_mailbox(
    keyring: Keyring, row: ReturnMailbox, *, values: Mapping[str, Any], password: str | None
) -> None:  # fmt: skip
    """Store what a person filled in; ``password`` None keeps the one we have, unless it was for another mailbox.

    Another mailbox or folder is read from its beginning.
    """
    if loses_password(row, values):
        row.password = None
    if any(values[name] != getattr(row, name) for name in (*NAMES_IT, "folder")):
        row.uid_validity, row.last_uid = None, 0
    for name, value in values.items():
        setattr(row, name, value)
    if password is not None:
        row.password = keyring.encrypted(password)
    # Whoever is reading the old one loses their lease with it.
    row.lease_until = None
    forget_mailbox_trouble(row)


def loses_password(row: ReturnMailbox, values: Mapping[str, Any]) -> bool:
    """Whether the password we have was given for another mailbox than the one that is named now."""
    return row.password is not None and any(values[name] != getattr(row, name) for name in NAMES_IT)


def new_hook_path(session: ScopedSession, keyring: Keyring) -> str:
    """Return a new path at which a relay may hand mails in; the one before it works no more. It is shown once."""
    token = secrets.token_urlsafe(32)
    ours = {"organisation_id": session.organisation_id, "target_id": session.organisation_id}
    directory.remove(session, "return_hook", **ours)
    directory.enter(session, keyring, "return_hook", token, **ours)
    return f"/hooks/mail/{token}"


def hook_key(session: ScopedSession, keyring: Keyring) -> str | None:
    """Return the key that the house's relay signs events with; None where it was given none."""
    kept = session.scalar(select(ReturnMailbox.hook_key))
    return None if kept is None else keyring.decrypted(kept)


def change_hook_key(keyring: Keyring, row: ReturnMailbox, key: str) -> None:
    """Keep the key that a relay signs events with; an empty one takes it away."""
    row.hook_key = keyring.encrypted(key) if key else None
