"""Flexmail's REST API over HTTPS: HAL lists, sixty calls a minute, and imports that run by themselves.

Observed in other people's programs only; the vendor's reference could not be read (November 2026). So nothing is relied
on that they do not show, and where an answer has another shape the call stops with ``unexpected_answer``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests

from integrations.base import Permanent, Transient, UnknownOutcome
from integrations.esp.calls import Call, Caller, Pace, Verdict, json_of, plain_key, seconds_in

BASE_URL = "https://api.flexmail.eu"
PAGE_SIZE = 500
CALLS_PER_MINUTE = 60
# Sixty a minute are for all programs of an account: one call at a time, and no faster than one a second.
PACE = Pace(connections_max=1)
IMPORT_POLLS_MAX, IMPORT_POLL_S = 60, 5.0
STATUSES: Mapping[int, str] = {401: "unauthorised", 403: "forbidden", 404: "not_found", 405: "not_allowed"}


class Refusal(Permanent):
    """Flexmail understood the call and will not do it."""

    def __init__(self, code: str, *, status: int) -> None:
        super().__init__(code, hint=f"Flexmail answered {status}")
        self.status = status


class Client:
    """Calls to one account. Raises Refusal, Transient, or UnknownOutcome where a write may have been carried out."""

    def __init__(
        self,
        account: str,
        token: str,
        *,
        base_url: str | None = None,
        pace: Pace | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        key = plain_key(token, hint="a Flexmail token holds plain letters and digits")
        self.host = (base_url or BASE_URL).rstrip("/")
        self.caller = Caller((account, key), account=f"{self.host} {account}", judge=_judge, pace=pace or PACE)
        self.caller.session.trust_env = base_url is None
        self._monotonic, self._next_at = monotonic, 0.0

    def get(self, *path: str, **params: str | int) -> Mapping[str, Any]:
        """Read one thing, or one page of a list."""
        body = self._call("GET", path, params=params)
        if not isinstance(body, dict):
            raise Transient("unexpected_answer", hint="not an object")
        return body

    def rows(self, *path: str, **params: str | int) -> Sequence[Mapping[str, Any]]:
        """Read the rows of one page; HAL leaves ``_embedded`` out where there are none."""
        embedded = self.get(*path, **params).get("_embedded", {})
        rows = embedded.get("item", []) if isinstance(embedded, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Transient("unexpected_answer", hint="not a list")
        return rows

    def contacts(self) -> Iterator[Mapping[str, Any]]:
        """Yield every contact, each once. It is paged by offset, so every page begins with the last row of the one
        before; where another stands there somebody was taken out, and it is read again from a page further back."""
        met: set[str] = set()
        offset, edge, steps_back = 0, "", 0
        while True:
            rows = self.rows("contacts", limit=PAGE_SIZE, offset=offset)
            if edge and (not rows or str(rows[0].get("id")) != edge):
                steps_back += 1
                if steps_back > IMPORT_POLLS_MAX:
                    raise Transient("list_moves")
                offset, edge = max(0, offset - PAGE_SIZE), ""
                continue
            for row in rows:
                if str(row.get("id")) not in met:
                    met.add(str(row.get("id")))
                    yield row
            if len(rows) < PAGE_SIZE:
                return
            offset, edge = offset + len(rows) - 1, str(rows[-1].get("id"))

    def contact(self, email: str) -> Mapping[str, Any] | None:
        """Return the contact with an address, or None."""
        rows = self.rows("contacts", email=email.lower(), limit=10, offset=0)
        return next((row for row in rows if str(row.get("email", "")).lower() == email.lower()), None)

    def write(self, method: str, *path: str, body: Any = None, is_repeatable: bool = True) -> Any:
        """Write; ``is_repeatable`` only where saying it twice is saying it once. Returns the JSON, or None."""
        return self._call(method, path, body=body, is_repeatable=is_repeatable)

    def wait_for_import(self, import_id: str) -> int:
        """Wait until an import is done, and return how many people it passed over.

        Raises UnknownOutcome where it failed, or takes longer than five minutes.
        """
        for _ in range(IMPORT_POLLS_MAX):
            told = self.get("contacts", "imports", import_id)
            if told.get("status") == "completed":
                report = told.get("report")
                ignored = report.get("total_ignored", 0) if isinstance(report, dict) else 0
                return ignored if isinstance(ignored, int) else 0
            if told.get("status") == "failed":
                raise UnknownOutcome("server_error", hint="the import failed")
            self.caller.pace.sleep(IMPORT_POLL_S)
        raise UnknownOutcome("no_answer", hint="the import is not done")

    def _call(
        self,
        method: str,
        path: Sequence[str],
        *,
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
        is_repeatable: bool = True,
    ) -> Any:
        self._keep_pace()
        headers = {"User-Agent": "zaallicht", "Accept": "application/hal+json, application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
        call = Call(
            method=method,
            url=f"{self.host}/{'/'.join(quote(part, safe='') for part in path)}",
            params=list((params or {}).items()),
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
            is_repeatable=is_repeatable,
        )
        return self.caller.insist(call)

    def _keep_pace(self) -> None:
        now = self._monotonic()
        if now < self._next_at:
            self.caller.pace.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + 60 / CALLS_PER_MINUTE


def _judge(answer: requests.Response, call: Call) -> Verdict:
    """The status decides; a body only adds detail."""
    status, data = answer.status_code, json_of(answer)
    if 200 <= status < 300:
        if data is None and (answer.content or call.is_read):
            return Verdict(error=Transient("unexpected_answer"), is_maybe_done=True)
        return Verdict(data=data)
    if status == 429 or (status == 403 and data is None):
        wait_s = seconds_in(answer, "Retry-After")
        return Verdict(error=Transient("rate_limited", retry_after_s=wait_s), is_worth_repeating=True)
    if status >= 500 or status == 408:
        error = Transient("server_error", hint=f"Flexmail answered {status}")
        return Verdict(error=error, is_worth_repeating=True, is_maybe_done=True)
    code = "moved" if status < 400 else STATUSES.get(status, "refused")
    return Verdict(error=Refusal(code, status=status))
