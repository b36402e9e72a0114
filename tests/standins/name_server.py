"""A name server on loopback that knows what a test tells it, over UDP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class NameServerStandIn:
    """``records`` maps (name, kind) to texts as a zone file has them. ``is_silent``: it answers nothing."""

    def __init__(self, records: Mapping[tuple[str, str], list[str]]) -> None:
        self.records = dict(records)
        self.is_silent = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._socket.getsockname()
        return str(host), int(port)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._is_open = True
        self._thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._is_open = False
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self.address)
        self._thread.join(timeout=5)
        self._socket.close()

    def _serve(self) -> None:
        while self._is_open:
            octets, asker = self._socket.recvfrom(4096)
            if octets and not self.is_silent:
                self._socket.sendto(self._answer(dns.message.from_wire(octets)).to_wire(), asker)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        (question,) = query.question
        name = question.name.to_text().rstrip(".").lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        if not any(known == name for known, _kind in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        texts = self.records.get((name, kind), [])
        if texts:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
        return answer
