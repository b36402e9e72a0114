"""An SFTP server on loopback, by paramiko's own server half: a folder on disk, one user, and ways to misbehave."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import paramiko

from integrations.files.sftp import fingerprint_of

USER, PASSWORD = "huis", "een-wachtwoord"


class SftpStandIn:
    """Serves ``root``; ``operations`` is what was asked. ``fails_on``: which of them fail, and how.

    ``has_posix_rename`` False: a server without the OpenSSH extension, whose plain rename does not overwrite.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.host_key = paramiko.ECDSAKey.generate()
        self.operations: list[str] = []
        self.fails_on: dict[str, int] = {}
        self.has_posix_rename = True
        self.authorised: paramiko.PKey | None = None
        self.logins = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._transports: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.host_key)

    def __enter__(self) -> SftpStandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for transport in self._transports:
            transport.close()
            transport.join(timeout=5)

    def drop_all(self) -> None:
        """Every connection breaks."""
        for transport in self._transports:
            transport.close()

    def _serve(self) -> None:
        while True:
            try:
                connected, _ = self._listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(connected)
            transport.add_server_key(self.host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, standin=self)
            self._transports.append(transport)
            try:
                transport.start_server(server=_Login(self))
            except (paramiko.SSHException, EOFError, OSError):
                transport.close()


class _Login(paramiko.ServerInterface):
    def __init__(self, standin: SftpStandIn) -> None:
        self._standin = standin

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        self._standin.logins += 1
        is_right = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if is_right else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._standin.logins += 1
        return paramiko.AUTH_SUCCESSFUL if key == self._standin.authorised else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class _Handle(paramiko.SFTPHandle):
    def __init__(self, file: Any, flags: int) -> None:
        super().__init__(flags)
        self.readfile = self.writefile = file

    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: paramiko.ServerInterface, *args: Any, standin: SftpStandIn, **kwargs: Any) -> None:
        super().__init__(server, *args, **kwargs)
        self._standin = standin

    def _path(self, path: str) -> Path:
        return self._standin.root / self.canonicalize(path).lstrip("/")

    def _note(self, operation: str) -> int | None:
        self._standin.operations.append(operation)
        return self._standin.fails_on.get(operation)

    def list_folder(self, path: str) -> Any:
        if (failure := self._note("list")) is not None:
            return failure
        found = []
        for each in sorted(self._path(path).iterdir()):
            attributes = paramiko.SFTPAttributes.from_stat(each.stat())
            attributes.filename = each.name
            found.append(attributes)
        return found

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._path(path).stat())
        except OSError as problem:
            return paramiko.SFTPServer.convert_errno(problem.errno or 0)

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        if (failure := self._note("write" if flags & (os.O_WRONLY | os.O_RDWR) else "read")) is not None:
            return failure
        try:
            mode = "wb+" if flags & (os.O_WRONLY | os.O_RDWR) else "rb"
            return _Handle(self._path(path).open(mode), flags)
        except OSError as problem:
            return paramiko.SFTPServer.convert_errno(problem.errno or 0)

    def remove(self, path: str) -> int:
        self._note("remove")
        try:
            self._path(path).unlink()
        except OSError as problem:
            return paramiko.SFTPServer.convert_errno(problem.errno or 0)
        return paramiko.SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        self._note("rename")
        if self._path(newpath).exists():
            return paramiko.SFTP_FAILURE
        self._path(oldpath).rename(self._path(newpath))
        return paramiko.SFTP_OK

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        if (failure := self._note("posix_rename")) is not None:
            return failure
        if not self._standin.has_posix_rename:
            return paramiko.SFTP_OP_UNSUPPORTED
        self._path(oldpath).replace(self._path(newpath))
        return paramiko.SFTP_OK
