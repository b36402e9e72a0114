"""One row in every table of a house, with marks that must never be seen next door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from hashlib import sha256
from typing import Any

from sqlalchemy import Column, Table, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.activities.history import settle
from app.db import tenant_tables, transaction
from app.runtime import Runtime

# Far from any number a test's own house could have reached.
NUMBER = 900_001
MARK = "Merkteken-van-de-buren"
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)

# Where a CHECK allows certain words only, or two columns must agree.
WORDS: dict[str, Any] = {
    "user_account.role": "viewer",
    "user_account.language": "nl",
    "one_time_link.purpose": "invitation",
    "audit_event.actor_kind": "system",
    "letter.kind": "invitation",
    "letter.language": "nl",
    "letter.state": "waiting",
    "mail_setting.relay_port": 587,
    "mail_setting.relay_security": "starttls",
    "mail_setting.bounces_go": "to_sender",
    "dkim_key.algorithm": "ed25519-sha256",
    "mail_setting.cap_mails": 2,
    "mail_setting.cap_days": 7,
    "mail_setting.cap_wait_hours": 24,
    "mail_setting.mails_a_minute": 30,
    "delivery.kind": "letter",
    "delivery.state": "accepted",
    "mailing.kind": "campaign",
    "activity_change.kind": "moved",
    "mailing.state": "sent",
    "mailing.holdout_percent": 10,
    "mailing.effect_days": 30,
    "mailing.priority": 50,
    "mailing_segment.part": "to",
    "season_control.season": 2026,
    "season_control.percent": 10,
    "return_mailbox.port": 993,
    "return_mailbox.security": "tls",
    "return_mail.came_by": "pipe",
    "return_mail.state": "done",
    "return_mail.kind": "bounce",
    "return_mail.verdict": "dead",
    "return_mail.decision": "ignored",
    "return_mail.attempts": 1,
    "mailing_alarm.about": "complaints",
    "mailing_alarm.level": "warned",
    "delivery.came_back": "bounced",
    "identity.soft_bounces": 1,
    "mail_link.url": "https://deproef.example/",
    "contact.state": "living",
    "identity.kind": "email",
    "identity.deliverability": "working",
    "import_job.kind": "contacts",
    "import_job.state": "done",
    "participation.status": "booked",
    "identity.is_holder": True,
    "source_answer.kind": "question",
    "source_meaning.kind": "genre",
    "mail_event.event": "delivered",
    "campaign_link.url": "https://deproef.example/",
    "pass.status": "valid",
    "journey.state": "published",
    "enrolment.state": "active",
    "journey_visit.outcome": "done",
    "journey_call.state": "waiting",
    "journey_call.url": "https://deproef.example/",
    "journey_note.kind": "booked",
    "journey_note.ids": [NUMBER],
    "journey_note.before": [NUMBER],
    "journey_note.after": [NUMBER],
    "consent_event.channel": "email",
    "consent_event.action": "granted",
    "consent_event.basis": "consent",
    "consent_event.actor": "contact",
    "permission.channel": "email",
    "permission.is_negative": False,
    "permission.is_allowed": True,
    "permission.basis": "consent",
    "permission.decided_by": NUMBER,
    "suppression.channel": "email",
    "notice_version.wording_sha256": sha256(MARK.encode()).digest(),
    "segment_membership.entered_because": "data",
    "segment_state.stale_because": "rule",
    "segment_change.kind": "entered",
    "segment_change.because": "data",
    "contact_change.about": "contact",
    "contact_change.ids": [NUMBER],
    "contact_change.subject_keys": [MARK.encode()],
    "contact_change.lost_keys": [NUMBER],
    "connection.kind": "source",
    "connection.state": "active",
    "inbox_item.state": "waiting",
    "audience.state": "draft",
    "audience.brake_pct": 20,
    "audience_member.state": "refused",
    "audience_drift.kind": "vanished",
    "list_held_out.status": "unsubscribed",
    "clearing.kind": "opt_out",
    "clearance.state": "failing",
    "audience_run.state": "done",
    "audience_run.trigger": "schedule",
    "audience_run_result.action": "add",
    "rights_request.kind": "access",
    "rights_request.channel": "mail",
    "rights_request.state": "done",
    "rights_request.extension_reason": "many",
    "rights_request.identity_check": "known",
    "recomputation.because": "purpose",
    "erasure.contact_ids": [NUMBER],
    "erasure.subject_keys": [MARK.encode()],
    "erasure.identity_keys": [MARK.encode()],
    "segment.rule": {"type": "all", "rules": []},
    "house_logo.media_type": "image/png",
    "mail_image.media_type": "image/png",
    "address_change.state": "waiting",
    "signup.state": "waiting",
    "signup.event_ids": [NUMBER],
}
# Optional columns that would break a CHECK or mean something else when filled.
LEFT_EMPTY = {"contact.merged_into_id", "segment_membership.left_at", "segment_membership.left_on"}
LEFT_EMPTY |= {
    "purpose.tightened_at",
    "delivery.purpose",
    "delivery.mailing_id",
    "delivery.mailing_version",
    "delivery.enrolment_id",
    "delivery.step_id",
    "mailing.repeat_of_id",
    "segment_membership.left_because",
    "inbox_item.dedupe_key",
    "clearing.settled_at",
}
LEFT_EMPTY |= {"journey_use.mailing_id", "journey_use.audience_id"}
LEFT_EMPTY |= {"enrolment.left_at", "enrolment.left_on"}
# Gone with the commit that would show it.
LEFT_EMPTY |= {"history_due.contact_ids", "history_due.activity_ids"}
# What the database itself keeps of other tables, once their rows stand.
KEPT = {"contact_history", "contact_history_detail", "contact_history_leads", "contact_history_genres"}
ADDRESSES = {"email", "value", "value_key", "address"}
VALUES: dict[type, Any] = {
    str: MARK,
    time: time(21),
    float: 1.5,
    int: NUMBER,
    bool: False,
    bytes: MARK.encode(),
    datetime: AT,
    date: date(2026, 1, 5),
    Decimal: Decimal("12.50"),
    list: [MARK],
}


@dataclass(frozen=True, slots=True)
class Marks:
    """What to look for: ids of the rows, texts in them, and how many rows every table holds."""

    ids: frozenset[int]
    texts: frozenset[str]
    counts: dict[str, int]

    def still_stand(self, session: Session) -> bool:
        """Whether no row was taken away or added."""
        return _counts(session) == self.counts


def furnish(runtime: Runtime, organisation_id: int) -> Marks:
    """Put a marked row in every table of a house that has none yet."""
    with transaction(runtime.engine, organisation_id) as session:
        rows: dict[str, dict[str, Any]] = {}
        for table in sorted(tenant_tables(), key=lambda one: one.name in KEPT):
            if table.name in {"organisation"}:
                continue
            if table.name in KEPT:
                settle(session)
            existing = session.execute(select(table)).mappings().first()
            if existing is not None:
                rows[table.name] = dict(existing)
                continue
            row = _row(table, organisation_id, rows)
            session.execute(insert(table).values(**row))
            rows[table.name] = row
    with transaction(runtime.engine, organisation_id) as session:
        return Marks(frozenset({NUMBER}), frozenset({MARK}), _counts(session))


def _row(table: Table, organisation_id: int, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"organisation_id": organisation_id}
    for constraint in table.foreign_key_constraints:
        parent = rows.get(constraint.referred_table.name)
        for element in constraint.elements:
            if parent is not None and element.parent.name != "organisation_id":
                row[element.parent.name] = parent[element.column.name]
    for column in table.columns:
        key = f"{table.name}.{column.name}"
        if column.computed is not None or key in LEFT_EMPTY:
            row.pop(column.name, None)
        elif key in WORDS:
            row[column.name] = WORDS[key]
        elif column.name not in row:
            row[column.name] = _value(column)
    return row


def _value(column: Column[Any]) -> Any:
    if isinstance(column.type, JSONB):
        return {"mark": MARK}
    if column.name in ADDRESSES:
        return f"{MARK}@buren.example"
    return VALUES[column.type.python_type]


def _counts(session: Session) -> dict[str, int]:
    return {
        table.name: session.scalar(select(func.count()).select_from(table)) or 0
        for table in tenant_tables()
        if table.name != "audit_event"
    }
