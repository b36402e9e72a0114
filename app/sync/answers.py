"""What people answered to a source's questions and have in its fields, kept as it came for ``KEPT_DAYS``.

So a house that says otherwise what something means has it applied to what was read before, without reading all again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, text

from app import clock
from app.contacts.json_data import storable
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.models import SourceAnswer
from integrations.base import ConsentRecord, ConsentState, ContactRecord, IdentityRecord, OfferKind

KEPT_DAYS = 60


def keep_answers(
    session: ScopedSession,
    connection_id: int,
    contacts: Sequence[ContactRecord],
    contact_ids: Sequence[int | None],
) -> None:
    """Keep what these people answered, as their source says it and by whom it belongs to here.

    What is kept already stays as it is, with its day; who could not be stored has nothing kept of them.
    """
    rows = {
        (row["kind"], row["key"], row["external_id"]): row
        for contact, contact_id in zip(contacts, contact_ids, strict=True)
        if contact_id is not None
        for row in _rows(contact, contact_id)
    }
    if rows:
        session.execute(
            text(_KEEP),
            {
                "organisation_id": session.organisation_id,
                "connection_id": connection_id,
                "rows": json.dumps(list(rows.values()), default=str),
                "at": clock.now(),
            },
        )


def record_of(answer: SourceAnswer) -> ContactRecord:
    """Return who answered, with this one answer, as their source said it."""
    told = answer.answer
    return ContactRecord(
        source=told["source"],
        identities=tuple(IdentityRecord(kind, value) for kind, value in told["identities"]),
        email=told["email"],
        consents=(_statement(told["consent"]),) if answer.kind == OfferKind.QUESTION else (),
        custom={answer.key: told["value"]} if answer.kind == OfferKind.FIELD else {},
    )


def forget_old_answers(runtime: Runtime, organisation_id: int) -> int:
    """Forget what was read long ago; what it led to is in the store and in the ledger."""
    before = clock.now() - timedelta(days=KEPT_DAYS)
    with transaction(runtime.engine, organisation_id) as session:
        gone = session.execute(delete(SourceAnswer).where(SourceAnswer.read_at < before))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _rows(contact: ContactRecord, contact_id: int) -> Iterator[dict[str, Any]]:
    who = {
        "source": contact.source,
        "email": contact.email,
        "identities": [(each.kind, each.value) for each in contact.identities],
    }
    for said in contact.consents:
        if said.question is not None:
            told = {name: getattr(said, name) for name in _STATEMENT} | {"raw": dict(said.raw)}
            name = said.external_id or str(contact_id)
            yield _row(OfferKind.QUESTION, said.question, name, contact_id, {**who, "consent": told})
    for key, value in contact.custom.items():
        yield _row(OfferKind.FIELD, key, str(contact_id), contact_id, {**who, "value": value})


def _row(kind: OfferKind, key: str, external_id: str, contact_id: int, answer: dict[str, Any]) -> dict[str, Any]:
    kept = {"kind": kind.value, "key": key, "external_id": external_id, "contact_id": contact_id}
    return kept | {"answer": storable(json.loads(json.dumps(answer, default=_plain)))}


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


_STATEMENT = ("channel", "purpose", "state", "captured_at", "method", "wording", "wording_language", "basis",
              "external_id", "question")  # fmt: skip


def _statement(told: Mapping[str, Any]) -> ConsentRecord:
    at = told["captured_at"]
    values = {name: told[name] for name in _STATEMENT}
    values |= {"state": ConsentState(told["state"]), "captured_at": datetime.fromisoformat(at) if at else None}
    return ConsentRecord(**values, raw=told["raw"])


_KEEP = """
INSERT INTO source_answer AS kept
       (organisation_id, connection_id, kind, key, external_id, contact_id, answer, read_at)
SELECT :organisation_id, :connection_id, given.kind, given.key, given.external_id, given.contact_id, given.answer, :at
  FROM jsonb_to_recordset(CAST(:rows AS jsonb))
       AS given(kind text, key text, external_id text, contact_id bigint, answer jsonb)
 ORDER BY given.kind, given.key, given.external_id
    ON CONFLICT (organisation_id, connection_id, kind, key, external_id) DO UPDATE
   SET answer = excluded.answer, contact_id = excluded.contact_id, read_at = excluded.read_at
 WHERE (kept.answer, kept.contact_id) IS DISTINCT FROM (excluded.answer, excluded.contact_id)
"""
