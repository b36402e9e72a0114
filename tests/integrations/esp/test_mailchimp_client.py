"""The mended client: what each failure means, when a call is repeated, and what never goes over the wire."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from integrations.base import ConnectorError, MemberPush, MemberStatus, Permanent, Transient, UnknownOutcome
from integrations.esp import calls
from integrations.esp.calls import Pace
from integrations.esp.mailchimp import MailChimp
from integrations.esp.mailchimp_client import MendedApiClient, base_url_of
from tests.integrations.esp.conformance import AN
from tests.integrations.esp.mailchimp_rig import IMPATIENT, MailChimpRig
from tests.standins.mailchimp import Fault, MailChimpStandIn

Call = Callable[[MailChimpRig], object]

READ: Call = lambda rig: rig.destination.member(rig.list_id, AN)  # noqa: E731 # a table of calls
OPT_OUT: Call = lambda rig: rig.destination.unsubscribe(rig.list_id, AN)  # noqa: E731
PUSH: Call = lambda rig: list(rig.destination.upsert(rig.list_id, [MemberPush(AN)], double_opt_in=False))  # noqa: E731
TAG: Call = lambda rig: rig.destination.tag(rig.list_id, "1001", add=[AN], remove=[])  # noqa: E731
MAKE_HOOK: Call = lambda rig: rig.destination.ensure_webhook(rig.list_id, "https://proef.example/h")  # noqa: E731

REPEATABLE = {"read": (READ, "get_member"), "opt out": (OPT_OUT, "patch_member"), "push": (PUSH, "put_member")}
REPEATABLE["tag"] = (TAG, "post_segment_members")


@pytest.fixture
def rig(mailchimp_rig: MailChimpRig) -> MailChimpRig:
    """A subscriber, and the tag 1001."""
    mailchimp_rig.add(AN, MemberStatus.SUBSCRIBED)
    assert mailchimp_rig.destination.ensure_tag(mailchimp_rig.list_id, "Afhakers") == "1001"
    return mailchimp_rig


# --- what a failure means, and whether the call is made again --------------------------------------------------------

PASSING = [
    Fault.THROTTLED,
    Fault.FORBIDDEN_BODYLESS,
    Fault.TOO_MANY,
    Fault.TOO_MANY_UNTYPED,
    Fault.BAD_GATEWAY,
    Fault.SERVER_ERROR,
    Fault.SERVER_ERROR_BODYLESS,
    Fault.SERVER_ERROR_AFTER,
    Fault.DROP,
    Fault.DROP_AFTER,
]


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("name", REPEATABLE)
def test_a_call_that_may_be_repeated_is_until_it_succeeds(rig: MailChimpRig, fault: Fault, name: str) -> None:
    call, kind = REPEATABLE[name]
    rig.standin.fail_next(fault, times=4, kind=kind)
    call(rig)
    assert rig.standin.counts()[kind] == 5


OUTCOMES = {
    Fault.THROTTLED: (Transient, Transient, "rate_limited"),
    Fault.FORBIDDEN_BODYLESS: (Transient, Transient, "rate_limited"),
    Fault.TOO_MANY: (Transient, Transient, "rate_limited"),
    Fault.TOO_MANY_UNTYPED: (Transient, Transient, "rate_limited"),
    Fault.BAD_GATEWAY: (Transient, UnknownOutcome, "server_error"),
    Fault.SERVER_ERROR: (Transient, UnknownOutcome, "server_error"),
    Fault.SERVER_ERROR_BODYLESS: (Transient, UnknownOutcome, "server_error"),
    Fault.DROP: (Transient, UnknownOutcome, "connection_lost"),
    Fault.HANG: (Transient, UnknownOutcome, "no_answer"),
    Fault.GARBAGE: (Transient, UnknownOutcome, "unexpected_answer"),
    Fault.FORBIDDEN: (Permanent, Permanent, "forbidden"),
}


@pytest.mark.parametrize("fault", OUTCOMES)
@pytest.mark.parametrize("name", REPEATABLE)
def test_a_failure_that_lasts_says_what_may_have_happened(rig: MailChimpRig, fault: Fault, name: str) -> None:
    call, kind = REPEATABLE[name]
    of_a_read, of_a_write, code = OUTCOMES[fault]
    if fault is Fault.HANG:
        rig.hang(fault, times=100, kind=kind)
    else:
        rig.standin.fail_next(fault, times=100, kind=kind)
    with pytest.raises(ConnectorError) as caught:
        call(rig)
    assert isinstance(caught.value, of_a_read if name == "read" else of_a_write)
    assert caught.value.code == code


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.HANG_AFTER])
@pytest.mark.parametrize("name", REPEATABLE)
def test_a_call_that_may_still_be_running_is_not_made_again(rig: MailChimpRig, fault: Fault, name: str) -> None:
    call, kind = REPEATABLE[name]
    rig.hang(fault, kind=kind)
    with pytest.raises(ConnectorError):
        call(rig)
    assert rig.standin.counts()[kind] <= 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.SERVER_ERROR, UnknownOutcome),
        (Fault.DROP_AFTER, UnknownOutcome),
        (Fault.HANG_AFTER, UnknownOutcome),
    ],
)
def test_a_call_that_would_make_two_is_made_once(rig: MailChimpRig, fault: Fault, error: type[ConnectorError]) -> None:
    rig.hang(fault, kind="post_webhook")
    with pytest.raises(error):
        MAKE_HOOK(rig)
    rig.recover()
    MAKE_HOOK(rig)
    assert len(rig.standin.webhooks(list_id=rig.list_id)) == 1


def test_a_call_that_was_turned_away_is_made_again_whatever_it_makes(rig: MailChimpRig) -> None:
    rig.standin.fail_next(Fault.THROTTLED, times=2, kind="post_webhook")
    MAKE_HOOK(rig)
    assert rig.standin.counts()["post_webhook"] == 3
    assert len(rig.standin.webhooks(list_id=rig.list_id)) == 1


def test_a_write_that_was_lost_and_then_throttled_is_unknown(rig: MailChimpRig) -> None:
    """The last answer says nothing was done, but the first attempt may have done it."""
    rig.standin.fail_next(Fault.DROP_AFTER, kind="patch_member")
    rig.standin.fail_next(Fault.THROTTLED, times=100, kind="patch_member")
    with pytest.raises(UnknownOutcome):
        OPT_OUT(rig)
    assert rig.status(AN) is MemberStatus.UNSUBSCRIBED


def test_a_host_that_is_not_there_is_transient_even_for_a_write() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/3.0"
    with MailChimp("k-us6", base_url=url, pace=IMPATIENT) as held, pytest.raises(Transient) as caught:
        held.unsubscribe("list", AN)
    assert caught.value.code == "unreachable"


# --- patience --------------------------------------------------------------------------------------------------------


def test_pauses_double_by_chance_up_to_a_limit() -> None:
    shortest, longest = replace(Pace(), random=lambda: 0.0), replace(Pace(), random=lambda: 1.0)
    assert [shortest.pause_s(attempt) for attempt in range(1, 8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert [longest.pause_s(attempt) for attempt in range(1, 8)] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_it_waits_between_attempts_and_not_after_the_last(rig: MailChimpRig) -> None:
    waited: list[float] = []
    pace = Pace(attempts=4, sleep=waited.append, random=lambda: 1.0)
    rig.standin.fail_next(Fault.THROTTLED, times=100)
    with (
        MailChimp(rig.standin.api_key, base_url=rig.standin.base_url, pace=pace) as held,
        pytest.raises(Transient),
    ):
        held.check()
    assert waited == [1.0, 2.0, 4.0]


def test_connections_are_kept_and_used_again(rig: MailChimpRig) -> None:
    for _ in range(20):
        READ(rig)
    assert rig.standin.connection_count == 1


class CountingGate(threading.BoundedSemaphore):
    """A gate that remembers every gate made, and who passed."""

    made: ClassVar[list[CountingGate]] = []

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.size, self.passed = value, 0
        self.made.append(self)

    def __enter__(self) -> bool:
        self.passed += 1
        return super().__enter__()


def test_two_clients_of_one_account_share_its_connections(rig: MailChimpRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten is MailChimp's limit for the whole account; a second worker thread must not double our five."""
    monkeypatch.setattr(CountingGate, "made", [])
    monkeypatch.setattr(calls.threading, "BoundedSemaphore", CountingGate)
    url = rig.standin.base_url.replace("127.0.0.1", "localhost")
    people = [MemberPush(f"p{number}@example.org") for number in range(5)]
    clients = [MailChimp(rig.standin.api_key, base_url=url, pace=IMPATIENT) for _ in range(2)]
    rig.wait_for_company(5)
    results: list[Any] = []

    def push_all(client: MailChimp) -> None:
        results.extend(client.upsert(rig.list_id, people, double_opt_in=False))

    threads = [threading.Thread(target=push_all, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    assert len(results) == 10
    assert [(gate.size, gate.passed) for gate in CountingGate.made] == [(5, 10)]
    assert rig.peak() == 5


# --- where calls go --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("0123456789abcdef0123456789abcdef-us6", "https://us6.api.mailchimp.com/3.0"),
        ("with-dashes-in-it-us21", "https://us21.api.mailchimp.com/3.0"),
    ],
)
def test_the_end_of_the_key_names_the_data_centre(key: str, url: str) -> None:
    assert base_url_of(key) == url
    assert MendedApiClient(f"  {key}\n").host == url


@pytest.mark.parametrize(
    "key", ["", "abc", "abc-", "abc-us", "abc-evil.example/", "abc-us6.evil.example", "abc-US6", "abc us6-us6", "é-us6"]
)
def test_a_key_that_cannot_be_one_is_never_sent_anywhere(key: str) -> None:
    with pytest.raises(Permanent) as caught:
        MailChimp(key)
    assert caught.value.code == "invalid_key"
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/3.0", "http://"])
def test_an_address_that_cannot_be_read_is_permanent(url: str) -> None:
    with MailChimp("k-us6", base_url=url, pace=IMPATIENT) as held, pytest.raises(Permanent) as caught:
        held.check()
    assert caught.value.code == "bad_address"


@pytest.fixture
def echo() -> Iterator[tuple[str, list[BaseHTTPRequestHandler], dict[str, Any]]]:
    """A bare server that says what it is told to say, and keeps what it was asked."""
    asked: list[BaseHTTPRequestHandler] = []
    told: dict[str, Any] = {"status": 200, "body": b"{}", "headers": {}}

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append(self)
            self.send_response(told["status"])
            for name, value in told["headers"].items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(told["body"])

        def log_message(self, *_: Any) -> None:
            return

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815 # http.server's names

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/server/3.0/", asked, told
    server.shutdown()
    server.server_close()
    thread.join()


Echo = tuple[str, list[Any], dict[str, Any]]


def test_the_word_server_and_odd_ids_reach_the_path_as_they_are(echo: Echo) -> None:
    url, asked, _ = echo
    with MailChimp("key-us6", base_url=url, pace=IMPATIENT) as held:
        held.field_tags("server/../a?b#c")
    assert asked[0].path.partition("?")[0] == "/server/3.0/lists/server%2F..%2Fa%3Fb%23c/merge-fields"


def test_an_instant_goes_out_in_whole_seconds_with_its_plus_quoted(echo: Echo) -> None:
    url, asked, _ = echo
    with MailChimp("key-us6", base_url=url, pace=IMPATIENT) as held:
        assert list(held.changed_members("a", datetime(2026, 11, 20, 9, 0, 0, 999_999, tzinfo=UTC))) == []
    assert "since_last_changed=2026-11-20T09%3A00%3A00%2B00%3A00" in asked[0].path


def test_the_key_goes_as_a_password_and_truth_as_true(rig: MailChimpRig, echo: Echo) -> None:
    url, asked, _ = echo
    with MailChimp("key-us6", base_url=url, pace=IMPATIENT) as held:
        list(held.tagged("a", "1"))
    assert base64.b64decode(asked[0].headers["Authorization"].partition(" ")[2]).endswith(b":key-us6")
    assert "include_unsubscribed=true" in asked[0].path
    assert asked[0].headers["User-Agent"] == "zaallicht"


def test_a_redirect_is_not_followed_with_the_key(echo: Echo) -> None:
    url, asked, told = echo
    told.update(status=301, headers={"Location": "http://127.0.0.1:1/"})
    with MailChimp("key-us6", base_url=url, pace=IMPATIENT) as held, pytest.raises(Permanent) as caught:
        held.check()
    assert (len(asked), caught.value.code) == (1, "moved")


def test_cookies_are_not_kept(echo: Echo) -> None:
    url, asked, told = echo
    told["headers"] = {"Set-Cookie": "tracked=1"}
    with MailChimp("key-us6", base_url=url, pace=IMPATIENT) as held:
        held.check()
        held.check()
    assert asked[1].headers["Cookie"] is None


def test_an_empty_list_is_an_answer(echo: Echo) -> None:
    url, _, told = echo
    told["body"] = b"[]"
    client = MendedApiClient("key-us6", base_url=url, pace=IMPATIENT)
    assert client.call_api("/lists", "GET") == []
    client.caller.close()


def test_a_post_without_a_body_sends_none(echo: Echo) -> None:
    url, asked, _ = echo
    client = MendedApiClient("key-us6", base_url=url, pace=IMPATIENT)
    client.call_api("/lists/{list_id}", "POST", {"list_id": "a"})
    client.caller.close()
    assert asked[0].raw == b""


def test_a_wait_that_is_asked_for_is_passed_on(echo: Echo) -> None:
    url, _, told = echo
    told.update(status=429, body=b"", headers={"Retry-After": "17"})
    with MailChimp("key-us6", base_url=url, pace=IMPATIENT) as held, pytest.raises(Transient) as caught:
        held.check()
    assert caught.value.retry_after_s == 17


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, b'{"title": "Invalid Resource", "errors": [{"field": "X an@example.org"}]}', "invalid"),
        (400, b'{"title": " member in compliance STATE"}', "compliance_state"),
        (400, b"an@example.org", "refused"),
        (400, b'["an@example.org"]', "refused"),
        (400, b'{"title": 7, "errors": "x"}', "refused"),
        (401, b"", "unauthorised"),
        (403, b"{}", "forbidden"),
        (405, b"{}", "not_allowed"),
        (418, b"{}", "refused"),
    ],
)
def test_a_refusal_is_read_by_status_and_title_and_survives_any_body(
    echo: Echo, status: int, body: bytes, code: str
) -> None:
    url, _, told = echo
    told.update(status=status, body=body)
    with MailChimp("key-us6", base_url=url, pace=IMPATIENT) as held, pytest.raises(Permanent) as caught:
        held.check()
    assert caught.value.code == code
    assert "example.org" not in f"{caught.value} {caught.value.hint}"


def test_clients_without_work_leave_no_gate_behind(mailchimp_standin: MailChimpStandIn) -> None:
    client = MendedApiClient("gone-us6", base_url=mailchimp_standin.base_url)
    before = len(calls._gates)
    del client
    assert len(calls._gates) == before - 1


def test_a_certificate_that_proves_nothing_is_permanent_and_no_key_is_sent(tmp_path: Path) -> None:
    context = _untrusted_certificate(tmp_path)
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            heard.append(context.wrap_socket(connection, server_side=True).recv(10))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{listener.getsockname()[1]}/3.0"
    with MailChimp("key-us6", base_url=url, pace=IMPATIENT) as held, pytest.raises(Permanent) as caught:
        held.unsubscribe("a", AN)
    thread.join()
    listener.close()
    assert (caught.value.code, heard) == ("bad_certificate", [])


def _untrusted_certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "proef.example")])
    day = timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - day)
        .not_valid_after(datetime.now(UTC) + day)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "both.pem").write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context
