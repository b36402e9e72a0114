"""What the stand-ins of mail servers share: a socket on loopback, a thread a connection, lines, TLS and faults."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Gone(Exception):
    """The connection is over."""


@dataclass
class LineServer:
    """Serves on a free port of loopback until stopped. ``security``: none, starttls, or tls.

    ``faults`` are used once each in the order they were planned; ``violations`` lists what a client did that the
    protocol does not allow. A subclass says by ``dialogue`` what it speaks.
    """

    security: str = "none"
    certificate: Certificate | None = None
    faults: deque[Any] = field(default_factory=deque)
    violations: list[str] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._release = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []

    def dialogue(self, sock: socket.socket, number: int) -> Dialogue:
        raise AssertionError("a stand-in speaks something")

    def __enter__(self) -> Self:
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving and hang up on everybody; twice is once."""
        self._release.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in [self._acceptor, *self._threads]:
            thread.join(timeout=5)

    def plan(self, *faults: StrEnum) -> None:
        self.faults.extend(faults)

    def next_fault(self, *possible: StrEnum) -> Any:
        """Return the fault that is due, where it is one of those that can happen here."""
        if self.faults and self.faults[0] in possible:
            return self.faults.popleft()
        return None

    def hang(self) -> None:
        self._release.wait(timeout=30)

    def context(self) -> ssl.SSLContext:
        assert self.certificate is not None
        return self.certificate.server_context()

    def _accept(self) -> None:
        while not self._release.is_set():
            try:
                sock, _peer = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        dialogue = self.dialogue(sock, number)
        with suppress(OSError, ssl.SSLError, Gone):
            dialogue.run()
        # Encryption has put another socket in the first one's place.
        dialogue.sock.close()
        sock.close()


class Dialogue:
    """One connection, spoken in lines that end in CRLF."""

    def __init__(self, server: LineServer, sock: socket.socket) -> None:
        self._server, self.sock = server, sock
        self.buffer = b""
        self.is_encrypted = False

    def run(self) -> None:
        raise AssertionError("a stand-in speaks something")

    def say(self, text: str) -> None:
        self.sock.sendall(f"{text}\r\n".encode())

    def line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            self.receive()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        if len(line) > 2000:
            self._server.violations.append("a command of more than 2000 octets")
        return line

    def receive(self) -> None:
        octets = self.sock.recv(65536)
        if not octets:
            raise Gone
        self.buffer += octets

    def encrypt(self) -> None:
        if self.buffer:
            self._server.violations.append("said something before encryption began")
        self.sock = self._server.context().wrap_socket(self.sock, server_side=True)
        self.is_encrypted = True


@dataclass(frozen=True)
class Certificate:
    """A certificate for a name, signed by itself, in a folder."""

    folder: Path
    name: str = "localhost"

    def __post_init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        names: list[x509.GeneralName] = [x509.DNSName(self.name)]
        if self.name == "localhost":
            names.append(x509.IPAddress(ip_address("127.0.0.1")))
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=36500))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.certificate_file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
        self.key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    @property
    def certificate_file(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def key_file(self) -> Path:
        return self.folder / "key.pem"

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate_file, self.key_file)
        return context

    def client_context(self) -> ssl.SSLContext:
        """A context that trusts this certificate and no other."""
        return ssl.create_default_context(cafile=str(self.certificate_file))
