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

import hashlib
import json
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote
from weakref import WeakValueDictionary

import requests
from mailchimp_marketing.api_client import ApiClient
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ReadTimeoutError, SSLError

from integrations.base import ConnectorError, Permanent, Transient, UnknownOutcome

CONNECTIONS_MAX = 5


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard and how patiently MailChimp is called.

    ``read_timeout_s`` is above the 120 s after which MailChimp itself gives a call up. ``attempts`` counts the first.
    """

    connections_max: int = CONNECTIONS_MAX
    attempts: int = 5
    backoff_s: float = 1.0
    backoff_max_s: float = 30.0
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 125.0
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def pause_s(self, attempt: int) -> float:
        """How long to wait after the given attempt (from 1): doubling, half of it by chance, never above the top."""
        top = min(self.backoff_max_s, self.backoff_s * 2.0 ** (attempt - 1))
        return top / 2 + top / 2 * self.random()


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
REPEATABLE_POSTS = frozenset({"/lists/{list_id}/segments/{segment_id}"})

_DATA_CENTRE = re.compile(r"[a-z]{2,4}[0-9]{1,3}")
_FIELD_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,60}")
_gates: WeakValueDictionary[str, threading.BoundedSemaphore] = WeakValueDictionary()
_gates_lock = threading.Lock()


def _readable(api_key: str) -> str:
    """The key without the blanks a paste brings along; a letter no header can carry is refused here."""
    key = api_key.strip()
    if not (key.isascii() and key.isprintable() and key) or " " in key:
        raise Permanent("invalid_key", hint="a MailChimp key holds plain letters, digits and one dash")
    return key


def base_url_of(api_key: str) -> str:
    """The address of the API for a key: its part behind the dash names the data centre (``…-us6``).

    Raises Permanent ``invalid_key`` for any other shape, so that a mistyped key never sends itself to a strange host.
    """
    _, dash, data_centre = api_key.rpartition("-")
    if not dash or not _DATA_CENTRE.fullmatch(data_centre):
        raise Permanent("invalid_key", hint="a MailChimp key ends in a dash and a data centre, such as -us6")
    return f"https://{data_centre}.api.mailchimp.com/3.0"


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: str
    params: Sequence[tuple[str, Any]]
    headers: Mapping[str, str]
    data: bytes | None
    is_repeatable: bool

    @property
    def is_read(self) -> bool:
        return self.method == "GET"


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What one attempt came to: data, or an error with whether to try again and whether it may have taken effect."""

    data: Any = None
    error: ConnectorError | None = None
    is_worth_repeating: bool = False
    is_maybe_done: bool = False


class MendedApiClient(ApiClient):  # type: ignore[misc] # the vendor's client has no types
    """The vendor's ApiClient with its transport replaced; the generated API classes work on it unchanged."""

    def __init__(self, api_key: str, *, base_url: str | None = None, pace: Pace | None = None) -> None:
        key = _readable(api_key)
        super().__init__({"api_key": key, "server": ""})
        self.host = (base_url or base_url_of(key)).rstrip("/")
        self.pace = pace or Pace()
        self.session = _open_session(key, self.pace.connections_max)
        self.session.trust_env = base_url is None  # a proxy for the outside is no way to another address
        self._gate = _gate_for(f"{self.host} {key}", self.pace.connections_max)

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
        call = _Call(
            method=method,
            url=self.host + _fill_in(resource_path, path_params or {}),
            params=[(name, _spell(value)) for name, value in query if value is not None],
            headers={**(header_params or {}), "User-Agent": "zaallicht"},
            data=None if body is None else json.dumps(self.sanitize_for_serialization(body)).encode(),
            is_repeatable=method != "POST" or resource_path in REPEATABLE_POSTS,
        )
        return self._insist(call)

    def _insist(self, call: _Call) -> Any:
        is_maybe_done = False
        for attempt in range(1, self.pace.attempts + 1):
            verdict = self._attempt(call)
            is_maybe_done = is_maybe_done or verdict.is_maybe_done
            if not (verdict.is_worth_repeating and call.is_repeatable) or attempt == self.pace.attempts:
                break
            self.pace.sleep(self.pace.pause_s(attempt))
        if verdict.error is None:
            return verdict.data
        if is_maybe_done and not call.is_read and isinstance(verdict.error, Transient):
            raise UnknownOutcome(verdict.error.code, hint=verdict.error.hint)
        raise verdict.error

    def _attempt(self, call: _Call) -> _Verdict:
        timeouts = (self.pace.connect_timeout_s, self.pace.read_timeout_s)
        try:
            with self._gate:
                answer = self.session.request(
                    call.method,
                    call.url,
                    params=list(call.params),
                    headers=dict(call.headers),
                    data=call.data,
                    timeout=timeouts,
                    allow_redirects=False,
                )
        except requests.RequestException as err:
            return _judge_failure(err)
        return _judge_answer(answer, call)


def _open_session(api_key: str, connections_max: int) -> requests.Session:
    """One pooled session, without cookies: MailChimp's front sets some, and a session without state can be shared."""
    session = requests.Session()
    session.auth = ("zaallicht", api_key)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections_max, pool_block=True)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _gate_for(account: str, connections_max: int) -> threading.BoundedSemaphore:
    """The account's gate, shared by every client of it in this process; kept under a hash, not under the key itself."""
    name = hashlib.sha256(account.encode()).hexdigest()
    with _gates_lock:
        gate = _gates.get(name)
        if gate is None:
            gate = _gates[name] = threading.BoundedSemaphore(connections_max)
        return gate


def _fill_in(resource_path: str, path_params: Mapping[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda hole: quote(str(path_params[hole[1]]), safe=""), resource_path)


def _spell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _judge_failure(err: requests.RequestException) -> _Verdict:
    """No answer came. A call that never left may be repeated; one that timed out may still run, so it is not."""
    cause = err.args[0] if err.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(err, requests.ConnectTimeout) or isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return _Verdict(error=Transient("unreachable"), is_worth_repeating=True)
    if isinstance(err, requests.Timeout) or isinstance(reason, ReadTimeoutError):
        return _Verdict(error=Transient("no_answer", retry_after_s=120), is_maybe_done=True)
    if isinstance(err, ValueError):  # requests' way to say that no address can be made of this
        return _Verdict(error=Permanent("bad_address"))
    if isinstance(reason, SSLError) and reason.args and isinstance(reason.args[0], ssl.SSLCertVerificationError):
        return _Verdict(error=Permanent("bad_certificate"))
    return _Verdict(error=Transient("connection_lost"), is_worth_repeating=True, is_maybe_done=True)


def _judge_answer(answer: requests.Response, call: _Call) -> _Verdict:
    """The status decides; a body only adds detail, and its Content-Type nothing."""
    status, data = answer.status_code, _json_of(answer)
    if 200 <= status < 300:
        if data is None and status != 204 and call.method != "DELETE":
            return _Verdict(error=Transient("unexpected_answer"), is_maybe_done=True)
        return _Verdict(data=data)
    if status == 429 or (status == 403 and not isinstance(data, dict)):
        return _Verdict(error=Transient("rate_limited", retry_after_s=_retry_after_s(answer)), is_worth_repeating=True)
    if status >= 500 or status == 408:
        error = Transient("server_error", hint=f"MailChimp answered {status}")
        return _Verdict(error=error, is_worth_repeating=True, is_maybe_done=True)
    return _Verdict(error=_refusal(status, data if isinstance(data, dict) else {}))


def _json_of(answer: requests.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return None


def _retry_after_s(answer: requests.Response) -> float | None:
    told = answer.headers.get("Retry-After", "")
    return float(told) if told.isascii() and told.isdigit() else None


def _refusal(status: int, problem: Mapping[str, Any]) -> Refusal:
    title = str(problem.get("title", "")).strip().lower()
    minded = problem.get("errors")
    names = [str(e.get("field", "")) for e in minded if isinstance(e, dict)] if isinstance(minded, list) else []
    fields = tuple(name for name in names if _FIELD_NAME.fullmatch(name))
    code = "moved" if status < 400 else STATUSES.get(status) or TITLES.get(title) or "refused"
    return Refusal(code, status=status, fields=fields)
