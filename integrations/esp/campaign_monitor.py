"""Campaign Monitor as a destination: one list, and an option of a field of our own for each audience we keep in step.

Nothing here can subscribe anybody who is out: ``Resubscribe``, which would, is false in the one place where it is
written (``NOBODY_COMES_BACK``), and no parameter leads there. That matters because Campaign Monitor guards nobody: with
``Resubscribe`` even people who opted out themselves come back.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

from integrations.abreast import abreast
from integrations.base import (
    ConnectorError,
    DestinationCapabilities,
    DestinationList,
    HappeningsPage,
    HookEvent,
    MemberPush,
    MemberResult,
    Membership,
    MemberState,
    MemberStatus,
    SentCampaign,
    Transient,
    UnknownOutcome,
)
from integrations.esp.calls import Pace
from integrations.esp.campaign_monitor_changes import Row, first_day, walk
from integrations.esp.campaign_monitor_client import PACE, Client, Page, Refusal
from integrations.esp.campaign_monitor_hooks import read_events
from integrations.esp.campaign_monitor_members import (
    FIELD_CHARACTERS_MAX,
    IMPORT_MAX,
    NAME,
    NOBODY_COMES_BACK,
    STATES,
    SUPPRESSED,
    UNCONFIRMED,
    folded,
    import_people,
    key_of,
    not_taken,
    opted_out,
    state_of,
    status_of,
    subscriber,
    taken,
)
from integrations.esp.campaign_monitor_reports import read_happenings, sent_campaigns
from integrations.esp.campaign_monitor_suppressions import (
    Suppressions,
    is_since,
    read_suppressions,
    suppressed_state,
)
from integrations.esp.campaign_monitor_tags import change_option, ensure_option, find_row, is_ours, values_of

EVENTS = ("Subscribe", "Update", "Deactivate")
# Who leaves the first for one of the others while we read is met there.
LISTINGS = ("active", "unconfirmed", "deleted", "bounced", "unsubscribed")
TEXT_KINDS = frozenset({"Text", "Number", "Date", "Country", "USState", "MultiSelectOne"})


class CampaignMonitor:
    """A ``Destination``. May be shared between threads; ``close`` (or ``with``) gives its connections back.

    A client, in Campaign Monitor's words, is who owns lists and one suppression list: most houses have one.
    ``base_url`` replaces the vendor's address, up to and including ``/v3.3``.
    """

    capabilities = DestinationCapabilities(
        system="campaign_monitor",
        grade="C",
        upserts_per_call=IMPORT_MAX,
        tags_per_call=IMPORT_MAX,
        connections_max=PACE.connections_max,
        has_webhooks=True,
        signs_webhooks=False,
        has_opt_out_poll=True,
        guards_person_opt_outs=False,
        has_suppression_list=True,
        erases_for_good=False,
        keeps_tracking_choice=True,
        longest_value=f"{FIELD_CHARACTERS_MAX} characters",
        documentation="https://www.campaignmonitor.com/api/v3-3/",
        read_on=date(2026, 11, 20),
        reads_engagement=True,
    )

    def __init__(self, api_key: str, client_id: str, *, base_url: str | None = None, pace: Pace | None = None) -> None:
        self._client = Client(api_key, base_url=base_url, pace=pace)
        self._client_id = client_id.strip()
        self._suppressions: Suppressions | None = None
        self._suppressions_lock = threading.Lock()

    def __enter__(self) -> CampaignMonitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections; later calls open new ones."""
        self._client.caller.close()

    # --- the account ------------------------------------------------------------------------------------------------

    def check(self) -> str:
        """Return the name of the client the lists belong to."""
        details = self._client.get("clients", self._client_id).get("BasicDetails", {})
        return str(details.get("CompanyName", ""))

    def lists(self) -> Sequence[DestinationList]:
        """Return every list of the client: one call, and two more for each list."""
        rows = self._client.get_all("clients", self._client_id, "lists")
        found = abreast(self._list_of, rows, width=self._width)
        return [one for one in found if one is not None]

    def _list_of(self, row: Row) -> DestinationList | None:
        """A list with what its own pages tell; None where it was deleted meanwhile."""
        list_id = str(row["ListID"])
        try:
            details, counts = self._client.get("lists", list_id), self._client.get("lists", list_id, "stats")
        except Refusal as refusal:
            if refusal.code != "not_found":
                raise
            return None
        return DestinationList(
            external_id=list_id,
            name=str(row.get("Name", "")),
            member_count=int(counts.get("TotalActiveSubscribers", 0)),
            # A list that does not say is treated as one that wants a confirmation: the safe side.
            double_opt_in=details.get("ConfirmedOptIn") is not False,
        )

    def field_tags(self, list_id: str) -> Sequence[str]:
        """Return ``Name`` and the keys of the fields one text fills; a field that holds many would lose the others."""
        fields = self._client.get_all("lists", list_id, "customfields")
        kept = [key_of(row["Key"]) for row in fields if row["DataType"] in TEXT_KINDS and not is_ours(row["Key"])]
        return [NAME, *(key for key in kept if key)]

    # --- reading ----------------------------------------------------------------------------------------------------

    def changed_members(self, list_id: str, since: datetime | None) -> Iterator[MemberState]:
        """Yield whom the suppression list holds, and then everybody on the list, state by state; see ``Destination``.

        The filter is by days: a day more than asked for comes too. The suppression list counts before any list.
        """
        zone = self._client.zone()
        day = first_day(since, zone) if since else None
        suppressions = Suppressions()
        for row in read_suppressions(self._client, self._client_id):
            suppressions.add(row)
            if is_since(row, day):
                yield suppressed_state(row, zone=zone)
        with self._suppressions_lock:
            self._suppressions = suppressions
        for row in self._rows(list_id, LISTINGS, day):
            yield suppressions.overrule(state_of(row, zone=zone))

    def _rows(self, list_id: str, listings: Sequence[str], day: date | None) -> Iterator[Row]:
        for listing in listings:
            yield from walk(partial(self._page, list_id, listing, day))

    def _page(self, list_id: str, listing: str, day: date | None, page: int, size: int) -> Page:
        asked = {"date": day.isoformat() if day else "", "orderfield": "date", "orderdirection": "asc"}
        return self._client.get_page("lists", list_id, listing, page=page, pagesize=size, **asked)

    def member(self, list_id: str, email: str) -> MemberState:
        """Return how one person is held now; ABSENT where the list does not know them.

        Somebody the list would mail is looked up on the suppression list, which is read once for all questions.
        """
        row = find_row(self._client, list_id, email)
        if row is None:
            return MemberState(email, MemberStatus.ABSENT)
        state = state_of(row, zone=None)
        if state.status in {MemberStatus.UNSUBSCRIBED, MemberStatus.CLEANED}:
            return state
        return self._known_suppressions().overrule(state)

    def _known_suppressions(self) -> Suppressions:
        with self._suppressions_lock:
            if self._suppressions is None:
                suppressions = Suppressions()
                for row in read_suppressions(self._client, self._client_id):
                    suppressions.add(row)
                self._suppressions = suppressions
            return self._suppressions

    # --- pushing ----------------------------------------------------------------------------------------------------

    def upsert(self, list_id: str, people: Sequence[MemberPush], *, double_opt_in: bool) -> Iterator[MemberResult]:
        """Make each person known, a thousand a call; see ``Destination.upsert``.

        With ``double_opt_in`` it is one call a person: of that call alone the vendor says that it asks for the
        confirmation. It is queued there, so that somebody new is PENDING before they can be read.
        """
        keys = self.field_tags(list_id) if any(person.fields for person in people) else ()
        if double_opt_in:
            yield from abreast(partial(self._add, list_id, keys), people, width=self._width)
            return
        for start in range(0, len(people), IMPORT_MAX):
            yield from self._import(list_id, keys, people[start : start + IMPORT_MAX])

    def _import(self, list_id: str, keys: Collection[str], people: Sequence[MemberPush]) -> Iterator[MemberResult]:
        """One call; what goes wrong with somebody afterwards is raised when everybody else's result is told."""
        failures = import_people(self._client, list_id, [subscriber(person, keys=keys) for person in people])
        problem: ConnectorError | None = None
        for person in people:
            try:
                result = self._result(list_id, keys, person, failures.get(folded(person.email)))
            except ConnectorError as error:
                problem = problem or error
            else:
                yield result
        if problem is not None:
            raise problem

    def _add(self, list_id: str, keys: Collection[str], person: MemberPush) -> MemberResult:
        told = {**subscriber(person, keys=keys), **NOBODY_COMES_BACK}
        try:
            self._client.post("subscribers", list_id, body=told, is_repeatable=True)
        except Refusal as refusal:
            if refusal.number is None or refusal.code not in {"refused", "invalid_address"}:
                raise
            return self._result(list_id, keys, person, refusal.number)
        row = find_row(self._client, list_id, person.email)
        return taken(person.email, MemberStatus.PENDING if row is None else status_of(row))

    def _result(self, list_id: str, keys: Collection[str], person: MemberPush, number: int | None) -> MemberResult:
        known = self._suppressions or Suppressions()
        if number is None and not known.holds(person.email):
            return taken(person.email, MemberStatus.SUBSCRIBED)
        if number == UNCONFIRMED:
            # Passed over by the import, and waiting as before; an update reaches them.
            told = {**subscriber(person, keys=keys), **NOBODY_COMES_BACK}
            self._client.put("subscribers", list_id, body=told, email=person.email)
            return taken(person.email, MemberStatus.PENDING)
        # Taken though suppressed: whether Campaign Monitor refuses a suppressed stranger is not told.
        why = SUPPRESSED if number is None else number
        return not_taken(person.email, why, suppressed_as=known.status(person.email))

    def unsubscribe(self, list_id: str, email: str) -> MemberResult:
        """Opt one person out of the list, which creates nobody; the state read back is the proof.

        Where the list's own setting says so, Campaign Monitor does it for all lists of the client.
        """
        try:
            self._client.post("subscribers", list_id, "unsubscribe", body={"EmailAddress": email}, is_repeatable=True)
        except Refusal as refusal:
            if refusal.code not in {"not_on_list", "invalid_address"}:
                raise
        try:
            row = find_row(self._client, list_id, email)
        except Transient as problem:
            unread = UnknownOutcome(problem.code, hint=problem.hint)
        else:
            return opted_out(email, MemberStatus.ABSENT if row is None else status_of(row))
        raise unread

    def lists_holding(self, email: str) -> Sequence[Membership]:
        """Return the lists that know a person and how: one call."""
        try:
            rows = self._client.get_all("clients", self._client_id, "listsforemail", email=email)
        except Refusal as refusal:
            if refusal.code not in {"not_on_list", "invalid_address"}:
                raise
            return []
        return [
            Membership(str(row["ListID"]), STATES.get(str(row.get("SubscriberState")), MemberStatus.UNSUBSCRIBED))
            for row in rows
        ]

    def suppress(self, email: str) -> bool:
        """Put an address on the client's suppression list: no list of the client mails it."""
        path = ("clients", self._client_id, "suppress")
        self._client.post(*path, body={"EmailAddresses": [email]}, is_repeatable=True)
        return True

    def erase(self, list_id: str, email: str) -> MemberResult:
        """Delete one person from the list. Campaign Monitor keeps them as deleted, where only a person can take them
        out for good; and as a deleted address is easily added again, ``suppress`` must come first."""
        try:
            self._client.delete("subscribers", list_id, email=email)
        except Refusal as refusal:
            if refusal.code not in {"not_on_list", "invalid_address"}:
                raise
        try:
            row = find_row(self._client, list_id, email)
        except Transient as problem:
            unread = UnknownOutcome(problem.code, hint=problem.hint)
        else:
            return opted_out(email, MemberStatus.ABSENT if row is None else status_of(row))
        raise unread

    # --- audiences --------------------------------------------------------------------------------------------------

    def ensure_tag(self, list_id: str, name: str) -> str:
        """Return our option, which is its own id, creating it and the field where they are missing."""
        return ensure_option(self._client, list_id, name)

    def tag(self, list_id: str, tag_id: str, *, add: Sequence[str], remove: Sequence[str]) -> Sequence[MemberResult]:
        """Give and take our option; values that others put in the field stay. The deleted are strangers."""
        return change_option(self._client, list_id, tag_id, add=add, remove=remove)

    def tagged(self, list_id: str, tag_id: str) -> Iterator[str]:
        """Yield the addresses that have our option, the unsubscribed and bounced among them, by reading the list."""
        listings = [listing for listing in LISTINGS if listing != "deleted"]
        for row in self._rows(list_id, listings, None):
            if tag_id in values_of(row):
                yield str(row["EmailAddress"])

    # --- what became of its campaigns -------------------------------------------------------------------------------

    def campaigns(self, since: datetime) -> Iterator[SentCampaign]:
        """Yield the campaigns sent since then, oldest first; see ``Reporter``."""
        return sent_campaigns(self._client, self._client_id, since)

    def happenings(
        self, campaign: SentCampaign, cursor: Mapping[str, Any], *, at: datetime
    ) -> Iterator[HappeningsPage]:
        """Yield what became of a campaign; see ``Reporter``."""
        return read_happenings(self._client, campaign, cursor, at=at)

    # --- webhooks ---------------------------------------------------------------------------------------------------

    def ensure_webhook(self, list_id: str, url: str, *, renew: bool = False) -> str | None:
        """Make sure changes are announced to ``url``, and that the announcing works; there is no secret to return.

        Campaign Monitor switches off what fails for a week: it is switched on again, and tried. Raises Permanent
        ``hook_failed`` where Campaign Monitor cannot reach the address.
        """
        hooks = [hook for hook in self._client.get_all("lists", list_id, "webhooks") if hook.get("Url") == url]
        kept = None if renew else next((hook for hook in hooks if _is_right(hook)), None)
        for hook in hooks:
            if hook is not kept:
                self._client.delete("lists", list_id, "webhooks", hook["WebhookID"])
        if kept is None:
            body = {"Events": list(EVENTS), "Url": url, "PayloadFormat": "json"}
            hook_id = str(self._client.post("lists", list_id, "webhooks", body=body))
        elif kept.get("Status") == "Active":
            return None
        else:
            hook_id = str(kept["WebhookID"])
            self._client.put("lists", list_id, "webhooks", hook_id, "activate")
        self._client.touch("lists", list_id, "webhooks", hook_id, "test")
        return None

    def verify_hook(self, headers: Mapping[str, str], body: bytes, *, secret: str | None, now: datetime) -> bool:
        """Always True: Campaign Monitor does not sign. The address is the secret, and hooks are only hints."""
        return True

    def read_hook(self, body: bytes) -> Sequence[HookEvent]:
        """Turn a delivery, of many events perhaps, into hints."""
        return read_events(body)

    @property
    def _width(self) -> int:
        return self._client.caller.pace.connections_max


def _is_right(hook: Mapping[str, Any]) -> bool:
    return set(hook.get("Events", [])) == set(EVENTS) and str(hook.get("PayloadFormat", "")).lower() == "json"
