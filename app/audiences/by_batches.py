"""Thousands of people, at a vendor that takes them as jobs and carries these out by itself, in any order.

One job at a time, for an audience and for its list:

1. the gate decides about as many people as a job holds; its yes, what they will be told, and the job itself are written
   down (``claimed``, ``audience_batch``), commit; the job is handed over; its id is written down;
2. its end is waited for, no longer than the turn: then the run goes on at the next beat, and meanwhile opt-outs come
   home;
3. what became of each is read back and stored, as after any push; our tag is put on them through the gate, once more.

While the job is under way its people stay ``claimed``: a no of theirs waits for its end, because somebody who is not
there yet could not be taken off, and would be added a moment later. Whoever has no result is ``uncertain``, and looked
up one by one. A job that was being handed over when its worker died is looked for at the vendor.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from sqlalchemy import delete, select, update

from app import clock
from app.audiences.batches import batched
from app.audiences.models import AudienceBatch, AudienceMember
from app.audiences.plan import Push
from app.audiences.push import Claimed, claim_people, find_aim, note_pushed, store_pushed, tag_known
from app.audiences.wanted import Aim, aim_of
from app.audiences.work import Work
from integrations.base import (
    BatchProgress,
    BatchPusher,
    ConnectorError,
    DestinationList,
    MemberPush,
    MemberResult,
    Permanent,
    UnknownOutcome,
)

# Below this the calls of single pushes are over sooner than a job is.
BATCHES_FROM = 2_000
# Longer than a call may be under way: by then a job that arrived is in the vendor's listing.
ARRIVED_AFTER = timedelta(minutes=4)
GIVEN_UP_AFTER = timedelta(days=8)


def goes_by_batches(work: Work, pushes: Sequence[Push]) -> bool:
    """Whether there are enough of them, at a vendor that takes jobs."""
    return len(pushes) >= BATCHES_FROM and work.destination.capabilities.people_per_batch > 0


def push_by_batches(work: Work, pushes: Sequence[Push], *, at_list: DestinationList, tag_ref: str) -> bool:
    """Push everybody the gate lets, job by job; False where the turn ended first. Raises ConnectorError."""
    aim, has_begun = find_aim(work), False
    for needs_tag in (True, False):
        some = [push for push in pushes if push.needs_tag is needs_tag]
        for chunk in batched(some, work.destination.capabilities.people_per_batch):
            if has_begun and work.is_turn_over:
                return False
            _hand_over(work, aim, chunk, at_list=at_list)
            if not _settle(work, aim, tag_ref=tag_ref):
                return False
            has_begun = True
    return True


def settle_batch(work: Work, *, is_dry: bool = False) -> bool:
    """Read back the job that an earlier turn, or a worker that died, left; False while it is under way.

    A dry run reads it back and tags nobody: the next run does.
    """
    aim = aim_of(work.audience)
    return _settle(work, aim, tag_ref=None if is_dry else work.audience.tag_ref)


def _hand_over(work: Work, aim: Aim, chunk: Sequence[Push], *, at_list: DestinationList) -> None:
    audience_id = work.audience.id
    with work.fenced() as session:
        claimed = claim_people(work, session, aim, chunk, keeps_told=True)
        if claimed:
            session.add(
                AudienceBatch(
                    organisation_id=session.organisation_id,
                    audience_id=audience_id,
                    size=len(claimed),
                    needs_tag=chunk[0].needs_tag,
                    begun_at=clock.now(),
                )
            )
    work.counts["denied_at_gate"] += len(chunk) - len(claimed)
    work.reached("claimed for a batch")
    if not claimed:
        note_pushed(work, len(chunk))
        return
    people = [one.person for one in claimed]
    try:
        batch_id = _vendor(work).begin_batch(work.place.list_ref, people, double_opt_in=at_list.double_opt_in)
    except UnknownOutcome:
        raise
    except ConnectorError:
        _take_back(work)
        raise
    work.reached("batch handed over")
    with work.fenced() as session:
        mine = AudienceBatch.audience_id == audience_id
        session.execute(update(AudienceBatch).where(mine).values(remote_ref=batch_id))
    work.reached("batch known")


def _take_back(work: Work) -> None:
    """It was refused as a whole: nobody was pushed, and whoever was there before is there as before."""
    seat = AudienceMember
    mine = (seat.audience_id == work.audience.id, seat.state == "claimed")
    with work.fenced() as session:
        for is_there, values in ((False, {"state": "out", "address": None}), (True, {"state": "in"})):
            session.execute(
                update(seat)
                .where(*mine, seat.acknowledged_at.is_not(None) if is_there else seat.acknowledged_at.is_(None))
                .values(pushed_sha256=None, updated_at=clock.now(), **values)
            )
        session.execute(delete(AudienceBatch).where(AudienceBatch.audience_id == work.audience.id))


def _settle(work: Work, aim: Aim | None, *, tag_ref: str | None) -> bool:
    with work.fenced() as session:
        batch = session.get(AudienceBatch, (session.organisation_id, work.audience.id))
    if batch is None:
        return True
    ref = batch.remote_ref or _look_for(work, batch)
    if ref is None:
        return batch.remote_ref is None and _is_nowhere(work, batch)
    patience_s = max(0.0, (work.turn_ends_at - clock.now()).total_seconds())
    progress = _vendor(work).batch_progress(ref, patience_s=patience_s)
    if not progress.is_finished and not _is_lost(progress, batch):
        _tell(work, progress)
        return False
    _read_back(work, aim, batch, ref=None if not progress.is_finished else ref, tag_ref=tag_ref)
    return True


def _look_for(work: Work, batch: AudienceBatch) -> str | None:
    """Find the job whose id nobody wrote down."""
    found = _vendor(work).find_batch(batch.size, since=batch.begun_at)
    if found is not None:
        with work.fenced() as session:
            mine = AudienceBatch.audience_id == work.audience.id
            session.execute(update(AudienceBatch).where(mine).values(remote_ref=found))
    return found


def _is_nowhere(work: Work, batch: AudienceBatch) -> bool:
    """Whether the job never arrived, by now: its people are then looked up one by one, as after any push that broke."""
    if clock.now() - batch.begun_at < ARRIVED_AFTER:
        return False
    with work.fenced() as session:
        session.execute(delete(AudienceBatch).where(AudienceBatch.audience_id == work.audience.id))
    return True


def _is_lost(progress: BatchProgress, batch: AudienceBatch) -> bool:
    """The vendor forgot it, or never ends it: what became of its people is looked up one by one."""
    return progress.is_gone or clock.now() - batch.begun_at > GIVEN_UP_AFTER


def _tell(work: Work, progress: BatchProgress) -> None:
    """How far the job is, for whoever looks on; its people are counted once it is read back."""
    work.counts["in_batch"] = progress.done


def _read_back(work: Work, aim: Aim | None, batch: AudienceBatch, *, ref: str | None, tag_ref: str | None) -> None:
    claimed = _claimed(work, needs_tag=batch.needs_tag)
    emails = [one.person.email for one in claimed]
    results, problem = _results(work, ref, emails) if ref is not None else ([], None)
    work.reached("batch read back")
    known = store_pushed(work, claimed, results, is_uncertain=True)
    with work.fenced() as session:
        session.execute(delete(AudienceBatch).where(AudienceBatch.audience_id == work.audience.id))
    work.counts.pop("in_batch", None)
    work.reached("batch stored")
    if aim is not None and tag_ref is not None and batch.needs_tag:
        for some in batched(known, work.destination.capabilities.tags_per_call):
            tag_known(work, aim, some, tag_ref=tag_ref)
    note_pushed(work, batch.size)
    if problem is not None:
        raise problem


def _results(work: Work, ref: str, emails: Sequence[str]) -> tuple[list[MemberResult], Permanent | None]:
    """What the vendor says of each, and what is wrong with all: whoever is left out is looked up one by one."""
    results: list[MemberResult] = []
    try:
        for result in _vendor(work).batch_results(ref, work.place.list_ref, emails):
            results.append(result)  # noqa: PERF402 - what was told before a refusal must not be lost with it
    except Permanent as problem:
        return results, problem
    return results, None


def _claimed(work: Work, *, needs_tag: bool) -> list[Claimed]:
    """The people of the job, as their rows tell: what they were told is known by its hash."""
    seat = AudienceMember
    with work.fenced() as session:
        rows = session.execute(
            select(
                seat.subject_key,
                seat.contact_id,
                seat.address,
                seat.pushed_sha256,
                seat.permission_event_id,
                seat.acknowledged_at,
            )
            .where(seat.audience_id == work.audience.id, seat.state == "claimed")
            .where(seat.address.is_not(None), seat.contact_id.is_not(None))
            .order_by(seat.subject_key)
        ).all()
    return [
        Claimed(
            Push(row.contact_id, bytes(row.subject_key), row.acknowledged_at is None, needs_tag),
            MemberPush(row.address),
            row.permission_event_id,
            bytes(row.pushed_sha256 or b""),
        )
        for row in rows
    ]


def _vendor(work: Work) -> BatchPusher:
    return cast("BatchPusher", work.destination)
