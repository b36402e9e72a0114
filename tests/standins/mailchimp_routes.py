"""MailChimp's calls, from a request to a status and a body; what they mean is in ``mailchimp_account``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tests.standins.loopback import Request
from tests.standins.mailchimp_account import (
    Account,
    MailList,
    Member,
    Problem,
    Segment,
    Webhook,
    hash_of,
    not_found,
)
from tests.standins.mailchimp_batches import Batches, row_of
from tests.standins.mailchimp_campaigns import ReportRoutes, page_of

HIDDEN_IN_SEGMENTS = {"cleaned", "transactional", "unsubscribed"}


Answer = tuple[int, Any]
Route = Callable[["Routes", Request], Answer]


class Routes(ReportRoutes):
    """Answers a request by the name of its route; raises Problem where MailChimp would."""

    def __init__(self, account: Account, name: str) -> None:
        self.account = account
        self.name = name
        self.signs_webhooks = True
        self.since_is_inclusive = False
        self.webhook_count = 0
        self.lost_from_changes: set[str] = set()
        self.base_url = ""
        self.batches = Batches(self._carry)

    def answer(self, request: Request) -> Answer:
        route: Route | None = getattr(Routes, f"_{request.kind}", None)
        if route is None:
            raise not_found()
        status, body = route(self, request)
        fields = request.query.get("fields")
        return status, _only(body, fields.split(",")) if fields else body

    def _get_root(self, request: Request) -> Answer:
        return 200, {"account_id": "8d3a3db4d97663a9074efcc16", "account_name": self.name, "role": "owner"}

    def _get_lists(self, request: Request) -> Answer:
        email = request.query.get("email")
        lists = [held for held in self.account.lists.values() if email is None or hash_of(email) in held.members]
        rows = [_list_row(held) for held in lists]
        return 200, {"lists": page_of(rows, request), "total_items": len(rows)}

    def _get_merge_fields(self, request: Request) -> Answer:
        known = self.account.list_of(request.parts[1]).fields.values()
        rows = [
            {"merge_id": number, "tag": f.tag, "name": f.tag.title(), "type": f.type, "required": f.is_required}
            for number, f in enumerate(known, start=1)
        ]
        return 200, {"merge_fields": page_of(rows, request), "list_id": request.parts[1], "total_items": len(rows)}

    def _get_members(self, request: Request) -> Answer:
        """Pages over the list as it is at this very moment; a filter with a fraction of a second filters nothing."""
        held = self.account.list_of(request.parts[1])
        wanted = request.query.get("status")
        rows = [m for m in held.members.values() if (m.status == wanted if wanted else m.status != "archived")]
        since = request.query.get("since_last_changed")
        if since and "." not in since:
            rows = [m for m in rows if self._is_since(m.last_changed, datetime.fromisoformat(since))]
            rows = [m for m in rows if m.id not in self.lost_from_changes]
        if request.query.get("sort_field") == "last_changed":
            rows.sort(key=lambda m: (m.last_changed, m.id), reverse=request.query.get("sort_dir") == "DESC")
        page = [self._member_row(held, member) for member in page_of(rows, request)]
        return 200, {"members": page, "list_id": held.id, "total_items": len(rows)}

    def _is_since(self, changed: datetime, since: datetime) -> bool:
        return changed >= since if self.since_is_inclusive else changed > since

    def _get_member(self, request: Request) -> Answer:
        held = self.account.list_of(request.parts[1])
        if request.parts[3] not in held.members:
            raise not_found()
        return 200, self._member_row(held, held.members[request.parts[3]])

    def _put_member(self, request: Request) -> Answer:
        skips = request.query.get("skip_merge_validation") == "true"
        member = self.account.put(request.parts[1], request.parts[3], request.body, skips_required=skips)
        return 200, self._member_row(self.account.list_of(request.parts[1]), member)

    def _patch_member(self, request: Request) -> Answer:
        member = self.account.patch(request.parts[1], request.parts[3], request.body)
        return 200, self._member_row(self.account.list_of(request.parts[1]), member)

    def _delete_for_good(self, request: Request) -> Answer:
        """Nobody may bring them back but themselves, by MailChimp's own form."""
        held = self.account.list_of(request.parts[1])
        if held.members.pop(request.parts[3], None) is None:
            raise not_found()
        held.forgotten.add(request.parts[3])
        return 204, None

    # --- batches ---

    def _post_batch(self, request: Request) -> Answer:
        batch = self.batches.begin(request.body["operations"], at=self.account.now())
        return 200, row_of(batch, results_at="")

    def _get_batches(self, request: Request) -> Answer:
        rows = [row_of(batch, results_at=self._results_at(batch.id)) for batch in self.batches.batches.values()]
        return 200, {"batches": page_of(rows, request), "total_items": len(rows)}

    def _get_batch(self, request: Request) -> Answer:
        batch = self.batches.batches.get(request.parts[1])
        if batch is None:
            raise not_found()
        self.batches.look(batch, at=self.account.now())
        return 200, row_of(batch, results_at=self._results_at(batch.id))

    def _results_at(self, batch_id: str) -> str:
        return f"{self.base_url}/batch-results/{batch_id}?signature=once"

    def _carry(self, operation: Mapping[str, Any]) -> tuple[int, str]:
        """One operation of a batch: a call like any other, without a connection of its own."""
        query = {name: str(value).lower() if isinstance(value, bool) else str(value)
                 for name, value in operation.get("params", {}).items()}  # fmt: skip
        body = json.loads(operation["body"]) if operation.get("body") else None
        try:
            status, answer = self.answer(Request("put_member", "PUT", operation["path"], query, body))
        except Problem as problem:
            return problem.status, json.dumps({"title": problem.title, "status": problem.status})
        return status, json.dumps(answer)

    def _get_tag_search(self, request: Request) -> Answer:
        prefix = request.query.get("name", "")
        segments = self.account.list_of(request.parts[1]).segments.values()
        found = [{"id": s.id, "name": s.name} for s in segments if s.name.startswith(prefix)]
        return 200, {"tags": found, "total_items": len(found)}

    def _get_segments(self, request: Request) -> Answer:
        held = self.account.list_of(request.parts[1])
        rows = [_segment_row(held, segment) for segment in held.segments.values()]
        return 200, {"segments": page_of(rows, request), "list_id": held.id, "total_items": len(rows)}

    def _post_segment(self, request: Request) -> Answer:
        held = self.account.list_of(request.parts[1])
        emails = request.body.get("static_segment", [])
        return 200, _segment_row(held, self.account.create_segment(held.id, request.body["name"], emails))

    def _post_segment_members(self, request: Request) -> Answer:
        held = self.account.list_of(request.parts[1])
        add, remove = request.body.get("members_to_add", []), request.body.get("members_to_remove", [])
        changes = self.account.change_segment(held.id, request.parts[3], add=add, remove=remove)
        repeated = changes["repeated"]
        errors = [{"email_addresses": repeated, "error": "Email is already in the list segment"}] if repeated else []
        return 200, {
            "members_added": [_segment_member_row(held, member) for member in changes["added"]],
            "members_removed": [_segment_member_row(held, member) for member in changes["removed"]],
            "errors": errors,
            "total_added": len(changes["added"]),
            "total_removed": len(changes["removed"]),
            "error_count": len(errors),
        }

    def _get_segment_members(self, request: Request) -> Answer:
        """Without the include flags only the subscribed and the pending show."""
        held = self.account.list_of(request.parts[1])
        segment = self.account.segment(held.id, request.parts[3])
        members = [held.members[key] for key in segment.hashes if key in held.members]
        shown = [m for m in members if m.status != "archived" and self._is_shown(m, request)]
        page = [_segment_member_row(held, member) for member in page_of(shown, request)]
        return 200, {"members": page, "total_items": len(shown)}

    @staticmethod
    def _is_shown(member: Member, request: Request) -> bool:
        return member.status not in HIDDEN_IN_SEGMENTS or request.query.get(f"include_{member.status}") == "true"

    def _get_webhooks(self, request: Request) -> Answer:
        held = self.account.list_of(request.parts[1])
        rows = [_webhook_row(held, hook) for hook in held.webhooks.values()]
        return 200, {"webhooks": rows, "list_id": held.id, "total_items": len(rows)}

    def _post_webhook(self, request: Request) -> Answer:
        held = self.account.list_of(request.parts[1])
        url = request.body["url"]
        if any(hook.url == url for hook in held.webhooks.values()):
            raise Problem(400, "Bad Request", "Sorry, you can't set up multiple WebHooks for one URL.")
        self.webhook_count += 1
        stem = hashlib.sha256(f"{url} {self.webhook_count}".encode()).hexdigest()
        secret = stem[10:42] if self.signs_webhooks else None
        hook = Webhook(
            stem[:10], url, dict(request.body.get("events", {})), dict(request.body.get("sources", {})), secret
        )
        held.webhooks[hook.id] = hook
        signing = {"signing_enabled": True, "signing_secret": secret} if secret else {"signing_enabled": False}
        return 200, {**_webhook_row(held, hook), **signing}

    def _patch_webhook(self, request: Request) -> Answer:
        held, hook = self._webhook(request)
        hook.events.update(request.body.get("events", {}))
        hook.sources.update(request.body.get("sources", {}))
        return 200, _webhook_row(held, hook)

    def _delete_webhook(self, request: Request) -> Answer:
        held, hook = self._webhook(request)
        del held.webhooks[hook.id]
        return 204, None

    def _webhook(self, request: Request) -> tuple[MailList, Webhook]:
        held = self.account.list_of(request.parts[1])
        if request.parts[3] not in held.webhooks:
            raise not_found()
        return held, held.webhooks[request.parts[3]]

    def _member_row(self, held: MailList, member: Member) -> dict[str, Any]:
        tags = [{"id": s.id, "name": s.name} for s in held.segments.values() if member.id in s.hashes]
        reason = {"unsubscribe_reason": member.reason} if member.reason else {}
        full_name = " ".join(str(member.fields[tag]) for tag in ("FNAME", "LNAME") if member.fields.get(tag))
        return {
            **_segment_member_row(held, member, has_any_status=True),
            **reason,
            "full_name": full_name,
            "web_id": int(member.id[:7], 16),
            "contact_id": member.id[::-1],
            "tags_count": len(tags),
            "tags": tags[:50],
            "source": member.source,
            "ip_opt": member.ip_opt,
            **({"timestamp_opt": member.opted_in_at.isoformat()} if member.opted_in_at else {}),
        }


def _list_row(held: MailList) -> dict[str, Any]:
    count = sum(member.status == "subscribed" for member in held.members.values())
    return {"id": held.id, "name": held.name, "double_optin": held.double_opt_in, "stats": {"member_count": count}}


def _segment_row(held: MailList, segment: Segment) -> dict[str, Any]:
    return {
        "id": segment.id,
        "name": segment.name,
        "member_count": sum(held.members[key].status == "subscribed" for key in segment.hashes if key in held.members),
        "type": "static",
        "list_id": held.id,
    }


def _segment_member_row(held: MailList, member: Member, *, has_any_status: bool = False) -> dict[str, Any]:
    assert has_any_status or member.status != "archived"
    return {
        "id": member.id,
        "email_address": member.email,
        "unique_email_id": member.short_id,
        "email_type": "html",
        "status": member.status,
        "merge_fields": dict(member.fields),
        "language": member.language,
        "last_changed": member.last_changed.isoformat(),
        "vip": False,
        "list_id": held.id,
    }


def _webhook_row(held: MailList, hook: Webhook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "url": hook.url,
        "events": dict(hook.events),
        "sources": dict(hook.sources),
        "list_id": held.id,
    }


def _only(body: Any, fields: list[str]) -> Any:
    """The named parts of a body, dotted names reaching into lists and objects."""
    if isinstance(body, list):
        return [_only(entry, fields) for entry in body]
    kept: dict[str, Any] = {}
    for name in dict.fromkeys(field.partition(".")[0] for field in fields):
        inner = [field.partition(".")[2] for field in fields if field.partition(".")[0] == name]
        if name in body:
            kept[name] = body[name] if "" in inner else _only(body[name], inner)
    return kept
