"""MailChimp Marketing as a destination: one list, and a tag for each audience we keep in step.

Nothing here can subscribe anybody who is out. A push is PUT with ``status_if_new``, which MailChimp obeys only for
people it does not know, and never ``status``; the only status ever written is ``unsubscribed``. That matters because
MailChimp guards only opt-outs by the person: one made by us or by a marketer is undone by any ``status: subscribed``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

from mailchimp_marketing.api.lists_api import ListsApi
from mailchimp_marketing.api.root_api import RootApi

from integrations.abreast import abreast
from integrations.base import (
    BatchProgress,
    DestinationCapabilities,
    DestinationList,
    HappeningsPage,
    HookEvent,
    MemberPush,
    MemberResult,
    Membership,
    MemberState,
    MemberStatus,
    PushOutcome,
    SentCampaign,
)
from integrations.esp.calls import Pace
from integrations.esp.mailchimp_batches import PEOPLE_PER_BATCH, Batches
from integrations.esp.mailchimp_changes import page_through, walk_changes
from integrations.esp.mailchimp_client import MendedApiClient, Refusal, refusal_of
from integrations.esp.mailchimp_hooks import is_signed, read_event
from integrations.esp.mailchimp_members import (
    FIELD_BYTES_MAX,
    MEMBER_FIELDS,
    member_hash,
    opted_out,
    pushed,
    state_of,
    status_of,
    upsert_body,
)
from integrations.esp.mailchimp_reports import MailChimpReports

PAGE_SIZE = 1_000
TAGS_PER_CALL = 500
EVENTS = {"subscribe": True, "unsubscribe": True, "profile": True, "cleaned": True, "upemail": True, "campaign": False}
# Without api: our own writes would come back as news; MailChimp's own Magento plugin looped on that and re-subscribed
# people. Opt-outs that other programs make over the API are found by reading the changes instead.
SOURCES = {"user": True, "admin": True, "api": False}


class MailChimp:
    """A ``Destination``. May be shared between threads; ``close`` (or ``with``) gives its connections back.

    ``base_url`` replaces the address that the key implies, up to and including ``/3.0``. Raises Permanent
    ``invalid_key`` for a key that cannot be one.
    """

    capabilities = DestinationCapabilities(
        system="mailchimp",
        grade="B",
        upserts_per_call=1,
        tags_per_call=TAGS_PER_CALL,
        connections_max=Pace().connections_max,
        has_webhooks=True,
        signs_webhooks=True,
        has_opt_out_poll=True,
        guards_person_opt_outs=True,
        has_suppression_list=False,
        erases_for_good=True,
        keeps_tracking_choice=False,
        longest_value=f"{FIELD_BYTES_MAX} bytes",
        documentation="https://mailchimp.com/developer/marketing/api/",
        read_on=date(2026, 11, 20),
        reads_engagement=True,
        people_per_batch=PEOPLE_PER_BATCH,
    )

    def __init__(self, api_key: str, *, base_url: str | None = None, pace: Pace | None = None) -> None:
        self._client = MendedApiClient(api_key, base_url=base_url, pace=pace)
        self._lists = ListsApi(self._client)
        self._root = RootApi(self._client)
        self._reports = MailChimpReports(self._client)
        self._batches = Batches(self._client)

    def __enter__(self) -> MailChimp:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections; later calls open new ones."""
        self._client.caller.close()

    def check(self) -> str:
        """Return the name of the account the key belongs to."""
        return str(self._root.get_root(fields=["account_name"]).get("account_name", ""))

    def lists(self) -> Sequence[DestinationList]:
        """Return every list ("audience" in MailChimp's own words) of the account."""
        fields = ["lists.id", "lists.name", "lists.double_optin", "lists.stats.member_count", "total_items"]
        found: list[DestinationList] = []
        while True:
            page = self._lists.get_all_lists(fields=fields, count=PAGE_SIZE, offset=len(found))
            rows = page.get("lists", [])
            found += [_list_of(row) for row in rows]
            if not rows or len(found) >= page.get("total_items", 0):
                return found

    def field_tags(self, list_id: str) -> Sequence[str]:
        """Return the tags of the fields a text can fill; an address field takes four parts, and is left out."""
        fields = ["merge_fields.tag", "merge_fields.type"]
        page = self._lists.get_list_merge_fields(list_id, fields=fields, count=PAGE_SIZE)
        return [str(row["tag"]) for row in page.get("merge_fields", []) if row.get("type") != "address"]

    def changed_members(self, list_id: str, since: datetime | None) -> Iterator[MemberState]:
        """Yield everybody changed since then, and then the archived, whom MailChimp lists only when asked by name."""
        fetch = partial(self._members_page, list_id, None)
        fetch_archived = partial(self._members_page, list_id, MemberStatus.ARCHIVED.value)
        yield from walk_changes(fetch, since, page_size=PAGE_SIZE)
        yield from walk_changes(fetch_archived, since, page_size=PAGE_SIZE)

    def _members_page(
        self, list_id: str, status: str | None, since: datetime | None, offset: int
    ) -> Sequence[MemberState]:
        wanted = {"since_last_changed": since.isoformat() if since else None, "status": status}
        # Who changed their address shows as a stranger with our tag; in a whole listing tags would only be weight.
        told = (*MEMBER_FIELDS, "tags") if since is not None else MEMBER_FIELDS
        page = self._lists.get_list_members_info(
            list_id,
            fields=[f"members.{name}" for name in told],
            count=PAGE_SIZE,
            offset=offset,
            sort_field="last_changed",
            sort_dir="ASC",
            **{name: value for name, value in wanted.items() if value},
        )
        return [state_of(row) for row in page.get("members", [])]

    def member(self, list_id: str, email: str) -> MemberState:
        """Return how one person is held now; ABSENT where the list does not know them, or not any more."""
        try:
            row = self._lists.get_list_member(list_id, member_hash(email), fields=list(MEMBER_FIELDS))
        except Refusal as refusal:
            if refusal.code != "not_found":
                raise
            return MemberState(email, MemberStatus.ABSENT)
        return state_of(row)

    def upsert(self, list_id: str, people: Sequence[MemberPush], *, double_opt_in: bool) -> Iterator[MemberResult]:
        """Make each person known, one call each and some side by side; see ``Destination.upsert``.

        Only fields the list has are sent. Nobody is refused for lacking a field that is required on the sign-up form:
        that is the form's rule.
        """
        tags = set(self.field_tags(list_id)) if any(person.fields for person in people) else set()
        push = partial(self._push, list_id, tags, _first_status(double_opt_in))
        return abreast(push, people, width=self._client.caller.pace.connections_max)

    def _push(self, list_id: str, tags: Collection[str], status_if_new: str, person: MemberPush) -> MemberResult:
        body = upsert_body(person, status_if_new=status_if_new, tags=tags)
        try:
            row = self._lists.set_list_member(list_id, member_hash(person.email), body, skip_merge_validation=True)
        except Refusal as refusal:
            return self._refused(list_id, person.email, refusal)
        return pushed(person.email, status_of(row))

    def _refused(self, list_id: str, email: str, refusal: Refusal) -> MemberResult:
        """What a refusal says about one person; one that is about the call or the list is raised again."""
        if refusal.code == "forgotten":
            return MemberResult(email, PushOutcome.REFUSED, MemberStatus.ABSENT, code="forgotten")
        if refusal.code == "compliance_state":
            # It covers opt-outs, bounces and reviews alike; only reading the person tells which.
            state = self.member(list_id, email)
            return MemberResult(email, PushOutcome.REFUSED, state.status, code="compliance_state")
        if refusal.code == "invalid":
            fields = [name for name in refusal.fields if name != "email_address"]
            code = "invalid_field" if fields else "invalid_address"
            return MemberResult(email, PushOutcome.INVALID, code=code, detail=", ".join(fields) or None)
        raise refusal

    def begin_batch(self, list_id: str, people: Sequence[MemberPush], *, double_opt_in: bool) -> str:
        """Hand a thousand PUTs over as one job; each says what ``upsert`` says."""
        tags = set(self.field_tags(list_id)) if any(person.fields for person in people) else set()
        return self._batches.begin(list_id, people, status_if_new=_first_status(double_opt_in), tags=tags)

    def find_batch(self, size: int, *, since: datetime) -> str | None:
        """Return the job of so many operations that was submitted since then."""
        return self._batches.find(size, since=since)

    def batch_progress(self, batch_id: str, *, patience_s: float) -> BatchProgress:
        """Return how far a job is, looking ever less often until it has ended or patience has."""
        return self._batches.progress(batch_id, patience_s=patience_s)

    def batch_results(self, batch_id: str, list_id: str, emails: Sequence[str]) -> Iterator[MemberResult]:
        """Yield what became of each; MailChimp keeps it for a week. Whom it throttled or failed at has no result.

        A refusal that is about the account or the list is raised once everybody was told.
        """
        names = {member_hash(email): email for email in emails}
        problem: Refusal | None = None
        for done in self._batches.results(batch_id):
            email = names.get(done.operation_id)
            if email is None or done.status == 429 or done.status >= 500:
                continue
            if done.status < 300:
                yield pushed(email, status_of(done.answer))
                continue
            try:
                yield self._refused(list_id, email, refusal_of(done.status, done.answer))
            except Refusal as refusal:
                problem = problem or refusal
        if problem is not None:
            raise problem

    def ensure_tag(self, list_id: str, name: str) -> str:
        """Return the id of our tag (at MailChimp a tag and a static segment are one), creating it where missing."""
        found = self._lists.tag_search(list_id, name=name).get("tags", [])
        same = next((row for row in found if row.get("name") == name), None)
        return str((same or self._lists.create_segment(list_id, {"name": name, "static_segment": []}))["id"])

    def tag(self, list_id: str, tag_id: str, *, add: Sequence[str], remove: Sequence[str]) -> Sequence[MemberResult]:
        """Put the tag on and off, 500 and 500 people per call; results in the order given, ``add`` first.

        MailChimp passes over strangers in silence, and may do so over who has the tag already. Where it leaves anybody
        unmentioned the tag is read back: who then lacks it is REFUSED ``not_on_list``.
        """
        unmentioned = {email.lower() for email in (*add, *remove)}
        for start in range(0, max(len(add), len(remove)), TAGS_PER_CALL):
            part = slice(start, start + TAGS_PER_CALL)
            body = {"members_to_add": list(add[part]), "members_to_remove": list(remove[part])}
            answer = self._lists.batch_segment_members(body, list_id, tag_id)
            rows = [*answer.get("members_added", []), *answer.get("members_removed", [])]
            unmentioned -= {str(row["email_address"]).lower() for row in rows}
        tagged = {email.lower() for email in self.tagged(list_id, tag_id)} if unmentioned else set()
        return [_tagged(email, email.lower() not in unmentioned or email.lower() in tagged) for email in add] + [
            _untagged(email, email.lower() not in unmentioned or email.lower() not in tagged) for email in remove
        ]

    def tagged(self, list_id: str, tag_id: str) -> Iterator[str]:
        """Yield the addresses that carry the tag, the unsubscribed, bounced and transactional among them too."""
        return page_through(partial(self._tagged_page, list_id, tag_id))

    def _tagged_page(self, list_id: str, tag_id: str, offset: int) -> tuple[Sequence[str], int]:
        page = self._lists.get_segment_members_list(
            list_id,
            tag_id,
            fields=["members.email_address", "total_items"],
            count=PAGE_SIZE,
            offset=offset,
            include_cleaned=True,
            include_transactional=True,
            include_unsubscribed=True,
        )
        return [str(row["email_address"]) for row in page.get("members", [])], int(page.get("total_items", 0))

    def unsubscribe(self, list_id: str, email: str) -> MemberResult:
        """Opt one person out, by PATCH, which creates nobody; the answer's status is the proof."""
        try:
            row = self._lists.update_list_member(list_id, member_hash(email), {"status": "unsubscribed"})
        except Refusal as refusal:
            if refusal.code not in {"not_found", "compliance_state", "forgotten"}:
                raise
            return opted_out(email, self.member(list_id, email).status)
        return opted_out(email, status_of(row))

    def lists_holding(self, email: str) -> Sequence[Membership]:
        """Return the lists that know a person: one call, and one for each of them, as a list does not say how."""
        found: list[Membership] = []
        for list_id in self._lists_with(email):
            state = self.member(list_id, email)
            if state.status is not MemberStatus.ABSENT:
                found.append(Membership(list_id, state.status, state.signed_up_at))
        return found

    def _lists_with(self, email: str) -> Sequence[str]:
        ids: list[str] = []
        while True:
            page = self._lists.get_all_lists(
                email=email, fields=["lists.id", "total_items"], count=PAGE_SIZE, offset=len(ids)
            )
            rows = page.get("lists", [])
            ids += [str(row["id"]) for row in rows]
            if not rows or len(ids) >= page.get("total_items", 0):
                return ids

    def suppress(self, email: str) -> bool:
        """MailChimp has no list that stands above its lists: each is told by itself."""
        return False

    def erase(self, list_id: str, email: str) -> MemberResult:
        """Delete one person for good: MailChimp takes them back only from its own form."""
        try:
            self._lists.delete_list_member_permanent(list_id, member_hash(email))
        except Refusal as refusal:
            if refusal.code not in {"not_found", "forgotten"}:
                raise
        return MemberResult(email, PushOutcome.DONE, MemberStatus.ABSENT)

    def campaigns(self, since: datetime) -> Iterator[SentCampaign]:
        """Yield the campaigns sent since then, oldest first; see ``Reporter``."""
        return self._reports.campaigns(since)

    def happenings(
        self, campaign: SentCampaign, cursor: Mapping[str, Any], *, at: datetime
    ) -> Iterator[HappeningsPage]:
        """Yield what became of a campaign; see ``Reporter``."""
        return self._reports.happenings(campaign, cursor, at=at)

    def ensure_webhook(self, list_id: str, url: str, *, renew: bool = False) -> str | None:
        """Make sure MailChimp announces what people and marketers do, but not what programs do, to ``url``.

        Returns the signing secret only where the webhook was made now; ``renew`` makes it anew.
        """
        hooks = self._lists.get_list_webhooks(list_id).get("webhooks", [])
        same = [hook for hook in hooks if hook.get("url") == url]
        for hook in same if renew else same[1:]:
            self._lists.delete_list_webhook(list_id, hook["id"])
        if renew or not same:
            created = self._lists.create_list_webhook(list_id, {"url": url, "events": EVENTS, "sources": SOURCES})
            return created.get("signing_secret") or None
        if same[0].get("events") != EVENTS or same[0].get("sources") != SOURCES:
            self._lists.update_list_webhook(list_id, same[0]["id"], body={"events": EVENTS, "sources": SOURCES})
        return None

    def verify_hook(self, headers: Mapping[str, str], body: bytes, *, secret: str | None, now: datetime) -> bool:
        """Whether the body is MailChimp's. Without a secret there is nothing to verify: the address is the secret."""
        return secret is None or is_signed(headers, body, secret=secret, now=now)

    def read_hook(self, body: bytes) -> Sequence[HookEvent]:
        """Turn a delivery into at most one hint; MailChimp's probes of the address give none."""
        event = read_event(body)
        return [event] if event else []


def _first_status(double_opt_in: bool) -> str:
    """On a list with double opt-in MailChimp must ask for the confirmation."""
    return "pending" if double_opt_in else "subscribed"


def _list_of(row: Mapping[str, Any]) -> DestinationList:
    return DestinationList(
        external_id=str(row["id"]),
        name=str(row.get("name", "")),
        member_count=int(row.get("stats", {}).get("member_count", 0)),
        # A list that does not say is treated as one that wants a confirmation: the safe side.
        double_opt_in=row.get("double_optin") is not False,
    )


def _tagged(email: str, is_done: bool) -> MemberResult:
    return MemberResult(email, PushOutcome.DONE) if is_done else _refusal(email, "not_on_list")


def _untagged(email: str, is_done: bool) -> MemberResult:
    return MemberResult(email, PushOutcome.DONE) if is_done else _refusal(email, "still_tagged")


def _refusal(email: str, code: str) -> MemberResult:
    return MemberResult(email, PushOutcome.REFUSED, code=code)
