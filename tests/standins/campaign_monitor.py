"""A Campaign Monitor for tests: a real server on loopback that keeps state, judges what it is told, and can misbehave.

    with CampaignMonitorStandIn() as campaign_monitor:
        newsletter = campaign_monitor.add_list("Nieuwsbrief")
        campaign_monitor.add_person("an@example.org")
        destination = CampaignMonitor(campaign_monitor.api_key, campaign_monitor.client_id, base_url=…)
        campaign_monitor.unsubscribe_by_person("an@example.org")

Every request and answer is checked against what the vendor tells of itself; what is wrong with either is in
``violations``, which the fixture ``campaign_monitor_standin`` wants empty at the end of a test. Methods take the list
as ``list_id``; with one list it may be left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import requests

from tests.standins.campaign_monitor_account import Account, Field, MailList, Person, Suppressed, folded, id_of
from tests.standins.campaign_monitor_campaigns import SendsCampaigns
from tests.standins.campaign_monitor_server import CampaignMonitorServer
from tests.standins.loopback import Fault, Recorded, Request, StandIn

__all__ = ["CampaignMonitorStandIn", "Delivery", "Fault", "Recorded", "Request"]


@dataclass(frozen=True)
class Delivery:
    """A webhook ready to be posted."""

    url: str
    body: bytes


class CampaignMonitorStandIn(SendsCampaigns, StandIn):
    """The stand-in. ``clock`` gives its now (aware); ``api_key``, ``client_id`` and ``base_url`` open it."""

    api_key = "0123456789abcdef0123456789abcdef0123456789abcdef"

    def __init__(self, *, account_name: str = "Huis De Proef", clock: Callable[[], datetime] | None = None) -> None:
        self.account_name = account_name
        self._account = Account(clock or (lambda: datetime.now(UTC)))
        self._taken = 0
        super().__init__(CampaignMonitorServer(self._account, self.api_key, account_name))

    # --- how this Campaign Monitor is -------------------------------------------------------------------------------

    @property
    def client_id(self) -> str:
        """The id of the client whose lists these are."""
        return self._account.client_id

    @property
    def clock(self) -> Callable[[], datetime]:
        """Where its dates come from; may be replaced at any moment."""
        return self._account.clock

    @clock.setter
    def clock(self, clock: Callable[[], datetime]) -> None:
        self._account.clock = clock

    def behave(
        self,
        *,
        replaces_options: bool | None = None,
        queues_adds: bool | None = None,
        refuses_suppressed_strangers: bool | None = None,
        hours_from_utc: float | None = None,
    ) -> None:
        """Choose among behaviours that Campaign Monitor leaves open; see ``Account``."""
        account = self._account
        account.replaces_options = account.replaces_options if replaces_options is None else replaces_options
        account.queues_adds = account.queues_adds if queues_adds is None else queues_adds
        if refuses_suppressed_strangers is not None:
            account.refuses_suppressed_strangers = refuses_suppressed_strangers
        if hours_from_utc is not None:
            account.zone = timezone(timedelta(hours=hours_from_utc))

    def add_list(self, name: str = "Nieuwsbrief", *, double_opt_in: bool = False, for_all_lists: bool = False) -> str:
        """Make a list and return its id; ``for_all_lists``: unsubscribing from it is unsubscribing from all."""
        with self._server.locked():
            setting = "AllClientLists" if for_all_lists else "OnlyThisList"
            held = MailList(id_of(f"{name} {len(self._account.lists)}"), name, double_opt_in, setting)
            self._account.lists[held.id] = held
        return held.id

    def remove_list(self, *, list_id: str | None = None) -> None:
        """Delete the list with everybody on it, as a marketer might."""
        with self._server.locked():
            del self._account.lists[self._held(list_id).id]

    def add_field(
        self, name: str, *, kind: str = "Text", options: tuple[str, ...] = (), list_id: str | None = None
    ) -> None:
        """Make a custom field of a kind of Campaign Monitor's (Text, Number, MultiSelectMany, …)."""
        with self._server.locked():
            self._held(list_id).fields.append(Field(name, kind, list(options)))

    def add_person(
        self,
        email: str,
        state: str = "Active",
        *,
        name: str = "",
        fields: Mapping[str, list[str]] | None = None,
        list_id: str | None = None,
    ) -> None:
        """Put somebody on the list in any state; ``fields`` by the field's name."""
        with self._server.locked():
            person = Person(email, state, self._account.now(), name, "No", dict(fields or {}))
            self._held(list_id).people[folded(email)] = person

    def work_off(self) -> None:
        """Carry out the additions that wait in the queue."""
        with self._server.locked():
            for held in self._account.lists.values():
                while held.queue:
                    self._account.take(held, held.queue.pop(0), resubscribes=False, asks=True)

    # --- what people and marketers do -------------------------------------------------------------------------------

    def unsubscribe_by_person(self, email: str, *, list_id: str | None = None) -> None:
        """They click the link in a mail. Campaign Monitor tells nobody whether it was they or a marketer."""
        with self._server.locked():
            self._account.unsubscribe(self._held(list_id), email)

    def confirm(self, email: str, *, list_id: str | None = None) -> None:
        """They click the link in the mail that asks them to confirm."""
        self.sign_up(email, list_id=list_id)

    def sign_up(self, email: str, *, list_id: str | None = None) -> None:
        """They fill in Campaign Monitor's own form."""
        with self._server.locked():
            self._account.sign_up(self._held(list_id), email)

    def bounce(self, email: str, *, list_id: str | None = None) -> None:
        """Their mailbox bounced for good."""
        with self._server.locked():
            self._account.bounce(self._held(list_id), email)

    def suppress(self, email: str, *, reason: str = "Unsubscribed") -> None:
        """They are put on the client's suppression list, without any list."""
        with self._server.locked():
            self._account.suppress(email, reason)

    def delete(self, email: str, *, list_id: str | None = None) -> None:
        """A marketer deletes them from the list."""
        with self._server.locked():
            self._account.delete(self._held(list_id), email)

    def forget(self, email: str, *, list_id: str | None = None) -> None:
        """They are gone, as if they had never been there."""
        with self._server.locked():
            self._held(list_id).people.pop(folded(email), None)

    def set_state(self, email: str, state: str, *, list_id: str | None = None) -> None:
        """A state changes for a reason of nobody's business here."""
        with self._server.locked():
            person = self._held(list_id).people[folded(email)]
            person.state, person.date = state, self._account.now()

    def change_address(self, old: str, new: str, *, list_id: str | None = None) -> None:
        """They change their address in the preference centre."""
        with self._server.locked():
            self._account.change_address(self._held(list_id), old, new)

    # --- what it holds ----------------------------------------------------------------------------------------------

    def person(self, email: str, *, list_id: str | None = None) -> Person | None:
        """Somebody as the list holds them, whatever their state."""
        with self._server.locked():
            return self._held(list_id).people.get(folded(email))

    def state(self, email: str, *, list_id: str | None = None) -> str | None:
        """Campaign Monitor's word for how somebody is held; None for a stranger."""
        person = self.person(email, list_id=list_id)
        return person.state if person else None

    def emails(self, *states: str, list_id: str | None = None) -> set[str]:
        """The addresses on the list, in any of the given states (none given: in whatever state)."""
        with self._server.locked():
            people = self._held(list_id).people.values()
            return {person.email for person in people if not states or person.state in states}

    def having(self, option: str, *, field: str = "Zaallicht", list_id: str | None = None) -> set[str]:
        """The addresses that have an option of a field."""
        with self._server.locked():
            people = self._held(list_id).people.values()
            return {person.email for person in people if option in person.fields.get(field, [])}

    def fields(self, *, list_id: str | None = None) -> list[Field]:
        """The custom fields of the list."""
        with self._server.locked():
            return list(self._held(list_id).fields)

    def suppressed(self) -> list[Suppressed]:
        """The suppression list."""
        with self._server.locked():
            return list(self._account.suppressed.values())

    # --- webhooks ---------------------------------------------------------------------------------------------------

    def webhooks(self, *, list_id: str | None = None) -> list[dict[str, object]]:
        """The registered webhooks."""
        with self._server.locked():
            return [vars(hook).copy() for hook in self._held(list_id).hooks.values()]

    def switch_webhooks_off(self, *, list_id: str | None = None) -> None:
        """They failed for a week."""
        with self._server.locked():
            for hook in self._held(list_id).hooks.values():
                hook.status = "ManuallyDeactivated"

    def lose_sight_of(self, url: str) -> None:
        """From now on the address cannot be reached."""
        with self._server.locked():
            self._account.unreachable.add(url)

    def take_deliveries(self) -> list[Delivery]:
        """The deliveries due since the last time they were taken: one for each webhook, with all its events."""
        with self._server.locked():
            events = self._account.events[self._taken :]
            self._taken = len(self._account.events)
            found = []
            for held in self._account.lists.values():
                for hook in held.hooks.values():
                    rows = [one.row for one in events if one.list_id == held.id and one.kind in hook.events]
                    for start in range(0, len(rows) if hook.status == "Active" else 0, 1_000):
                        told = {"Events": rows[start : start + 1_000], "ListID": held.id}
                        found.append(Delivery(hook.url, json.dumps(told).encode()))
            return found

    def deliver(self, *, twice: bool = False, backwards: bool = False) -> list[int]:
        """Post the deliveries due to their addresses, and return the statuses answered."""
        deliveries = self.take_deliveries()
        return [
            requests.post(
                one.url, data=one.body, headers={"Content-Type": "application/json; charset=utf-8"}, timeout=10
            ).status_code
            for one in (deliveries[::-1] if backwards else deliveries)
            for _ in range(2 if twice else 1)
        ]

    def _held(self, list_id: str | None) -> MailList:
        if list_id is not None:
            return self._account.lists[list_id]
        (held,) = self._account.lists.values()
        return held
