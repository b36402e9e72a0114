"""A MailChimp for tests: a real server on loopback that keeps state, judges what it is told, and can misbehave.

    with MailChimpStandIn() as mailchimp:
        newsletter = mailchimp.add_list("Nieuwsbrief")
        mailchimp.add_member("an@example.org")
        destination = MailChimp(mailchimp.api_key, base_url=mailchimp.base_url)
        mailchimp.unsubscribe_by_person("an@example.org")
        mailchimp.fail_next(Fault.THROTTLED, times=2)

Every request and answer is checked against the vendor's contract; what is wrong with either is in ``violations``, which
the fixture ``mailchimp_standin`` wants empty at the end of a test. Methods take the list as ``list_id``; with one list
it may be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import requests

from tests.standins.loopback import Fault, Recorded, Request, StandIn
from tests.standins.mailchimp_account import Account, Event, MailList, Member, MergeField, hash_of
from tests.standins.mailchimp_campaigns import SendsCampaigns
from tests.standins.mailchimp_deliveries import Delivery, render, wanted_by
from tests.standins.mailchimp_routes import Routes
from tests.standins.mailchimp_server import StandInServer

__all__ = ["Delivery", "Fault", "MailChimpStandIn", "Recorded", "Request"]


class MailChimpStandIn(SendsCampaigns, StandIn):
    """The stand-in. ``clock`` gives its now (aware); ``api_key`` and ``base_url`` are what a connector needs."""

    api_key = "0123456789abcdef0123456789abcdef-us6"

    def __init__(self, *, account_name: str = "Huis De Proef", clock: Callable[[], datetime] | None = None) -> None:
        self.account_name = account_name
        self._account = Account(clock or (lambda: datetime.now(UTC)))
        self._routes = Routes(self._account, account_name)
        super().__init__(StandInServer(self._routes, self.api_key))
        self._taken = 0
        self._hidden: dict[str, MailList] = {}

    # --- how this MailChimp is --------------------------------------------------------------------------------------

    @property
    def clock(self) -> Callable[[], datetime]:
        """Where ``last_changed`` and signatures take their time from; may be replaced at any moment."""
        return self._account.clock

    @clock.setter
    def clock(self, clock: Callable[[], datetime]) -> None:
        self._account.clock = clock

    def behave(
        self,
        *,
        signs_webhooks: bool | None = None,
        since_is_inclusive: bool | None = None,
        names_repeated_tags_as_errors: bool | None = None,
        batch_looks: int | None = None,
    ) -> None:
        """Choose among behaviours that MailChimp leaves open or changed over the years.

        ``batch_looks``: after how many looks at it a batch has ended.
        """
        if batch_looks is not None:
            self._routes.batches.looks = batch_looks
        if signs_webhooks is not None:
            self._routes.signs_webhooks = signs_webhooks
        if since_is_inclusive is not None:
            self._routes.since_is_inclusive = since_is_inclusive
        if names_repeated_tags_as_errors is not None:
            self._account.names_repeated_tags_as_errors = names_repeated_tags_as_errors

    def add_list(self, name: str = "Nieuwsbrief", *, double_opt_in: bool = False) -> str:
        """Make a list with the fields FNAME and LNAME, and return its id."""
        with self._server.locked():
            held = MailList(hash_of(f"{name} {len(self._account.lists)}")[:10], name, double_opt_in)
            held.fields = {tag: MergeField(tag) for tag in ("FNAME", "LNAME")}
            self._account.lists[held.id] = held
        return held.id

    def revoke_key(self) -> None:
        """The key's user is removed from the account; ``mend_key`` gives the same key back."""
        self._server.api_key = "revoked"

    def mend_key(self) -> None:
        """The key works again."""
        self._server.api_key = self.api_key

    def limit_people(self, most: int | None) -> None:
        """The plan holds so many people on a list (None: as many as come)."""
        with self._server.locked():
            self._account.people_max = most

    def rename_field(self, tag: str, to: str, *, list_id: str | None = None) -> None:
        """A marketer gives a merge field another tag."""
        with self._server.locked():
            fields = self._held(list_id).fields
            fields[to] = replace(fields.pop(tag), tag=to)

    def hide_list(self, list_id: str) -> None:
        """A list is deleted with everybody on it; ``show_list`` brings the very same back, which MailChimp never
        does."""
        with self._server.locked():
            self._hidden[list_id] = self._account.lists.pop(list_id)

    def show_list(self, list_id: str) -> None:
        """Bring a hidden list back."""
        with self._server.locked():
            self._account.lists[list_id] = self._hidden.pop(list_id)

    def remove_list(self, *, list_id: str | None = None) -> None:
        """Delete the list with everybody on it, as a marketer might."""
        with self._server.locked():
            del self._account.lists[self._held(list_id).id]

    def remove_tag(self, name: str, *, list_id: str | None = None) -> None:
        """Delete a tag, as a marketer might; the people stay."""
        with self._server.locked():
            segments = self._held(list_id).segments
            for number in [number for number, segment in segments.items() if segment.name == name]:
                del segments[number]

    def add_field(self, tag: str, *, kind: str = "text", is_required: bool = False, list_id: str | None = None) -> None:
        """Register a merge field of a kind of MailChimp's (text, number, date, birthday, address, …)."""
        with self._server.locked():
            self._held(list_id).fields[tag] = MergeField(tag, kind, is_required)

    def add_member(
        self,
        email: str,
        status: str = "subscribed",
        *,
        by: str | None = None,
        fields: Mapping[str, str] | None = None,
        list_id: str | None = None,
    ) -> None:
        """Put somebody on the list in any state; ``by`` (person, api, admin) is who unsubscribed them."""
        with self._server.locked():
            held = self._held(list_id)
            opted_out_by = (by or "person") if status == "unsubscribed" else None
            member = Member(email, status, self._account.now(), by=opted_out_by, fields=dict(fields or {}))
            held.members[member.id] = member

    # --- what people and marketers do -------------------------------------------------------------------------------

    def unsubscribe_by_person(self, email: str, *, reason: str = "manual", list_id: str | None = None) -> None:
        """They click the link in a mail (``reason`` abuse: they call it spam)."""
        with self._server.locked():
            self._account.opt_out(self._held(list_id), email, by="person", reason=reason)

    def unsubscribe_by_admin(self, email: str, *, list_id: str | None = None) -> None:
        """A marketer unsubscribes them in MailChimp's own pages."""
        with self._server.locked():
            self._account.opt_out(self._held(list_id), email, by="admin")

    def unsubscribe_by_program(self, email: str, *, list_id: str | None = None) -> None:
        """Another program unsubscribes them over the API."""
        with self._server.locked():
            self._account.opt_out(self._held(list_id), email, by="api")

    def subscribe_by_person(self, email: str, *, list_id: str | None = None) -> None:
        """They fill in MailChimp's own form: the only way back for the forgotten."""
        with self._server.locked():
            held = self._held(list_id)
            held.forgotten.discard(hash_of(email))
            member = held.members.setdefault(hash_of(email), Member(email, "subscribed", self._account.now()))
            member.status, member.by, member.last_changed = "subscribed", None, self._account.now()
            member.source, member.ip_opt, member.opted_in_at = "Hosted Signup Form", "192.0.2.1", self._account.now()
            self._account.announce("subscribe", "user", held, member)

    def subscribe_by_admin(self, email: str, *, list_id: str | None = None) -> None:
        """A marketer subscribes them again in MailChimp's own pages, which it allows where no person opted out."""
        with self._server.locked():
            member = self._account.known(self._held(list_id), email)
            member.status, member.by, member.last_changed = "subscribed", None, self._account.now()
            member.source = "Admin Add"
            self._account.announce("subscribe", "admin", self._held(list_id), member)

    def clean(self, email: str, *, reason: str = "hard", list_id: str | None = None) -> None:
        """Their mailbox bounced for good (``hard``), or they complained (``abuse``)."""
        with self._server.locked():
            self._account.clean(self._held(list_id), email, reason=reason)

    def archive(self, email: str, *, list_id: str | None = None) -> None:
        """A marketer archives them: what they were before can no longer be read."""
        with self._server.locked():
            member = self._account.known(self._held(list_id), email)
            member.status, member.by, member.reason = "archived", None, None
            member.last_changed = self._account.now()

    def forget(self, email: str, *, list_id: str | None = None) -> None:
        """They are deleted for good, and may never be imported again."""
        with self._server.locked():
            held = self._held(list_id)
            held.members.pop(hash_of(email), None)
            held.forgotten.add(hash_of(email))

    def vanish(self, email: str, *, list_id: str | None = None) -> None:
        """They are not on the list any more, and nobody says why; a new sign-up would be taken."""
        with self._server.locked():
            self._held(list_id).members.pop(hash_of(email))

    def tag(self, name: str, email: str, *, list_id: str | None = None) -> None:
        """A marketer puts a tag on somebody."""
        with self._server.locked():
            for segment in self._held(list_id).segments.values():
                if segment.name == name:
                    segment.hashes[hash_of(email)] = None

    def untag(self, name: str, email: str, *, list_id: str | None = None) -> None:
        """A marketer takes a tag off somebody."""
        with self._server.locked():
            for segment in self._held(list_id).segments.values():
                if segment.name == name:
                    segment.hashes.pop(hash_of(email), None)

    def lose_from_changes(self, *emails: str) -> None:
        """These are missing from listings of what changed (none: nobody is), as if the change came too late for one."""
        self._routes.lost_from_changes = {hash_of(email) for email in emails}

    def put_under_review(self, email: str, *, list_id: str | None = None) -> None:
        """MailChimp's own compliance people hold the address: no write about it is accepted."""
        with self._server.locked():
            self._held(list_id).under_review.add(hash_of(email))

    def change_profile(self, email: str, fields: Mapping[str, str], *, list_id: str | None = None) -> None:
        """They change their own data on MailChimp's form."""
        with self._server.locked():
            held = self._held(list_id)
            member = self._account.known(held, email)
            member.fields.update(fields)
            member.last_changed = self._account.now()
            self._account.announce("profile", "user", held, member)

    def change_address(self, old: str, new: str, *, list_id: str | None = None) -> None:
        """They change their address on MailChimp's form."""
        with self._server.locked():
            self._account.change_address(self._held(list_id), old, new)

    # --- what it holds ----------------------------------------------------------------------------------------------

    def status(self, email: str, *, list_id: str | None = None) -> str:
        """How somebody is held now: a status of MailChimp's, ``absent`` or ``forgotten``."""
        with self._server.locked():
            held = self._held(list_id)
            if hash_of(email) in held.forgotten:
                return "forgotten"
            member = held.members.get(hash_of(email))
            return member.status if member else "absent"

    def opted_out_by(self, email: str, *, list_id: str | None = None) -> str | None:
        """Who unsubscribed them: person, api or admin. Only the stand-in knows; MailChimp tells nobody."""
        with self._server.locked():
            return self._account.known(self._held(list_id), email).by

    def fields(self, email: str, *, list_id: str | None = None) -> dict[str, Any]:
        """The values of somebody's merge fields."""
        with self._server.locked():
            return dict(self._account.known(self._held(list_id), email).fields)

    def language(self, email: str, *, list_id: str | None = None) -> str:
        """Somebody's language."""
        with self._server.locked():
            return self._account.known(self._held(list_id), email).language

    def emails(self, *statuses: str, list_id: str | None = None) -> set[str]:
        """The addresses on the list, in any of the given statuses (none given: in whatever status)."""
        with self._server.locked():
            members = self._held(list_id).members.values()
            return {member.email for member in members if not statuses or member.status in statuses}

    def tags(self, *, list_id: str | None = None) -> dict[str, set[str]]:
        """Each tag with the addresses that carry it."""
        with self._server.locked():
            held = self._held(list_id)
            return {
                segment.name: {held.members[key].email for key in segment.hashes if key in held.members}
                for segment in held.segments.values()
            }

    def webhooks(self, *, list_id: str | None = None) -> list[dict[str, Any]]:
        """The registered webhooks, with their secrets."""
        with self._server.locked():
            return [vars(hook).copy() for hook in self._held(list_id).webhooks.values()]

    # --- batches --------------------------------------------------------------------------------------------------

    def in_a_batch(self, *, throttled: int = 0, lost: int = 0, between: Callable[[], None] = lambda: None) -> None:
        """Let operations of coming batches be refused, or be missing from the results; ``between`` happens in
        between."""
        self._routes.batches.throttled, self._routes.batches.lost = throttled, lost
        self._routes.batches.between = between

    def forget_batches(self) -> None:
        """A week passes: MailChimp knows nothing of its batches any more."""
        with self._server.locked():
            self._routes.batches.batches.clear()

    # --- webhooks ---------------------------------------------------------------------------------------------------

    def take_deliveries(self, *, without_action: bool = False) -> list[Delivery]:
        """The deliveries due since the last time they were taken, signed now, in the order things happened."""
        with self._server.locked():
            events: list[Event] = self._account.events[self._taken :]
            self._taken = len(self._account.events)
            return [
                render(event, hook, at=self._account.clock(), without_action=without_action)
                for event in events
                if event.list_id in self._account.lists
                for hook in wanted_by(event, self._account)
            ]

    def spoil_webhook(self, url: str, *, list_id: str | None = None) -> None:
        """A marketer changes what a webhook announces: no opt-outs, and what programs do."""
        with self._server.locked():
            for hook in self._held(list_id).webhooks.values():
                if hook.url == url:
                    hook.events["unsubscribe"] = False
                    hook.sources["api"] = True

    def deliver(self, *, twice: bool = False, backwards: bool = False, without_action: bool = False) -> list[int]:
        """Post the deliveries due to their addresses, and return the statuses answered."""
        deliveries = self.take_deliveries(without_action=without_action)
        deliveries = deliveries[::-1] if backwards else deliveries
        return [
            requests.post(delivery.url, data=delivery.body, headers=dict(delivery.headers), timeout=10).status_code
            for delivery in deliveries
            for _ in range(2 if twice else 1)
        ]

    def _held(self, list_id: str | None) -> MailList:
        if list_id is not None:
            return self._account.lists[list_id]
        (held,) = self._account.lists.values()
        return held
