"""Webhooks of destinations: a hint that somebody changed, never the truth about them.

Each hint makes us read that one person again and note what the list says now, so that a hook that comes twice, late,
out of order or forged can do no more than make us look. ``app/sync/inbox`` stores, orders and repeats them. A hook that
speaks of many (an import is announced a thousand people at a time) has the list polled at once instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select, update

from app import clock
from app.audiences.announcing import is_genuine
from app.audiences.destinations import lent_destination
from app.audiences.held_out import Heard, heard_of_state, hold_out, note_heard
from app.audiences.models import Audience
from app.audiences.work import ListPlace
from app.consent.subjects import email_subject
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.inbox import process_inbox
from app.sync.leases import Hook, Processor
from integrations.base import Destination, HookEvent, MemberState, MemberStatus, Permanent
from integrations.catalogue import SYSTEMS

COMPLAINT = "abuse"
# From here on, reading what changed takes fewer calls than reading each of them.
READS_MAX = 50


def process_destination_hook(runtime: Runtime, hook: Hook) -> bool:
    """Read again whoever a webhook speaks of and commit what the list says; False where it speaks of nobody of ours.

    Raises ConnectorError: the inbox tries again, or keeps it as dead where the signature is wrong.
    """
    with lent_destination(runtime, hook.organisation_id, hook.connection_id) as destination:
        if not is_genuine(runtime, hook, destination):
            raise Permanent("bad_signature")
        events = [event for event in destination.read_hook(hook.body) if event.email or event.old_email]
        alone, together = _split(events)
        followed = [_follow(runtime, hook, destination, event) for event in alone]
    return any([*followed, _poll_soon(runtime, hook, together)])


def _split(events: Sequence[HookEvent]) -> tuple[list[HookEvent], list[HookEvent]]:
    """Whom to read one by one, and whom a poll finds as well; of a changed address only the hook knows."""
    moved = [event for event in events if event.old_email]
    others = [event for event in events if not event.old_email]
    return (moved + others, []) if len(others) <= READS_MAX else (moved, others)


def _poll_soon(runtime: Runtime, hook: Hook, events: Sequence[HookEvent]) -> bool:
    """Let the next heartbeat poll the lists these are about; False where none of them is ours."""
    lists = {event.list_external_id for event in events}
    with transaction(runtime.engine, hook.organisation_id) as session:
        due = session.scalars(
            update(Audience)
            .where(Audience.connection_id == hook.connection_id, Audience.list_ref.in_(lists))
            .where(Audience.state.in_(("active", "paused")))
            .values(next_poll_at=clock.now())
            .returning(Audience.id)
        ).all()
    return bool(due)


def drain_inbox(runtime: Runtime, organisation_id: int) -> None:
    """Process the webhooks that wait, before a run decides anything."""
    process_inbox(runtime, organisation_id, processors=PROCESSORS)


def _follow(runtime: Runtime, hook: Hook, destination: Destination, event: HookEvent) -> bool:
    with transaction(runtime.engine, hook.organisation_id) as session:
        lists = _lists_in_use(session, hook.connection_id)
    if event.list_external_id not in lists:
        return False
    place = ListPlace(hook.connection_id, event.list_external_id, hook.system)
    new = destination.member(place.list_ref, event.email) if event.email else None
    old = destination.member(place.list_ref, event.old_email) if event.old_email else None
    with transaction(runtime.engine, hook.organisation_id) as session:
        heard = [one for state in (old, new) if state is not None and (one := _heard(state, event)) is not None]
        note_heard(session, runtime.keyring, place, heard, at=clock.now())
        if old is not None and old.status is MemberStatus.ABSENT:
            # They go by another address there now; pushing the old one would be a new subscription behind their back.
            key = email_subject(session, runtime.keyring, old.email)
            hold_out(session, place, [key] if key else [], status="moved", at=clock.now())
    return True


def _heard(state: MemberState, event: HookEvent) -> Heard | None:
    """What the list says now; the hook adds the one thing a read cannot tell: that it was a complaint."""
    if state.status is MemberStatus.ABSENT and event.kind == "unsubscribe":
        return Heard(state.email, "forgotten", "withdrawn")
    heard = heard_of_state(state)
    is_out = heard is not None and heard.status in ("unsubscribed", "cleaned")
    if heard is not None and is_out and event.reason == COMPLAINT:
        return Heard(heard.email, heard.status, "complained")
    return heard


def _lists_in_use(session: ScopedSession, connection_id: int) -> set[str]:
    return set(
        session.scalars(
            select(Audience.list_ref).where(Audience.connection_id == connection_id, Audience.state != "removed")
        )
    )


# Who does the work of which system's webhooks: one way for every destination.
PROCESSORS: Mapping[str, Processor] = {
    name: process_destination_hook for name, system in SYSTEMS.items() if system.kind == "destination"
}
