"""MailChimp's own Python client (mailchimp-marketing 3.0.80), mended where it would lie to us.

What the vendor's client does, found by running it in November 2026, and what this one does instead:

- it returns the answer, as if all were well, when an error has no body or no Content-Type, which is just how MailChimp
  throttles: here the status decides first, and every failure is raised;
- it returns a response object for ``200 []``, and text for a problem document: here the body is JSON or nothing;
- it opens a connection per call, and never tries again: here connections are pooled, at most ``Pace.connections_max``
  per account and process (MailChimp allows ten per user, shared with the house's other integrations), and calls that
  may be repeated are, with growing pauses;
- it replaces the word "server" anywhere in the address by the data centre, leaves "/" in path parameters as it is,
  sends "True" for true and "null" for no body: here none of these.

Errors (see ``integrations.base``) carry no address, no path and no text of MailChimp's, which quotes addresses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests
from mailchimp_marketing.api_client import ApiClient

from integrations.base import Permanent, Transient
from integrations.esp.calls import Call, Caller, Pace, Verdict, json_of, plain_key, seconds_in


class Refusal(Permanent):
    """MailChimp understood the call and will not do it. ``code`` is from TITLES or STATUSES; ``fields`` names what it
    minds, in its own words (``BIRTHDAY``, ``email_address``)."""

    def __init__(self, code: str, *, status: int, fields: tuple[str, ...] = ()) -> None:
        super().__init__(code, hint=f"MailChimp answered {status}" + (f" ({', '.join(fields)})" if fields else ""))
        self.status = status
        self.fields = fields


TITLES: Mapping[str, str] = {
    "member in compliance state": "compliance_state",
    "forgotten email not subscribed": "forgotten",
    "invalid resource": "invalid",
}
STATUSES: Mapping[int, str] = {401: "unauthorised", 403: "forbidden", 404: "not_found", 405: "not_allowed"}

# POST is repeated only where saying it twice is saying it once.
REPEATABLE_POSTS = frozenset(
    {
        "/lists/{list_id}/segments/{segment_id}",
        "/lists/{list_id}/members/{subscriber_hash}/actions/delete-permanent",
    }
)

_DATA_CENTRE = re.compile(r"[a-z]{2,4}[0-9]{1,3}")
_FIELD_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,60}")


def base_url_of(api_key: str) -> str:
    """The address of the API for a key: its part behind the dash names the data centre (``…-us6``).

    Raises Permanent ``invalid_key`` for any other shape, so that a mistyped key never sends itself to a strange host.
    """
    _, dash, data_centre = api_key.rpartition("-")
    if not dash or not _DATA_CENTRE.fullmatch(data_centre):
        raise Permanent("invalid_key", hint="a MailChimp key ends in a dash and a data centre, such as -us6")
    return f"https://{data_centre}.api.mailchimp.com/3.0"


class MendedApiClient(ApiClient):  # type: ignore[misc] # the vendor's client has no types
    """The vendor's ApiClient with its transport replaced; the generated API classes work on it unchanged."""

    def __init__(self, api_key: str, *, base_url: str | None = None, pace: Pace | None = None) -> None:
        key = plain_key(api_key, hint="a MailChimp key holds plain letters, digits and one dash")
        super().__init__({"api_key": key, "server": ""})
        self.host = (base_url or base_url_of(key)).rstrip("/")
        account = f"{self.host} {key}"
        self.caller = Caller(("zaallicht", key), account=account, judge=_judge_answer, pace=pace or Pace())
        self.caller.session.trust_env = base_url is None  # a proxy for the outside is no way to another address

    def call_api(
        self,
        resource_path: str,
        method: str,
        path_params: Mapping[str, Any] | None = None,
        query_params: Sequence[tuple[str, Any]] | None = None,
        header_params: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        collection_formats: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Any:
        """Make one call and return its JSON (None for 204). The signature is the vendor's, who passes much unused.

        Raises Refusal where MailChimp says no, Transient where it is busy or out of reach, UnknownOutcome where a
        write may have been carried out.
        """
        query = self.parameters_to_tuples(query_params or [], dict(collection_formats or {}))
        call = Call(
            method=method,
            url=self.host + _fill_in(resource_path, path_params or {}),
            params=[(name, _spell(value)) for name, value in query if value is not None],
            headers={**(header_params or {}), "User-Agent": "zaallicht"},
            data=None if body is None else json.dumps(self.sanitize_for_serialization(body)).encode(),
            is_repeatable=method != "POST" or resource_path in REPEATABLE_POSTS,
        )
        return self.caller.insist(call)


def _fill_in(resource_path: str, path_params: Mapping[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda hole: quote(str(path_params[hole[1]]), safe=""), resource_path)


def _spell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _judge_answer(answer: requests.Response, call: Call) -> Verdict:
    """The status decides; a body only adds detail, and its Content-Type nothing."""
    status, data = answer.status_code, json_of(answer)
    if 200 <= status < 300:
        if data is None and status != 204 and call.method != "DELETE":
            return Verdict(error=Transient("unexpected_answer"), is_maybe_done=True)
        return Verdict(data=data)
    if status == 429 or (status == 403 and not isinstance(data, dict)):
        return Verdict(
            error=Transient("rate_limited", retry_after_s=seconds_in(answer, "Retry-After")), is_worth_repeating=True
        )
    if status >= 500 or status == 408:
        error = Transient("server_error", hint=f"MailChimp answered {status}")
        return Verdict(error=error, is_worth_repeating=True, is_maybe_done=True)
    return Verdict(error=refusal_of(status, data if isinstance(data, dict) else {}))


def refusal_of(status: int, problem: Mapping[str, Any]) -> Refusal:
    """What MailChimp says no to, by its status and its problem document."""
    title = str(problem.get("title", "")).strip().lower()
    minded = problem.get("errors")
    names = [str(e.get("field", "")) for e in minded if isinstance(e, dict)] if isinstance(minded, list) else []
    fields = tuple(name for name in names if _FIELD_NAME.fullmatch(name))
    code = "moved" if status < 400 else STATUSES.get(status) or TITLES.get(title) or "refused"
    return Refusal(code, status=status, fields=fields)
