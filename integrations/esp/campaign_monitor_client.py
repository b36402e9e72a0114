"""Campaign Monitor's API v3.3 over HTTPS: addresses, errors by their number, and the account's own clock.

Ours rather than the vendor's ``createsend`` 9.1.4, which knows no timeout, no pool and no second try, and drops the
headers of a 429. Answers are XML unless the address ends in ``.json``. Read on the vendor's pages, November 2026.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import requests

from integrations.base import Permanent, Transient
from integrations.esp.calls import Call, Caller, Pace, Verdict, json_of, plain_key, seconds_in

BASE_URL = "https://api.createsend.com/api/v3.3"
PARTIAL_SUCCESS = 210
# No limit is published outside /transactional; these few leave room for the house's other integrations.
PACE = Pace(connections_max=4)

# The numbers of errors that say something about a whole call; those about one person are in campaign_monitor_members.
CODES: Mapping[int, str] = {
    1: "invalid_address",
    60: "forbidden",
    100: "unauthorised",
    102: "bad_settings",  # the client id is of another account
    120: "unauthorised",
    121: "unauthorised",
    122: "unauthorised",
    203: "not_on_list",
    255: "field_taken",
    610: "hook_failed",
}
STATUSES: Mapping[int, str] = {401: "unauthorised", 403: "forbidden", 404: "not_found", 405: "not_allowed"}


class Refusal(Permanent):
    """Campaign Monitor understood the call and will not do it; ``number`` is its own code, or None where it has none.

    ``code`` is from CODES, STATUSES, or ``refused``.
    """

    def __init__(self, code: str, *, status: int, number: int | None) -> None:
        hint = f"Campaign Monitor answered {status}" + (f" ({number})" if number is not None else "")
        super().__init__(code, hint=hint)
        self.number = number


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON of an answer (None for an empty one), and when the vendor's front says it was sent."""

    body: Any
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing, and how many rows and pages there are in all."""

    rows: Sequence[Mapping[str, Any]]
    total: int
    pages: int


class Client:
    """Calls to one account. Paths are given in parts, each quoted by itself, so no id can become another path.

    Raises Refusal where Campaign Monitor says no, Transient where it is busy or out of reach, UnknownOutcome where a
    write may have been carried out.
    """

    def __init__(self, api_key: str, *, base_url: str | None = None, pace: Pace | None = None) -> None:
        key = plain_key(api_key, hint="a Campaign Monitor key holds plain letters and digits")
        self.host = (base_url or BASE_URL).rstrip("/")
        self.caller = Caller((key, "x"), account=f"{self.host} {key}", judge=_judge_answer, pace=pace or PACE)
        self.caller.session.trust_env = base_url is None  # a proxy for the outside is no way to another address

    def get(self, *path: str, **params: str) -> Mapping[str, Any]:
        """Read one thing."""
        body = self._call("GET", path, params).body
        if not isinstance(body, dict):
            raise Transient("unexpected_answer", hint="not an object")
        return body

    def get_all(self, *path: str, **params: str) -> Sequence[Mapping[str, Any]]:
        """Read a listing that is told whole."""
        return _rows(self._call("GET", path, params).body)

    def get_page(self, *path: str, **params: str | int) -> Page:
        """Read one page of a listing."""
        body = self._call("GET", path, params).body
        told = body if isinstance(body, dict) else {}
        total, pages = told.get("TotalNumberOfRecords"), told.get("NumberOfPages")
        if not (isinstance(total, int) and isinstance(pages, int)):
            raise Transient("unexpected_answer", hint="not a page")
        return Page(_rows(told.get("Results")), total, pages)

    def touch(self, *path: str) -> None:
        """Ask for something whose answer is that it went well."""
        self._call("GET", path, {})

    def post(self, *path: str, body: Any, is_repeatable: bool = False) -> Any:
        """Write; ``is_repeatable`` only where saying it twice is saying it once. Returns the JSON, or None."""
        return self._call("POST", path, {}, body=body, is_repeatable=is_repeatable).body

    def put(self, *path: str, body: Any = None, **params: str) -> Any:
        """Change; saying it twice is saying it once. Returns the JSON, or None."""
        return self._call("PUT", path, params, body={} if body is None else body).body

    def delete(self, *path: str, **params: str) -> None:
        """Take away."""
        self._call("DELETE", path, params)

    def zone(self) -> timezone | None:
        """The account's offset from UTC now, or None where it does not tell.

        Its dates carry no offset. Both clocks compared are the vendor's, so that ours may be wrong.
        """
        try:
            answer = self._call("GET", ("systemdate",), {})
        except Refusal:
            return None
        told = answer.body.get("SystemDate") if isinstance(answer.body, dict) else None
        local = local_instant(told, UTC)
        if local is None or answer.sent_at is None:
            return None
        quarters = round((local - answer.sent_at) / timedelta(minutes=15))
        return timezone(timedelta(minutes=15 * quarters)) if abs(quarters) <= 4 * 15 else None

    def _call(
        self,
        method: str,
        path: tuple[str, ...],
        params: Mapping[str, str | int],
        *,
        body: Any = None,
        is_repeatable: bool = True,
    ) -> Answer:
        headers = {"User-Agent": "zaallicht", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
        call = Call(
            method=method,
            url=f"{self.host}/{'/'.join(quote(part, safe='') for part in path)}.json",
            params=[(name, value) for name, value in params.items()],
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
            is_repeatable=is_repeatable,
        )
        answer: Answer = self.caller.insist(call)
        return answer


def local_instant(text: Any, zone: timezone | None) -> datetime | None:
    """A date of Campaign Monitor's (``2026-11-20 10:00:00``) in the zone given; None where either is not known."""
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone) if zone else None
    except ValueError:
        return None


def _judge_answer(answer: requests.Response, _call: Call) -> Verdict:
    """The status decides, but for one thing: an import that partly succeeded is told as 400 with code 210."""
    status, data = answer.status_code, json_of(answer)
    problem: Mapping[str, Any] = data if isinstance(data, dict) else {}
    if status == 400 and problem.get("Code") == PARTIAL_SUCCESS:
        return Verdict(data=Answer(problem.get("ResultData"), _sent_at(answer)))
    if 200 <= status < 300:
        if data is None and answer.content:
            return Verdict(error=Transient("unexpected_answer"), is_maybe_done=True)
        return Verdict(data=Answer(data, _sent_at(answer)))
    if status == 429 or (status == 403 and not problem):
        wait_s = seconds_in(answer, "X-RateLimit-Reset") or seconds_in(answer, "Retry-After")
        return Verdict(error=Transient("rate_limited", retry_after_s=wait_s), is_worth_repeating=True)
    if status >= 500 or status == 408:
        error = Transient("server_error", hint=f"Campaign Monitor answered {status}")
        return Verdict(error=error, is_worth_repeating=True, is_maybe_done=True)
    return Verdict(error=_refusal(status, problem.get("Code")))


def _refusal(status: int, number: Any) -> Refusal:
    """A 401 with any number but the key's own speaks of something that is not in this account (any more)."""
    number = number if isinstance(number, int) else None
    if status < 400:
        return Refusal("moved", status=status, number=number)
    known = CODES.get(number) if number is not None else None
    if known is None and status == 401 and number is not None:
        known = "not_found"
    return Refusal(known or STATUSES.get(status, "refused"), status=status, number=number)


def _rows(told: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(told, list) or not all(isinstance(row, dict) for row in told):
        raise Transient("unexpected_answer", hint="not a list")
    return told


def _sent_at(answer: requests.Response) -> datetime | None:
    try:
        sent_at = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return sent_at if sent_at.tzinfo else None
