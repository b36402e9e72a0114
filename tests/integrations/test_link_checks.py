"""Asking links whether they answer, without speaking to what is inside a network."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from integrations.link_checks import ask, ask_links


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, location = {
            "/fine": (200, ""), "/part": (206, ""), "/gone": (410, ""), "/broken": (500, ""), "/closed": (403, ""),
            "/moved": (301, "/fine"), "/round": (302, "/round"), "/inside": (302, "http://169.254.169.254/latest/"),
            "/port": (302, "http://127.0.0.1:22/"), "/file": (302, "file:///etc/passwd"),
        }.get(self.path, (404, ""))  # fmt: skip
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/fine", ""), ("/part", ""), ("/closed", ""), ("/moved", ""), ("/nowhere", "not_found"), ("/gone", "gone"),
        ("/broken", "error"), ("/round", "loop"), ("/inside", "private_address"), ("/file", "bad_address"),
    ],
)  # fmt: skip
def test_a_link_says_what_becomes_of_it(site: str, path: str, code: str) -> None:
    assert ask(site + path, allows_loopback=True) == code


def test_nothing_inside_is_spoken_to(site: str) -> None:
    inside = (
        "localhost",
        "[::1]",
        "127.1",
        "0x7f000001",
        "10.0.0.1",
        "169.254.169.254",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",  # noqa: S104 (a place nobody may be sent to)
    )
    assert {ask(url) for url in (site, *(f"http://{host}/x" for host in inside))} <= {"private_address", "bad_address"}


def test_a_name_that_has_one_inner_address_is_not_spoken_to(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in ("93.184.216.34", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: places)
    monkeypatch.setattr(socket, "create_connection", lambda *_asked, **_more: pytest.fail("it was spoken to"))
    assert ask("https://theatre.example/") == "private_address"


@pytest.mark.parametrize(
    "url", ["https://theatre.example:22/", "https://a@theatre.example/", "ftp://theatre.example/", "https:///x"]
)
def test_only_the_web_is_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 22))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: places)
    assert ask(url) == "bad_address"


def test_many_links_are_answered_in_their_order(site: str) -> None:
    urls = [f"{site}/nowhere", f"{site}/fine", f"{site}/gone"]
    assert [(each.url, each.code) for each in ask_links(urls, allows_loopback=True)] == [
        (urls[0], "not_found"), (urls[2], "gone"),
    ]  # fmt: skip
