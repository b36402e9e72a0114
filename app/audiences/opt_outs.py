"""Opt-outs come home before anybody is pushed, and ours go there.

Pull: everybody the list says has changed since the cursor, less an overlap, a batch at a time: read with no transaction
open, then committed to the ledger. The cursor moves only after the last batch, to when the pull began. The first time,
and once a day, the list is read whole, the archived too, so that nothing a webhook or a poll missed is missed for long.
Any failure is raised: without a whole pull nobody may be pushed.

There: a no that was spoken here is carried out there, one person at a time; first the intent is committed, so that its
echo is recognised. A no that came from there is not sent back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from app import clock
from app.audiences.batches import batched
from app.audiences.drift import compare_tags, forget_old_drift, note_drift, note_subscribed_again, unheard
from app.audiences.held_out import (
    heard_of_state,
    hold_out,
    mark_unsubscribed,
    note_heard,
)
from app.audiences.models import Audience, AudienceMember
from app.audiences.results import PersonResult, store_results
from app.audiences.wanted import refusers, stale_intents
from app.audiences.work import Work
from app.consent.subjects import email_subject
from app.db import ScopedSession
from integrations.base import MemberState, MemberStatus, PushOutcome

OVERLAP = timedelta(minutes=15)
WHOLE_EVERY = timedelta(hours=24)
STATES_PER_COMMIT = 1_000
UNSUBSCRIBES_PER_COMMIT = 25
VANISHED_READ_MAX = 500


def read_back(work: Work) -> None:
    """Find out about everybody whose push never got an answer, before anything else is written."""
    with work.fenced() as session:
        waiting = session.execute(
            select(AudienceMember.subject_key, AudienceMember.address)
            .where(AudienceMember.audience_id == work.audience.id)
            .where(AudienceMember.state.in_(("claimed", "uncertain")))
            .order_by(AudienceMember.subject_key)
        ).all()
    for batch in batched(waiting, STATES_PER_COMMIT):
        states = {row.subject_key: work.destination.member(work.place.list_ref, row.address) for row in batch}
        work.reached("read back")
        with work.fenced() as session:
            _settle_read_back(work, session, states)
        work.counts["read_back"] += len(batch)
        work.reached("read back stored")


def _settle_read_back(work: Work, session: ScopedSession, states: dict[bytes, MemberState]) -> None:
    """There: ours, to be pushed again as a whole. Absent: the push never happened."""
    absent = [key for key, state in states.items() if state.status is MemberStatus.ABSENT]
    there = [key for key in states if key not in set(absent)]
    for keys, values in ((absent, {"state": "out", "address": None}), (there, {"state": "in"})):
        session.execute(
            update(AudienceMember)
            .where(AudienceMember.audience_id == work.audience.id, AudienceMember.subject_key.in_(keys))
            .where(AudienceMember.state.in_(("claimed", "uncertain")))
            .values(pushed_sha256=None, updated_at=clock.now(), **values)
        )
    _note(work, session, states.values())


def pull_opt_outs(work: Work) -> bool:
    """Bring every change of the list home since the cursor, and return whether the list was read whole.

    Raises ConnectorError: then nobody may be pushed.
    """
    began_at = clock.now()
    audience = work.audience
    is_first_look = audience.opt_outs_pulled_until is None
    is_whole = is_first_look or _is_due(audience.reconciled_at, began_at)
    since = None if is_whole or audience.opt_outs_pulled_until is None else audience.opt_outs_pulled_until - OVERLAP
    met: set[bytes] = set()
    tagged: set[bytes] = set()
    for states in batched(work.destination.changed_members(work.place.list_ref, since), STATES_PER_COMMIT):
        work.reached("page read")
        with work.fenced() as session:
            if is_whole and not is_first_look:
                _note_missed(work, session, states, at=began_at)
            _note(work, session, states, is_first_look=is_first_look)
            if is_whole:
                met |= _keys(work, session, states)
            tagged |= _keys(work, session, _with_our_tag(work, states))
        work.reached("opt-outs committed")
    if is_whole:
        _look_for_vanished(work, met)
        _note_rest_of_drift(work, began_at, is_first_look=is_first_look)
    elif _has_strangers(work, tagged):
        _look_for_vanished(work, _tagged_there(work))
    with work.fenced() as session:
        _move_cursor(work, session, began_at, is_whole=is_whole)
    work.reached("cursor moved")
    return is_whole


def _is_due(reconciled_at: datetime | None, at: datetime) -> bool:
    return reconciled_at is None or at - reconciled_at >= WHOLE_EVERY


def _note(work: Work, session: ScopedSession, states: Iterable[MemberState], *, is_first_look: bool = False) -> None:
    heard = [one for state in states if (one := heard_of_state(state, is_first_look=is_first_look)) is not None]
    work.counts["opt_outs"] += note_heard(
        session, work.runtime.keyring, work.place, heard, at=clock.now(), run_id=work.run_id
    )


def _keys(work: Work, session: ScopedSession, states: Iterable[MemberState]) -> set[bytes]:
    keys = (email_subject(session, work.runtime.keyring, state.email) for state in states)
    return {key for key in keys if key is not None}


def _note_missed(work: Work, session: ScopedSession, states: Iterable[MemberState], *, at: datetime) -> None:
    """Note who is out since before the last poll looked, and of whom nobody told."""
    looked_at = (work.audience.opt_outs_pulled_until or at) - OVERLAP
    told = [state for state in states if state.changed_at is not None and state.changed_at < looked_at]
    out = [state for state in told if state.status in (MemberStatus.UNSUBSCRIBED, MemberStatus.CLEANED)]
    note_drift(
        session, work.audience.id, "missed_opt_out", unheard(session, work.place, _keys(work, session, out)), at=at
    )


def _note_rest_of_drift(work: Work, began_at: datetime, *, is_first_look: bool) -> None:
    if not is_first_look and work.audience.tag_ref is not None:
        compare_tags(work, _tagged_there(work), at=began_at)
    with work.fenced() as session:
        if not is_first_look:
            note_subscribed_again(session, work.audience.id, work.place, since=began_at)
        forget_old_drift(session, work.audience.id, at=began_at)


def _with_our_tag(work: Work, states: Iterable[MemberState]) -> list[MemberState]:
    ours = work.audience.tag_ref
    return [state for state in states if ours is not None and ours in state.tag_ids]


def _has_strangers(work: Work, tagged: set[bytes]) -> bool:
    """Whether our tag is on somebody we did not put it on: they have changed their address, most likely."""
    if not tagged:
        return False
    seat = AudienceMember
    with work.fenced() as session:
        ours = session.scalars(
            select(seat.subject_key).where(seat.audience_id == work.audience.id, seat.subject_key.in_(tagged))
        ).all()
    return bool(tagged.difference(bytes(key) for key in ours))


def _tagged_there(work: Work) -> set[bytes]:
    """Everybody who carries our tag: a thousand a call, where the whole list would be as many times more."""
    found: set[bytes] = set()
    tag_ref = work.audience.tag_ref or ""
    for emails in batched(work.destination.tagged(work.place.list_ref, tag_ref), STATES_PER_COMMIT):
        with work.fenced() as session:
            keys = (email_subject(session, work.runtime.keyring, email) for email in emails)
            found |= {key for key in keys if key is not None}
    return found


def _look_for_vanished(work: Work, met: set[bytes]) -> None:
    """Whoever of ours was not met there is asked for by name, and left alone there if really gone.

    They were deleted there, or changed their address there: pushing the old one again would be a new subscription.
    """
    with work.fenced() as session:
        ours = session.execute(
            select(AudienceMember.subject_key, AudienceMember.address).where(
                AudienceMember.audience_id == work.audience.id, AudienceMember.state == "in"
            )
        ).all()
    unseen = [row for row in ours if bytes(row.subject_key) not in met][:VANISHED_READ_MAX]
    states = {bytes(row.subject_key): work.destination.member(work.place.list_ref, row.address) for row in unseen}
    gone = [key for key, state in states.items() if state.status is MemberStatus.ABSENT]
    if states:
        with work.fenced() as session:
            hold_out(session, work.place, gone, status="moved", at=clock.now())
            note_drift(session, work.audience.id, "vanished", gone, at=clock.now())
            _note(work, session, states.values())
        work.counts["vanished"] += len(gone)


def _move_cursor(work: Work, session: ScopedSession, began_at: datetime, *, is_whole: bool) -> None:
    values: dict[str, datetime] = {"opt_outs_pulled_until": began_at}
    if is_whole:
        values["reconciled_at"] = began_at
    session.execute(update(Audience).where(Audience.id == work.audience.id).values(**values))
    work.audience.opt_outs_pulled_until = began_at


@dataclass(frozen=True, slots=True)
class _Refuser:
    """Somebody who said no here and is there."""

    key: bytes
    address: str
    contact_id: int | None


def carry_out_noes(work: Work) -> None:
    """Opt everybody out there who said no here, and take our tag off them; as many as there are, brake or no brake."""
    failed: set[bytes] = set()
    with work.fenced() as session:
        session.execute(stale_intents(work.audience))
    while True:
        with work.fenced() as session:
            rows = session.execute(refusers(work.audience, limit=UNSUBSCRIBES_PER_COMMIT + len(failed))).all()
            people = [_Refuser(bytes(row.subject_key), row.address, row.contact_id) for row in rows]
            people = [person for person in people if person.key not in failed]
            hold_out(session, work.place, [person.key for person in people], status="unsubscribing", at=clock.now())
        if not people:
            return
        work.reached("noes announced")
        failed |= _unsubscribe(work, people)


def _unsubscribe(work: Work, people: Sequence[_Refuser]) -> set[bytes]:
    """Carry out one batch and return whose opt-out the destination did not confirm; they are tried at the next run."""
    results = {person.key: work.destination.unsubscribe(work.place.list_ref, person.address) for person in people}
    work.reached("unsubscribed there")
    done = {
        key
        for key, result in results.items()
        if result.outcome is PushOutcome.DONE or result.status is MemberStatus.TRANSACTIONAL
    }
    if work.audience.tag_ref is not None and done:
        addresses = [person.address for person in people if person.key in done]
        work.destination.tag(work.place.list_ref, work.audience.tag_ref, add=(), remove=addresses)
    with work.fenced() as session:
        mark_unsubscribed(session, work.place, done)
        _leave(work, session, done)
        told = [
            PersonResult(
                person.key,
                "unsubscribe",
                "done" if person.key in done else "refused",
                person.contact_id,
                results[person.key].code,
            )
            for person in people
        ]
        store_results(session, work.run_id, told)
    work.counts["unsubscribed"] += len(done)
    work.reached("noes stored")
    return set(results) - done


def _leave(work: Work, session: ScopedSession, keys: Iterable[bytes]) -> None:
    session.execute(
        update(AudienceMember)
        .where(AudienceMember.audience_id == work.audience.id, AudienceMember.subject_key.in_(list(keys)))
        .values(state="out", address=None, pushed_sha256=None, refusal_code=None, updated_at=clock.now())
    )
