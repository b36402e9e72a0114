"""Mailings as a marketer defines them: made, changed, copied, removed.

draft ──► scheduled ──► sending ◄──► paused
  ▲           │            │  └────────┴──► cancelled
  └───────────┘            └──► sent

A mailing is changed while it is a draft. One that was sent stays, with whom it went to. ``edition`` counts every
change of words or settings: who saves names the edition they saw, and nobody writes over somebody else.
A mailing of kind ``journey`` stays a draft; what its steps send is the version frozen last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import clock
from app.accounts.audit import Actor, record
from app.accounts.organisations import current_organisation
from app.consent.models import Purpose
from app.db import ScopedSession
from app.mailings.block_segments import note_block_segments
from app.mailings.composing.content_schemas import blank_content
from app.mailings.effect import ab_tests
from app.mailings.models import Delivery, Mailing, MailingSegment, MailingVersion
from app.mailings.problems import InvalidMailing, NotThatState, StaleEdition, UnknownMailing
from app.segments.models import Segment

NAME_LENGTH_MAX = 120
SEGMENTS_MAX = 50
HOLDOUT_PERCENT_MAX = 50
EFFECT_DAYS_MAX = 365
# What somebody may be measured by is no reason to write to them.
NOT_A_REASON_TO_WRITE = ("track_open", "track_click")

Kind = Literal["campaign", "journey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailingDraft:
    """What a marketer fills in. ``to`` and ``without`` are ids of segments; ``content`` None: the words stay."""

    name: str
    purpose: str
    kind: Kind = "campaign"
    to: Sequence[int] = ()
    without: Sequence[int] = ()
    content: Mapping[str, Any] | None = None
    priority: int = 50
    holdout_percent: int = 0
    season_holdout: bool = False
    ab_test: Mapping[str, Any] | None = None
    effect_days: int = 30


def create_mailing(session: ScopedSession, draft: MailingDraft, *, actor: Actor) -> Mailing:
    """Keep a new mailing as a draft. Raises InvalidMailing with every field that is wrong."""
    _check(session, draft, mailing_id=None)
    now, house = clock.now(), current_organisation(session)
    mailing = Mailing(
        organisation_id=session.organisation_id,
        kind=draft.kind,
        content=dict(draft.content) if draft.content is not None else blank_content([house.language]),
        created_by=actor.id if actor.kind == "user" else None,
        created_at=now,
        updated_at=now,
        **_settings(draft),
    )
    _flush_named(session, mailing)
    _put_segments(session, mailing.id, draft)
    _record(session, actor, "create", mailing)
    return mailing


def change_mailing(
    session: ScopedSession, mailing_id: int, draft: MailingDraft, *, edition: int, actor: Actor
) -> Mailing:
    """Change name, purpose, people and settings; the words too where ``draft.content`` is given.

    ``kind`` stays what it is. Raises UnknownMailing, NotThatState, StaleEdition or InvalidMailing.
    """
    mailing = _to_edit(session, mailing_id, edition)
    _check(session, draft, mailing_id=mailing_id)
    for name, value in _settings(draft).items():
        setattr(mailing, name, value)
    if draft.content is not None:
        mailing.content = dict(draft.content)
    _touch(mailing)
    _flush_named(session, mailing)
    _put_segments(session, mailing_id, draft)
    _record(session, actor, "change", mailing)
    return mailing


def save_content(session: ScopedSession, mailing_id: int, content: Mapping[str, Any], *, edition: int) -> Mailing:
    """Store the words of a draft as they are now; returns it with its new edition.

    What is in ``content`` is checked by whoever calls. Raises UnknownMailing, NotThatState or StaleEdition.
    """
    mailing = _to_edit(session, mailing_id, edition)
    mailing.content = dict(content)
    _touch(mailing)
    note_block_segments(session, mailing_id)
    return mailing


def rename_mailing(session: ScopedSession, mailing_id: int, name: str, *, actor: Actor) -> Mailing:
    """Give a mailing another name, whatever its state. Raises UnknownMailing or InvalidMailing."""
    mailing = find_mailing(session, mailing_id)
    problem = _name_problem(session, name, mailing_id=mailing_id)
    if problem:
        raise InvalidMailing({"name": problem})
    mailing.name, mailing.updated_at = name.strip(), clock.now()
    _flush_named(session, mailing)
    _record(session, actor, "rename", mailing)
    return mailing


def copy_mailing(session: ScopedSession, mailing_id: int, *, actor: Actor, name: str | None = None) -> Mailing:
    """Make a new draft with the same words, people and settings; without ``name`` one that is free.

    The people of segments that are gone are left out. Raises UnknownMailing or InvalidMailing.
    """
    original = find_mailing(session, mailing_id)
    to, without = segments_of(session, mailing_id)
    draft = MailingDraft(
        name=name or free_name(session, original.name),
        purpose=original.purpose,
        kind="journey" if original.kind == "journey" else "campaign",
        to=to,
        without=without,
        content=original.content,
        priority=original.priority,
        holdout_percent=original.holdout_percent,
        season_holdout=original.season_holdout,
        ab_test=original.ab_test,
        effect_days=original.effect_days,
    )
    return create_mailing(session, draft, actor=actor)


def remove_mailing(session: ScopedSession, mailing_id: int, *, actor: Actor) -> None:
    """Remove a draft that nobody got. Raises UnknownMailing, or NotThatState where it was sent or is used."""
    mailing = find_mailing(session, mailing_id)
    if mailing.state not in ("draft", "cancelled") or _has_deliveries(session, mailing_id):
        raise NotThatState(mailing_id, mailing.state)
    _record(session, actor, "remove", mailing)
    try:
        with session.begin_nested():
            session.delete(mailing)
            session.flush()
    except IntegrityError:
        raise NotThatState(mailing_id, "used") from None


def find_mailing(session: ScopedSession, mailing_id: int) -> Mailing:
    """Return a mailing as it is now; raises UnknownMailing."""
    mailing = session.get(Mailing, (session.organisation_id, mailing_id), populate_existing=True)
    if mailing is None:
        raise UnknownMailing(mailing_id)
    return mailing


def held_mailing(session: ScopedSession, mailing_id: int) -> Mailing:
    """Return a mailing and keep others from changing it until the transaction ends; raises UnknownMailing."""
    mailing = session.scalars(
        sa.select(Mailing).where(Mailing.id == mailing_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()
    if mailing is None:
        raise UnknownMailing(mailing_id)
    return mailing


def list_mailings(
    session: ScopedSession, *, kind: Kind | None = None, before: int | None = None, limit: int | None = None
) -> Sequence[Mailing]:
    """Return mailings with an id below ``before``, the newest first."""
    query = sa.select(Mailing).order_by(Mailing.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(Mailing.kind == kind)
    if before is not None:
        query = query.where(Mailing.id < before)
    return session.scalars(query).all()


def segments_of(session: ScopedSession, mailing_id: int) -> tuple[list[int], list[int]]:
    """Return the ids of the segments a mailing goes to, and of those it does not go to."""
    rows = session.execute(
        sa.select(MailingSegment.part, MailingSegment.segment_id)
        .where(MailingSegment.mailing_id == mailing_id)
        .order_by(MailingSegment.segment_id)
    ).all()
    return [row.segment_id for row in rows if row.part == "to"], [
        row.segment_id for row in rows if row.part == "without"
    ]


def purposes_to_mail_for(session: ScopedSession) -> Sequence[Purpose]:
    """Return the purposes a mailing may have: those in use, service included, in the house's order."""
    return session.scalars(
        sa.select(Purpose)
        .where(Purpose.is_active, Purpose.code.not_in(NOT_A_REASON_TO_WRITE))
        .order_by(Purpose.position, Purpose.code)
    ).all()


def is_marketing(session: ScopedSession, purpose: str) -> bool:
    """Whether mails for a purpose are marketing, which the frequency cap and the quiet hours bind."""
    return bool(session.scalar(sa.select(Purpose.is_marketing).where(Purpose.code == purpose)))


def free_name(session: ScopedSession, name: str) -> str:
    """Return ``name (2)``, or with the first number that no mailing has yet."""
    stem = name[: NAME_LENGTH_MAX - 8]
    taken = set(session.scalars(sa.select(sa.func.lower(Mailing.name))))
    number = 2
    while f"{stem} ({number})".lower() in taken:
        number += 1
    return f"{stem} ({number})"


def _settings(draft: MailingDraft) -> dict[str, Any]:
    return {
        "name": draft.name.strip(),
        "purpose": draft.purpose,
        "priority": draft.priority,
        "holdout_percent": draft.holdout_percent,
        "season_holdout": draft.season_holdout,
        "ab_test": None if draft.ab_test is None else dict(draft.ab_test),
        "effect_days": draft.effect_days,
    }


def _to_edit(session: ScopedSession, mailing_id: int, edition: int) -> Mailing:
    mailing = held_mailing(session, mailing_id)
    if mailing.state != "draft":
        raise NotThatState(mailing_id, mailing.state)
    if mailing.edition != edition:
        raise StaleEdition(mailing_id, mailing.edition)
    return mailing


def _touch(mailing: Mailing) -> None:
    mailing.edition += 1
    mailing.updated_at = clock.now()


def _check(session: ScopedSession, draft: MailingDraft, *, mailing_id: int | None) -> None:
    errors: dict[str, str] = {}
    name_problem = _name_problem(session, draft.name, mailing_id=mailing_id)
    if name_problem:
        errors["name"] = name_problem
    if draft.purpose not in {purpose.code for purpose in purposes_to_mail_for(session)}:
        errors["purpose"] = "unknown"
    wanted = {*draft.to, *draft.without}
    known = set(session.scalars(sa.select(Segment.id).where(Segment.id.in_(wanted)))) if wanted else set()
    for field, ids in (("to", draft.to), ("without", draft.without)):
        if len(ids) > SEGMENTS_MAX:
            errors[field] = "too_many"
        elif not known.issuperset(ids):
            errors[field] = "unknown"
    if set(draft.to) & set(draft.without):
        errors["without"] = "also_to"
    if not 0 <= draft.holdout_percent <= HOLDOUT_PERCENT_MAX:
        errors["holdout_percent"] = "out_of_range"
    if not 1 <= draft.effect_days <= EFFECT_DAYS_MAX:
        errors["effect_days"] = "out_of_range"
    if not 0 <= draft.priority <= 100:
        errors["priority"] = "out_of_range"
    test_problem = ab_tests.problem_of(draft.ab_test)
    if test_problem:
        errors["ab_test"] = test_problem
    if errors:
        raise InvalidMailing(errors)


def _name_problem(session: ScopedSession, name: str, *, mailing_id: int | None) -> str | None:
    stripped = name.strip()
    if not stripped:
        return "required"
    if len(stripped) > NAME_LENGTH_MAX or not stripped.isprintable():
        return "too_long" if len(stripped) > NAME_LENGTH_MAX else "not_printable"
    query = sa.select(Mailing.id).where(sa.func.lower(Mailing.name) == sa.func.lower(stripped))
    return "taken" if any(found != mailing_id for found in session.scalars(query)) else None


def _put_segments(session: ScopedSession, mailing_id: int, draft: MailingDraft) -> None:
    session.execute(sa.delete(MailingSegment).where(MailingSegment.mailing_id == mailing_id))
    same = {"organisation_id": session.organisation_id, "mailing_id": mailing_id}
    rows = [
        same | {"segment_id": segment_id, "part": part}
        for part, ids in (("to", draft.to), ("without", draft.without))
        for segment_id in sorted(set(ids))
    ]
    if rows:
        session.execute(sa.insert(MailingSegment), rows)
    note_block_segments(session, mailing_id)


def _has_deliveries(session: ScopedSession, mailing_id: int) -> bool:
    return session.scalars(sa.select(Delivery.id).where(Delivery.mailing_id == mailing_id).limit(1)).first() is not None


def _flush_named(session: ScopedSession, mailing: Mailing) -> None:
    """Flush; a name that another mailing took at this very moment is refused without harming the transaction."""
    try:
        with session.begin_nested():
            session.add(mailing)
            session.flush()
    except IntegrityError as error:
        if "uq_mailing_name" in str(error.orig):
            raise InvalidMailing({"name": "taken"}) from None
        raise


def _record(session: ScopedSession, actor: Actor, verb: str, mailing: Mailing) -> None:
    record(session, actor, f"mailings.{verb}", subject=("mailing", mailing.id))


def version_content(session: ScopedSession, mailing_id: int, version: int) -> Mapping[str, Any]:
    """Return the words of a frozen version, which never change; raises UnknownMailing where there is none."""
    found = session.get(MailingVersion, (session.organisation_id, mailing_id, version))
    if found is None:
        raise UnknownMailing(mailing_id)
    return found.content
