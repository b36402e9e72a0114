"""Calling a mail system: one pooled session, few calls at once, patience with chance in it, and an honest verdict.

What a vendor's answer means is the vendor's own table (``Judge``). What is the same for all of them is here: an answer
that never came is told apart from a call that never left; a call that timed out is not repeated, for it may still run;
and a write that may have been carried out is ``UnknownOutcome``, however many attempts came after it.

Errors (see ``integrations.base``) carry no address, no path and no text of the vendor's, which quotes addresses.
"""

from __future__ import annotations

import hashlib
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Protocol
from weakref import WeakValueDictionary

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ReadTimeoutError, SSLError

from integrations.base import ConnectorError, Permanent, Transient, UnknownOutcome

_gates: WeakValueDictionary[str, threading.BoundedSemaphore] = WeakValueDictionary()
_gates_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard and how patiently a vendor is called. ``attempts`` counts the first.

    ``read_timeout_s`` is above the 120 s after which MailChimp itself gives a call up.
    """

    connections_max: int = 5
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


@dataclass(frozen=True, slots=True)
class Call:
    """One request to make. ``is_repeatable``: saying it twice is saying it once."""

    method: str
    url: str
    params: Sequence[tuple[str, Any]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None
    is_repeatable: bool = True

    @property
    def is_read(self) -> bool:
        return self.method == "GET"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one attempt came to: data, or an error with whether to try again and whether it may have taken effect."""

    data: Any = None
    error: ConnectorError | None = None
    is_worth_repeating: bool = False
    is_maybe_done: bool = False


class Judge(Protocol):
    """What an answer of one vendor means. The status decides; a body only adds detail."""

    def __call__(self, answer: requests.Response, call: Call, /) -> Verdict: ...


class Caller:
    """Makes calls to one account of one vendor. May be shared between threads; ``close`` gives its connections back."""

    def __init__(self, auth: tuple[str, str], *, account: str, judge: Judge, pace: Pace) -> None:
        self.pace = pace
        self.session = _open_session(auth, pace.connections_max)
        self._judge = judge
        self._gate = _gate_for(account, pace.connections_max)

    def close(self) -> None:
        """Close the pooled connections; later calls open new ones."""
        self.session.close()

    def insist(self, call: Call) -> Any:
        """Make a call, again where that may help, and return its data.

        Raises what the judge found: Permanent, Transient, or UnknownOutcome where a write may have been carried out.
        """
        is_maybe_done = False
        for attempt in range(1, self.pace.attempts + 1):
            verdict = self._attempt(call)
            is_maybe_done = is_maybe_done or verdict.is_maybe_done
            is_safe = call.is_repeatable or not verdict.is_maybe_done
            if not (verdict.is_worth_repeating and is_safe) or attempt == self.pace.attempts:
                break
            self.pace.sleep(self.pace.pause_s(attempt))
        if verdict.error is None:
            return verdict.data
        if is_maybe_done and not call.is_read and isinstance(verdict.error, Transient):
            raise UnknownOutcome(verdict.error.code, hint=verdict.error.hint)
        raise verdict.error

    def _attempt(self, call: Call) -> Verdict:
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
        return self._judge(answer, call)


def plain_key(api_key: str, *, hint: str) -> str:
    """The key without the blanks a paste brings along; a letter no header can carry is Permanent ``invalid_key``."""
    key = api_key.strip()
    if not (key.isascii() and key.isprintable() and key) or " " in key:
        raise Permanent("invalid_key", hint=hint)
    return key


def json_of(answer: requests.Response) -> Any:
    """The JSON of an answer whatever its Content-Type says, or None where there is none."""
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return None


def seconds_in(answer: requests.Response, header: str) -> float | None:
    """A header that holds whole seconds (``Retry-After``), or None."""
    told = answer.headers.get(header, "")
    return float(told) if told.isascii() and told.isdigit() else None


def _open_session(auth: tuple[str, str], connections_max: int) -> requests.Session:
    """One pooled session without cookies: fronts of vendors set some, and a session without state can be shared."""
    session = requests.Session()
    session.auth = auth
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


def _judge_failure(err: requests.RequestException) -> Verdict:
    """No answer came. A call that never left may be repeated; one that timed out may still run, so it is not."""
    cause = err.args[0] if err.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(err, requests.ConnectTimeout) or isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return Verdict(error=Transient("unreachable"), is_worth_repeating=True)
    if isinstance(err, requests.Timeout) or isinstance(reason, ReadTimeoutError):
        return Verdict(error=Transient("no_answer", retry_after_s=120), is_maybe_done=True)
    if isinstance(err, ValueError):  # requests' way to say that no address can be made of this
        return Verdict(error=Permanent("bad_address"))
    if isinstance(reason, SSLError) and reason.args and isinstance(reason.args[0], ssl.SSLCertVerificationError):
        return Verdict(error=Permanent("bad_certificate"))
    return Verdict(error=Transient("connection_lost"), is_worth_repeating=True, is_maybe_done=True)
