"""Campaign Monitor's calls on loopback: from a request to a status and a body, both held to the contract."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.standins.campaign_monitor_account import (
    Account,
    Field,
    Hook,
    MailList,
    Person,
    Problem,
    folded,
    id_of,
    values_told,
)
from tests.standins.campaign_monitor_campaigns import ReportRoutes, page_of, parts_of
from tests.standins.campaign_monitor_contract import faults_of_answer, faults_of_request, find_call
from tests.standins.loopback import LoopbackServer, Reply, Request

JSON = "application/json; charset=utf-8"
Answer = tuple[int, Any]
Route = Callable[["CampaignMonitorServer", Request], Answer]
STATES = {state.lower(): state for state in ("Active", "Unconfirmed", "Unsubscribed", "Bounced", "Deleted")}


class CampaignMonitorServer(ReportRoutes, LoopbackServer):
    """Answers for whoever has the key; ``violations`` tells what broke the contract."""

    prefix = "/api/v3.3"

    def __init__(self, account: Account, api_key: str, account_name: str) -> None:
        super().__init__()
        self.account, self.api_key, self.account_name = account, api_key, account_name
        self.clock = self._now

    def _now(self) -> datetime:
        return self.account.clock()

    def kind_of(self, method: str, path: str) -> str:
        call = find_call(method, path)
        return call.kind if call else "unknown"

    def problem(self, status: int) -> Reply:
        body = {"Code": status, "Message": "jan@example.org could not be served."}
        return Reply(status, json.dumps(body).encode(), JSON)

    def process(self, request: Request, authorization: str) -> Reply:
        faults = faults_of_request(request.method, request.path, request.query, request.body)
        self.violations += [f"request {request.kind}: {fault}" for fault in faults]
        try:
            if not self._is_authorised(authorization):
                raise Problem(100, status=401)
            route: Route | None = getattr(CampaignMonitorServer, f"_{request.kind}", None)
            if route is None:
                raise Problem(404, status=404)
            status, body = route(self, request)
        except Problem as problem:
            status, body = problem.status, {"Code": problem.number, "Message": str(problem)}
        faults = faults_of_answer(request.method, request.path, status, body)
        self.violations += [f"answer {request.kind} {status}: {fault}" for fault in faults]
        return Reply(status, b"" if body is None else json.dumps(body).encode(), JSON)

    def _is_authorised(self, authorization: str) -> bool:
        scheme, _, value = authorization.partition(" ")
        return scheme == "Basic" and base64.b64decode(value).decode().partition(":")[0] == self.api_key

    def _held(self, request: Request) -> MailList:
        return self.account.list_of(parts_of(request)[1])

    def _person(self, request: Request) -> Person:
        person = self._held(request).people.get(folded(request.query["email"]))
        if person is None:
            raise Problem(203)
        return person

    # --- the account ------------------------------------------------------------------------------------------------

    def _get_systemdate(self, _request: Request) -> Answer:
        return 200, {"SystemDate": self.account.told(self.account.clock())}

    def _client(self, request: Request) -> None:
        if parts_of(request)[1] != self.account.client_id:
            raise Problem(102, status=401)

    def _get_client(self, request: Request) -> Answer:
        self._client(request)
        basics = {
            "ClientID": self.account.client_id,
            "CompanyName": self.account_name,
            "ContactName": "",
            "EmailAddress": "contact@example.org",
            "Country": "Belgium",
            "TimeZone": "(GMT+01:00) Brussels, Copenhagen, Madrid, Paris",
        }
        billing: dict[str, Any] = dict.fromkeys(("CanPurchaseCredits", "ClientPays"), False)
        billing |= dict.fromkeys(
            (
                "Credits",
                "BaseRatePerRecipient",
                "MarkupPerRecipient",
                "MarkupOnDelivery",
                "BaseDeliveryRate",
                "BaseDesignSpamTestRate",
            ),
            0,
        )
        return 200, {
            "ApiKey": "",
            "AccessDetails": {"Username": "proef", "AccessLevel": 23},
            "BasicDetails": basics,
            "BillingDetails": billing | {"Currency": "EUR"},
        }

    def _get_lists(self, request: Request) -> Answer:
        self._client(request)
        return 200, [{"ListID": held.id, "Name": held.name} for held in self.account.lists.values()]

    def _get_suppressions(self, request: Request) -> Answer:
        self._client(request)
        rows = [
            {
                "SuppressionReason": one.reason,
                "EmailAddress": one.email,
                "Date": self.account.told(one.date),
                "State": "Suppressed",
            }
            for one in self.account.suppressed.values()
        ]
        return 200, page_of(rows, request)

    def _get_lists_for_email(self, request: Request) -> Answer:
        self._client(request)
        found = [(held, held.people.get(folded(request.query["email"]))) for held in self.account.lists.values()]
        return 200, [
            {
                "ListID": held.id,
                "ListName": held.name,
                "SubscriberState": person.state,
                "DateSubscriberAdded": self.account.told(person.date),
            }
            for held, person in found
            if person is not None
        ]

    def _suppress(self, request: Request) -> Answer:
        self._client(request)
        for email in request.body["EmailAddresses"]:
            self.account.suppress(email, "Unsubscribed")
        return 200, None

    # --- lists ------------------------------------------------------------------------------------------------------

    def _get_list(self, request: Request) -> Answer:
        held = self._held(request)
        return 200, {
            "ConfirmedOptIn": held.confirmed,
            "Title": held.name,
            "UnsubscribePage": "",
            "ListID": held.id,
            "ConfirmationSuccessPage": "",
            "UnsubscribeSetting": held.unsubscribe_setting,
        }

    def _get_stats(self, request: Request) -> Answer:
        people = self._held(request).people.values()
        counts: dict[str, int] = {}
        for name, first, state in (
            ("ActiveSubscribers", "NewActiveSubscribers", "Active"),
            ("Unsubscribes", "Unsubscribes", "Unsubscribed"),
            ("Deleted", "Deleted", "Deleted"),
            ("Bounces", "Bounces", "Bounced"),
        ):
            counts[f"Total{name}"] = sum(person.state == state for person in people)
            periods = ("Today", "Yesterday", "ThisWeek", "ThisMonth", "ThisYear")
            counts |= {f"{first}{period}": 0 for period in periods}
        return 200, counts

    def _get_fields(self, request: Request) -> Answer:
        return 200, [
            {
                "FieldName": one.name,
                "Key": one.key,
                "DataType": one.kind,
                "FieldOptions": one.options,
                "VisibleInPreferenceCenter": one.is_visible,
            }
            for one in self._held(request).fields
        ]

    def _post_field(self, request: Request) -> Answer:
        held, body = self._held(request), request.body
        made = Field(body["FieldName"], body["DataType"], list(body["Options"]), body["VisibleInPreferenceCenter"])
        if any(one.key.casefold() == made.key.casefold() for one in held.fields):
            raise Problem(255)
        held.fields.append(made)
        return 201, made.key

    def _put_options(self, request: Request) -> Answer:
        key = parts_of(request)[3]
        one = next(field for field in self._held(request).fields if field.key == key)
        one.options = list(dict.fromkeys([*one.options, *request.body["Options"]]))
        return 200, None

    def _get_listing(self, request: Request) -> Answer:
        """Pages over the list as it is at this very moment. The filter is by whole days of the account's zone."""
        held, state = self._held(request), STATES[parts_of(request)[2]]
        rows = [self._row(person) for person in held.people.values() if person.state == state]
        day = request.query.get("date", "")[:10]
        return 200, page_of([row for row in rows if str(row["Date"])[:10] >= day], request)

    def _row(self, person: Person) -> dict[str, Any]:
        date = self.account.told(person.date)
        return {
            "EmailAddress": person.email,
            "Name": person.name,
            "Date": date,
            "ListJoinedDate": date,
            "State": person.state,
            "CustomFields": values_told(person),
            "ReadsEmailWith": "",
        }

    # --- people -----------------------------------------------------------------------------------------------------

    def _get_subscriber(self, request: Request) -> Answer:
        return 200, self._row(self._person(request))

    def _post_subscriber(self, request: Request) -> Answer:
        """Queued, so that they are there a moment later; but who may not come is told at once."""
        held, told = self._held(request), request.body
        if self.account.queues_adds and folded(told["EmailAddress"]) not in held.people:
            held.queue.append(told)
        else:
            self.account.take(held, told, resubscribes=told["Resubscribe"], asks=True)
        return 201, told["EmailAddress"]

    def _put_subscriber(self, request: Request) -> Answer:
        """Reaches the inactive too; creates nobody."""
        person, told = self._person(request), request.body
        held = self._held(request)
        if folded(told["EmailAddress"]) != folded(person.email):
            raise Problem(201)
        if told["Resubscribe"]:
            person.state, person.date = "Active", self.account.now()
        self.account.fill(held, person, told)
        self.account.announce("Update", held, person)
        return 200, None

    def _import(self, request: Request) -> Answer:
        held, told = self._held(request), request.body
        if len(told["Subscribers"]) > 1_000:
            raise Problem(209)
        new, failures = 0, []
        for one in told["Subscribers"]:
            try:
                new += self.account.take(held, one, resubscribes=told["Resubscribe"], asks=False)
            except Problem as problem:
                failures.append({"EmailAddress": one["EmailAddress"], "Code": problem.number, "Message": str(problem)})
        emails = [folded(one["EmailAddress"]) for one in told["Subscribers"]]
        result = {
            "TotalUniqueEmailsSubmitted": len(set(emails)),
            "TotalExistingSubscribers": len(set(emails)) - new - len(failures),
            "TotalNewSubscribers": new,
            "DuplicateEmailsInSubmission": sorted({email for email in emails if emails.count(email) > 1})
            if len(set(emails)) < len(emails)
            else [],
            "FailureDetails": failures,
        }
        if failures:
            return 400, {
                "ResultData": result,
                "Code": 210,
                "Message": "Subscriber Import had some failures",
            }
        return 201, result

    def _unsubscribe(self, request: Request) -> Answer:
        self.account.unsubscribe(self._held(request), request.body["EmailAddress"])
        return 200, None

    def _delete_subscriber(self, request: Request) -> Answer:
        self._person(request)
        self.account.delete(self._held(request), request.query["email"])
        return 200, None

    # --- webhooks ---------------------------------------------------------------------------------------------------

    def _get_webhooks(self, request: Request) -> Answer:
        return 200, [
            {
                "WebhookID": hook.id,
                "Events": hook.events,
                "Url": hook.url,
                "Status": hook.status,
                "PayloadFormat": hook.format.title(),
            }
            for hook in self._held(request).hooks.values()
        ]

    def _post_webhook(self, request: Request) -> Answer:
        held, body = self._held(request), request.body
        hook = Hook(
            id_of(f"{body['Url']} {len(self.recorded)}")[:16], body["Url"], body["Events"], body["PayloadFormat"]
        )
        held.hooks[hook.id] = hook
        return 201, hook.id

    def _test_webhook(self, request: Request) -> Answer:
        if self._hook(request).url in self.account.unreachable:
            raise Problem(610)
        return 200, None

    def _activate_webhook(self, request: Request) -> Answer:
        self._hook(request).status = "Active"
        return 200, None

    def _delete_webhook(self, request: Request) -> Answer:
        del self._held(request).hooks[self._hook(request).id]
        return 200, None

    def _hook(self, request: Request) -> Hook:
        hook = self._held(request).hooks.get(parts_of(request)[3])
        if hook is None:
            raise Problem(404, status=404)
        return hook
