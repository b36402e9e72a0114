"""Campaign Monitor's words for a person on a list, and ours; and the one place where a write is put together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timezone
from typing import Any

from integrations.base import MemberPush, MemberResult, MemberState, MemberStatus, PushOutcome, UnknownOutcome
from integrations.esp.campaign_monitor_client import Client, local_instant

IMPORT_MAX = 1_000
FIELD_CHARACTERS_MAX = 250
NAME = "Name"

# A state Campaign Monitor invents after this was written is no permission: it counts as opted out.
STATES: Mapping[str, MemberStatus] = {
    "Active": MemberStatus.SUBSCRIBED,
    "Unconfirmed": MemberStatus.PENDING,
    "Unsubscribed": MemberStatus.UNSUBSCRIBED,
    "Bounced": MemberStatus.CLEANED,
    "Deleted": MemberStatus.ARCHIVED,
}
MAILABLE = frozenset({MemberStatus.SUBSCRIBED, MemberStatus.PENDING})
SILENT = frozenset({MemberStatus.UNSUBSCRIBED, MemberStatus.CLEANED, MemberStatus.ARCHIVED, MemberStatus.ABSENT})
# Why one person was not taken, by the number of the error: how they are held then.
HELD_BACK: Mapping[int, MemberStatus] = {
    205: MemberStatus.ARCHIVED,
    206: MemberStatus.UNSUBSCRIBED,
    207: MemberStatus.CLEANED,
}
SUPPRESSED = 204
UNCONFIRMED = 208
BAD_ADDRESSES = frozenset({1, 221})
BAD_VALUES = frozenset({214, 215, 220})

# True would bring back whoever unsubscribed, was deleted or is suppressed, with no protection at all. It is never sent.
NOBODY_COMES_BACK: Mapping[str, bool] = {"Resubscribe": False, "RestartSubscriptionBasedAutoresponders": False}
TRACKING: Mapping[bool | None, str] = {True: "Yes", False: "No", None: "Unchanged"}


def folded(email: str) -> str:
    """The address as two spellings of it are compared."""
    return email.strip().casefold()


def status_of(row: Mapping[str, Any]) -> MemberStatus:
    """How a row of Campaign Monitor's holds the person; an unknown or missing word is UNSUBSCRIBED."""
    return STATES.get(str(row.get("State", "")), MemberStatus.UNSUBSCRIBED)


def state_of(row: Mapping[str, Any], *, zone: timezone | None) -> MemberState:
    """One row of a listing of subscribers as our record."""
    word = str(row.get("State", ""))
    return MemberState(
        email=str(row["EmailAddress"]),
        status=status_of(row),
        changed_at=local_instant(row.get("Date"), zone),
        reason=None if word in STATES else f"unknown state {word!r}",
    )


def key_of(name: Any) -> str:
    """A custom field's key without its brackets: ``[website]`` in one call is ``website`` in another."""
    return str(name).strip("[]")


def subscriber(person: MemberPush, *, keys: Collection[str]) -> dict[str, Any]:
    """What Campaign Monitor is told about a person: only fields the list has, no longer than they can hold.

    ``ConsentToTrack`` is required; where nobody asked the person, it stays what it is there.
    """
    told: dict[str, Any] = {"EmailAddress": person.email, "ConsentToTrack": TRACKING[person.may_track]}
    if NAME in person.fields:
        told["Name"] = person.fields[NAME]
    fields = [_value(key, value) for key, value in person.fields.items() if key in keys and key != NAME]
    if fields:
        told["CustomFields"] = fields
    return told


def _value(key: str, value: str) -> dict[str, Any]:
    if not value:
        return {"Key": key, "Value": "", "Clear": True}
    return {"Key": key, "Value": value[:FIELD_CHARACTERS_MAX]}


def import_people(client: Client, list_id: str, subscribers: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Add or update up to 1,000 people in one call; returns why some were not taken: the number by folded address.

    Saying it twice is saying it once. Raises UnknownOutcome where the answer does not tell who was taken.
    """
    body = {"Subscribers": list(subscribers), **NOBODY_COMES_BACK, "QueueSubscriptionBasedAutoResponders": False}
    answer = client.post("subscribers", list_id, "import", body=body, is_repeatable=True)
    details = answer.get("FailureDetails") if isinstance(answer, dict) else None
    if not isinstance(details, list):
        raise UnknownOutcome("unexpected_answer")
    asked = {folded(str(one["EmailAddress"])) for one in subscribers}
    failures: dict[str, int] = {}
    for detail in details:
        email, number = folded(str(detail.get("EmailAddress", ""))), detail.get("Code")
        if email not in asked:
            raise UnknownOutcome("unexpected_answer", hint="an import tells of somebody who was not in it")
        failures[email] = number if isinstance(number, int) else 0
    return failures


def taken(email: str, status: MemberStatus) -> MemberResult:
    """The result of a push that was carried out: done where mail may follow, refused where it kept them out."""
    if status in MAILABLE:
        return MemberResult(email, PushOutcome.DONE, status)
    return MemberResult(email, PushOutcome.REFUSED, status, code=f"stays_{status.value}")


def not_taken(email: str, number: int, *, suppressed_as: MemberStatus) -> MemberResult:
    """The result for somebody who was not taken; ``suppressed_as``: what it means if they are suppressed."""
    if number == SUPPRESSED:
        return MemberResult(email, PushOutcome.REFUSED, suppressed_as, code="compliance_state")
    if number in HELD_BACK:
        return taken(email, HELD_BACK[number])
    if number in BAD_ADDRESSES:
        return MemberResult(email, PushOutcome.INVALID, code="invalid_address")
    if number in BAD_VALUES:
        return MemberResult(email, PushOutcome.INVALID, code="invalid_field")
    return MemberResult(email, PushOutcome.REFUSED, code="not_taken", detail=str(number))


def opted_out(email: str, status: MemberStatus) -> MemberResult:
    """The result of an opt-out, judged by the state read back."""
    if status in SILENT:
        return MemberResult(email, PushOutcome.DONE, status)
    return MemberResult(email, PushOutcome.REFUSED, status, code=f"stays_{status.value}")
