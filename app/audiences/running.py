"""The course of one run, step by step, once the lease is taken; ``engine`` begins and ends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from app import clock
from app.audiences.announcing import ask_for_announcements
from app.audiences.by_batches import goes_by_batches, push_by_batches, settle_batch
from app.audiences.clearing.before_a_push import clear_first
from app.audiences.clearing.lists import remember_lists
from app.audiences.models import Audience, AudienceRun
from app.audiences.opt_outs import carry_out_noes, pull_opt_outs, read_back
from app.audiences.plan import Confirmation, Plan, brake_reason
from app.audiences.problems import RunStopped
from app.audiences.push import forget_dropped, push_people, take_off, untagged_again
from app.audiences.runs import confirmation_of, note_progress
from app.audiences.wanted import make_plan
from app.audiences.work import Work
from app.db import transaction
from integrations.base import DestinationList

# What was done that makes a run worth keeping.
# A run that is not at its end, and goes on at the next beat.
GOES_ON = "goes on"
COUNTED = (
    "added", "updated", "removed", "opt_outs", "unsubscribed", "denied_at_gate", "refused", "invalid", "uncertain",
    "read_back", "vanished", "pushed",
)  # fmt: skip
DEEDS = ("add", "update", "remove", "gone", "unsubscribed", "opt_outs", "read_back", "vanished")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its state, and the code of what went wrong where something did."""

    state: str
    failure_code: str | None = None


def done_before(run: AudienceRun) -> Counter[str]:
    """Return what the earlier turns of a run did."""
    return Counter({name: int(run.counts[name]) for name in COUNTED if run.counts.get(name)})


def go_through(work: Work, run: AudienceRun, told: dict[str, Any]) -> Ending:
    """Do everything a run does and return how it ended; ``told`` is filled with what it planned.

    Raises ConnectorError, RunStopped and LeaseLost; everything done until then is committed.
    """
    at_list = find_list(work, lists := work.destination.lists())
    with work.fenced() as session:
        remember_lists(session, work.place.connection_id, lists, at=clock.now())
    _follow_name(work, at_list)
    told["list_members"] = at_list.member_count
    if not bring_home(work, is_dry=run.is_dry) and not run.is_dry:
        return Ending(GOES_ON)
    tag_ref = None if run.is_dry else _known_tag(work)
    plan, confirmation, was_everybody = _plan(work, run)
    for name, count in plan.counts().items():
        told.setdefault(name, count)  # what it meant to do when it began, however many turns it takes
    work.reached("planned")
    if run.is_dry:
        return Ending("planned")
    forget_dropped(work, plan.dropped)
    take_off(work, [leaver for leaver in plan.leavers if leaver.is_out], tag_ref=tag_ref)
    reason = brake_reason(
        plan, brake_pct=work.audience.brake_pct, was_everybody=was_everybody, confirmation=confirmation
    )
    if reason is not None and work.audience.state != "removed":
        told["brake"] = reason
        return Ending("braked")
    if plan.pushes and "to_push" not in told:
        told |= {"to_push": len(plan.pushes), "push_began_at": clock.now().isoformat()}
        _tell_aim(work, told)
    if not _carry_out(work, plan, at_list=at_list, tag_ref=tag_ref):
        carry_out_noes(work)
        return Ending(GOES_ON)
    carry_out_noes(work)
    told["is_quiet"] = not any({**told, **work.counts}.get(deed) for deed in DEEDS)
    return Ending("done")


def bring_home(work: Work, *, is_dry: bool = False) -> bool:
    """Read back, pull the opt-outs, and carry out ours there: what comes before any push, and what a poll does.

    A dry run learns what the list knows, for facts are facts, but changes nothing there. False while a batch of ours is
    under way there, so that nobody knows yet who its people are.
    """
    is_settled = settle_batch(work, is_dry=is_dry)
    if is_settled:
        read_back(work)
    is_whole = pull_opt_outs(work)
    if not is_dry:
        clear_first(work)
        carry_out_noes(work)
        if is_whole:
            ask_for_announcements(work)
    return is_settled


def find_list(work: Work, lists: Sequence[DestinationList]) -> DestinationList:
    """Return the list of the audience among those the destination has now; raises RunStopped where it is gone."""
    for one in lists:
        if one.external_id == work.place.list_ref:
            return one
    raise RunStopped("list_missing")


def _follow_name(work: Work, at_list: DestinationList) -> None:
    if at_list.name and at_list.name != work.audience.list_name:
        with work.fenced() as session:
            session.execute(update(Audience).where(Audience.id == work.audience.id).values(list_name=at_list.name))


def _plan(work: Work, run: AudienceRun) -> tuple[Plan, Confirmation | None, bool]:
    """Plan on one view of the database that nobody moves meanwhile."""
    engine = work.runtime.engine.execution_options(isolation_level="REPEATABLE READ")
    with transaction(engine, work.audience.organisation_id) as session:
        plan = make_plan(session, work.audience)
        last = session.scalars(
            select(AudienceRun)
            .where(AudienceRun.audience_id == work.audience.id, AudienceRun.state == "done")
            .order_by(AudienceRun.id.desc())
            .limit(1)
        ).one_or_none()
        was_everybody = last is not None and last.counts.get("segment") == last.counts.get("of")
        return plan, confirmation_of(session, run), was_everybody


def _carry_out(work: Work, plan: Plan, *, at_list: DestinationList, tag_ref: str | None) -> bool:
    """Push, then take our tag off who left; False where the turn ended before everybody was pushed."""
    if plan.pushes:
        _check_fields(work)
        push = push_by_batches if goes_by_batches(work, plan.pushes) else push_people
        if not push(work, plan.pushes, at_list=at_list, tag_ref=tag_ref or _make_tag(work)):
            return False
    take_off(work, [leaver for leaver in plan.leavers if not leaver.is_out], tag_ref=tag_ref)
    return True


def _tell_aim(work: Work, told: Mapping[str, Any]) -> None:
    """Whoever looks on sees how many are to come before the first is there."""
    if work.run_id is not None:
        with work.fenced() as session:
            note_progress(session, work.run_id, told)


def _check_fields(work: Work) -> None:
    """A field that was renamed or removed there would be left out in silence, for everybody: stop instead."""
    if set(work.audience.field_mapping) - set(work.destination.field_tags(work.place.list_ref)):
        raise RunStopped("field_missing")


def _known_tag(work: Work) -> str | None:
    """Return our tag's id there, or None before the first push. Where it was deleted, everybody is tagged again."""
    if work.audience.tag_ref is None:
        return None
    found = work.destination.ensure_tag(work.place.list_ref, work.audience.tag)
    if found != work.audience.tag_ref:
        with work.fenced() as session:
            untagged_again(work, session)
            session.execute(update(Audience).where(Audience.id == work.audience.id).values(tag_ref=found))
        work.audience.tag_ref = found
    return found


def _make_tag(work: Work) -> str:
    made = work.destination.ensure_tag(work.place.list_ref, work.audience.tag)
    work.reached("tag made")
    with work.fenced() as session:
        session.execute(update(Audience).where(Audience.id == work.audience.id).values(tag_ref=made))
    work.audience.tag_ref = made
    return made
