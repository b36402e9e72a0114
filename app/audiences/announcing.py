"""Asking a list to announce its changes to us, and telling its announcements from anybody else's.

Every list of a connection may sign with a secret of its own; the connection keeps all of them, one a line. Without a
secret there is nothing to verify but the address, which is a secret itself.
"""

from __future__ import annotations

import structlog

from app.audiences.work import Work
from app.db import transaction
from app.runtime import Runtime
from app.sync.connections import get_connection, hook_url
from app.sync.leases import Hook
from integrations.base import Destination, Permanent

log = structlog.get_logger()


def can_be_announced(runtime: Runtime) -> bool:
    """Whether the outside can reach us: without a public address opt-outs come home by the poll alone."""
    return bool(runtime.settings.public_url)


def ask_for_announcements(work: Work) -> None:
    """Make sure the list sends us its changes. A list that refuses is polled like any other; that is no failure."""
    if not can_be_announced(work.runtime) or not work.destination.capabilities.has_webhooks:
        return
    with work.fenced() as session:
        connection = get_connection(session, work.place.connection_id)
        url = hook_url(work.runtime.keyring, connection, base_url=work.runtime.settings.base_url)
    try:
        secret = work.destination.ensure_webhook(work.place.list_ref, url)
    except Permanent as refusal:
        log.warning("webhook refused", connection_id=work.place.connection_id, code=refusal.code)
        return
    if secret is not None:
        with work.fenced() as session:
            connection = get_connection(session, work.place.connection_id)
            known = _secrets(work.runtime, connection.hook_secret_encrypted)
            connection.hook_secret_encrypted = work.runtime.keyring.encrypted("\n".join([*known, secret]))
    work.reached("announcements asked for")


def is_genuine(runtime: Runtime, hook: Hook, destination: Destination) -> bool:
    """Whether a webhook is signed with a secret of one of the connection's lists; True where none of them signs."""
    with transaction(runtime.engine, hook.organisation_id) as session:
        stored = get_connection(session, hook.connection_id).hook_secret_encrypted
    secrets: list[str | None] = [*_secrets(runtime, stored)]
    return any(
        destination.verify_hook(hook.headers, hook.body, secret=secret, now=hook.received_at)
        for secret in secrets or [None]
    )


def _secrets(runtime: Runtime, stored: bytes | None) -> list[str]:
    return runtime.keyring.decrypted(stored).split("\n") if stored else []
