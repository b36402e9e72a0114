"""From the ledger to the permission rows: reading histories, deciding, and writing what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert

from app.accounts.models import Organisation
from app.consent.countries import rules_of
from app.consent.models import ConsentEvent, ConsentEvidence, Permission, Purpose
from app.consent.precedence import Fact, PurposeRules, Verdict, decide
from app.db import ScopedSession, insert_many

Pair = tuple[bytes, str]  # a subject key and a channel
RowKey = tuple[bytes, str, str]  # the same and a purpose

FACT_COLUMNS = tuple(
    getattr(ConsentEvent, name)
    for name in (
        "id", "purpose", "action", "basis", "occurred_at", "recorded_at", "actor", "method", "source",
        "notice_version_id", "valid_until",
    )
)  # fmt: skip
VERDICT_COLUMNS = (
    "is_allowed", "is_negative", "basis", "reason", "since", "valid_until", "decided_by", "paused_until",
)  # fmt: skip


def purpose_rules(session: ScopedSession) -> dict[str, PurposeRules]:
    """Return what each purpose of the organisation asks of a yes, its country's law applied. By code."""
    country = session.scalars(select(Organisation.country).where(Organisation.id == session.organisation_id)).one()
    known = rules_of(country).bases
    return {
        purpose.code: PurposeRules(
            code=purpose.code,
            is_marketing=purpose.is_marketing,
            needs_confirmation=purpose.needs_confirmation,
            allowed_bases=known.intersection(purpose.allowed_bases),
            retention_days=purpose.retention_days,
        )
        for purpose in session.scalars(select(Purpose).order_by(Purpose.position, Purpose.code))
    }


def read_histories(session: ScopedSession, pairs: Iterable[Pair]) -> dict[Pair, list[Fact]]:
    """Return the facts of each subject and channel, oldest first."""
    wanted = set(pairs)
    histories: dict[Pair, list[Fact]] = {pair: [] for pair in wanted}
    event, beside = ConsentEvent, ConsentEvidence
    rows = session.execute(
        select(event.subject_key, event.channel, beside.evidence, *FACT_COLUMNS)
        .outerjoin(beside, beside.event_id == event.id)
        .where(event.subject_key.in_({key for key, _ in wanted}), event.channel.in_({channel for _, channel in wanted}))
        .order_by(event.id)
    )
    for subject_key, channel, evidence, *values in rows:
        pair = (bytes(subject_key), channel)
        if pair in histories:
            histories[pair].append(_fact(values, evidence or {}))
    return histories


def implied_rows(histories: Mapping[Pair, Sequence[Fact]], rules: Mapping[str, PurposeRules]) -> dict[RowKey, Verdict]:
    """Return the permission rows the histories imply; purposes a history is silent about have none."""
    implied: dict[RowKey, Verdict] = {}
    for (subject_key, channel), facts in histories.items():
        for code, purpose in rules.items():
            verdict = decide(facts, purpose)
            if verdict.since is not None:
                implied[subject_key, channel, code] = verdict
    return implied


def write_rows(session: ScopedSession, pairs: Iterable[Pair], implied: Mapping[RowKey, Verdict]) -> int:
    """Make the permission rows of these subjects and channels equal to what is implied; returns how many changed.

    The caller holds the locks of ``lock_for_change``.
    """
    held = stored_rows(session, pairs)
    changed = [(key, verdict) for key, verdict in sorted(implied.items()) if held.get(key) != verdict]
    if changed:
        _upsert(session, changed)
    gone = held.keys() - implied.keys()
    if gone:
        permission = Permission
        key = tuple_(permission.subject_key, permission.channel, permission.purpose)
        session.query(permission).where(key.in_(sorted(gone))).delete(synchronize_session=False)
    return len(changed) + len(gone)


def stored_rows(session: ScopedSession, pairs: Iterable[Pair]) -> dict[RowKey, Verdict]:
    """Return the permission rows as they are stored."""
    wanted = set(pairs)
    permission = Permission
    columns = [getattr(permission, name) for name in VERDICT_COLUMNS]
    rows = session.execute(
        select(permission.subject_key, permission.channel, permission.purpose, *columns).where(
            permission.subject_key.in_({key for key, _ in wanted})
        )
    )
    return {
        (bytes(subject_key), channel, purpose): Verdict(**dict(zip(VERDICT_COLUMNS, values, strict=True)))
        for subject_key, channel, purpose, *values in rows
        if (bytes(subject_key), channel) in wanted
    }


def project(session: ScopedSession, histories: Mapping[Pair, Sequence[Fact]]) -> int:
    """Write what the histories imply; returns how many rows changed. The caller holds the locks."""
    return write_rows(session, histories, implied_rows(histories, purpose_rules(session)))


def _fact(values: Sequence[Any], evidence: Mapping[str, Any]) -> Fact:
    return Fact(**{column.key: value for column, value in zip(FACT_COLUMNS, values, strict=True)}, evidence=evidence)


def _upsert(session: ScopedSession, rows: Sequence[tuple[RowKey, Verdict]]) -> None:
    values = [
        {"organisation_id": session.organisation_id, "subject_key": key, "channel": channel, "purpose": purpose}
        | {name: getattr(verdict, name) for name in VERDICT_COLUMNS}
        for (key, channel, purpose), verdict in rows
    ]
    statement = insert(Permission)
    insert_many(
        session,
        statement.on_conflict_do_update(
            index_elements=["organisation_id", "subject_key", "channel", "purpose"],
            set_={name: statement.excluded[name] for name in VERDICT_COLUMNS},
        ),
        values,
    )
