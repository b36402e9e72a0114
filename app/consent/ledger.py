"""Recording consent events: take the locks, append, project, all in the caller's transaction.

An event is recorded as a fact whoever says it; what it is worth is decided by ``precedence``. A yes that cannot show
its date, method, source and wording is kept as ``noted`` and allows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, text, tuple_
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.consent import projection
from app.consent.clearing.addresses import keep_addresses
from app.consent.drafts import Draft, ExternalKey, NewEvent, Recorded, noted_where_incomplete, sift
from app.consent.errors import NobodyMeant, UnknownNotice, UnknownPurpose
from app.consent.locks import lock_for_change
from app.consent.models import ConsentEvent, ConsentEvidence, NoticeVersion
from app.consent.notices import find_or_create_notices
from app.consent.precedence import POSITIVE, is_first_party
from app.consent.queued import cancel_said_no
from app.consent.receipts import noes_of, owed_receipts, request_receipts
from app.consent.subjects import contact_subject, contacts_by_subject, email_subject, hash_key_id
from app.consent.suppressions import welcome_back
from app.db import ScopedSession, insert_many
from app.keyring import Keyring

__all__ = ["NewEvent", "Recorded", "record_event", "record_events", "record_opt_outs"]

# Anybody can type an address into a form; these were reached through the mailbox itself, or signed.
PROVES_THE_ADDRESS = frozenset({"confirmation_page", "preference_page", "signed_paper_scan"})
OBJECTIONS = frozenset({"complaint", "objected"})


def record_event(session: ScopedSession, keyring: Keyring, event: NewEvent) -> Recorded:
    """Record one event and project it. Raises UnknownPurpose, UnknownNotice, NobodyMeant; nothing is recorded then."""
    (recorded,) = record_events(session, keyring, [event])
    if recorded.event_id is None:
        raise NobodyMeant
    return recorded


def record_events(session: ScopedSession, keyring: Keyring, events: Sequence[NewEvent]) -> list[Recorded]:
    """Record events in their order and project them; one result each. Made for thousands in a few statements.

    Takes the locks of ``locks.lock_for_change`` until the commit: call it once per transaction, with everything.
    Idempotent on (source, external_id). Addresses that cannot exist are skipped (``event_id`` None). Raises
    UnknownPurpose or UnknownNotice, and NobodyMeant for an event without address and contact; nothing is recorded then.
    """
    _refuse_unknown(session, events)
    drafts = _with_contacts(session, [_draft(session, keyring, place, event) for place, event in enumerate(events)])
    known = [draft for draft in drafts if draft.subject_key]
    results = {draft.position: draft.recorded(is_new=False) for draft in drafts if not draft.subject_key}
    if known:
        results |= _record(session, keyring, known)
    return [results[place] for place in range(len(events))]


def record_opt_outs(
    session: ScopedSession,
    keyring: Keyring,
    addresses: Iterable[str],
    *,
    channel: str,
    purpose: str | None,
    source: str,
    method: str,
    at: datetime | None,
    reason: str,
) -> list[Recorded]:
    """Record that people opted out elsewhere; ``at`` is when that system says so, None where it does not know.

    A ``reason`` of ``complaint`` or ``objected`` is an objection, any other a withdrawal. Saying the same again while
    the no stands adds nothing; once the person came back, an opt-out that is not known to be the old one acts again.
    """
    return record_events(
        session,
        keyring,
        [
            NewEvent(
                address=address,
                channel=channel,
                purpose=purpose,
                action="objected" if reason in OBJECTIONS else "withdrawn",
                occurred_at=at,
                actor="system",
                method=method,
                source=source,
                evidence={"reason": reason},
                repeats="opt_out",
            )
            for address in addresses
        ],
    )


def _record(session: ScopedSession, keyring: Keyring, drafts: Sequence[Draft]) -> dict[int, Recorded]:
    pairs = {draft.pair for draft in drafts}
    lock_for_change(session, {key for key, _ in pairs}, channels=sorted({channel for _, channel in pairs}))
    # Everything read from here on is read after the locks were granted, in statements of their own.
    replays = _replays(session, drafts)
    histories = projection.read_histories(session, pairs)
    complete = [noted_where_incomplete(draft) for draft in _with_notices(session, _numbered(session, drafts))]
    fresh, results = sift(complete, replays=replays, histories=histories)
    if fresh:
        _append(session, fresh)
        keep_addresses(session, keyring, fresh)
        asking = owed_receipts(session, fresh, at=clock.now())
        noes_before = noes_of(session, asking) if asking else frozenset()
        welcome_back(session, [(draft.subject_key, draft.event.channel) for draft in fresh if _came_back(draft)])
        for draft in fresh:
            histories[draft.pair].append(draft.as_fact())
        projection.project(session, {pair: histories[pair] for pair in {draft.pair for draft in fresh}})
        cancel_said_no(session, fresh, at=clock.now())
        request_receipts(session, keyring, asking, before=noes_before)
    return results


def _came_back(draft: Draft) -> bool:
    """Whether this is a yes that only whoever reads mail at the address, or signed for it, can have given."""
    return draft.action in POSITIVE and draft.event.method in PROVES_THE_ADDRESS and is_first_party(draft.as_fact())


def _refuse_unknown(session: ScopedSession, events: Sequence[NewEvent]) -> None:
    known = projection.purpose_rules(session)
    for event in events:
        if event.purpose is not None and event.purpose not in known:
            raise UnknownPurpose(event.purpose)
        if event.address is None and event.subject_key is None and event.contact_id is None:
            raise NobodyMeant
    noticed = {event.notice_version_id for event in events if event.notice_version_id is not None}
    if not noticed:
        return
    version = NoticeVersion
    rows = session.execute(select(version.id, version.purpose).where(version.id.in_(noticed)))
    purposes: dict[int, str] = dict(rows.all())
    for event in events:
        wanted = event.notice_version_id
        if wanted is not None and (wanted not in purposes or event.purpose not in (None, purposes[wanted])):
            raise UnknownNotice(wanted)


def _draft(session: ScopedSession, keyring: Keyring, place: int, event: NewEvent) -> Draft:
    if event.address is not None:
        subject_key = email_subject(session, keyring, event.address)
    elif event.subject_key is not None:
        subject_key = event.subject_key
    else:
        subject_key = contact_subject(session, keyring, int(event.contact_id or 0))
    return Draft(
        position=place,
        event=event,
        subject_key=subject_key or b"",
        contact_id=event.contact_id,
        recorded_at=clock.now(),
        notice_version_id=event.notice_version_id,
        action=event.action,
        evidence=event.evidence,
    )


def _with_contacts(session: ScopedSession, drafts: Sequence[Draft]) -> list[Draft]:
    unknown = {draft.subject_key for draft in drafts if draft.contact_id is None and draft.subject_key}
    contacts = contacts_by_subject(session, unknown) if unknown else {}
    return [
        replace(draft, contact_id=contacts.get(draft.subject_key)) if draft.contact_id is None else draft
        for draft in drafts
    ]


def _with_notices(session: ScopedSession, drafts: Sequence[Draft]) -> list[Draft]:
    wordings = {draft.position: wording for draft in drafts if (wording := draft.wording) is not None}
    notices = find_or_create_notices(session, wordings.values()) if wordings else {}
    return [
        replace(draft, notice_version_id=notices[wordings[draft.position].key]) if draft.position in wordings else draft
        for draft in drafts
    ]


def _numbered(session: ScopedSession, drafts: Sequence[Draft]) -> list[Draft]:
    # Numbered after the locks were granted, so that the order of ids is the order of recording for each subject.
    ids = session.scalars(
        text("SELECT nextval(pg_get_serial_sequence('consent_event', 'id')) FROM generate_series(1, :count)"),
        {"count": len(drafts)},
    )
    return [replace(draft, event_id=event_id) for draft, event_id in zip(drafts, ids.all(), strict=True)]


def _replays(session: ScopedSession, drafts: Sequence[Draft]) -> Mapping[ExternalKey, Recorded]:
    keys = {draft.external_key for draft in drafts if draft.external_key}
    if not keys:
        return {}
    event, beside = ConsentEvent, ConsentEvidence
    rows = session.execute(
        select(beside.source, beside.external_id, event.id, event.action, event.contact_id)
        .join(event, event.id == beside.event_id)
        .where(tuple_(beside.source, beside.external_id).in_(sorted(keys)))
    )
    return {
        (source, str(external_id)): Recorded(event_id, False, action, contact_id)
        for source, external_id, event_id, action, contact_id in rows
    }


def _append(session: ScopedSession, drafts: Sequence[Draft]) -> None:
    same = {"organisation_id": session.organisation_id, "hash_key_id": hash_key_id(session)}
    evidence = [row for draft in drafts if (row := draft.as_evidence()) is not None]
    if evidence:
        # First, because the trigger on the ledger reads from it where a no came from.
        own = {"organisation_id": session.organisation_id}
        insert_many(session, insert(ConsentEvidence), [row | own for row in evidence])
    insert_many(session, insert(ConsentEvent), [draft.as_row() | same for draft in drafts])
