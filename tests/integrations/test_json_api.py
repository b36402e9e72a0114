"""Reading JSON from addresses that people type in."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from integrations.base import Permanent, Transient
from integrations.json_api import JsonApi, check_base_url, is_reachable
from tests.standins.pretix import PretixStandin


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("http://pretix.example", "insecure_address"),
        ("ftp://pretix.example", "bad_address"),
        ("pretix.example", "bad_address"),
        ("https://", "bad_address"),
        ("https://user:secret@pretix.example", "bad_address"),
        ("https://pretix.example?x=1", "bad_address"),
        ("https://pretix.example:port", "bad_address"),
        ("https://127.0.0.1", "private_address"),
        ("https://localhost", "private_address"),
        ("https://[::1]", "private_address"),
        ("https://10.0.0.8", "private_address"),
        ("https://169.254.169.254", "private_address"),
        ("https://[fd00::1]", "private_address"),
        ("https://[::ffff:10.0.0.8]", "private_address"),
    ],
)
def test_an_address_that_could_lead_inside_is_refused(address: str, code: str) -> None:
    with pytest.raises(Permanent) as caught:
        check_base_url(address)
    assert caught.value.code == code
    assert "secret" not in str(caught.value)


def test_an_address_has_one_form() -> None:
    assert check_base_url(" https://Pretix.Example/shop/ ") == "https://pretix.example/shop"
    assert check_base_url("http://127.0.0.1:8345/", allows_loopback=True) == "http://127.0.0.1:8345"


def test_plain_http_is_for_loopback_only_even_where_loopback_is_allowed() -> None:
    with pytest.raises(Permanent, match="insecure_address"):
        check_base_url("http://pretix.example", allows_loopback=True)


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "::", "fe80::1", "224.0.0.1", "ff02::1"]
)
def test_private_addresses_are_out_of_reach_always(address: str) -> None:
    assert not is_reachable(ip_address(address), allows_loopback=True)


def test_a_public_address_is_within_reach() -> None:
    assert is_reachable(ip_address("93.184.216.34"), allows_loopback=False)


def test_a_name_that_turns_out_to_lead_inside_is_refused_before_a_word_is_said(
    pretix_standin: PretixStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(pretix_standin.url.rsplit(":", 1)[1])
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: inside)
    api = JsonApi("https://rebinding.example", headers={"Authorization": "Token secret"}, sleep=lambda _s: None)
    with pytest.raises(Permanent) as caught:
        api.get("/api/v1/")
    api.close()
    assert caught.value.code == "private_address"
    assert pretix_standin.requests == []


def test_nobody_listening_is_worth_another_try_later() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        api = JsonApi(
            f"http://127.0.0.1:{held.getsockname()[1]}", headers={}, allows_loopback=True, sleep=lambda _s: None
        )
        with pytest.raises(Transient, match="unreachable"):
            api.get("/")
        api.close()


def test_an_endless_answer_is_cut_off(pretix_standin: PretixStandin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.json_api.ANSWER_BYTES", 1000)
    pretix_standin.fail(200, times=4, body=b"[" + b" " * 100_000 + b"]")
    api = JsonApi(pretix_standin.url, headers={}, allows_loopback=True, sleep=lambda _s: None)
    with pytest.raises(Transient, match="unexpected_answer"):
        api.get("/")
    api.close()


def test_waiting_grows_and_is_never_in_step(pretix_standin: PretixStandin) -> None:
    waits: list[float] = []
    pretix_standin.fail(503, times=3)
    api = JsonApi(pretix_standin.url, headers={}, allows_loopback=True, sleep=waits.append)
    with pytest.raises(Permanent):
        api.get("/")
    api.close()
    assert len(waits) == 3
    assert 1 <= waits[0] < waits[2]
    assert all(wait != round(wait) for wait in waits)
