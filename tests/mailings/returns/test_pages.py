"""What came back, as people see it, and the ways by which it is handed in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select, text

from app import cli as commands
from app.accounts.models import AuditEvent, Letter
from app.cli import opening
from app.mailings.models import MailSetting
from app.mailings.returns.breakers import note_refusals
from app.mailings.returns.models import ReturnMailbox
from app.mailings.returns.processing import process_returns
from app.mailings.returns.receiving import unsealed
from tests.conftest import NOW, make_house, make_user, signed_in
from tests.mailings.returns import samples
from tests.mailings.returns.conftest import AN, HouseWithReturns
from tests.standins.imap import ImapStandIn

URL = "/settings/mail/returns/"


@pytest.fixture
def marketer(client: FlaskClient, back: HouseWithReturns) -> FlaskClient:
    return signed_in(client, make_user(back.house.runtime, back.house.organisation, "marketer"))


@pytest.fixture
def admin(client: FlaskClient, back: HouseWithReturns) -> FlaskClient:
    return signed_in(client, make_user(back.house.runtime, back.house.organisation))


@pytest.fixture
def server() -> Iterator[ImapStandIn]:
    with ImapStandIn() as standin:
        yield standin


def filled_in(server: ImapStandIn, **changes: str) -> dict[str, str]:
    form = {
        "host": "127.0.0.1",
        "port": str(server.port),
        "security": "none",
        "user": server.account[0],
        "password": server.account[1],
        "folder": "INBOX",
        "done_folder": "Klaar",
    }
    return form | changes


# --- the queue --------------------------------------------------------------------------------------------------------


def test_an_answer_is_read_and_put_away(back: HouseWithReturns, marketer: FlaskClient) -> None:
    found = back.comes_back(samples.reply(back.number(back.mailed()), text="Zijn er <b>nog</b> kaarten?"))
    page = marketer.get(URL)
    assert "Zijn er &lt;b&gt;nog&lt;/b&gt; kaarten?" in page.text
    assert "an@example.org" in page.text
    marketer.post(f"{URL}{found.id}", data={"decision": "reply", "which": "replies"})
    assert "kaarten" not in marketer.get(URL).text
    assert (back.mails()[0].state, back.mails()[0].decision) == ("decided", "reply")


def test_a_person_may_say_that_an_address_does_not_exist(back: HouseWithReturns, marketer: FlaskClient) -> None:
    delivery_id = back.mailed()
    found = back.comes_back(samples.postfix(back.number(delivery_id), status="5.9.9", said="550 5.9.9 odd"))
    assert back.identity().deliverability == "unknown"
    marketer.post(f"{URL}{found.id}", data={"decision": "dead"})
    assert back.identity().deliverability == "bouncing"
    assert back.delivery(delivery_id).came_back == "bounced"
    assert [event.event for event in back.events()] == ["bounced"]


def test_what_names_none_of_ours_asks_which_address_is_meant(back: HouseWithReturns, marketer: FlaskClient) -> None:
    back.mailed()
    found = back.comes_back(samples.complaint("nobody"))
    where = f"{URL}{found.id}"
    for address in ("", "geen adres", "vreemd@example.org"):
        answer = marketer.post(where, data={"decision": "opted_out", "address": address}, follow_redirects=True)
        assert "zl-toast" in answer.text
        assert back.mails()[0].state == "to_look_at"
    assert back.noes() == []
    marketer.post(where, data={"decision": "opted_out", "address": AN})
    (no,) = back.noes()
    assert (no.action, no.actor, no.purpose) == ("withdrawn", "staff", None)
    assert back.mails()[0].state == "decided"
    with back.house.transaction() as session:
        assert list(session.scalars(select(Letter.kind))) == ["unsubscribe_receipt"]


def test_ignoring_changes_nothing_else(back: HouseWithReturns, marketer: FlaskClient) -> None:
    found = back.comes_back(samples.postfix(back.number(back.mailed()), status="5.9.9", said="?"))
    marketer.post(f"{URL}{found.id}", data={"decision": "ignored"})
    again = marketer.post(f"{URL}{found.id}", data={"decision": "dead"}, follow_redirects=True)
    assert again.status_code == 200
    assert back.identity().deliverability == "unknown"
    assert back.mails()[0].decision == "ignored"


def test_strangers_mail_is_put_aside_all_at_once(back: HouseWithReturns, marketer: FlaskClient) -> None:
    ours = back.comes_back(samples.postfix(back.number(back.mailed()), status="5.9.9", said="?"))
    for number in range(30):
        back.comes_back(samples.reply("", subject=f"Goedkope dingen {number}"))
    page = marketer.get(f"{URL}?which=others")
    assert page.text.count("Goedkope dingen") == 25
    seen = back.mails()[-1].id
    later = back.comes_back(samples.reply("", subject="Later gekomen"))
    marketer.post(f"{URL}ignore-all", data={"up_to": str(seen)})
    waiting = {mail.id for mail in back.mails() if mail.state == "to_look_at"}
    assert waiting == {ours.id, later.id}


@pytest.mark.parametrize("data", [{}, {"decision": "erase"}, {"decision": "dead", "address": "x" * 400}])
def test_nonsense_decides_nothing(back: HouseWithReturns, marketer: FlaskClient, data: dict[str, str]) -> None:
    found = back.comes_back(samples.postfix(back.number(back.mailed()), status="5.9.9", said="?"))
    assert marketer.post(f"{URL}{found.id}", data=data).status_code == 302
    assert back.mails()[0].state == "to_look_at"
    assert marketer.post(f"{URL}ignore-all", data={"up_to": "veel"}).status_code == 400


def test_an_analyst_reads_nobodys_mail(back: HouseWithReturns, client: FlaskClient) -> None:
    analyst = signed_in(client, make_user(back.house.runtime, back.house.organisation, "analyst"))
    assert analyst.get(URL).status_code == 403


def test_a_mail_of_another_house_cannot_be_decided_about(back: HouseWithReturns, client: FlaskClient) -> None:
    found = back.comes_back(samples.reply(back.number(back.mailed())))
    other = make_house(back.house.runtime, "De Buren")
    stranger = signed_in(client, make_user(back.house.runtime, other, "marketer"))
    stranger.post(f"{URL}{found.id}", data={"decision": "ignored"})
    assert back.mails()[0].state == "to_look_at"


# --- the mailbox ------------------------------------------------------------------------------------------------------


def test_the_mailbox_is_kept_tried_and_its_password_never_shown(
    back: HouseWithReturns, admin: FlaskClient, server: ImapStandIn
) -> None:
    where = f"{URL}mailbox"
    server.receive(b"Subject: x\r\n\r\n")
    saved = admin.post(where, data=filled_in(server), follow_redirects=True)
    assert saved.status_code == 200
    assert server.account[1] not in saved.text
    with back.house.transaction() as session:
        assert "een geheim woord" not in str(
            session.execute(text("SELECT return_mailbox::text FROM return_mailbox")).all()
        )
        assert "mailings.changed_mailbox" in session.scalars(select(AuditEvent.action)).all()
    tried = admin.post(f"{where}/test", follow_redirects=True)
    assert "1" in tried.text
    assert server.folders["INBOX"][0].flags == set()
    assert server.violations == []


def test_another_server_asks_for_the_password_again_and_is_read_from_the_start(
    back: HouseWithReturns, admin: FlaskClient, server: ImapStandIn
) -> None:
    where = f"{URL}mailbox"
    admin.post(where, data=filled_in(server))
    with back.house.transaction() as session:
        row = session.scalars(select(ReturnMailbox)).one()
        row.uid_validity, row.last_uid = 1, 99
    assert admin.post(where, data=filled_in(server, password="", done_folder="Elders")).status_code == 302
    assert admin.post(where, data=filled_in(server, password="", user="ander")).status_code == 422
    with back.house.transaction() as session:
        row = session.scalars(select(ReturnMailbox)).one()
        assert (row.user, row.last_uid, row.done_folder) == (server.account[0], 99, "Elders")
    admin.post(where, data=filled_in(server, user="ander"))
    with back.house.transaction() as session:
        row = session.scalars(select(ReturnMailbox)).one()
        assert (row.user, row.uid_validity, row.last_uid) == ("ander", None, 0)


@pytest.mark.parametrize(
    "changed",
    [
        {"port": "0"},
        {"port": "veel"},
        {"host": "niet goed"},
        {"user": ""},
        {"folder": "Brievenbus\r\nx"},
        {"done_folder": "Geléd"},
        {"security": "misschien"},
        {"host": "imap.example.org", "security": "none"},
    ],
)
def test_what_cannot_be_a_mailbox_is_said_and_not_stored(
    back: HouseWithReturns, admin: FlaskClient, server: ImapStandIn, changed: dict[str, str]
) -> None:
    assert admin.post(f"{URL}mailbox", data=filled_in(server, **changed)).status_code == 422
    with back.house.transaction() as session:
        row = session.scalars(select(ReturnMailbox)).one_or_none()
        assert row is None or row.host is None


def test_a_mailbox_that_refuses_says_why(back: HouseWithReturns, admin: FlaskClient, server: ImapStandIn) -> None:
    admin.post(f"{URL}mailbox", data=filled_in(server, password="fout"))
    tried = admin.post(f"{URL}mailbox/test", follow_redirects=True)
    assert "gebruikersnaam" in tried.text
    assert admin.post(f"{URL}mailbox/test").status_code == 302


# --- handed in --------------------------------------------------------------------------------------------------------


def test_a_relay_hands_in_what_comes_back(back: HouseWithReturns, admin: FlaskClient) -> None:
    shown = admin.post(f"{URL}hook").text
    path = "/hooks/mail/" + shown.partition("/hooks/mail/")[2].partition('"')[0]
    delivery_id = back.mailed()
    relay = admin.application.test_client()
    answer = relay.post(path, data=samples.postfix(back.number(delivery_id)), content_type="message/rfc822")
    assert answer.status_code == 202
    assert relay.post(path, data=samples.postfix(back.number(delivery_id))).status_code == 202
    assert relay.post(path, data=b"").status_code == 200
    large = relay.post(path, data=b"Subject: groot\r\n\r\n" + b"x" * 3_000_000)
    assert large.status_code == 202
    process_returns(back.house.runtime, back.house.organisation.id)
    assert back.identity().deliverability == "bouncing"
    assert [len(unsealed(back.house.runtime.keyring, bytes(mail.sealed or b""))) <= 256 * 1024 for mail in back.mails()]
    assert len(back.mails()) == 2
    admin.post(f"{URL}hook")
    assert relay.post(path, data=b"x").status_code == 404
    assert relay.post("/hooks/mail/geraden", data=b"x").status_code == 404


def test_a_mail_server_pipes_in_what_comes_back(back: HouseWithReturns, monkeypatch: pytest.MonkeyPatch) -> None:
    delivery_id = back.mailed()
    monkeypatch.setattr(opening, "started", lambda **_more: back.house.runtime)
    number = str(back.house.organisation.id)
    recipient = f"bounces+{back.number(delivery_id)}@deproef.example"
    given = ["mail", "receive", "--org", number, "--recipient", recipient]
    raw = samples.postfix("nobody") + b"x" * 1_000_000
    ran = CliRunner().invoke(commands.cli, given, input=io.BytesIO(raw))
    assert (ran.exit_code, ran.output) == (0, '{"stored": true}\n')
    process_returns(back.house.runtime, back.house.organisation.id)
    assert back.delivery(delivery_id).came_back == "bounced"
    assert CliRunner().invoke(commands.cli, ["mail", "receive", "--org", "999"], input=b"x").exit_code == 1


def test_a_database_that_is_away_has_the_mail_server_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_more: object) -> None:
        raise OSError("not there")

    monkeypatch.setattr(opening, "started", away)
    assert CliRunner().invoke(commands.cli, ["mail", "receive", "--org", "1"], input=b"x").exit_code == 75


# --- mail settings and home -------------------------------------------------------------------------------------------


def test_domains_that_refuse_us_are_shown_and_can_be_tried_at_once(back: HouseWithReturns, admin: FlaskClient) -> None:
    with back.house.transaction() as session:
        refusals = [("grote-post.example", "5.7.1")] * 3
        note_refusals(session, refusals, sending_domain="deproef.example", at=NOW - timedelta(minutes=1))
    assert "grote-post.example" in admin.get("/settings/mail/").text
    admin.post(f"{URL}breakers/close", data={"domain": "grote-post.example"})
    assert admin.get("/settings/mail/").text.count("grote-post.example") == 1, "it is said once, and the card is gone"
    assert "grote-post.example" not in admin.get("/settings/mail/").text


def test_whether_people_are_followed_is_the_houses_choice(back: HouseWithReturns, admin: FlaskClient) -> None:
    def setting() -> tuple[bool, str | None]:
        with back.house.transaction() as session:
            row = session.scalars(select(MailSetting)).one()
            return row.tracks, row.utm_source

    assert setting() == (False, None)
    admin.post("/settings/mail/tracking", data={"tracks": "true", "utm_source": "nieuwsbrief"})
    assert setting() == (True, "nieuwsbrief")
    assert 'value="nieuwsbrief"' in admin.get("/settings/mail/").text
    admin.post("/settings/mail/tracking", data={"tracks": "true", "utm_source": "<script>"})
    assert setting() == (True, "nieuwsbrief")
    admin.post("/settings/mail/tracking", data={})
    assert setting() == (False, None)


def test_the_home_page_tells_what_waits(back: HouseWithReturns, marketer: FlaskClient) -> None:
    before = marketer.get("/").text
    assert URL not in before
    back.comes_back(samples.reply(back.number(back.mailed())))
    for who in ("bo", "cas", "dirk"):
        back.comes_back(samples.complaint(back.number(back.mailed(f"{who}@example.org"))))
    page = marketer.get("/").text
    assert URL in page
    assert "Het najaar" in page
