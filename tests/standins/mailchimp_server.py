"""MailChimp's side of the loopback server: the connection limit, the key, and the contract on both directions."""

from __future__ import annotations

import base64
import json
import uuid
from pathlib import Path
from typing import Any

from tests.standins.contract import Contract
from tests.standins.loopback import LoopbackServer, Reply, Request
from tests.standins.mailchimp_account import Problem
from tests.standins.mailchimp_routes import Routes

CONTRACT = Path(__file__).parents[1] / "contracts" / "mailchimp" / "openapi-3.0.85-lists.modified.json"

KINDS = {
    ("GET", "/"): "get_root",
    ("GET", "/lists"): "get_lists",
    ("GET", "/batches"): "get_batches",
    ("POST", "/batches"): "post_batch",
    ("GET", "/batches/{batchId}"): "get_batch",
    ("GET", "/lists/{listId}/merge-fields"): "get_merge_fields",
    ("GET", "/lists/{listId}/members"): "get_members",
    ("GET", "/lists/{listId}/members/{subscriberHash}"): "get_member",
    ("PUT", "/lists/{listId}/members/{subscriberHash}"): "put_member",
    ("PATCH", "/lists/{listId}/members/{subscriberHash}"): "patch_member",
    ("POST", "/lists/{listId}/members/{subscriberHash}/actions/delete-permanent"): "delete_for_good",
    ("GET", "/lists/{listId}/tag-search"): "get_tag_search",
    ("GET", "/lists/{listId}/segments"): "get_segments",
    ("POST", "/lists/{listId}/segments"): "post_segment",
    ("POST", "/lists/{listId}/segments/{segmentId}"): "post_segment_members",
    ("GET", "/lists/{listId}/segments/{segmentId}/members"): "get_segment_members",
    ("GET", "/lists/{listId}/webhooks"): "get_webhooks",
    ("POST", "/lists/{listId}/webhooks"): "post_webhook",
    ("PATCH", "/lists/{listId}/webhooks/{webhookId}"): "patch_webhook",
    ("DELETE", "/lists/{listId}/webhooks/{webhookId}"): "delete_webhook",
    ("GET", "/reports"): "get_reports",
    ("GET", "/reports/{campaignId}/sent-to"): "get_sent_to",
    ("GET", "/reports/{campaignId}/email-activity"): "get_activity",
    ("GET", "/reports/{campaignId}/unsubscribed"): "get_unsubscribed",
    ("GET", "/reports/{campaignId}/abuse-reports"): "get_abuse_reports",
}


RESULTS = "/batch-results/"


class StandInServer(LoopbackServer):
    """Serves ``routes`` for whoever has the key; ``violations`` tells what broke the contract."""

    prefix = "/3.0"
    connections_max = 10

    def __init__(self, routes: Routes, api_key: str) -> None:
        super().__init__()
        self.routes = routes
        self._contract = Contract(CONTRACT)
        self.api_key = api_key
        self.routes.base_url = self.base_url

    def kind_of(self, method: str, path: str) -> str:
        if path.startswith(RESULTS):
            return "get_batch_results"
        found = self._contract.operation(method, path)
        return KINDS.get((method, found[0]), "unknown") if found else "unknown"

    def problem(self, status: int) -> Reply:
        if status == 429:
            return self._problem(Problem(429, "TooManyRequests", "You have exceeded the limit of 10 connections."))
        return self._problem(Problem(status, "Fault", "jan@example.org could not be served."))

    def process(self, request: Request, authorization: str) -> Reply:
        if request.kind == "get_batch_results":
            return self._batch_results(request, authorization)
        if not self._is_authorised(authorization):
            return self._problem(Problem(401, "API Key Invalid", "Your API key may be invalid."))
        faults = self._contract.faults_of_request(request.method, request.path, request.query, request.body)
        self.violations += [f"request {request.kind}: {fault}" for fault in faults]
        if faults:
            return self._problem(Problem(400, "Invalid Resource", "The resource submitted could not be validated."))
        try:
            status, body = self.routes.answer(request)
        except Problem as problem:
            return self._problem(problem, request)
        self._check_answer(request, status, body)
        return Reply(status, b"" if body is None else json.dumps(body).encode(), "application/json; charset=utf-8")

    def _batch_results(self, request: Request, authorization: str) -> Reply:
        """The storage behind MailChimp: whoever has the address may read, and no key has any business there."""
        if authorization:
            self.violations.append("the key was sent to the storage of results")
        batch = self.routes.batches.batches.get(request.path.removeprefix(RESULTS))
        if batch is None or request.query.get("signature") != "once":
            return Reply(403)
        return Reply(200, self.routes.batches.archive(batch), "application/gzip")

    def _is_authorised(self, authorization: str) -> bool:
        scheme, _, value = authorization.partition(" ")
        if scheme == "Bearer":
            return value == self.api_key
        return scheme == "Basic" and base64.b64decode(value).decode().partition(":")[2] == self.api_key

    def _problem(self, problem: Problem, request: Request | None = None) -> Reply:
        body: dict[str, Any] = {
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "instance": str(uuid.uuid4()),
        }
        if problem.errors:
            body["errors"] = [{"field": name, "message": message} for name, message in problem.errors.items()]
        if request is not None:
            self._check_answer(request, problem.status, body)
        return Reply(problem.status, json.dumps(body).encode(), "application/problem+json; charset=utf-8")

    def _check_answer(self, request: Request, status: int, body: Any) -> None:
        faults = self._contract.faults_of_answer(request.method, request.path, status, body)
        self.violations += [f"answer {request.kind} {status}: {fault}" for fault in faults]
