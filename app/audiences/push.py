"""Handing people over: claim, commit, hand over with no transaction open, store what became of each.

For every chunk of as many people as one tagging call takes:

1. in groups of ``GROUP``: the gate decides and locks, the decision and what will be told are written on the member's
   row (``claimed``), commit; then the people are made known there at once; then the results are stored;
2. the gate is asked once more for those who need our tag, commit; then the tag is put on at once; then stored.

Whoever has no result yet is ``claimed`` or, where no answer came, ``uncertain``: the next run reads them back first.
Somebody who is known there but not tagged yet is ``in`` without ``pushed_sha256``, and the next run finishes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.audiences.batches import batched
from app.audiences.held_out import heard_of_refusal, note_heard
from app.audiences.models import Audience, AudienceMember
from app.audiences.plan import Leaver, Push, payload_sha256
from app.audiences.problems import HeldBack, RunStopped
from app.audiences.results import PersonResult, store_results
from app.audiences.runs import note_progress
from app.audiences.wanted import Aim, aim_of, load_payloads
from app.audiences.work import CHANNEL, Work
from app.consent.gate import Decision, claim
from app.consent.subjects import email_subject
from app.db import ScopedSession, insert_many
from integrations.base import (
    DestinationList,
    MemberPush,
    MemberResult,
    PushOutcome,
    UnknownOutcome,
)

# Few enough that a claim is seconds old when the last of them is handed over, one call a person.
GROUP = 100


@dataclass(frozen=True, slots=True)
class Claimed:
    """Somebody the gate said yes to, a moment ago, with what will be told about them."""

    push: Push
    person: MemberPush
    decided_by: int
    told_sha256: bytes


def push_people(work: Work, pushes: Sequence[Push], *, at_list: DestinationList, tag_ref: str) -> bool:
    """Make everybody in ``pushes`` known and tagged there, whom the gate still lets; False where the turn ended first.

    Raises ConnectorError.
    """
    aim = find_aim(work)
    for number, chunk in enumerate(batched(pushes, work.destination.capabilities.tags_per_call)):
        if number and work.is_turn_over:
            return False
        known: list[Claimed] = []
        for group in batched(chunk, max(GROUP, work.destination.capabilities.upserts_per_call)):
            known += _make_known(work, aim, group, at_list=at_list)
        tag_known(work, aim, [one for one in known if one.push.needs_tag], tag_ref=tag_ref)
        note_pushed(work, len(chunk))
    return True


def find_aim(work: Work) -> Aim:
    """Return what is aimed at; raises RunStopped where the audience was removed."""
    aim = aim_of(work.audience)
    if aim is None:
        raise RunStopped("removed")
    return aim


def note_pushed(work: Work, people: int) -> None:
    """Tell how far the push is, for whoever looks on."""
    work.counts["pushed"] += people
    if work.run_id is not None:
        with work.fenced() as session:
            note_progress(session, work.run_id, work.counts)


def _make_known(work: Work, aim: Aim, group: Sequence[Push], *, at_list: DestinationList) -> list[Claimed]:
    with work.fenced() as session:
        claimed = claim_people(work, session, aim, group)
    work.counts["denied_at_gate"] += len(group) - len(claimed)
    work.reached("claimed")
    if not claimed:
        return []
    return _hand_over(work, claimed, at_list=at_list)


def claim_people(
    work: Work, session: ScopedSession, aim: Aim, group: Sequence[Push], *, keeps_told: bool = False
) -> list[Claimed]:
    """Ask the gate and write its yes on the members' rows, with what will be told where ``keeps_told``."""
    _stop_if_held_back(work, session)
    claimed = _claim(work, session, aim, group)
    _write_claims(work, session, claimed, keeps_told=keeps_told)
    return claimed


def _stop_if_held_back(work: Work, session: ScopedSession) -> None:
    """Somebody who pauses or removes an audience expects the push to stop, and not when it is done."""
    state = session.scalars(select(Audience.state).where(Audience.id == work.audience.id)).one()
    if state in ("paused", "removed"):
        raise HeldBack(work.audience.id)


def _claim(work: Work, session: ScopedSession, aim: Aim, group: Sequence[Push]) -> list[Claimed]:
    """Ask the gate, and keep its yes until the commit. A changed address is somebody else: the next plan sees them."""
    contact_ids = [push.contact_id for push in group]
    decisions = claim(session, channel=CHANNEL, purpose=aim.purpose, contact_ids=contact_ids, at=clock.now())
    allowed = {one.contact_id: one for one in decisions if _is_yes(one)}
    payloads = load_payloads(session, aim, allowed)
    claimed = []
    for push in group:
        decision, person = allowed.get(push.contact_id), payloads.get(push.subject_key)
        if decision is None or person is None or decision.subject_key != push.subject_key:
            continue
        if decision.decided_by is not None:
            claimed.append(Claimed(push, person, decision.decided_by, payload_sha256(person)))
    return claimed


def _is_yes(decision: Decision) -> bool:
    return decision.is_allowed and decision.is_deliverable


def _write_claims(work: Work, session: ScopedSession, claimed: Sequence[Claimed], *, keeps_told: bool) -> None:
    if not claimed:
        return
    now = clock.now()
    statement = insert(AudienceMember)
    told = ("contact_id", "address", "state", "refusal_code", "pushed_sha256", "permission_event_id", "decided_at")
    insert_many(
        session,
        statement.on_conflict_do_update(
            index_elements=["organisation_id", "audience_id", "subject_key"],
            set_={name: getattr(statement.excluded, name) for name in (*told, "updated_at")},
        ),
        [
            {
                "organisation_id": session.organisation_id,
                "audience_id": work.audience.id,
                "subject_key": one.push.subject_key,
                "contact_id": one.push.contact_id,
                "address": one.person.email,
                "state": "claimed",
                "refusal_code": None,
                "pushed_sha256": one.told_sha256 if keeps_told else None,
                "permission_event_id": one.decided_by,
                "decided_at": now,
                "updated_at": now,
            }
            for one in claimed
        ],
    )


def _hand_over(work: Work, claimed: Sequence[Claimed], *, at_list: DestinationList) -> list[Claimed]:
    """Make them known there and store each result; what came before a failure is stored before it is raised."""
    results: list[MemberResult] = []
    people = [one.person for one in claimed]
    try:
        answers = work.destination.upsert(work.place.list_ref, people, double_opt_in=at_list.double_opt_in)
        for result in answers:
            results.append(result)  # noqa: PERF402 - what was answered before a failure must not be lost with it
    except Exception as failure:
        store_pushed(work, claimed, results, is_uncertain=isinstance(failure, UnknownOutcome))
        raise
    work.reached("made known")
    return store_pushed(work, claimed, results, is_uncertain=False)


def store_pushed(
    work: Work, claimed: Sequence[Claimed], results: Sequence[MemberResult], *, is_uncertain: bool
) -> list[Claimed]:
    """Store what became of each and return who is known there now."""
    with work.fenced() as session:
        by_key = _by_subject(work, session, results)
        known = [one for one in claimed if _outcome(by_key, one) is PushOutcome.DONE]
        refused = [one for one in claimed if _outcome(by_key, one) not in (None, PushOutcome.DONE)]
        unanswered = [one for one in claimed if _outcome(by_key, one) is None]
        _note_refusals(work, session, [by_key[one.push.subject_key] for one in refused])
        _set_members(work, session, known, state="in", is_whole=False)
        _set_members(work, session, [one for one in known if not one.push.needs_tag], state="in", is_whole=True)
        for one in refused:
            _store_refusal(work, session, one, by_key[one.push.subject_key])
        if is_uncertain:
            _set_members(work, session, unanswered, state="uncertain", is_whole=False)
    work.counts["updated"] += sum(not one.push.needs_tag for one in known)
    work.counts["uncertain"] += len(unanswered) if is_uncertain else 0
    work.reached("results stored")
    return known


def _store_refusal(work: Work, session: ScopedSession, one: Claimed, result: MemberResult) -> None:
    """Refused is final. Somebody who is there already and whose new data they cannot read stays there with the old."""
    code = result.code or result.outcome.value
    stays = result.outcome is PushOutcome.INVALID and not one.push.is_new
    is_known = not (stays and one.push.needs_tag)
    session.execute(
        update(AudienceMember)
        .where(AudienceMember.audience_id == work.audience.id, AudienceMember.subject_key == one.push.subject_key)
        .values(
            state="in" if stays else "refused",
            refusal_code=code,
            pushed_sha256=one.told_sha256 if is_known else None,
            updated_at=clock.now(),
        )
    )
    action = "add" if one.push.is_new else "update"
    told = PersonResult(one.push.subject_key, action, result.outcome.value, one.push.contact_id, code)
    store_results(session, work.run_id, [told])
    work.counts[result.outcome.value] += 1


def _note_refusals(work: Work, session: ScopedSession, results: Sequence[MemberResult]) -> None:
    heard = [one for result in results if (one := heard_of_refusal(result)) is not None]
    work.counts["opt_outs"] += note_heard(
        session, work.runtime.keyring, work.place, heard, at=clock.now(), run_id=work.run_id
    )


def tag_known(work: Work, aim: Aim, known: Sequence[Claimed], *, tag_ref: str) -> None:
    """Ask the gate once more, and put our tag on those it still lets."""
    if not known:
        return
    with work.fenced() as session:
        claimed = _claim(work, session, aim, [one.push for one in known])
        _record_decisions(work, session, claimed)
    work.counts["denied_at_gate"] += len(known) - len(claimed)
    work.reached("claimed for the tag")
    if not claimed:
        return
    told = {one.push.subject_key: one for one in known}
    addresses = [told[one.push.subject_key].person.email for one in claimed]
    results = work.destination.tag(work.place.list_ref, tag_ref, add=addresses, remove=())
    work.reached("tagged")
    with work.fenced() as session:
        by_key = _by_subject(work, session, results)
        tagged = [told[one.push.subject_key] for one in claimed]
        refused = [one for one in tagged if _outcome(by_key, one) not in (None, PushOutcome.DONE)]
        # What was told at the upsert is what they acknowledged, whatever changed here since: the next plan compares.
        _set_members(work, session, tagged, state="in", is_whole=True)
        for one in refused:
            _store_refusal(work, session, one, by_key[one.push.subject_key])
    new = sum(one.push.is_new for one in tagged) - sum(one.push.is_new for one in refused)
    work.counts["added"] += new
    work.counts["updated"] += len(tagged) - len(refused) - new
    work.reached("tags stored")


def _record_decisions(work: Work, session: ScopedSession, claimed: Sequence[Claimed]) -> None:
    rows = [{"key": one.push.subject_key, "event": one.decided_by} for one in claimed]
    _change_members(work, session, {"permission_event_id": bindparam("event"), "decided_at": clock.now()}, rows)


def take_off(work: Work, leavers: Sequence[Leaver], *, tag_ref: str | None) -> None:
    """Take our tag off people who left; their subscription and other tags are not ours to touch."""
    for batch in batched(leavers, work.destination.capabilities.tags_per_call):
        kept: set[bytes] = set()
        if tag_ref is not None:
            addresses = [leaver.address for leaver in batch]
            results = work.destination.tag(work.place.list_ref, tag_ref, add=(), remove=addresses)
            work.reached("tag taken off")
            with work.fenced() as session:
                by_key = _by_subject(work, session, results)
            kept = {key for key, result in by_key.items() if result.code == "still_tagged"}
        with work.fenced() as session:
            _let_go(work, session, [leaver for leaver in batch if leaver.subject_key not in kept])
        work.reached("leavers stored")


def _let_go(work: Work, session: ScopedSession, leavers: Sequence[Leaver]) -> None:
    """The address is kept for a later no, unless the list holds them out anyway: we made them known there."""
    for is_held_out in (True, False):
        keys = [leaver.subject_key for leaver in leavers if leaver.is_held_out is is_held_out]
        forgotten = {"address": None} if is_held_out else {}
        session.execute(
            update(AudienceMember)
            .where(AudienceMember.audience_id == work.audience.id, AudienceMember.subject_key.in_(keys))
            .where(AudienceMember.state == "in")
            .values(state="out", pushed_sha256=None, refusal_code=None, updated_at=clock.now(), **forgotten)
        )
    told = [PersonResult(leaver.subject_key, "remove", "done", leaver.contact_id) for leaver in leavers]
    store_results(session, work.run_id, told)
    work.counts["removed"] += len(leavers)


def forget_dropped(work: Work, keys: Sequence[bytes]) -> None:
    """Forget people who were refused there and are not wanted any more."""
    if not keys:
        return
    with work.fenced() as session:
        session.execute(
            update(AudienceMember)
            .where(AudienceMember.audience_id == work.audience.id, AudienceMember.subject_key.in_(keys))
            .where(AudienceMember.state == "refused")
            .values(state="out", address=None, pushed_sha256=None, refusal_code=None, updated_at=clock.now())
        )


def untagged_again(work: Work, session: ScopedSession) -> None:
    """Our tag was made anew there: everybody of ours must get it again, however they are known."""
    session.execute(
        update(AudienceMember)
        .where(AudienceMember.audience_id == work.audience.id, AudienceMember.state == "in")
        .values(pushed_sha256=None, updated_at=clock.now())
    )


def _outcome(by_key: Mapping[bytes, MemberResult], one: Claimed) -> PushOutcome | None:
    result = by_key.get(one.push.subject_key)
    return None if result is None else result.outcome


def _by_subject(work: Work, session: ScopedSession, results: Sequence[MemberResult]) -> dict[bytes, MemberResult]:
    found = {email_subject(session, work.runtime.keyring, result.email): result for result in results}
    return {key: result for key, result in found.items() if key is not None}


def _set_members(work: Work, session: ScopedSession, people: Sequence[Claimed], *, state: str, is_whole: bool) -> None:
    """``is_whole``: all of it arrived, so that what was told is acknowledged."""
    now = clock.now()
    changed: dict[str, Any] = {"state": state, "refusal_code": None, "updated_at": now}
    changed["pushed_sha256"] = bindparam("sha256")
    if is_whole:
        changed["acknowledged_at"] = now
    rows = [{"key": one.push.subject_key, "sha256": one.told_sha256 if is_whole else None} for one in people]
    _change_members(work, session, changed, rows)


def _change_members(
    work: Work, session: ScopedSession, changed: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Change many rows by their ``key`` in one round trip."""
    if not rows:
        return
    seat = cast(Table, AudienceMember.__table__)
    mine = (seat.c.audience_id == work.audience.id, seat.c.subject_key == bindparam("key"))
    session.connection().execute(update(seat).where(*mine).values(changed), rows)
