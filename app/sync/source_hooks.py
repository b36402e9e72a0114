"""Webhooks of a source: refetch what each speaks of, and store as much as possible in one transaction.

A box office that sells out announces hundreds of orders within a minute; stored one by one they would cost a dozen
statements and several commits each.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

import structlog

from app.db import transaction
from app.runtime import Runtime
from app.sync.connections import close as close_system
from app.sync.connections import get_connection, open_source
from app.sync.leases import Hook, note_failure, process_each, settle_read, still_ours
from app.sync.storing import join_pages, store_page
from integrations.base import Source, SourcePage

log = structlog.get_logger()

# How long is read before what was read is stored: well within the lease, and nothing waits long.
READ_FOR_S = 10.0

# What the webhooks of a batch speak of, by item.
Read = dict[int, tuple[Hook, Sequence[SourcePage]]]


def process_source_hooks(runtime: Runtime, hooks: Sequence[Hook]) -> int:
    """Refetch and store what claimed webhooks of one source speak of; returns how many are settled.

    A webhook that cannot be read is put off alone. Those that were read are settled by the commit that stores them;
    where that fails, each is stored by itself, so that one bad record keeps no other waiting.
    """
    try:
        source = _opened(runtime, hooks[0])
    except Exception as error:
        return sum(note_failure(runtime, hook, error) for hook in hooks)
    settled, ahead = 0, deque(hooks)
    try:
        while ahead and still_ours(runtime, ahead[0]):
            read, hopeless = _read_some(runtime, source, ahead)
            settled += hopeless + _store(runtime, read)
    finally:
        close_system(source)
    return settled


def _opened(runtime: Runtime, hook: Hook) -> Source:
    with transaction(runtime.engine, hook.organisation_id) as session:
        connection = get_connection(session, hook.connection_id)
    return open_source(runtime.keyring, connection, allows_loopback=runtime.settings.allow_loopback_connections)


def _read_some(runtime: Runtime, source: Source, ahead: deque[Hook]) -> tuple[Read, int]:
    """Take webhooks off the line and read them, with no transaction open, until enough time has gone by.

    Returns what was read, and how many turned out to be hopeless and are settled so.
    """
    read: Read = {}
    hopeless = 0
    until = time.monotonic() + READ_FOR_S
    while ahead and (time.monotonic() < until or not read):
        hook = ahead.popleft()
        try:
            read[hook.item_id] = hook, source.read_hook(hook.body)
        except Exception as error:
            hopeless += note_failure(runtime, hook, error)
    return read, hopeless


def _store(runtime: Runtime, read: Read) -> int:
    if not read:
        return 0
    first = next(hook for hook, _ in read.values())
    try:
        with transaction(runtime.engine, first.organisation_id) as session:
            for page in join_pages(page for _, pages in read.values() for page in pages):
                store_page(session, runtime.keyring, page, connection_id=first.connection_id)
            fruitful = [hook for hook, pages in read.values() if pages]
            idle = [hook for hook, pages in read.values() if not pages]
            return settle_read(session, fruitful, has_work=True) + settle_read(session, idle, has_work=False)
    except Exception as error:
        log.warning("webhooks are stored one by one", system=first.system, error=type(error).__name__)

    def store(runtime: Runtime, hook: Hook) -> bool:
        pages = read[hook.item_id][1]
        for page in pages:
            with transaction(runtime.engine, hook.organisation_id) as session:
                store_page(session, runtime.keyring, page, connection_id=hook.connection_id)
        return bool(pages)

    return process_each(runtime, [hook for hook, _ in read.values()], store)
