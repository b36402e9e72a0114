"""A server on loopback that answers requests with JSON and fails on demand; stand-ins of sources are made of it."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.standins.trouble import Answer, Spoiler

NO_ANSWER_S = 0.6  # longer than whoever asks in a test of it has patience
HTML_502 = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Failure:
    """One answer that is not what was asked for."""

    status: int
    body: bytes = b'{"detail": "no"}'
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


@dataclass(frozen=True)
class Request:
    """What was asked: the path and its query, and how; ``body`` is what a write says, as JSON."""

    path: str
    query: dict[str, str]
    method: str = "GET"
    body: Any = None


class JsonStandin(ABC):
    """Serves what ``answer`` says on 127.0.0.1; a context manager. ``before_page`` moves the ground under a reader.

    ``spoiler`` lets answers go wrong on their way.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.failures: deque[Failure] = deque()
        self.before_page: Callable[[Request], None] = lambda _request: None
        self.spoiler: Spoiler | None = None
        self._is_over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @abstractmethod
    def answer(self, request: Request, headers: Mapping[str, str]) -> tuple[int, Any, dict[str, str]]:
        """Return (status, body, headers) as the vendor would; a body of bytes is sent as it is."""

    def fail(self, status: int, *, times: int = 1, body: bytes | None = None, **headers: str) -> None:
        """Answer the next requests with a failure; header names are written with underscores."""
        named = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        self.failures.extend([Failure(status, body if body is not None else b'{"detail": "no"}', named)] * times)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up on an endless answer is what some tests are about."""


def _handler(standin: JsonStandin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or every answer waits 40 ms for an acknowledgement

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            said = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told = json.loads(said) if said else None
            request = Request(parts.path, dict(parse_qsl(parts.query)), self.command, told)
            standin.requests.append(request)
            standin.before_page(request)
            if standin.failures:
                failure = standin.failures.popleft()
                self._send(failure.status, failure.body, failure.headers)
                return
            status, body, headers = standin.answer(request, self.headers)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            named = {"Content-Type": "application/json", **headers}
            if standin.spoiler is None:
                self._send(status, content, named)
            else:
                self._send_spoilt(standin.spoiler.spoil(self.path, status, content, named))

        def _send_spoilt(self, answer: Answer) -> None:
            if answer.waits:
                standin._is_over.wait(NO_ANSWER_S)
            self.close_connection = answer.sent is None or answer.sent < len(answer.body)
            if answer.sent is not None:
                self._send(answer.status, answer.body, answer.headers, sent=answer.sent)

        def _send(self, status: int, body: bytes, headers: dict[str, str], *, sent: int | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:sent])

        do_GET = do_PUT = do_POST = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing: the test looks at ``requests``."""

    return Handler
