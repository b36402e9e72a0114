"""Fetching what comes back: nothing lost, nothing twice, whatever the mailbox does and whenever we are killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from app import clock
from app.db import transaction
from app.mailings.returns.mailbox import fetch_returns
from app.mailings.returns.models import ReturnMailbox
from app.mailings.returns.processing import process_returns
from app.mailings.returns.receiving import unsealed
from tests.conftest import NOW, make_house
from tests.mailings.returns import samples
from tests.mailings.returns.conftest import HouseWithReturns
from tests.standins.imap import Fault, ImapStandIn


class Killed(BaseException):
    """The worker is gone."""


@pytest.fixture
def server() -> Iterator[ImapStandIn]:
    with ImapStandIn() as standin:
        yield standin
    assert standin.violations == []


@pytest.fixture
def fetching(back: HouseWithReturns, server: ImapStandIn) -> HouseWithReturns:
    with back.house.transaction() as session:
        session.add(
            ReturnMailbox(
                organisation_id=session.organisation_id,
                host="127.0.0.1",
                port=server.port,
                security="none",
                user=server.account[0],
                password=back.house.runtime.keyring.encrypted(server.account[1]),
                done_folder="Klaar",
            )
        )
    return back


def fetch(back: HouseWithReturns, *, minutes: int = 0, reached: Callable[[str], None] = lambda _step: None) -> int:
    with clock.set_to(NOW + timedelta(minutes=minutes)):
        return fetch_returns(back.house.runtime, back.house.organisation.id, reached=reached)


def row(back: HouseWithReturns) -> ReturnMailbox:
    with back.house.transaction() as session:
        found = session.get(ReturnMailbox, session.organisation_id)
        assert found is not None
        return found


def change(back: HouseWithReturns, **values: object) -> None:
    with back.house.transaction() as session:
        session.execute(update(ReturnMailbox).values(**values))


def texts(back: HouseWithReturns) -> list[bytes]:
    return [unsealed(back.house.runtime.keyring, bytes(mail.sealed or b"")) for mail in back.mails()]


def test_a_bounce_goes_from_the_mailbox_to_the_address(fetching: HouseWithReturns, server: ImapStandIn) -> None:
    server.receive(samples.postfix(fetching.number(fetching.mailed())))
    assert fetch(fetching) == 1
    process_returns(fetching.house.runtime, fetching.house.organisation.id)
    assert fetching.identity().deliverability == "bouncing"
    assert server.folders["INBOX"] == []
    assert len(server.folders["Klaar"]) == 1
    assert row(fetching).checked_at == NOW
    assert row(fetching).lease_until is None


def test_many_mails_are_all_fetched_once(fetching: HouseWithReturns, server: ImapStandIn) -> None:
    for number in range(45):
        server.receive(b"Subject: %d\r\n\r\n" % number)
    assert fetch(fetching) == 45
    assert fetch(fetching, minutes=2) == 0
    assert sorted(server.fetched) == list(range(1, 46))


@pytest.mark.parametrize("step", ["fetched", "stored"])
@pytest.mark.parametrize("done_folder", ["Klaar", None])
def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing(
    fetching: HouseWithReturns, server: ImapStandIn, step: str, done_folder: str | None
) -> None:
    change(fetching, done_folder=done_folder)
    for number in range(25):
        server.receive(b"Subject: %d\r\n\r\n" % number)

    def kill(reached: str) -> None:
        if reached == step:
            raise Killed

    with pytest.raises(Killed):
        fetch(fetching, reached=kill)
    assert fetch(fetching, minutes=1) == 0, "the lease of the one that was killed still stands"
    fetch(fetching, minutes=6)
    assert len(texts(fetching)) == 25
    assert len(set(texts(fetching))) == 25
    if done_folder:
        fetch(fetching, minutes=8)
        assert server.folders["INBOX"] == []


def test_a_mailbox_that_was_made_anew_is_read_again_and_counts_nothing_twice(
    fetching: HouseWithReturns, server: ImapStandIn
) -> None:
    change(fetching, done_folder=None)
    number = fetching.number(fetching.mailed())
    server.receive(samples.sendmail(number))
    assert fetch(fetching) == 1
    server.make_anew()
    server.receive(samples.reply(number))
    assert fetch(fetching, minutes=2) == 1
    assert len(fetching.mails()) == 2
    assert row(fetching).uid_validity == 2


@pytest.mark.parametrize("fault", [Fault.DROP_AT_FETCH, Fault.DROP_AT_MOVE, Fault.HUGE_LITERAL, Fault.DROP_AT_GREETING])
def test_a_connection_that_breaks_is_taken_up_again(
    fetching: HouseWithReturns, server: ImapStandIn, fault: Fault
) -> None:
    server.folders["Klaar"] = []
    for number in range(3):
        server.receive(b"Subject: %d\r\n\r\n" % number)
    server.plan(fault)
    fetch(fetching)
    assert row(fetching).problem_code == "unreachable"
    assert fetch(fetching, minutes=0) == 0, "it rests"
    fetch(fetching, minutes=2)
    assert len(texts(fetching)) == 3
    assert (row(fetching).problem_code, row(fetching).failing_since, row(fetching).failures) == (None, None, 0)


def test_a_wrong_password_rests_longer_and_longer(fetching: HouseWithReturns, server: ImapStandIn) -> None:
    change(fetching, password=fetching.house.runtime.keyring.encrypted("fout"))
    tried = [minute for minute in range(0, 180, 3) if fetch(fetching, minutes=minute) == 0 and server.logins]
    assert tried
    assert row(fetching).problem_code == "unauthorised"
    assert row(fetching).failing_since == NOW
    assert server.logins < 12


def test_a_password_of_another_keyring_says_so(fetching: HouseWithReturns) -> None:
    change(fetching, password=b"99:nothing")
    assert fetch(fetching) == 0
    assert row(fetching).problem_code == "other_keyring"


def test_two_workers_do_not_read_one_mailbox_at_once(fetching: HouseWithReturns, server: ImapStandIn) -> None:
    server.receive(b"Subject: x\r\n\r\n")
    inner: list[int] = []
    fetch(fetching, reached=lambda step: inner.append(fetch(fetching)) if step == "fetched" else None)
    assert inner == [0]
    assert server.logins == 1


def test_a_worker_that_was_too_slow_stores_nothing_any_more(fetching: HouseWithReturns, server: ImapStandIn) -> None:
    server.receive(b"Subject: x\r\n\r\n")

    def overtaken(step: str) -> None:
        if step == "fetched":
            change(fetching, lease_until=NOW + timedelta(hours=1))

    assert fetch(fetching, reached=overtaken) == 0
    assert fetching.mails() == []
    assert len(server.folders["INBOX"]) == 1


def test_a_house_without_a_mailbox_speaks_to_nobody(back: HouseWithReturns) -> None:
    other = make_house(back.house.runtime, "De Buren")
    assert fetch_returns(back.house.runtime, other.id) == 0
    with transaction(back.house.runtime.engine, other.id) as session:
        session.add(ReturnMailbox(organisation_id=other.id, host=None))
    assert fetch_returns(back.house.runtime, other.id) == 0


def test_a_mail_of_many_megabytes_is_kept_as_its_beginning(fetching: HouseWithReturns, server: ImapStandIn) -> None:
    server.receive(samples.postfix(fetching.number(fetching.mailed())) + b"x" * 5_000_000)
    assert fetch(fetching) == 1
    process_returns(fetching.house.runtime, fetching.house.organisation.id)
    assert fetching.identity().deliverability == "bouncing"
    assert len(texts(fetching)[0]) <= 256 * 1024
