"""Handing what a source brings to the rooms that keep it, and noting what could not be kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.organisations import current_organisation
from app.activities.ingest import (
    ActivityResult,
    ParticipationResult,
    cancel_absent,
    upsert_activities,
    upsert_participations,
)
from app.contacts.erasure.returning import REFUSED
from app.contacts.ingest import UpsertResult, upsert_contacts
from app.db import ScopedSession
from app.keyring import Keyring
from app.sync.answers import keep_answers
from app.sync.field_mapping import mapped
from app.sync.meanings import note_words, read_meanings
from app.sync.models import SyncProblem
from app.sync.vanishing import take_note_of
from integrations.base import ContactRecord, ParticipationRecord, SourcePage

ACTOR = "system"
CONFLICT = "identity_conflict"


@dataclass(frozen=True, slots=True)
class _Store:
    """Where a page goes."""

    session: ScopedSession
    keyring: Keyring
    time_zone: str

    def contacts(self, records: Sequence[ContactRecord]) -> list[UpsertResult]:
        return upsert_contacts(self.session, self.keyring, records, actor=ACTOR, at=clock.now())

    def participations(self, records: Sequence[ParticipationRecord]) -> list[ParticipationResult]:
        return upsert_participations(
            self.session, self.keyring, records, time_zone=self.time_zone, actor=ACTOR, at=clock.now()
        )


@dataclass(frozen=True, slots=True)
class _Tally:
    """What became of the records of a page: how many of each, and the code of what is wrong by external id."""

    counts: Counter[str]
    problems: dict[str, str]

    def add(
        self, kind: str, result: ActivityResult | UpsertResult | ParticipationResult, external_id: str | None
    ) -> None:
        self.counts[f"{kind}.{'refused' if result.outcome == 'error' else result.outcome}"] += 1
        # That somebody was erased is no problem to mend, and no note may say who they were.
        if result.error is not None and result.error != REFUSED and external_id is not None:
            self.problems[external_id] = result.error


def store_page(session: ScopedSession, keyring: Keyring, page: SourcePage, *, connection_id: int) -> Counter[str]:
    """Store one page and return how many of each kind were created, updated, … or refused (``contacts.created``).

    Storing a page again changes nothing. A record that cannot be stored is noted as a problem of the connection, and
    the note goes away when a later page brings the same record in good order. The caller owns the transaction.
    """
    store = _Store(session, keyring, current_organisation(session).time_zone)
    note_words(session, connection_id, page)
    as_told, page = page, mapped(page, read_meanings(session, connection_id))
    tally = _Tally(Counter(), {})
    activities = upsert_activities(session, page.activities, time_zone=store.time_zone)
    for activity, told in zip(page.activities, activities, strict=True):
        tally.add("activities", told, activity.external_id)
    people = _stored_contacts(store, page.contacts)
    for contact, person in zip(page.contacts, people, strict=True):
        tally.add("contacts", person, _pseudonym(contact))
    keep_answers(session, connection_id, as_told.contacts, [person.contact_id for person in people])
    participations = _stored_participations(store, page.participations)
    for participation, result in zip(page.participations, participations, strict=True):
        tally.add("participations", result, participation.external_id)
    tally.counts["participations.updated"] += cancel_absent(
        session, page.whole, kept=page.participations, at=clock.now()
    )
    tally.problems.update({each.external_id: each.code for each in page.problems})
    tally.problems.update(take_note_of(session, page.vanished, at=clock.now()))
    _note_problems(session, connection_id, page, tally.problems)
    return tally.counts


def join_pages(pages: Iterable[SourcePage]) -> list[SourcePage]:
    """Return pages joined to one per stream, their records in order; for pages that need no cursor of their own."""
    streams: dict[str, list[SourcePage]] = {}
    for page in pages:
        streams.setdefault(page.stream, []).append(page)
    return [
        SourcePage(
            stream=stream,
            cursor={},
            contacts=tuple(record for page in held for record in page.contacts),
            activities=tuple(record for page in held for record in page.activities),
            participations=tuple(record for page in held for record in page.participations),
            offers=tuple({offer: None for page in held for offer in page.offers}),
            whole=tuple({order: None for page in held for order in page.whole}),
            problems=tuple({problem: None for page in held for problem in page.problems}),
            rows=tuple({number: None for page in held for number in page.rows}),
            vanished=tuple({one: None for page in held for one in page.vanished}),
        )
        for stream, held in streams.items()
    ]


def problems_of(session: ScopedSession, connection_id: int, *, limit: int = 50) -> tuple[int, Sequence[SyncProblem]]:
    """Return how many records of a connection could not be stored as they came, and the latest of them."""
    of_this = SyncProblem.connection_id == connection_id
    count = session.scalar(select(func.count()).select_from(SyncProblem).where(of_this)) or 0
    latest = select(SyncProblem).where(of_this).order_by(SyncProblem.occurred_at.desc(), SyncProblem.external_id)
    return count, session.scalars(latest.limit(limit)).all()


def _stored_contacts(store: _Store, records: Sequence[ContactRecord]) -> list[UpsertResult]:
    """Store contacts. One whose keys belong to two people is stored under its address alone, and told as a conflict.

    Somebody's ticket must not be lost because two accounts wait for a person to say whether they are one. What people
    answered comes last and all at once: the ledger takes its locks once in a transaction.
    """
    kept = list(records)
    results = store.contacts([replace(record, consents=()) for record in kept])
    again = [i for i, result in enumerate(results) if result.error == CONFLICT and kept[i].email]
    for index in again:
        kept[index] = _by_address(kept[index])
    for index, result in zip(again, store.contacts([replace(kept[i], consents=()) for i in again]), strict=True):
        results[index] = replace(result, error=result.error or CONFLICT)
    store.contacts([record for record, told in zip(kept, results, strict=True) if record.consents and told.contact_id])
    return results


def _stored_participations(store: _Store, records: Sequence[ParticipationRecord]) -> list[ParticipationResult]:
    results = store.participations(records)
    again = [i for i, result in enumerate(results) if result.error == CONFLICT and records[i].contact.email]
    reduced = [replace(records[i], contact=_by_address(records[i].contact)) for i in again]
    for index, result in zip(again, store.participations(reduced), strict=True):
        results[index] = replace(result, error=result.error or CONFLICT)
    return results


def _by_address(contact: ContactRecord) -> ContactRecord:
    return replace(contact, identities=tuple(each for each in contact.identities if each.kind == "email"))


def _pseudonym(contact: ContactRecord) -> str | None:
    """Return a key that is no address, for the note of a problem; its participation is noted where it has none."""
    return next((each.value for each in contact.identities if each.kind != "email"), None)


def _note_problems(session: ScopedSession, connection_id: int, page: SourcePage, problems: Mapping[str, str]) -> None:
    keys = [activity.external_id for activity in page.activities]
    keys += [participation.external_id for participation in page.participations]
    keys += [key for contact in page.contacts if (key := _pseudonym(contact))]
    keys += [order.prefix.rstrip("/") for order in page.whole] + [problem.external_id for problem in page.problems]
    keys += [*page.rows, *(one.external_id for one in page.vanished)]
    session.execute(
        delete(SyncProblem).where(
            SyncProblem.connection_id == connection_id,
            SyncProblem.stream == page.stream,
            SyncProblem.external_id.in_(keys),
        )
    )
    common = {"organisation_id": session.organisation_id, "connection_id": connection_id, "stream": page.stream}
    rows = [{**common, "external_id": key, "code": code, "occurred_at": clock.now()} for key, code in problems.items()]
    if rows:
        session.execute(insert(SyncProblem).values(rows))
