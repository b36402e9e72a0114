"""MailChimp's words for a person on a list, and ours."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from integrations.base import MemberPush, MemberResult, MemberState, MemberStatus, PushOutcome

FIELD_BYTES_MAX = 255
MEMBER_FIELDS = (
    "id",
    "contact_id",
    "email_address",
    "status",
    "last_changed",
    "unsubscribe_reason",
    "source",
    "ip_opt",
    "timestamp_opt",
)

# A status MailChimp invents after this was written is no permission: it counts as opted out, with the word as reason.
STATUSES: Mapping[str, MemberStatus] = {
    "subscribed": MemberStatus.SUBSCRIBED,
    "unsubscribed": MemberStatus.UNSUBSCRIBED,
    "cleaned": MemberStatus.CLEANED,
    "pending": MemberStatus.PENDING,
    "transactional": MemberStatus.TRANSACTIONAL,
    "archived": MemberStatus.ARCHIVED,
}
# Words of MailChimp's about where somebody came from; whatever else it says is no form of its own.
OWN_FORMS = ("signup form", "sign-up form", "embed form", "embedded form", "popup form", "pop-up form", "landing page")
NO_FORMS = ("api", "import", "admin")
MAILABLE = frozenset({MemberStatus.SUBSCRIBED, MemberStatus.PENDING})
SILENT = frozenset({MemberStatus.UNSUBSCRIBED, MemberStatus.CLEANED, MemberStatus.ARCHIVED, MemberStatus.ABSENT})


def member_hash(email: str) -> str:
    """MailChimp's id of an address on any list: the MD5 of it in lower case. A name, not a protection."""
    return hashlib.md5(email.strip().lower().encode(), usedforsecurity=False).hexdigest()


def status_of(row: Mapping[str, Any]) -> MemberStatus:
    """How a row of MailChimp's holds the person; an unknown or missing word is UNSUBSCRIBED."""
    return STATUSES.get(str(row.get("status", "")), MemberStatus.UNSUBSCRIBED)


def state_of(row: Mapping[str, Any]) -> MemberState:
    """One row of a members listing as our record."""
    word = str(row.get("status", ""))
    return MemberState(
        email=str(row["email_address"]),
        status=status_of(row),
        changed_at=_instant(row.get("last_changed")),
        reason=row.get("unsubscribe_reason") or (None if word in STATUSES else f"unknown status {word!r}"),
        external_id=row.get("contact_id") or row.get("id"),
        signed_up_at=_signed_up_at(row),
        tag_ids=frozenset(str(tag["id"]) for tag in row.get("tags") or ()),
    )


def _signed_up_at(row: Mapping[str, Any]) -> datetime | None:
    """When somebody opted in by a form of MailChimp's: it names the form and keeps when and from which address.

    A program can fill in the last two, so that they prove nothing where it was one, or a file, or a marketer.
    """
    source = str(row.get("source", "")).lower()
    is_form = any(word in source for word in OWN_FORMS) and not any(word in source for word in NO_FORMS)
    return _instant(row.get("timestamp_opt")) if is_form and row.get("ip_opt") else None


def _instant(text: Any) -> datetime | None:
    """An instant of MailChimp's (``2026-11-20T09:00:00+00:00``); anything without a zone is no instant."""
    try:
        instant = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return instant if instant.tzinfo else None


def upsert_body(person: MemberPush, *, status_if_new: str, tags: Collection[str]) -> dict[str, Any]:
    """What PUT is told about a person: never a ``status``, only fields the list has, no longer than it can hold."""
    body: dict[str, Any] = {"email_address": person.email, "status_if_new": status_if_new}
    fields = {tag: truncated(value) for tag, value in person.fields.items() if tag in tags}
    if fields:
        body["merge_fields"] = fields
    if person.language:
        body["language"] = person.language.replace("_", "-").partition("-")[0].lower()
    return body


def truncated(value: str) -> str:
    """The value cut to what a text field holds, between two characters (MailChimp would cut through one)."""
    return value.encode()[:FIELD_BYTES_MAX].decode(errors="ignore")


def pushed(email: str, status: MemberStatus) -> MemberResult:
    """The result of a push that MailChimp carried out: done where mail may follow, refused where it kept them out."""
    if status in MAILABLE:
        return MemberResult(email, PushOutcome.DONE, status)
    return MemberResult(email, PushOutcome.REFUSED, status, code=f"stays_{status.value}")


def opted_out(email: str, status: MemberStatus) -> MemberResult:
    """The result of an opt-out, judged by the state read back."""
    if status in SILENT:
        return MemberResult(email, PushOutcome.DONE, status)
    return MemberResult(email, PushOutcome.REFUSED, status, code=f"stays_{status.value}")
