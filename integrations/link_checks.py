"""Whether links answer, asked without ever speaking to an address that outsiders have no business with.

Anybody who writes a mail chooses these addresses. So a name is looked up first, every address it has must be a public
one, and it is that address we connect to, so that a name cannot mean another place a moment later. Only the ports of
the web are asked, redirects go through the same door, and nothing of the answer but its status is read.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

from integrations.json_api import is_reachable

TIMEOUT_S = 6.0
REDIRECTS_MAX = 4
AT_ONCE = 8
# To be told that a page is not open to programs is an answer.
FINE = frozenset({401, 403, 405, 406, 429, 999})


@dataclass(frozen=True, slots=True)
class LinkProblem:
    """A link that does not answer.

    ``code``: not_found, gone, error, unreachable, private_address, bad_address or loop.
    """

    url: str
    code: str


class _Refused(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def ask_links(urls: Sequence[str], *, allows_loopback: bool = False) -> list[LinkProblem]:
    """Ask every link and return those that do not answer, in the order they came. No transaction may be open."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = pool.map(lambda url: ask(url, allows_loopback=allows_loopback), urls)
    return [LinkProblem(url, code) for url, code in zip(urls, codes, strict=True) if code]


def ask(url: str, *, allows_loopback: bool = False) -> str:
    """Return the code of what is wrong with a link, or nothing where it answers."""
    try:
        for _ in range(REDIRECTS_MAX + 1):
            status, location = _status(url, allows_loopback=allows_loopback)
            if status in (301, 302, 303, 307, 308) and location:
                url = urljoin(url, location)
                continue
            return _code(status)
    except _Refused as problem:
        return problem.code
    except (OSError, http.client.HTTPException, UnicodeError, ValueError):
        return "unreachable"
    return "loop"


def _code(status: int) -> str:
    if status in FINE or status < 400:
        return ""
    return {404: "not_found", 410: "gone"}.get(status, "error")


def _status(url: str, *, allows_loopback: bool) -> tuple[int, str]:
    pieces = urlsplit(url)
    host = (pieces.hostname or "").encode("idna").decode()
    port = pieces.port or (443 if pieces.scheme == "https" else 80)
    if pieces.scheme not in ("http", "https") or not host or pieces.username is not None:
        raise _Refused("bad_address")
    place = _place(host, port, allows_loopback=allows_loopback)
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    connection.sock = socket.create_connection((place, port), timeout=TIMEOUT_S)
    try:
        if pieces.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(connection.sock, server_hostname=host)
        target = (pieces.path or "/") + (f"?{pieces.query}" if pieces.query else "")
        # The whole page is not wanted; who cannot give a part gives its head first all the same.
        headers = {"User-Agent": "Zaallicht link check", "Accept": "*/*", "Range": "bytes=0-0", "Connection": "close"}
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Location", "")
    finally:
        connection.close()


def _place(host: str, port: int, *, allows_loopback: bool) -> str:
    """Return the address to connect to; every address of a name must be one that outsiders may speak to."""
    found = {str(each[4][0]).partition("%")[0] for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    places = sorted(ip_address(each) for each in found if ":" not in each) or [ip_address(each) for each in found]
    if not all(is_reachable(ip_address(each), allows_loopback=allows_loopback) for each in found):
        raise _Refused("private_address")
    if port not in (80, 443) and not all(each.is_loopback for each in places):
        raise _Refused("bad_address")
    return str(places[0])
