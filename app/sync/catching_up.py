"""Bringing what was read before in line with what a house says now that it means: a part at a time, each part whole.

For each answer: what it led to under a meaning it no longer has is taken back (the attribute it filled, the permission
that rests on it), and what it means now is stored as if it came in today. A no that was recorded stays: nothing here
lifts one. A worker that is killed goes on where the last whole part ended; doing a part twice changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, text

from app import clock
from app.consent.ledger import NewEvent, record_events
from app.contacts.ingest import upsert_contacts
from app.db import ScopedSession, array_text, transaction
from app.runtime import Runtime
from app.sync.answers import record_of
from app.sync.field_mapping import Meaning, mapped_contact, meant
from app.sync.meanings import read_meanings
from app.sync.models import SourceAnswer, SourceMeaning
from integrations.base import ConsentState, OfferKind

ANSWERS_PER_PART = 500
PARTS_PER_BEAT = 20
METHOD = "meaning_changed"

Key = tuple[int, str, str]


def catch_up(runtime: Runtime, organisation_id: int) -> int:
    """Do the next parts of a house; returns how many answers were brought in line."""
    done = 0
    for _ in range(PARTS_PER_BEAT):
        with transaction(runtime.engine, organisation_id) as session:
            row = _next_word(session)
            key = None if row is None else (row.connection_id, row.kind, row.key)
        if key is None:
            break
        # The ledger takes its locks once in a transaction, so taking back and storing are two. Killed between them, the
        # first is done again, and changes nothing.
        with transaction(runtime.engine, organisation_id) as session:
            _take_back(session, runtime, key)
        with transaction(runtime.engine, organisation_id) as session:
            done += _apply(session, runtime, key)
    return done


def _next_word(session: ScopedSession) -> SourceMeaning | None:
    row = SourceMeaning
    waiting = select(row).where(row.catching_up.is_not(None)).order_by(row.said_at, row.kind, row.key).limit(1)
    return session.scalars(waiting).one_or_none()


def _part(session: ScopedSession, key: Key) -> tuple[SourceMeaning | None, Sequence[SourceAnswer]]:
    """Return a word that is behind, held until the transaction ends, and the next answers to it."""
    word = session.get(SourceMeaning, (session.organisation_id, *key), with_for_update=True)
    if word is None or word.catching_up is None:
        return None, ()
    row = SourceAnswer
    answers = session.scalars(
        select(row)
        .where(row.connection_id == key[0], row.kind == key[1], row.key == key[2])
        .where(row.external_id > (word.caught_up_to or ""))
        .order_by(row.external_id)
        .limit(ANSWERS_PER_PART)
    ).all()
    return word, answers


def _apply(session: ScopedSession, runtime: Runtime, key: Key) -> int:
    word, answers = _part(session, key)
    if word is None:
        return 0
    if not answers:
        word.catching_up = word.caught_up_to = None
        return 0
    meanings = read_meanings(session, key[0])
    records = [mapped_contact(record_of(answer), meanings) for answer in answers]
    told = [record for record in records if record.consents or record.attributes]
    upsert_contacts(session, runtime.keyring, told, actor="system", at=clock.now())
    word.caught_up_to = answers[-1].external_id
    return len(answers)


def _take_back(session: ScopedSession, runtime: Runtime, key: Key) -> None:
    word, answers = _part(session, key)
    if word is None or word.meaning is None or not answers:
        return
    now = Meaning.from_json(word.meaning)
    events: list[NewEvent] = []
    for told in word.catching_up or ():
        before = None if told.get("by_settings") else Meaning.from_json(told)
        if before is not None and before.attribute is not None and before.attribute != now.attribute:
            _empty_attribute(session, before.attribute, answers)
        if word.kind == OfferKind.QUESTION:
            events += _endings(session, answers, before, now)
    if events:
        once = {(each.subject_key, each.purpose): each for each in events}
        record_events(session, runtime.keyring, list(once.values()))


def _endings(
    session: ScopedSession, answers: Sequence[SourceAnswer], before: Meaning | None, now: Meaning
) -> list[NewEvent]:
    """End every permission that rests on one of these answers for a purpose that it is no longer about."""
    names: list[str] = []
    for answer in answers:
        record = record_of(answer)
        said = meant(record.consents[0], before)
        is_ended = said is not None and said.state is ConsentState.IN and said.purpose != now.purpose
        if said is not None and is_ended and said.external_id is not None:
            names.append(f"{record.source}\n{said.external_id}")
    if not names:
        return []
    rows = session.execute(text(_RESTING_ON), {"organisation_id": session.organisation_id, "names": array_text(names)})
    return [
        NewEvent(
            subject_key=bytes(row.subject_key),
            contact_id=row.contact_id,
            channel=row.channel,
            purpose=row.purpose,
            action="invalidated",
            occurred_at=clock.now(),
            actor="staff",
            method=METHOD,
            source="zaallicht",
            evidence={"event": row.event_id},
        )
        for row in rows
    ]


def _empty_attribute(session: ScopedSession, name: str, answers: Sequence[SourceAnswer]) -> None:
    """Take an attribute away from whoever still has what their answer put there."""
    rows = [{"contact_id": answer.contact_id, "value": _value(answer.answer)} for answer in answers]
    session.execute(
        text(_EMPTY),
        {
            "organisation_id": session.organisation_id,
            "name": name,
            "rows": json.dumps(rows, default=str),
            "at": clock.now(),
        },
    )


def _value(answer: Mapping[str, Any]) -> Any:
    return answer["value"] if "value" in answer else answer["consent"]["state"] == "in"


_RESTING_ON = """
SELECT permission.subject_key, permission.channel, permission.purpose, permission.decided_by AS event_id,
       consent_event.contact_id
  FROM unnest(CAST(:names AS text[])) AS wanted(name)
  JOIN consent_evidence AS beside
    ON beside.organisation_id = :organisation_id AND beside.source = split_part(wanted.name, E'\\n', 1)
   AND beside.external_id = split_part(wanted.name, E'\\n', 2)
  JOIN consent_event
    ON consent_event.organisation_id = beside.organisation_id AND consent_event.id = beside.event_id
  JOIN permission
    ON permission.organisation_id = beside.organisation_id AND permission.subject_key = consent_event.subject_key
   AND permission.decided_by = beside.event_id
 WHERE permission.is_allowed
"""

_EMPTY = """
UPDATE contact SET attributes = contact.attributes - CAST(:name AS text), updated_at = :at
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given(contact_id bigint, value jsonb)
  JOIN contact AS was ON was.organisation_id = :organisation_id AND was.id = given.contact_id
 WHERE contact.organisation_id = :organisation_id AND contact.id = COALESCE(was.merged_into_id, was.id)
   AND contact.attributes -> CAST(:name AS text) = given.value
"""
