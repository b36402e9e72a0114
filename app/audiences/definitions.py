"""Audiences as a marketer defines them: made, changed, paused, removed.

draft ──(first push confirmed)──► active ◄──► paused
  └──────────────┬──────────────────┴───────────┘
                 ▼
              removed   (our tag is taken off everybody there; then nothing is kept but the runs)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, select, text, update

from app import clock
from app.accounts.audit import Actor, record
from app.audiences.models import Audience, AudienceMember, AudienceRun
from app.audiences.payload import is_mappable
from app.audiences.problems import AudienceInUse, InvalidAudience, NotThatState, UnknownAudience
from app.audiences.runs import (
    RunOrder,
    confirm_run,
    dismiss_run,
    drop_queued_run,
    find_run,
    latest_runs,
    request_run,
)
from app.consent.models import Purpose
from app.db import ScopedSession
from app.segments.models import Segment
from app.sync.connections import UnknownConnection, get_connection

NAME_LENGTH_MAX = 80
TAG_LENGTH_MAX = 100
FIELDS_MAX = 30
TAG_PREFIX = "Zaallicht: "
DEFAULT_BRAKE_PCT = 20
# What somebody may be measured by is no reason to write to them.
NOT_A_REASON_TO_WRITE = ("track_open", "track_click")


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceDraft:
    """What a marketer fills in. ``tag`` empty: made from the name. ``field_mapping``: the list's field to ours."""

    name: str
    segment_id: int
    purpose: str
    connection_id: int
    list_ref: str
    list_name: str
    tag: str = ""
    field_mapping: Mapping[str, str] = field(default_factory=dict)
    brake_pct: int = DEFAULT_BRAKE_PCT


def create_audience(session: ScopedSession, draft: AudienceDraft, *, actor: Actor) -> Audience:
    """Create an audience as a draft: nothing is pushed before somebody confirmed the first push.

    Raises InvalidAudience with every field that is wrong.
    """
    tag = draft.tag.strip() or (TAG_PREFIX + draft.name.strip())[:TAG_LENGTH_MAX]
    errors = _problems(session, draft) | _place_problems(session, draft, tag)
    if errors:
        raise InvalidAudience(errors)
    now = clock.now()
    audience = Audience(
        organisation_id=session.organisation_id,
        name=draft.name.strip(),
        segment_id=draft.segment_id,
        purpose=draft.purpose,
        connection_id=draft.connection_id,
        list_ref=draft.list_ref,
        list_name=draft.list_name,
        tag=tag,
        field_mapping=dict(draft.field_mapping),
        brake_pct=draft.brake_pct,
        state="draft",
        created_by=actor.id if actor.kind == "user" else None,
        created_at=now,
        updated_at=now,
    )
    session.add(audience)
    session.flush()
    _record(session, actor, "create", audience)
    return audience


def change_audience(session: ScopedSession, audience_id: int, draft: AudienceDraft, *, actor: Actor) -> Audience:
    """Change name, segment, purpose, fields and brake; the list and the tag stay what they are.

    Whoever falls out by it leaves at the next run, which waits for a person where that is many. Raises UnknownAudience
    or InvalidAudience.
    """
    audience = find_audience(session, audience_id)
    errors = _problems(session, draft, audience_id=audience_id)
    if (draft.connection_id, draft.list_ref) != (audience.connection_id, audience.list_ref):
        errors["list_ref"] = "cannot_move"
    if draft.tag.strip() not in ("", audience.tag):
        errors["tag"] = "cannot_change"
    if errors:
        raise InvalidAudience(errors)
    audience.name, audience.segment_id, audience.purpose = draft.name.strip(), draft.segment_id, draft.purpose
    audience.field_mapping, audience.brake_pct = dict(draft.field_mapping), draft.brake_pct
    audience.updated_at = clock.now()
    if audience.state == "active":
        audience.next_run_at = clock.now()
    session.flush()
    _record(session, actor, "change", audience)
    return audience


def find_audience(session: ScopedSession, audience_id: int) -> Audience:
    """Return an audience that was not removed (or still has people there); raises UnknownAudience."""
    audience = session.get(Audience, (session.organisation_id, audience_id), populate_existing=True)
    if audience is None or (audience.state == "removed" and audience.segment_id is None):
        raise UnknownAudience(audience_id)
    return audience


def list_audiences(session: ScopedSession) -> Sequence[Audience]:
    """Return every audience that was not removed, by name."""
    return session.scalars(
        select(Audience).where(Audience.state != "removed").order_by(func.lower(Audience.name), Audience.id)
    ).all()


def audiences_to_look_at(session: ScopedSession) -> list[tuple[Audience, str]]:
    """Return the audiences a marketer should look at, each with ``waits`` (a run waits for a person) or ``stopped``."""
    found = []
    audiences = list_audiences(session)
    latest = latest_runs(session, [audience.id for audience in audiences])
    for audience in audiences:
        run = latest.get(audience.id)
        if run is None or audience.state == "paused":
            continue
        if run.state == "failed":
            found.append((audience, "stopped"))
        elif waits_for_a_person(audience, run):
            found.append((audience, "waits"))
    return found


def waits_for_a_person(audience: Audience, run: AudienceRun) -> bool:
    """Whether an audience's last run waits to be confirmed: a braked one, or the look before a first push."""
    is_open = not run.is_confirmed and audience.state in ("draft", "active")
    return is_open and (run.state == "braked" or (run.state == "planned" and audience.state == "draft"))


def pause_audience(session: ScopedSession, audience_id: int, *, actor: Actor) -> Audience:
    """Stop pushing, in the middle of a run too. Opt-outs keep coming home, and going there.

    Raises UnknownAudience or NotThatState.
    """
    audience = _in_state(session, audience_id, ("active",))
    audience.state, audience.next_run_at, audience.updated_at = "paused", None, clock.now()
    drop_queued_run(session, audience_id, at=clock.now())
    _record(session, actor, "pause", audience)
    return audience


def resume_audience(session: ScopedSession, audience_id: int, *, actor: Actor) -> Audience:
    """Keep in step again, from now on. Raises UnknownAudience or NotThatState."""
    audience = _in_state(session, audience_id, ("paused",))
    audience.state, audience.updated_at = "active", clock.now()
    audience.next_run_at = clock.now()
    _record(session, actor, "resume", audience)
    return audience


def remove_audience(session: ScopedSession, audience_id: int, *, actor: Actor) -> None:
    """Stop for good: the next run takes our tag off everybody there. Nobody is unsubscribed by it.

    Name, tag and segment are free again at once, and when that run is done. Raises UnknownAudience, or AudienceInUse
    where a journey that runs puts people in it.
    """
    audience = _in_state(session, audience_id, ("draft", "active", "paused"))
    journeys = _journeys_with(session, audience_id)
    if journeys:
        raise AudienceInUse(audience_id, journeys)
    audience.state, audience.updated_at = "removed", clock.now()
    audience.next_run_at = clock.now()
    _record(session, actor, "remove", audience)
    session.flush()
    if audience.tag_ref is None:
        close_removed(session, audience_id)
    else:
        order = RunOrder(trigger="removal", is_confirmed=True, confirmed_by=_user(actor))
        request_run(session, audience_id, order, at=clock.now())


def _journeys_with(session: ScopedSession, audience_id: int) -> Sequence[str]:
    # The room of journeys lies above: its tables are named.
    named = text(
        "SELECT DISTINCT journey.name FROM journey_use JOIN journey ON journey.organisation_id ="
        " journey_use.organisation_id AND journey.id = journey_use.journey_id"
        " WHERE journey_use.audience_id = :audience_id ORDER BY journey.name"
    )
    return session.scalars(named, {"audience_id": audience_id}).all()


def close_removed(session: ScopedSession, audience_id: int) -> None:
    """Let go of the segment and of everybody's address: the tag is off, and there is nothing left to do there."""
    session.execute(delete(AudienceMember).where(AudienceMember.audience_id == audience_id))
    session.execute(
        update(Audience)
        .where(Audience.id == audience_id, Audience.state == "removed")
        .values(segment_id=None, next_run_at=None, next_poll_at=None)
    )


def ask_run(session: ScopedSession, audience_id: int, *, is_dry: bool, is_confirmed: bool, actor: Actor) -> int:
    """Queue a run now and return its id. ``is_confirmed``: the brake is lifted, whatever its size.

    A draft that is confirmed becomes active. Raises UnknownAudience, or NotThatState for a real run of a paused one.
    """
    states = ("draft", "active", "paused") if is_dry else ("draft", "active")
    audience = _in_state(session, audience_id, states)
    order = RunOrder(
        trigger="person" if actor.kind == "user" else "api",
        is_dry=is_dry,
        is_confirmed=is_confirmed and not is_dry,
        confirmed_by=_user(actor) if is_confirmed else None,
    )
    if order.is_confirmed:
        _activate(audience)
        _record(session, actor, "confirm", audience)
    return request_run(session, audience_id, order, at=clock.now())


def confirm(session: ScopedSession, run_id: int, *, actor: Actor) -> int:
    """Let a run that waits happen, and return the id of the one that does it. A draft becomes active by it.

    Raises UnknownRun, UnknownAudience, NothingToConfirm, or NotThatState where the audience is paused.
    """
    audience = _in_state(session, find_run(session, run_id).audience_id, ("draft", "active"))
    queued = confirm_run(session, run_id, confirmed_by=_user(actor), at=clock.now())
    _activate(audience)
    _record(session, actor, "confirm", audience, run_id=run_id)
    return queued


def not_now(session: ScopedSession, run_id: int, *, actor: Actor) -> Audience:
    """Dismiss a run that waits, and pause an active audience, lest it ask the same again in a quarter of an hour.

    Raises UnknownRun, UnknownAudience or NothingToConfirm.
    """
    audience = find_audience(session, find_run(session, run_id).audience_id)
    dismiss_run(session, run_id, at=clock.now())
    _record(session, actor, "not_now", audience, run_id=run_id)
    if audience.state == "active":
        audience.state, audience.next_run_at = "paused", None
    return audience


def purposes_to_write_for(session: ScopedSession) -> Sequence[Purpose]:
    """Return the purposes an audience may have: marketing ones that are in use, in the house's order."""
    return session.scalars(
        select(Purpose)
        .where(Purpose.is_active, Purpose.is_marketing, Purpose.code.not_in(NOT_A_REASON_TO_WRITE))
        .order_by(Purpose.position, Purpose.code)
    ).all()


def _problems(session: ScopedSession, draft: AudienceDraft, *, audience_id: int | None = None) -> dict[str, str]:
    errors: dict[str, str] = {}
    name = draft.name.strip()
    if not name:
        errors["name"] = "required"
    elif len(name) > NAME_LENGTH_MAX:
        errors["name"] = "too_long"
    elif _name_is_taken(session, name, audience_id):
        errors["name"] = "taken"
    if session.get(Segment, (session.organisation_id, draft.segment_id)) is None:
        errors["segment_id"] = "unknown"
    if draft.purpose not in {purpose.code for purpose in purposes_to_write_for(session)}:
        errors["purpose"] = "unknown"
    if not 1 <= draft.brake_pct <= 100:
        errors["brake_pct"] = "out_of_range"
    if len(draft.field_mapping) > FIELDS_MAX or not all(_fits(*pair) for pair in draft.field_mapping.items()):
        errors["field_mapping"] = "unknown_field"
    return errors


def _place_problems(session: ScopedSession, draft: AudienceDraft, tag: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    try:
        connection = get_connection(session, draft.connection_id)
    except UnknownConnection:
        connection = None
    if connection is None or connection.kind != "destination":
        errors["connection_id"] = "unknown"
    if not draft.list_ref.strip():
        errors["list_ref"] = "required"
    if len(tag) > TAG_LENGTH_MAX or not tag.isprintable():
        errors["tag"] = "too_long"
    elif _tag_is_taken(session, draft, tag):
        errors["tag"] = "taken"
    return errors


def _fits(tag: str, name: str) -> bool:
    return tag.isprintable() and 0 < len(tag) <= TAG_LENGTH_MAX and is_mappable(name)


def _name_is_taken(session: ScopedSession, name: str, audience_id: int | None) -> bool:
    query = select(Audience.id).where(func.lower(Audience.name) == func.lower(name), Audience.state != "removed")
    return any(found != audience_id for found in session.scalars(query))


def _tag_is_taken(session: ScopedSession, draft: AudienceDraft, tag: str) -> bool:
    """A removed audience keeps its tag until it is off everybody: another one may not be mistaken for it."""
    query = (
        select(Audience.id)
        .where(Audience.connection_id == draft.connection_id, Audience.list_ref == draft.list_ref)
        .where(func.lower(Audience.tag) == func.lower(tag), Audience.segment_id.is_not(None))
    )
    return session.scalars(query).first() is not None


def _in_state(session: ScopedSession, audience_id: int, states: Sequence[str]) -> Audience:
    audience = find_audience(session, audience_id)
    if audience.state not in states:
        raise NotThatState(audience_id)
    return audience


def _activate(audience: Audience) -> None:
    audience.state, audience.updated_at = "active", clock.now()
    audience.next_run_at = None  # the confirmed run sets it when it ends
    audience.next_poll_at = clock.now()


def _user(actor: Actor) -> int | None:
    return actor.id if actor.kind == "user" else None


def _record(session: ScopedSession, actor: Actor, verb: str, audience: Audience, **details: Any) -> None:
    record(session, actor, f"audiences.{verb}", subject=("audience", audience.id), details=details)
