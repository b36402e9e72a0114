"""Reading a mailbox over IMAP, from a server that may be anybody's."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from integrations.base import ConnectorError, Permanent, Transient
from integrations.imap import ImapMailbox, Mailbox
from tests.standins.imap import Fault, ImapStandIn
from tests.standins.smtp import Certificate


@pytest.fixture
def server() -> Iterator[ImapStandIn]:
    with ImapStandIn() as standin:
        yield standin
    assert standin.violations == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("tls"))


def mailbox(server: ImapStandIn, **changes: object) -> Mailbox:
    values: dict[str, object] = {
        "host": "127.0.0.1",
        "port": server.port,
        "security": "none",
        "user": server.account[0],
        "password": server.account[1],
        "allows_loopback": True,
    }
    return Mailbox(**(values | changes))  # type: ignore[arg-type]


def problem_of(wanted: Mailbox) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        read_all(wanted)
    return caught.value


def read_all(wanted: Mailbox) -> list[bytes | None]:
    with ImapMailbox(wanted) as imap:
        return [imap.fetch(uid) for uid in imap.uids_after(0)]


def test_mails_are_read_from_where_we_were_and_leave_no_trace(server: ImapStandIn) -> None:
    for number in range(4):
        server.receive(b"Subject: %d\r\n\r\nDag\r\n" % number)
    with ImapMailbox(mailbox(server)) as imap:
        assert imap.uid_validity == 1
        assert imap.uids_after(0) == [1, 2, 3, 4]
        assert imap.uids_after(3) == [4]
        assert imap.uids_after(4) == []
        assert imap.uids_up_to(2) == [1, 2]
        assert imap.fetch(2) == b"Subject: 1\r\n\r\nDag\r\n"
        assert imap.fetch(77) is None
    assert all(not mail.flags for mail in server.folders["INBOX"])


def test_only_the_beginning_of_a_large_mail_is_read(server: ImapStandIn) -> None:
    server.receive(b"x" * 3_000_000)
    with ImapMailbox(mailbox(server, octets_max=1000)) as imap:
        assert imap.fetch(1) == b"x" * 1000


@pytest.mark.parametrize("offers", [{"MOVE"}, {"UIDPLUS"}, {"AUTH=PLAIN", "MOVE"}])
def test_mails_are_moved_to_a_folder_that_is_made_where_it_is_missing(server: ImapStandIn, offers: set[str]) -> None:
    server.offers = offers
    for number in range(3):
        server.receive(b"%d" % number)
    with ImapMailbox(mailbox(server)) as imap:
        imap.move([1, 3], 'Klaar "2026"')
        imap.mark_seen([2])
    assert [mail.octets for mail in server.folders["INBOX"]] == [b"1"]
    assert [mail.octets for mail in server.folders['Klaar "2026"']] == [b"0", b"2"]
    assert server.folders["INBOX"][0].flags == {r"\Seen"}


def test_without_any_way_to_remove_a_copy_is_made_and_nothing_of_others_is_expunged(server: ImapStandIn) -> None:
    server.offers = set()
    server.receive(b"0")
    with ImapMailbox(mailbox(server)) as imap:
        imap.move([1], "Klaar")
    assert server.folders["INBOX"][0].flags == {r"\Deleted"}
    assert len(server.folders["Klaar"]) == 1


def test_a_password_may_have_any_letters(server: ImapStandIn) -> None:
    server.account = ("bounces", 'wéird "pass\\word €')
    with ImapMailbox(mailbox(server)) as imap:
        assert imap.uids_after(0) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"password": "fout"}, "unauthorised"),
        ({"folder": "Bestaat niet"}, "no_such_folder"),
        ({"folder": "a\r\nb"}, "no_such_folder"),
        ({"user": "a\r\nb LOGOUT"}, "bad_mailbox"),
        ({"host": "niet goed"}, "bad_mailbox"),
        ({"allows_loopback": False, "security": "none"}, "insecure_mailbox"),
        ({"allows_loopback": False, "security": "starttls"}, "private_address"),
        ({"security": "starttls"}, "no_encryption"),
    ],
)
def test_what_a_person_must_mend_says_so(server: ImapStandIn, changes: dict[str, object], code: str) -> None:
    found = problem_of(mailbox(server, **changes))
    assert isinstance(found, Permanent)
    assert found.code == code
    assert "geheim" not in str(found)


@pytest.mark.parametrize(
    "fault",
    [Fault.DROP_AT_GREETING, Fault.DROP_AT_FETCH, Fault.HUGE_LITERAL, Fault.GARBAGE_AT_SELECT, Fault.ENDLESS_LINE],
)
def test_what_passes_is_tried_again(server: ImapStandIn, fault: Fault) -> None:
    server.receive(b"x" * 5000)
    server.plan(fault)
    assert isinstance(problem_of(mailbox(server)), Transient)


def test_a_server_that_refuses_a_command_is_not_asked_for_ever(server: ImapStandIn) -> None:
    server.plan(Fault.NO_AT_SEARCH)
    assert problem_of(mailbox(server)).code == "refused_by_mailbox"


def test_nobody_there_is_tried_again() -> None:
    with ImapStandIn() as gone:
        wanted = mailbox(gone)
    assert isinstance(problem_of(wanted), Transient)


def test_a_conversation_has_an_end(server: ImapStandIn) -> None:
    server.receive(b"x" * 5000)
    began = time.monotonic()
    assert isinstance(problem_of(mailbox(server, deadline_s=0.0)), Transient)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_nothing_is_said_before_encryption_and_the_certificate_is_checked(
    certificate: Certificate, security: str
) -> None:
    with ImapStandIn(security=security, certificate=certificate) as server:
        server.receive(b"0")
        trusted = mailbox(server, host="localhost", security=security, tls_context=certificate.client_context)
        with ImapMailbox(trusted) as imap:
            assert imap.uids_after(0) == [1]
        assert problem_of(mailbox(server, host="localhost", security=security)).code == "bad_certificate"
    assert server.violations == []
    assert server.logins == 1


def test_a_password_is_not_shown_with_the_mailbox(server: ImapStandIn) -> None:
    assert "geheim" not in repr(mailbox(server))
