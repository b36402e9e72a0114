"""What MailChimp would hold, and what it allows: the table of ESPS.md section 1.4, without any HTTP.

Who made an opt-out decides what may undo it, so a member remembers that; the real MailChimp does not tell it to anyone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

FIELD_BYTES_MAX = 255
SEGMENT_CHANGES_MAX = 500
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", re.IGNORECASE)


class Problem(Exception):
    """An answer that is a problem document; ``errors`` names fields."""

    def __init__(self, status: int, title: str, detail: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(title)
        self.status, self.title, self.detail, self.errors = status, title, detail, dict(errors or {})


@dataclass
class Member:
    """A person on one list. ``by`` is who made the opt-out: person, api or admin."""

    email: str
    status: str
    last_changed: datetime
    by: str | None = None
    reason: str | None = None
    language: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    source: str = "API - Generic"
    ip_opt: str = ""
    opted_in_at: datetime | None = None

    @property
    def id(self) -> str:
        return hash_of(self.email)

    @property
    def short_id(self) -> str:
        return hashlib.sha256(self.id.encode()).hexdigest()[:10]


@dataclass(frozen=True)
class MergeField:
    tag: str
    type: str = "text"
    is_required: bool = False


@dataclass
class Segment:
    """A static segment: what MailChimp also calls a tag."""

    id: int
    name: str
    hashes: dict[str, None] = field(default_factory=dict)


@dataclass
class Webhook:
    id: str
    url: str
    events: dict[str, bool]
    sources: dict[str, bool]
    secret: str | None


@dataclass
class MailList:
    id: str
    name: str
    double_opt_in: bool
    fields: dict[str, MergeField] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    under_review: set[str] = field(default_factory=set)
    segments: dict[int, Segment] = field(default_factory=dict)
    segments_made: int = 0
    webhooks: dict[str, Webhook] = field(default_factory=dict)


@dataclass
class Campaign:
    """A mailing MailChimp sent: how each mail ended (sent, hard, soft), and what people did, in order."""

    id: str
    title: str
    subject: str
    list_id: str
    sent_at: datetime
    sent_to: dict[str, str] = field(default_factory=dict)
    activity: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    unsubscribes: dict[str, datetime] = field(default_factory=dict)
    complaints: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something webhooks may announce; ``source`` is user, admin or api."""

    kind: str
    source: str
    list_id: str
    fired_at: datetime
    data: Mapping[str, Any]


def hash_of(email: str) -> str:
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()


def not_found() -> Problem:
    return Problem(404, "Resource Not Found", "The requested resource could not be found.")


def _compliance(email: str) -> Problem:
    why = "due to unsubscribe, bounce, or compliance review"
    return Problem(
        400, "Member In Compliance State", f"{email} is in a compliance state {why} and cannot be subscribed."
    )


class Account:
    """All lists of one account. Not locked: the server lets one request in at a time."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.lists: dict[str, MailList] = {}
        self.events: list[Event] = []
        self.campaigns: dict[str, Campaign] = {}
        self.names_repeated_tags_as_errors = False
        self.people_max: int | None = None

    def list_of(self, list_id: str) -> MailList:
        try:
            return self.lists[list_id]
        except KeyError:
            raise not_found() from None

    def segment(self, list_id: str, segment_id: str) -> Segment:
        segments = self.list_of(list_id).segments
        if not segment_id.isdigit() or int(segment_id) not in segments:
            raise not_found()
        return segments[int(segment_id)]

    def now(self) -> datetime:
        return self.clock().replace(microsecond=0)

    # --- writing over the API ---------------------------------------------------------------------------------------

    def put(self, list_id: str, member_hash: str, body: Mapping[str, Any], *, skips_required: bool) -> Member:
        """Add or update: ``status_if_new`` counts for strangers only, ``status`` for everybody it is allowed for."""
        held = self.list_of(list_id)
        email = str(body["email_address"])
        if not ADDRESS.fullmatch(email) or hash_of(email) != member_hash:
            raise Problem(400, "Invalid Resource", f"{email} looks fake or invalid, please enter a real email address.")
        if member_hash in held.forgotten:
            detail = f"{email} was permanently deleted and cannot be re-imported."
            raise Problem(400, "Forgotten Email Not Subscribed", detail)
        if member_hash in held.under_review:
            raise _compliance(email)
        self._check_fields(held, body, skips_required=skips_required or member_hash in held.members)
        if member_hash not in held.members:
            return self._create(held, email, body)
        return self._change(held, held.members[member_hash], body)

    def patch(self, list_id: str, member_hash: str, body: Mapping[str, Any]) -> Member:
        """Update somebody; a stranger is not found, and never created."""
        held = self.list_of(list_id)
        if member_hash not in held.members:
            raise not_found()
        self._check_fields(held, body, skips_required=True)
        return self._change(held, held.members[member_hash], body)

    def _create(self, held: MailList, email: str, body: Mapping[str, Any]) -> Member:
        if self.people_max is not None and len(held.members) >= self.people_max:
            raise Problem(403, "Forbidden", "Your plan has no room for more contacts.")
        member = Member(email, str(body.get("status") or body["status_if_new"]), self.now())
        held.members[member.id] = member
        self._fill(held, member, body)
        self.announce("subscribe", "api", held, member)
        return member

    def _change(self, held: MailList, member: Member, body: Mapping[str, Any]) -> Member:
        wanted = body.get("status")
        if wanted is not None and wanted != member.status:
            self._change_status(held, member, str(wanted))
        self._fill(held, member, body)
        member.last_changed = self.now()
        self.announce("profile", "api", held, member)
        return member

    def _change_status(self, held: MailList, member: Member, wanted: str) -> None:
        """The columns "status: subscribed" and "status: pending" of the table, and the way out."""
        is_guarded = member.status == "cleaned" or (member.status == "unsubscribed" and member.by == "person")
        if (wanted == "subscribed" and is_guarded) or (wanted == "pending" and member.status == "cleaned"):
            raise _compliance(member.email)
        member.status, member.by, member.reason = wanted, None, None
        if wanted == "unsubscribed":
            member.by, member.reason = "api", "N/A (Unsubscribed by an admin)"
            self.announce("unsubscribe", "api", held, member, reason="manual", action="unsub")

    def _check_fields(self, held: MailList, body: Mapping[str, Any], *, skips_required: bool) -> None:
        given = body.get("merge_fields", {})
        required = [] if skips_required else [known.tag for known in held.fields.values() if known.is_required]
        errors = {tag: "Please enter a value" for tag in required if not given.get(tag)}
        for tag, value in given.items():
            if tag in held.fields and value != "" and not _fits(held.fields[tag].type, value):
                errors[tag] = f"Please enter a valid {held.fields[tag].type}"
        if errors:
            raise Problem(400, "Invalid Resource", "Your merge fields were invalid.", errors)

    def _fill(self, held: MailList, member: Member, body: Mapping[str, Any]) -> None:
        member.language = body.get("language", member.language)
        for tag, value in body.get("merge_fields", {}).items():
            if tag in held.fields:
                cut = value.encode()[:FIELD_BYTES_MAX].decode(errors="replace") if isinstance(value, str) else value
                member.fields[tag] = cut

    def create_segment(self, list_id: str, name: str, emails: list[str]) -> Segment:
        held = self.list_of(list_id)
        if any(segment.name == name for segment in held.segments.values()):
            raise Problem(400, "Bad Request", "Sorry, that tag already exists.")
        held.segments_made += 1
        segment = Segment(id=1000 + held.segments_made, name=name)
        held.segments[segment.id] = segment
        self.change_segment(list_id, str(segment.id), add=emails, remove=[])
        return segment

    def change_segment(self, list_id: str, segment_id: str, *, add: list[str], remove: list[str]) -> dict[str, Any]:
        """Add and remove by address; strangers, the archived among them, are passed over in silence."""
        held, segment = self.list_of(list_id), self.segment(list_id, segment_id)
        if max(len(add), len(remove)) > SEGMENT_CHANGES_MAX:
            raise Problem(400, "Invalid Resource", f"No more than {SEGMENT_CHANGES_MAX} members at a time.")
        known = {key: member for key, member in held.members.items() if member.status != "archived"}
        adding = [known[hash_of(email)] for email in add if hash_of(email) in known]
        removing = [known[hash_of(email)] for email in remove if hash_of(email) in known]
        added = [member for member in adding if member.id not in segment.hashes]
        repeated = [member.email for member in adding if member.id in segment.hashes]
        removed = [member for member in removing if member.id in segment.hashes]
        for member in added:
            segment.hashes[member.id] = None
        for member in removed:
            del segment.hashes[member.id]
        named = repeated if self.names_repeated_tags_as_errors else []
        return {"added": added, "removed": removed, "repeated": named}

    # --- what people and marketers do -------------------------------------------------------------------------------

    def opt_out(self, held: MailList, email: str, *, by: str, reason: str = "manual") -> None:
        member = self.known(held, email)
        member.status, member.by, member.last_changed = "unsubscribed", by, self.now()
        member.reason = "Spam" if reason == "abuse" else "N/A" if by == "person" else "N/A (Unsubscribed by an admin)"
        source = "user" if by == "person" else by
        self.announce("unsubscribe", source, held, member, reason=reason, action="unsub")

    def clean(self, held: MailList, email: str, *, reason: str) -> None:
        member = self.known(held, email)
        member.status, member.last_changed = "cleaned", self.now()
        data = {"list_id": held.id, "campaign_id": "4fjk2ma9xd", "reason": reason, "email": member.email}
        self.events.append(Event("cleaned", "admin", held.id, self.now(), data))

    def change_address(self, held: MailList, old: str, new: str) -> None:
        member = self.known(held, old)
        del held.members[member.id]
        for segment in held.segments.values():
            if member.id in segment.hashes:
                del segment.hashes[member.id]
                segment.hashes[hash_of(new)] = None
        member.email, member.last_changed = new, self.now()
        held.members[member.id] = member
        data = {"list_id": held.id, "new_id": member.short_id, "new_email": new, "old_email": old}
        self.events.append(Event("upemail", "user", held.id, self.now(), data))

    def known(self, held: MailList, email: str) -> Member:
        return held.members[hash_of(email)]

    def announce(self, kind: str, source: str, held: MailList, member: Member, **more: str) -> None:
        data = {
            **more,
            "id": member.short_id,
            "list_id": held.id,
            "email": member.email,
            "email_type": "html",
            "ip_opt": "192.0.2.1",
            "merges": {"EMAIL": member.email, **{tag: str(value) for tag, value in member.fields.items()}},
        }
        self.events.append(Event(kind, source, held.id, self.now(), data))


def _fits(kind: str, value: Any) -> bool:
    patterns = {"birthday": r"\d{2}/\d{2}", "date": r"\d{4}-\d{2}-\d{2}|\d{2}/\d{2}/\d{4}", "number": r"-?\d+(\.\d+)?"}
    if kind == "address":
        return isinstance(value, dict) and {"addr1", "city", "state", "zip"} <= set(value)
    return kind not in patterns or re.fullmatch(patterns[kind], str(value)) is not None
