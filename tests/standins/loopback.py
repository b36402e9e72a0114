"""A loopback server for stand-ins of vendors: sockets, faults, company, and a record of what came.

What the vendor answers is the subclass's: ``kind_of``, ``process`` and ``problem``.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """One call as it came in. ``path`` is without what is before every path; ``kind`` is the name of its route."""

    kind: str
    method: str
    path: str
    query: Mapping[str, str]
    body: Any

    @property
    def parts(self) -> list[str]:
        return self.path.strip("/").split("/")


class Fault(StrEnum):
    """A way to fail. The first group answers something; the second answers nothing, before or after the effect."""

    THROTTLED = "429 without a body"
    FORBIDDEN_BODYLESS = "403 without a body"
    TOO_MANY = "429 with a problem document"
    TOO_MANY_UNTYPED = "429 with JSON and no Content-Type"
    BAD_GATEWAY = "502 with HTML"
    SERVER_ERROR = "500 with a problem document"
    SERVER_ERROR_BODYLESS = "500 without a body"
    SERVER_ERROR_AFTER = "500 after the effect"
    FORBIDDEN = "403 with a problem document"
    GARBAGE = "200 with HTML"

    DROP = "the connection is closed before the effect"
    DROP_AFTER = "the connection is closed after the effect"
    HANG = "no answer before the effect"
    HANG_AFTER = "no answer after the effect"

    CUT_OFF = "the line is cut in the middle of the answer, after the effect"
    HALF = "half an answer, called whole, after the effect"


HAS_EFFECT = {Fault.DROP_AFTER, Fault.HANG_AFTER, Fault.SERVER_ERROR_AFTER, Fault.CUT_OFF, Fault.HALF}
HTML = "<html><body>Bad gateway</body></html>"


@dataclass(frozen=True)
class Reply:
    """What goes over the wire. ``is_silent`` closes the connection with nothing said, ``is_cut`` in the middle."""

    status: int = 0
    body: bytes = b""
    content_type: str | None = None
    is_silent: bool = False
    is_cut: bool = False


@dataclass(frozen=True)
class Recorded:
    """A request as it came, with the status it got (None: no answer)."""

    request: Request
    status: int | None

    @property
    def kind(self) -> str:
        return self.request.kind

    @property
    def body(self) -> Any:
        return self.request.body


@dataclass
class _Planned:
    kind: str | None
    fault: Fault
    times: int


class LoopbackServer(ABC):
    """Serves on loopback until stopped, one request at a time inside, many at a time outside.

    ``prefix`` is what is before every path; more than ``connections_max`` requests at one moment are refused.
    ``clock`` dates the answers (aware).
    """

    prefix = ""
    connections_max = 1_000

    def __init__(self) -> None:
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.recorded: list[Recorded] = []
        self.violations: list[str] = []
        self.connections: set[tuple[str, int]] = set()
        self.in_flight_peak = 0
        self.before: list[tuple[str, Callable[[Request], None]]] = []
        self.company: tuple[str, threading.Barrier] | None = None
        self._planned: deque[_Planned] = deque()
        self._in_flight = 0
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.standin = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="standin", daemon=True)

    # --- the vendor's part ------------------------------------------------------------------------------------------

    @abstractmethod
    def kind_of(self, method: str, path: str) -> str:
        """The name of the call; ``unknown`` for any the vendor does not have."""

    @abstractmethod
    def process(self, request: Request, authorization: str) -> Reply:
        """Carry a request out and answer it."""

    @abstractmethod
    def problem(self, status: int) -> Reply:
        """An error document of the vendor's for a status, with somebody's address in it."""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{self.prefix}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let go of hanging requests, then close; no thread outlives it that could touch a test."""
        self._stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def plan(self, fault: Fault, *, times: int, kind: str | None) -> None:
        with self._lock:
            self._planned.append(_Planned(kind, fault, times))

    def unplan(self) -> None:
        with self._lock:
            self._planned.clear()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Look or change while no request is inside."""
        with self._lock:
            yield

    # --- one request ------------------------------------------------------------------------------------------------

    def reply(self, method: str, target: str, authorization: str, raw: bytes) -> Reply:
        """Answer one request that came in over a socket."""
        split = urlsplit(target)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        path = split.path.removeprefix(self.prefix) or "/"
        request = Request(self.kind_of(method, path), method, path, query, _json(raw))
        with self._counted():
            if self.company and self.company[0] == request.kind:
                self.company[1].wait()
            is_over = self._in_flight > self.connections_max
            reply = self.problem(429) if is_over else self._serve(request, authorization)
        with self._lock:
            self.recorded.append(Recorded(request, None if reply.is_silent else reply.status))
        return reply

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._in_flight += 1
            self.in_flight_peak = max(self.in_flight_peak, self._in_flight)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    def _serve(self, request: Request, authorization: str) -> Reply:
        with self._lock:
            fault = self._next_fault(request.kind)
            if fault is None or fault in HAS_EFFECT:
                for kind, action in self.before:
                    if kind == request.kind:
                        action(request)
                reply = self.process(request, authorization)
        if fault in {Fault.HANG, Fault.HANG_AFTER}:
            self._stopping.wait()
        if fault is Fault.CUT_OFF:
            return replace(reply, is_cut=True)
        if fault is Fault.HALF:
            return replace(reply, body=reply.body[: len(reply.body) // 2])
        return reply if fault is None else self._faulty(fault)

    def _next_fault(self, kind: str) -> Fault | None:
        planned = next((p for p in self._planned if p.kind in {None, kind}), None)
        if planned is None:
            return None
        planned.times -= 1
        if planned.times == 0:
            self._planned.remove(planned)
        return planned.fault

    def _faulty(self, fault: Fault) -> Reply:
        if fault in {Fault.DROP, Fault.DROP_AFTER, Fault.HANG, Fault.HANG_AFTER}:
            return Reply(is_silent=True)
        status = int(fault.value[:3])
        if fault in {Fault.BAD_GATEWAY, Fault.GARBAGE}:
            return Reply(status, HTML.encode(), "text/html")
        if fault in {Fault.THROTTLED, Fault.FORBIDDEN_BODYLESS, Fault.SERVER_ERROR_BODYLESS}:
            return Reply(status)
        whole = self.problem(status)
        return Reply(status, whole.body) if fault is Fault.TOO_MANY_UNTYPED else whole

    def counts(self) -> Counter[str]:
        with self._lock:
            return Counter(recorded.kind for recorded in self.recorded)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    standin: LoopbackServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no fault; anything else is ours, and must fail the test."""
        import sys

        err = sys.exc_info()[1]
        if not isinstance(err, ConnectionError):
            self.standin.violations.append(f"the stand-in failed: {err!r}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: otherwise delayed acknowledgements cost 40 ms each
    disable_nagle_algorithm = True
    timeout = 30

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The answer's Date, by the stand-in's clock."""
        return format_datetime(cast(_Http, self.server).standin.clock().astimezone(UTC), usegmt=True)

    def log_message(self, *_: Any) -> None:
        return

    def _answer(self) -> None:
        standin = cast(_Http, self.server).standin
        standin.connections.add(self.client_address)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = standin.reply(self.command, self.path, self.headers.get("Authorization", ""), raw)
        if reply.is_silent:
            self.close_connection = True
            return
        self.send_response(reply.status)
        if reply.content_type:
            self.send_header("Content-Type", reply.content_type)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.is_cut else reply.body)
        self.wfile.flush()
        self.close_connection = self.close_connection or reply.is_cut

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 # http.server's names


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode(errors="replace")


class StandIn:
    """What tests see of any stand-in: starting and stopping it, what reached it, and breaking things."""

    def __init__(self, server: LoopbackServer) -> None:
        self._server = server

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve on a free port of loopback, in threads of this process."""
        self._server.start()

    def stop(self) -> None:
        """Stop serving; hanging requests are let go."""
        self._server.stop()

    @property
    def base_url(self) -> str:
        """The address to give a connector, the vendor's own prefix included."""
        return self._server.base_url

    # --- what reached it --------------------------------------------------------------------------------------------

    @property
    def requests(self) -> list[Recorded]:
        """Every request so far, in the order of their answers."""
        with self._server.locked():
            return list(self._server.recorded)

    def counts(self) -> Counter[str]:
        """How many requests came, by kind; ``unknown`` for what the vendor does not have."""
        return self._server.counts()

    @property
    def violations(self) -> list[str]:
        """What was wrong with a request or with one of the stand-in's own answers; a test may clear what it meant."""
        return self._server.violations

    @property
    def connection_count(self) -> int:
        """How many TCP connections were opened."""
        return len(self._server.connections)

    @property
    def in_flight_peak(self) -> int:
        """The most requests that were under way at one moment."""
        return self._server.in_flight_peak

    # --- misbehaving ------------------------------------------------------------------------------------------------

    def fail_next(self, fault: Fault, *, times: int = 1, kind: str | None = None) -> None:
        """Let the next requests (of a kind) fail; several calls queue up."""
        self._server.plan(fault, times=times, kind=kind)

    def recover(self) -> None:
        """Forget the failures that are still to come."""
        self._server.unplan()

    def before_each(self, kind: str, action: Callable[[Request], None]) -> None:
        """Do something just before every request of a kind is processed: the list moves while it is read."""
        self._server.before.append((kind, action))

    def answer_in_company(self, kind: str, size: int) -> None:
        """Answer requests of a kind only when ``size`` of them are under way at once (BrokenBarrier after 5 s)."""
        self._server.company = (kind, threading.Barrier(size, timeout=5))
