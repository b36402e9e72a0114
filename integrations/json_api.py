"""Speaking JSON with a vendor's API: one pooled session, timeouts, patient retries, and no way to be led astray.

Addresses of some systems are typed in by people, so they are treated as hostile. Only ``https`` is spoken, the address
that a name really resolves to is checked on every connection (so a name that changes its mind gains nothing), redirects
are not followed, answers are bounded in size and time. Loopback is reachable only where the operator allows it (tests).
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from integrations.base import ConnectorError, Permanent, Transient, UnknownOutcome
from integrations.pace import Pace

CONNECT_S, READ_S = 5.0, 30.0
ANSWER_S = 120.0
ANSWER_BYTES = 32 * 1024 * 1024
PATIENCE_S = 20.0  # a longer Retry-After is handed to the caller, whose worker has better things to do than sleep
TRIES = 4

PERMANENT = {401: "unauthorised", 403: "forbidden", 404: "not_found", 410: "not_found"}


def check_base_url(address: str, *, allows_loopback: bool = False) -> str:
    """Return the address of an outside system in its one normal form, without a slash at the end.

    Guarantees https (http only to loopback, where that is allowed), no user name, query or fragment, and no literal
    private address. Raises Permanent: ``bad_address``, ``insecure_address`` or ``private_address``.
    """
    parts = urlsplit(address.strip())
    try:
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise Permanent("bad_address") from error
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
        raise Permanent("bad_address")
    is_local = is_loopback_name(host)
    if is_local and not allows_loopback:
        raise Permanent("private_address")
    if parts.scheme != "https" and not is_local:
        raise Permanent("insecure_address")
    literal = literal_address(host)
    if literal is not None and not is_reachable(literal, allows_loopback=allows_loopback):
        raise Permanent("private_address")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def is_reachable(address: IPv4Address | IPv6Address, *, allows_loopback: bool) -> bool:
    """Whether we may speak to this address: public unicast, or loopback where that is allowed."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return allows_loopback
    return address.is_global and not address.is_multicast


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_loopback_name(host: str) -> bool:
    literal = literal_address(host)
    return host == "localhost" or host.endswith(".localhost") or (literal is not None and literal.is_loopback)


class PrivateAddress(Exception):
    """The name led to an address that outsiders have no business with."""


def _guarded(sock: socket.socket, *, allows_loopback: bool) -> socket.socket:
    peer = ip_address(str(sock.getpeername()[0]).partition("%")[0])
    if not is_reachable(peer, allows_loopback=allows_loopback):
        sock.close()
        raise PrivateAddress
    return sock


class _HTTPSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _guarded(super()._new_conn(), allows_loopback=False)


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _LoopbackHTTPConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _guarded(super()._new_conn(), allows_loopback=True)


class _LoopbackHTTPPool(HTTPConnectionPool):
    ConnectionCls = _LoopbackHTTPConnection


class _LoopbackHTTPSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _guarded(super()._new_conn(), allows_loopback=True)


class _LoopbackHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _LoopbackHTTPSConnection


class GuardedAdapter(HTTPAdapter):
    """An adapter whose connections look where they arrived before they say a word."""

    def __init__(self, *, allows_loopback: bool) -> None:
        self._pools: dict[str, Any] = {"https": _HTTPSPool}
        if allows_loopback:
            self._pools = {"https": _LoopbackHTTPSPool, "http": _LoopbackHTTPPool}
        super().__init__(pool_connections=1, pool_maxsize=4, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


@dataclass(frozen=True, slots=True)
class Answer:
    """A decoded JSON body and the headers it came with (names compare without case)."""

    body: Any
    headers: Mapping[str, str]


class JsonApi:
    """Requests to one base address, each tried up to four times.

    Raises Permanent (``unauthorised``, ``forbidden``, ``not_found``, ``moved``, ``refused``, ``bad_certificate``,
    ``private_address``) or Transient (``rate_limited``, ``server_error``, ``unreachable``, ``unexpected_answer``).
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        allows_loopback: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        sign: Callable[[], Mapping[str, str]] = dict,
        pace: Pace | None = None,
    ) -> None:
        """``headers`` go with every request; ``sign`` makes those that must be made anew for each.

        ``pace`` is how fast the vendor lets us ask.
        """
        self.base_url = check_base_url(base_url, allows_loopback=allows_loopback)
        self.host = urlsplit(self.base_url).hostname or ""
        self._sleep, self._sign, self._pace = sleep, sign, pace
        self._session = requests.Session()
        self._session.trust_env = False  # a .netrc file would silently replace the credentials we were given
        self._session.headers.update({"Accept": "application/json", "User-Agent": "Zaallicht", **headers})
        adapter = GuardedAdapter(allows_loopback=allows_loopback)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        """Return what ``path`` (relative to the base address) holds; retries only what may succeed by waiting."""
        return self._get(path, params, json.loads)

    def get_lines(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        """Return what ``path`` holds, JSON objects each on a line of its own, as a list. Retries as ``get`` does."""
        return self._get(path, params, _lines)

    def put(self, path: str, body: Any) -> Answer:
        """Write ``body`` (JSON) to ``path``, where saying it twice is saying it once: retried as ``get`` is.

        Raises UnknownOutcome where it may have been carried out and no answer says so.
        """
        return self._write("PUT", path, body)

    def post(self, path: str, body: Any) -> Answer:
        """Say ``body`` (JSON) to ``path``, where saying it twice is saying it once; as ``put`` otherwise."""
        return self._write("POST", path, body)

    def _write(self, method: str, path: str, body: Any) -> Answer:
        try:
            return self._insist(lambda: self._once(method, path, {}, _maybe_json, body=body))
        except Transient as error:
            if error.code == "rate_limited":
                raise
            raise UnknownOutcome(error.code, hint=error.hint) from error

    def _get(self, path: str, params: Mapping[str, str | int] | None, read: Callable[[bytearray], Any]) -> Answer:
        return self._insist(lambda: self._once("GET", path, params, read))

    def _insist(self, ask: Callable[[], Answer]) -> Answer:
        for attempt in range(1, TRIES + 1):
            try:
                self._keep_pace()
                return ask()
            except Transient as error:
                wait_s = error.retry_after_s
                if wait_s is None:
                    wait_s = 0.5 * 2**attempt
                if attempt == TRIES or wait_s > PATIENCE_S:
                    raise
                self._sleep(wait_s + random.uniform(0, wait_s / 2 + 0.1))  # noqa: S311 - jitter, no secret
        raise AssertionError("the last try either returns or raises")

    def _keep_pace(self) -> None:
        wait_s = self._pace.take() if self._pace else 0.0
        if wait_s:
            self._sleep(wait_s)

    def close(self) -> None:
        """Give the pooled connections back."""
        self._session.close()

    def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        read: Callable[[bytearray], Any],
        *,
        body: Any = None,
    ) -> Answer:
        try:
            with self._session.request(
                method,
                f"{self.base_url}/{path.lstrip('/')}",
                params=params,
                json=body,
                headers=self._sign(),
                timeout=(CONNECT_S, READ_S),
                allow_redirects=False,
                stream=True,
            ) as response:
                _raise_for_status(response, is_write=method != "GET")
                return Answer(_decode(response, read), response.headers)
        except ConnectorError:
            raise
        except PrivateAddress as error:
            raise Permanent("private_address") from error
        except requests.exceptions.SSLError as error:
            raise _tls_error(error) from error
        except requests.RequestException as error:
            raise Transient("unreachable", hint=type(error).__name__) from error


def _tls_error(error: Exception) -> ConnectorError:
    is_certificate = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))
    return Permanent("bad_certificate") if is_certificate else Transient("unreachable", hint="tls")


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    return found


def _raise_for_status(response: requests.Response, *, is_write: bool) -> None:
    status = response.status_code
    if status == 200 or (is_write and status in (201, 204)):
        return
    if status == 429:
        raise Transient("rate_limited", retry_after_s=_retry_after_s(response))
    if status >= 500 or status == 408:
        raise Transient("server_error", hint=str(status), retry_after_s=_retry_after_s(response))
    if 300 <= status < 400:
        raise Permanent("moved", hint=str(status))
    raise Permanent(PERMANENT.get(status, "refused"), hint=str(status))


def _retry_after_s(response: requests.Response) -> float | None:
    """Read Retry-After in seconds; a date there is rare and treated as absent, since it leans on two clocks."""
    value = response.headers.get("Retry-After", "").strip()
    return float(value) if value.isdecimal() else None


def _maybe_json(body: bytearray) -> Any:
    """Read the answer to a write, which may be empty."""
    return json.loads(body) if body.strip() else None


def _lines(body: bytearray) -> list[Any]:
    return [json.loads(line) for line in body.splitlines() if line.strip()]


def _decode(response: requests.Response, read: Callable[[bytearray], Any]) -> Any:
    deadline = time.monotonic() + ANSWER_S
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > ANSWER_BYTES or time.monotonic() > deadline:
            raise Transient("unexpected_answer", hint="too large or too slow")
    try:
        return read(body)
    except (ValueError, RecursionError) as error:
        raise Transient("unexpected_answer", hint="not JSON") from error
