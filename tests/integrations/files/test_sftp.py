"""A folder on an SFTP server: only the server that was pinned, whole files or none, and no private network."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from integrations.base import ConnectorError, Permanent, Transient, UnknownOutcome
from integrations.files.sftp import SftpFolder, SftpPlace
from tests.standins.sftp_server import PASSWORD, USER, SftpStandIn

NAME = "lezers.csv"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpStandIn]:
    with SftpStandIn(tmp_path) as standin:
        yield standin


def place_of(server: SftpStandIn) -> SftpPlace:
    return SftpPlace("127.0.0.1", USER, server.fingerprint, port=server.port, password=PASSWORD)


@pytest.fixture
def folder(server: SftpStandIn) -> Iterator[SftpFolder]:
    opened = SftpFolder(place_of(server), allows_loopback=True)
    yield opened
    opened.close()


def code_of(place: SftpPlace, *, allows_loopback: bool = True) -> str:
    with pytest.raises(ConnectorError) as caught:
        SftpFolder(place, allows_loopback=allows_loopback).check()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value.code


def test_a_file_is_written_beside_its_place_and_put_in_it_whole(
    folder: SftpFolder, server: SftpStandIn, tmp_path: Path
) -> None:
    assert folder.check().startswith("127.0.0.1")
    assert folder.read(NAME) is None
    folder.write(NAME, b"een")
    folder.write(NAME, b"twee" * 100_000)
    assert (tmp_path / NAME).read_bytes() == b"twee" * 100_000
    assert folder.read(NAME) == b"twee" * 100_000
    assert folder.names() == [NAME], "nothing is left beside it"
    folder.remove(NAME)
    folder.remove(NAME)
    assert folder.names() == []


def test_an_older_server_without_an_overwriting_rename_will_do(
    folder: SftpFolder, server: SftpStandIn, tmp_path: Path
) -> None:
    server.has_posix_rename = False
    for content in (b"een", b"twee"):
        folder.write(NAME, content)
    assert (tmp_path / NAME).read_bytes() == b"twee"


def test_a_write_that_fails_leaves_the_file_of_before(folder: SftpFolder, server: SftpStandIn, tmp_path: Path) -> None:
    folder.write(NAME, b"een")
    server.fails_on["write"] = paramiko.SFTP_PERMISSION_DENIED
    with pytest.raises(Permanent) as caught:
        folder.write(NAME, b"twee")
    assert caught.value.code == "forbidden"
    assert (tmp_path / NAME).read_bytes() == b"een"


def test_a_connection_that_breaks_is_opened_again(folder: SftpFolder, server: SftpStandIn) -> None:
    folder.write(NAME, b"een")
    server.drop_all()
    with pytest.raises(Transient):
        folder.write(NAME, b"twee")
    folder.write(NAME, b"drie")
    assert folder.read(NAME) == b"drie"


def test_a_rename_without_an_answer_is_unknown(
    folder: SftpFolder, server: SftpStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write(NAME, b"een")
    monkeypatch.setattr(paramiko.SFTPClient, "posix_rename", lambda *_: server.drop_all())
    monkeypatch.setattr(paramiko.SFTPClient, "posix_rename", _broken)
    with pytest.raises(UnknownOutcome):
        folder.write(NAME, b"twee")


def _broken(*_: object) -> None:
    raise EOFError


def test_no_password_leaves_for_a_server_whose_key_was_not_pinned(server: SftpStandIn) -> None:
    place = place_of(server)
    assert code_of(replace(place, fingerprint="")) == "host_key_unknown"
    assert code_of(replace(place, fingerprint="SHA256:" + "A" * 43)) == "host_key_changed"
    assert server.logins == 0
    with pytest.raises(Permanent) as caught:
        SftpFolder(replace(place, fingerprint=""), allows_loopback=True).check()
    assert caught.value.hint == server.fingerprint, "shown, to be compared"


def test_what_is_wrong_is_said_in_a_word(server: SftpStandIn) -> None:
    place = place_of(server)
    assert code_of(replace(place, password="fout")) == "unauthorised"
    assert code_of(replace(place, path="/nergens")) == "folder_missing"
    assert code_of(replace(place, port=1)) == "unreachable"
    assert code_of(place, allows_loopback=False) == "private_address"
    assert code_of(replace(place, host="10.0.0.7")) == "private_address"


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"host": "a b"}, "host"),
        ({"port": 0}, "port"),
        ({"password": ""}, "password"),
        ({"private_key": "x"}, "private_key"),
    ],
)
def test_settings_that_cannot_be_are_said_without_asking_anybody(changes: dict[str, object], setting: str) -> None:
    place = SftpPlace("sftp.example", USER, "SHA256:x", password="x")
    with pytest.raises(Permanent) as caught:
        SftpFolder(replace(place, **changes))  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.hint) == ("bad_settings", setting)


def test_a_private_key_opens_it_too(server: SftpStandIn) -> None:
    key = paramiko.ECDSAKey.generate()
    server.authorised = key
    text = io.StringIO()
    key.write_private_key(text)
    folder = SftpFolder(replace(place_of(server), password="", private_key=text.getvalue()), allows_loopback=True)
    assert folder.check()
    folder.close()
