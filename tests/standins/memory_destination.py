"""A destination in memory that keeps the rules of ``integrations.base``: for properties, where a server is too slow.

It holds one list. Nobody's status is ever changed by a push, as the protocol demands; ``pushed`` remembers everybody
who was handed over, whatever came of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from integrations.base import (
    BatchProgress,
    DestinationCapabilities,
    DestinationList,
    HookEvent,
    MemberPush,
    MemberResult,
    Membership,
    MemberState,
    MemberStatus,
    PushOutcome,
)

LIST = "list"
CAPABILITIES = DestinationCapabilities(
    system="memory",
    grade="test",
    upserts_per_call=1,
    tags_per_call=500,
    connections_max=1,
    has_webhooks=False,
    signs_webhooks=False,
    has_opt_out_poll=True,
    guards_person_opt_outs=True,
    has_suppression_list=False,
    erases_for_good=True,
    keeps_tracking_choice=False,
    longest_value="255 bytes",
    documentation="",
    read_on=date(2026, 11, 20),
)
BATCHING = replace(CAPABILITIES, people_per_batch=1_000)
MAILABLE = (MemberStatus.SUBSCRIBED, MemberStatus.PENDING)


@dataclass
class MemoryDestination:
    """One list with its people, by address in lower case, and its tags."""

    members: dict[str, MemberStatus] = field(default_factory=dict)
    tags: dict[str, set[str]] = field(default_factory=dict)
    pushed: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    jobs: list[dict[str, MemberResult]] = field(default_factory=list)
    capabilities: DestinationCapabilities = CAPABILITIES

    def check(self) -> str:
        return "memory"

    def lists(self) -> Sequence[DestinationList]:
        self.calls["lists"] += 1
        return [DestinationList(LIST, "List", len(self.members), double_opt_in=False)]

    def field_tags(self, list_id: str) -> Sequence[str]:
        self.calls["field_tags"] += 1
        return ["FNAME", "LNAME"]

    def changed_members(self, list_id: str, since: datetime | None) -> Iterator[MemberState]:
        """Everybody, every time: a vendor may always tell more than was asked for."""
        self.calls["changed_members"] += 1
        yield from [MemberState(email, status) for email, status in self.members.items()]

    def member(self, list_id: str, email: str) -> MemberState:
        self.calls["member"] += 1
        return MemberState(email, self.members.get(email.lower(), MemberStatus.ABSENT))

    def upsert(self, list_id: str, people: Sequence[MemberPush], *, double_opt_in: bool) -> Iterator[MemberResult]:
        for person in people:
            self.calls["upsert"] += 1
            yield self._push(person)

    def _push(self, person: MemberPush) -> MemberResult:
        self.pushed.append(person.email)
        status = self.members.setdefault(person.email.lower(), MemberStatus.SUBSCRIBED)
        if status in MAILABLE:
            return MemberResult(person.email, PushOutcome.DONE, status)
        return MemberResult(person.email, PushOutcome.REFUSED, status, code=f"stays_{status.value}")

    def begin_batch(self, list_id: str, people: Sequence[MemberPush], *, double_opt_in: bool) -> str:
        """Done at once: how long a vendor takes for a job is not what is measured here."""
        self.calls["begin_batch"] += 1
        self.jobs.append({person.email: self._push(person) for person in people})
        return str(len(self.jobs) - 1)

    def find_batch(self, size: int, *, since: datetime) -> str | None:
        return None

    def batch_progress(self, batch_id: str, *, patience_s: float) -> BatchProgress:
        self.calls["batch_progress"] += 1
        size = len(self.jobs[int(batch_id)])
        return BatchProgress(True, size, size)

    def batch_results(self, batch_id: str, list_id: str, emails: Sequence[str]) -> Iterator[MemberResult]:
        self.calls["batch_results"] += 1
        done, self.jobs[int(batch_id)] = self.jobs[int(batch_id)], {}
        yield from (done[email] for email in emails)

    def ensure_tag(self, list_id: str, name: str) -> str:
        self.calls["ensure_tag"] += 1
        self.tags.setdefault(name, set())
        return name

    def tag(self, list_id: str, tag_id: str, *, add: Sequence[str], remove: Sequence[str]) -> Sequence[MemberResult]:
        self.calls["tag"] += 1
        carried = self.tags[tag_id]
        known = [email for email in add if email.lower() in self.members]
        carried |= {email.lower() for email in known}
        carried -= {email.lower() for email in remove}
        strangers = [MemberResult(one, PushOutcome.REFUSED, code="not_on_list") for one in add if one not in known]
        return [MemberResult(email, PushOutcome.DONE) for email in [*known, *remove]] + strangers

    def tagged(self, list_id: str, tag_id: str) -> Iterator[str]:
        yield from self.tags[tag_id]

    def unsubscribe(self, list_id: str, email: str) -> MemberResult:
        self.calls["unsubscribe"] += 1
        if email.lower() in self.members:
            self.members[email.lower()] = MemberStatus.UNSUBSCRIBED
        return MemberResult(email, PushOutcome.DONE, self.members.get(email.lower(), MemberStatus.ABSENT))

    def lists_holding(self, email: str) -> Sequence[Membership]:
        self.calls["lists_holding"] += 1
        status = self.members.get(email.lower())
        return [Membership(LIST, status)] if status else []

    def suppress(self, email: str) -> bool:
        return False

    def erase(self, list_id: str, email: str) -> MemberResult:
        self.calls["erase"] += 1
        self.members.pop(email.lower(), None)
        return MemberResult(email, PushOutcome.DONE, MemberStatus.ABSENT)

    def ensure_webhook(self, list_id: str, url: str, *, renew: bool = False) -> str | None:
        return None

    def verify_hook(self, headers: Mapping[str, str], body: bytes, *, secret: str | None, now: datetime) -> bool:
        return True

    def read_hook(self, body: bytes) -> Sequence[HookEvent]:
        return []
