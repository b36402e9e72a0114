"""A folder on somebody's SFTP server, by paramiko 5 (LGPL; the SSH library that is kept up since 2003).

The server must be the one whose key was pinned: a person compares its fingerprint once, and any other is refused
before a password or a signature leaves. A file is written under another name beside its place, and then put in it by
one rename (``posix-rename@openssh.com``; where a server has none, the old file is taken away first). Private addresses
are not spoken to, unless the operator allows loopback.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import secrets
import socket
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar

import paramiko

from integrations.base import Permanent, Transient, UnknownOutcome
from integrations.json_api import is_reachable

CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S = 10.0, 60.0
FILE_BYTES_MAX = 200_000_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SftpPlace:
    """Where the folder is and how to get in. ``fingerprint`` is the server's key as OpenSSH shows it (``SHA256:…``);
    of ``password`` and ``private_key`` (OpenSSH or PEM, without a passphrase) one is given."""

    host: str
    user: str
    fingerprint: str
    port: int = 22
    path: str = "."
    password: str = ""
    private_key: str = ""


class SftpFolder:
    """A ``Folder`` over SFTP; connects at the first need. Not shared between threads.

    Raises Permanent ``bad_settings`` (its hint is the setting) for what cannot be, asking nobody.
    """

    def __init__(self, place: SftpPlace, *, allows_loopback: bool = False) -> None:
        if not place.host or any(letter.isspace() or letter in "/@" for letter in place.host):
            raise Permanent("bad_settings", hint="host")
        if not 0 < place.port < 65_536:
            raise Permanent("bad_settings", hint="port")
        if not (place.password or place.private_key):
            raise Permanent("bad_settings", hint="password")
        self._key = _key_of(place.private_key) if place.private_key else None
        self._place, self._allows_loopback = place, allows_loopback
        self._transport: paramiko.Transport | None = None
        self._sftp: paramiko.SFTPClient | None = None

    def check(self) -> str:
        """Return where the folder is, after writing a file there and taking it away again."""
        probe = f".zaallicht-{secrets.token_hex(6)}"
        self.write(probe, b"")
        self.remove(probe)
        return f"{self._place.host}:{self._place.path}"

    def names(self) -> Sequence[str]:
        return self._asked(lambda sftp: [each.filename for each in sftp.listdir_attr(".") if _is_file(each)])

    def read(self, name: str) -> bytes | None:
        def fetch(sftp: paramiko.SFTPClient) -> bytes | None:
            try:
                size = sftp.stat(name).st_size or 0
            except FileNotFoundError:
                return None
            if size > FILE_BYTES_MAX:
                raise Permanent("file_too_large")
            buffer = io.BytesIO()
            sftp.getfo(name, buffer)
            return buffer.getvalue()

        return self._asked(fetch)

    def write(self, name: str, content: bytes) -> None:
        beside = f".{name}.{secrets.token_hex(6)}.part"

        def put(sftp: paramiko.SFTPClient) -> None:
            sftp.putfo(io.BytesIO(content), beside, file_size=len(content), confirm=True)

        self._asked(put)
        self._put_in_place(beside, name)

    def remove(self, name: str) -> None:
        def take(sftp: paramiko.SFTPClient) -> None:
            with contextlib.suppress(FileNotFoundError):
                sftp.remove(name)

        self._asked(take)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._transport = self._sftp = None

    # --- speaking to it ---------------------------------------------------------------------------------------------

    def _put_in_place(self, beside: str, name: str) -> None:
        """From here on an answer that does not come leaves it unknown which of the two files is there."""

        def rename(sftp: paramiko.SFTPClient) -> None:
            try:
                sftp.posix_rename(beside, name)
            except OSError:
                with contextlib.suppress(FileNotFoundError):
                    sftp.remove(name)
                sftp.rename(beside, name)

        try:
            self._asked(rename)
        except Transient as problem:
            unknown = UnknownOutcome(problem.code)
        else:
            return
        raise unknown

    def _asked(self, ask: Callable[[paramiko.SFTPClient], T]) -> T:
        """Ask, and raise what goes wrong in our words, without the library's, which may quote names."""
        told: Permanent | Transient
        try:
            return ask(self._opened())
        except (Permanent, Transient):
            self.close()
            raise
        except paramiko.AuthenticationException:
            told = Permanent("unauthorised")
        except PermissionError:
            told = Permanent("forbidden")
        except socket.gaierror:
            told = Permanent("bad_address")
        except (TimeoutError, ConnectionRefusedError):
            told = Transient("unreachable")
        except (paramiko.SSHException, EOFError, OSError):
            told = Transient("connection_lost")
        self.close()
        raise told

    def _opened(self) -> paramiko.SFTPClient:
        if self._sftp is None:
            self._transport = transport = self._connected()
            self._authenticate(transport)
            sftp = paramiko.SFTPClient.from_transport(transport)
            if sftp is None:
                raise Transient("unreachable")
            channel = sftp.get_channel()
            if channel is not None:
                channel.settimeout(ANSWER_TIMEOUT_S)
            self._go_to_folder(sftp)
            self._sftp = sftp
        return self._sftp

    def _connected(self) -> paramiko.Transport:
        """Connect, and hold the server's key against the pinned one before anything of ours is said."""
        sock = socket.create_connection((self._address(), self._place.port), timeout=CONNECT_TIMEOUT_S)
        transport = paramiko.Transport(sock)
        transport.banner_timeout = transport.auth_timeout = CONNECT_TIMEOUT_S
        try:
            transport.start_client(timeout=CONNECT_TIMEOUT_S)
            shown = fingerprint_of(transport.get_remote_server_key())
        except BaseException:
            transport.close()
            raise
        if not self._place.fingerprint:
            transport.close()
            raise Permanent("host_key_unknown", hint=shown)
        if not secrets.compare_digest(shown, self._place.fingerprint.strip()):
            transport.close()
            raise Permanent("host_key_changed", hint=shown)
        return transport

    def _authenticate(self, transport: paramiko.Transport) -> None:
        if self._key is not None:
            transport.auth_publickey(self._place.user, self._key)
        else:
            transport.auth_password(self._place.user, self._place.password, fallback=True)

    def _go_to_folder(self, sftp: paramiko.SFTPClient) -> None:
        try:
            sftp.chdir(self._place.path or ".")
        except OSError:
            is_missing = True
        else:
            is_missing = False
        if is_missing:
            raise Permanent("folder_missing")

    def _address(self) -> str:
        """The one address that is spoken to: looked up and judged once, so that no second look-up leads elsewhere."""
        found = socket.getaddrinfo(self._place.host, self._place.port, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        if not all(is_reachable(ip_address(each), allows_loopback=self._allows_loopback) for each in addresses):
            raise Permanent("private_address")
        return addresses[0]


def fingerprint_of(key: paramiko.PKey) -> str:
    """Return a key's fingerprint as OpenSSH shows it."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _key_of(text: str) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with contextlib.suppress(paramiko.SSHException, ValueError):
            return kind.from_private_key(io.StringIO(text.strip() + "\n"))
    raise Permanent("bad_settings", hint="private_key")


def _is_file(each: paramiko.SFTPAttributes) -> bool:
    return stat.S_ISREG(each.st_mode or stat.S_IFREG) and not each.filename.startswith(".")
