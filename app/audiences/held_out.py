"""What a list says about people, turned into what the house must know. Each opt-out is news exactly once.

| the list says                      | the ledger learns                       | pushed to this list again          |
|------------------------------------|-----------------------------------------|------------------------------------|
| unsubscribed (person, admin, api)  | withdrawal, for the list's purposes     | when the list says subscribed      |
| unsubscribed or cleaned for abuse  | objection to all direct marketing       | when the list says subscribed      |
| cleaned (hard bounce)              | nothing; the address is bouncing        | when the list says subscribed      |
| forgotten (deleted for good)       | withdrawal, for the list's purposes     | never: MailChimp refuses           |
| archived, transactional            | nothing: nobody said no                 | when the list says subscribed      |
| unsubscribed, and it was us        | nothing: that is our own echo           | when the list says subscribed      |

A list that says "subscribed" lifts nothing in the ledger, ever. Archiving hides what was there before, so an archived
person is left alone on that list, but it is the work of a colleague and no word of the person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.audiences.clearing.again import send_again
from app.audiences.clearing.models import KnownList
from app.audiences.models import Audience, AudienceMember, AudienceRunResult, ListHeldOut
from app.audiences.work import CHANNEL, ListPlace
from app.consent.ledger import NewEvent, record_events
from app.consent.subjects import contacts_by_subject, email_subject
from app.contacts.deliverability import mark_bouncing
from app.db import ScopedSession, insert_many
from app.keyring import Keyring
from integrations.base import MemberResult, MemberState, MemberStatus

WITHDRAWN, COMPLAINED, BOUNCED, SILENT = "withdrawn", "complained", "bounced", "silent"
MAILABLE = frozenset({MemberStatus.SUBSCRIBED, MemberStatus.PENDING})
# How the row says it, and what it means for the ledger.
OUT: Mapping[MemberStatus, tuple[str, str]] = {
    MemberStatus.UNSUBSCRIBED: ("unsubscribed", WITHDRAWN),
    MemberStatus.CLEANED: ("cleaned", BOUNCED),
    MemberStatus.ARCHIVED: ("archived", SILENT),
    MemberStatus.TRANSACTIONAL: ("transactional", SILENT),
}
COMPLAINT_WORDS = ("abuse", "complain", "spam")
# Refusals that end when the list itself shows the person as subscribed again.
ENDED_BY_SUBSCRIBING = ("compliance_state", "not_on_list", "forgotten")


@dataclass(frozen=True, slots=True)
class Heard:
    """One person as the list spoke of them. ``status`` None: mailable there; else a word of ``list_held_out``.

    ``is_old``: found at the first look at a list, so that nobody knows when it happened, and it is no news to them.
    """

    email: str
    status: str | None
    meaning: str = SILENT
    is_old: bool = False


def heard_of_state(state: MemberState, *, is_first_look: bool = False) -> Heard | None:
    """Return what a read member means; None where the list does not know them, which says nothing by itself."""
    if state.status in MAILABLE:
        return Heard(state.email, None)
    if state.status is MemberStatus.ABSENT:
        return None
    status, meaning = OUT[state.status]
    reason = (state.reason or "").lower()
    if status in {"unsubscribed", "cleaned"} and any(word in reason for word in COMPLAINT_WORDS):
        meaning = COMPLAINED
    return Heard(state.email, status, meaning, is_old=is_first_look)


def heard_of_refusal(result: MemberResult) -> Heard | None:
    """Return what a refused push tells; None where it says nothing about consent (an address that cannot be)."""
    if result.code == "forgotten":
        return Heard(result.email, "forgotten", WITHDRAWN)
    if result.status is not None and result.status in OUT:
        status, meaning = OUT[result.status]
        return Heard(result.email, status, meaning)
    if result.code == "compliance_state":
        # Held out for a reason it does not tell: counted as the strictest it may be.
        return Heard(result.email, "unsubscribed", WITHDRAWN)
    return None


def note_heard(
    session: ScopedSession,
    keyring: Keyring,
    place: ListPlace,
    heard: Sequence[Heard],
    *,
    at: datetime,
    run_id: int | None = None,
) -> int:
    """Commit what a list said to the ledger, with the caller's transaction; returns how many opt-outs were news.

    Idempotent: what was heard before changes nothing, in whatever order. One call per transaction (the ledger's locks).
    """
    by_key = _by_subject(session, keyring, heard)
    known = _known(session, place, by_key)
    news = {key: one for key, one in by_key.items() if one.status is not None and _is_news(one, known.get(key))}
    _record(session, keyring, place, news, at=at)  # first: the ledger's locks come before those of our own rows
    _forget(session, place, [key for key, one in by_key.items() if one.status is None and _is_over(known.get(key))])
    _remember(session, place, by_key, at=at)
    send_again(session, keyring, place, {key: one.email for key, one in by_key.items() if one.status is None}, at=at)
    opted_out = [key for key, one in news.items() if one.meaning in (WITHDRAWN, COMPLAINED)]
    if run_id is not None and opted_out:
        _store_results(session, run_id, {key: news[key] for key in opted_out})
    return len(opted_out)


def note_complaints(session: ScopedSession, keyring: Keyring, place: ListPlace, told: Mapping[str, datetime]) -> int:
    """Commit that people (by address) called a mail spam, and when: an objection to all direct marketing.

    For complaints that a list's own state does not tell. Idempotent, also for who said yes here since; returns how many
    were news. One call per transaction (the ledger's locks).
    """
    events = [
        _event(place, Heard(email, "unsubscribed", COMPLAINED), None, at=at) for email, at in sorted(told.items())
    ]
    return sum(each.is_new for each in record_events(session, keyring, events)) if events else 0


def hold_out(session: ScopedSession, place: ListPlace, keys: Iterable[bytes], *, status: str, at: datetime) -> None:
    """Keep these people off a list because of what we do or saw ourselves (``unsubscribing``, ``moved``, …)."""
    rows = [_held_row(session, place, key, status, at=at) | {"is_ours": True} for key in sorted(set(keys))]
    if rows:
        insert_many(session, insert(ListHeldOut).on_conflict_do_nothing(), rows)


def mark_unsubscribed(session: ScopedSession, place: ListPlace, keys: Iterable[bytes]) -> None:
    """Note that what we meant to do is done: our own opt-outs are there, and their echo will be no news."""
    session.execute(
        update(ListHeldOut)
        .where(*_of_place(place), ListHeldOut.subject_key.in_(list(keys)), ListHeldOut.status == "unsubscribing")
        .values(status="unsubscribed")
    )


def purposes_of(session: ScopedSession, place: ListPlace) -> list[str]:
    """Return what a list is used for, by its audiences and by what people said: an opt-out there counts for all of it.

    Nothing for a list of which nobody knows what it is for.
    """
    used = session.scalars(
        select(Audience.purpose)
        .where(Audience.connection_id == place.connection_id, Audience.list_ref == place.list_ref)
        .where(Audience.state != "removed")
    )
    said = session.scalars(
        select(func.unnest(KnownList.purposes)).where(
            KnownList.connection_id == place.connection_id, KnownList.list_ref == place.list_ref
        )
    )
    return sorted({*used, *said})


def _by_subject(session: ScopedSession, keyring: Keyring, heard: Iterable[Heard]) -> dict[bytes, Heard]:
    """The last word about each address. An address that cannot be one of ours is nobody."""
    found: dict[bytes, Heard] = {}
    for one in heard:
        key = email_subject(session, keyring, one.email)
        if key is not None:
            found[key] = one
    return found


def _known(session: ScopedSession, place: ListPlace, keys: Iterable[bytes]) -> dict[bytes, ListHeldOut]:
    rows = session.scalars(
        select(ListHeldOut)
        .where(*_of_place(place), ListHeldOut.subject_key.in_(list(keys)))
        .execution_options(populate_existing=True)
    )
    return {bytes(row.subject_key): row for row in rows}


def _is_news(one: Heard, known: ListHeldOut | None) -> bool:
    """Unsubscribed stays unsubscribed however it is filed afterwards; our own opt-out coming back is an echo."""
    if known is None:
        return True
    if one.status in ("archived", known.status):
        return False
    return not (known.is_ours and known.status in ("unsubscribing", "unsubscribed") and one.meaning == WITHDRAWN)


def _is_over(known: ListHeldOut | None) -> bool:
    """Our opt-out that has not arrived yet is not over because the person still looks subscribed."""
    return known is not None and known.status != "unsubscribing"


def _forget(session: ScopedSession, place: ListPlace, keys: Sequence[bytes]) -> None:
    if not keys:
        return
    session.execute(delete(ListHeldOut).where(*_of_place(place), ListHeldOut.subject_key.in_(keys)))
    here = select(Audience.id).where(Audience.connection_id == place.connection_id, Audience.list_ref == place.list_ref)
    ended = AudienceMember.refusal_code.in_(ENDED_BY_SUBSCRIBING) | AudienceMember.refusal_code.startswith("stays_")
    session.execute(
        update(AudienceMember)
        .where(AudienceMember.audience_id.in_(here), AudienceMember.subject_key.in_(keys))
        .where(AudienceMember.state == "refused", ended)
        .values(state="out", refusal_code=None, pushed_sha256=None)
    )


def _remember(session: ScopedSession, place: ListPlace, heard: Mapping[bytes, Heard], *, at: datetime) -> None:
    rows = [_held_row(session, place, key, one.status, at=at) for key, one in sorted(heard.items()) if one.status]
    if not rows:
        return
    statement = insert(ListHeldOut)
    told = statement.excluded.status
    is_changed = ListHeldOut.status != told
    insert_many(
        session,
        statement.on_conflict_do_update(
            index_elements=["organisation_id", "connection_id", "list_ref", "subject_key"],
            set_={
                "status": told,
                "since": statement.excluded.since,
                # Our own opt-out stays ours when it is confirmed or archived, and not when more was said since.
                "is_ours": and_(ListHeldOut.is_ours, or_(told == "unsubscribed", told == "archived")),
            },
            where=is_changed,
        ),
        rows,
    )


def _record(
    session: ScopedSession, keyring: Keyring, place: ListPlace, news: Mapping[bytes, Heard], *, at: datetime
) -> None:
    purposes = purposes_of(session, place)
    events = [
        _event(place, one, purpose, at=at)
        for one in news.values()
        if one.meaning in (WITHDRAWN, COMPLAINED)
        for purpose in (purposes if one.meaning == WITHDRAWN else [None])
    ]
    if events:
        record_events(session, keyring, events)
    mark_bouncing(session, [key for key, one in news.items() if one.meaning == BOUNCED], at=at)


def _event(place: ListPlace, one: Heard, purpose: str | None, *, at: datetime) -> NewEvent:
    """``at`` is when we saw it: no vendor tells when somebody opted out, only when the row last changed.

    At the first look at a list that would be wrong by years, and ask for a receipt of each: then nobody knows.
    """
    return NewEvent(
        address=one.email,
        channel=CHANNEL,
        purpose=purpose,
        action="objected" if one.meaning == COMPLAINED else "withdrawn",
        occurred_at=None if one.is_old else at,
        actor="system",
        method="destination",
        source=place.system,
        evidence={
            "reason": one.meaning,
            "status": one.status,
            "list": place.list_ref,
            "connection": place.connection_id,
        },
        repeats="opt_out",
    )


def _store_results(session: ScopedSession, run_id: int, news: Mapping[bytes, Heard]) -> None:
    contacts = contacts_by_subject(session, news)
    insert_many(
        session,
        insert(AudienceRunResult).on_conflict_do_nothing(),
        [
            {
                "organisation_id": session.organisation_id,
                "run_id": run_id,
                "subject_key": key,
                "action": "opt_out",
                "contact_id": contacts.get(key),
                "outcome": "recorded",
                "code": one.status if one.meaning == WITHDRAWN else one.meaning,
            }
            for key, one in news.items()
        ],
    )


def _held_row(
    session: ScopedSession, place: ListPlace, key: bytes, status: str | None, *, at: datetime
) -> dict[str, Any]:
    return {
        "organisation_id": session.organisation_id,
        "connection_id": place.connection_id,
        "list_ref": place.list_ref,
        "subject_key": key,
        "status": status,
        "since": at,
    }


def _of_place(place: ListPlace) -> tuple[Any, Any]:
    return ListHeldOut.connection_id == place.connection_id, ListHeldOut.list_ref == place.list_ref
