"""The pages about mail, as an administrator walks through them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from app import create_app
from app.accounts.models import AuditEvent
from app.mailings.dkim_keys import record_of
from app.mailings.models import DkimKey, MailSetting
from app.runtime import Runtime
from tests.conftest import make_user, signed_in
from tests.mailings.house_with_post import HouseWithPost
from tests.standins.name_server import NameServerStandIn
from tests.standins.smtp import Fault


@pytest.fixture
def admin(client: FlaskClient, house: HouseWithPost) -> FlaskClient:
    return signed_in(client, make_user(house.runtime, house.organisation))


def filled_in(house: HouseWithPost, **changes: str) -> dict[str, str]:
    form = {
        "relay_host": "127.0.0.1",
        "relay_port": str(house.relay.port),
        "relay_security": "none",
        "relay_user": "huis",
        "relay_password": "een geheim woord",
        "from_name": "De Proef",
        "from_address": "post@deproef.example",
        "bounces_go": "to_sender",
    }
    return form | changes


def test_what_is_filled_in_is_kept_and_the_password_never_shown(admin: FlaskClient, house: HouseWithPost) -> None:
    answer = admin.post("/settings/mail/", data=filled_in(house), follow_redirects=True)
    assert answer.status_code == 200
    assert "post@deproef.example" in answer.text
    assert "een geheim woord" not in answer.text
    with house.transaction() as session:
        setting = session.scalars(select(MailSetting)).one()
        assert setting.relay_password is not None
        assert house.runtime.keyring.decrypted(setting.relay_password) == "een geheim woord"
        assert "geheim" not in str(session.execute(text("SELECT mail_setting::text FROM mail_setting")).all())
        assert "mailings.changed_settings" in session.scalars(select(AuditEvent.action)).all()
    admin.post("/settings/mail/", data=filled_in(house, relay_password="", from_name="Huis"))
    with house.transaction() as session:
        setting = session.scalars(select(MailSetting)).one()
        assert setting.from_name == "Huis"
        assert setting.relay_password is not None


@pytest.mark.parametrize("changed", [{"relay_host": "127.0.0.2"}, {"relay_port": "26"}, {"relay_user": "ander"}])
def test_no_password_follows_to_another_relay(
    admin: FlaskClient, house: HouseWithPost, changed: dict[str, str]
) -> None:
    admin.post("/settings/mail/", data=filled_in(house))
    answer = admin.post("/settings/mail/", data=filled_in(house, relay_password="", **changed))
    assert answer.status_code == 422
    assert "vul het wachtwoord opnieuw in" in answer.text
    with house.transaction() as session:
        assert session.scalars(select(MailSetting.relay_host)).one() == "127.0.0.1"


@pytest.mark.parametrize(
    "changes",
    [
        {"relay_host": "relay.example; rm"},
        {"relay_host": "relay.example", "relay_security": "none"},
        {"relay_port": "0"},
        {"relay_port": "many"},
        {"relay_security": "rot13"},
        {"from_address": "not an address"},
        {"from_address": ""},
        {"from_name": "De Proef\r\nBcc: all@example.org"},
        {"reply_to": "an@example.org\r\nBcc: all@example.org"},
        {"bounces_go": "to_mailbox"},
        {"bounce_address": "x"},
    ],
)
def test_what_cannot_be_right_is_said_and_nothing_is_saved(
    admin: FlaskClient, house: HouseWithPost, changes: dict[str, str]
) -> None:
    answer = admin.post("/settings/mail/", data=filled_in(house, **changes))
    assert answer.status_code == 422
    assert "Nog niets bewaard" in answer.text or "zl-error" in answer.text
    with house.transaction() as session:
        assert session.scalars(select(MailSetting.relay_user)).one() is None


@pytest.mark.parametrize("role", ["marketer", "analyst", "viewer"])
def test_only_administrators_change_how_mail_is_sent(client: FlaskClient, house: HouseWithPost, role: str) -> None:
    signed_in(client, make_user(house.runtime, house.organisation, role))
    assert client.get("/settings/mail/").status_code == 403
    assert client.post("/settings/mail/", data=filled_in(house)).status_code == 403
    assert client.post("/settings/mail/confirm").status_code == 403
    assert client.post("/settings/mail/test").status_code == 403


def test_a_test_mail_arrives_at_whoever_asks(admin: FlaskClient, house: HouseWithPost) -> None:
    answer = admin.post("/settings/mail/test", follow_redirects=True)
    assert "onderweg" in answer.text
    (mail,) = house.relay.delivered
    assert mail.recipient == f"admin@house-{house.organisation.id}.example"
    assert "De Proef" in mail.message["Subject"]
    admin.post("/settings/mail/test")
    assert house.relay.delivered[0].message["Message-ID"] is not None


@pytest.mark.parametrize("fault", [Fault.REFUSED_SENDER, Fault.BUSY, Fault.DROP_AFTER_DOT, Fault.UNKNOWN_MAILBOX])
def test_a_test_mail_that_does_not_go_says_why(admin: FlaskClient, house: HouseWithPost, fault: Fault) -> None:
    house.relay.plan(fault)
    answer = admin.post("/settings/mail/test", follow_redirects=True)
    assert answer.status_code == 200
    assert "De testmail is niet vertrokken" in answer.text


def test_a_copy_of_the_house_says_so_and_sends_once_somebody_confirms(admin: FlaskClient, house: HouseWithPost) -> None:
    house.ask()
    with house.transaction() as session:
        session.execute(update(MailSetting).values(confirmed_place=b"somewhere else"))
    assert house.send() == 0
    assert "kopie" in admin.get("/settings/mail/").text
    assert "kopie" in admin.get("/").text, "the home page says so too"
    admin.post("/settings/mail/confirm")
    assert "kopie" not in admin.get("/settings/mail/").text
    assert house.send() == 1


def test_the_same_rows_at_another_public_address_send_nothing(house: HouseWithPost) -> None:
    house.ask()
    runtime = house.runtime
    elsewhere = replace(runtime.settings, public_url="https://staging.example")
    house.runtime = Runtime(elsewhere, runtime.keyring, runtime.engine)
    assert house.send() == 0
    house.runtime = runtime
    assert house.send() == 1


def test_a_relay_in_trouble_is_told_at_home_and_tried_again_on_request(
    admin: FlaskClient, house: HouseWithPost
) -> None:
    house.ask()
    house.relay.plan(Fault.BUSY)
    house.send()
    assert "geduld" in admin.get("/settings/mail/").text
    assert "geduld" in admin.get("/").text
    admin.post("/settings/mail/try-again")
    assert "geduld" not in admin.get("/").text


def test_an_uncertain_letter_is_listed_and_goes_again_only_because_a_person_says_so(
    admin: FlaskClient, house: HouseWithPost
) -> None:
    letter_id = house.ask()
    house.relay.plan(Fault.DROP_AFTER_DOT)
    house.send()
    delivery = house.delivery(letter_id=letter_id)
    page = admin.get("/settings/mail/look-at").text
    assert "Link naar de voorkeurenpagina" in page
    assert "an@example.org" not in page
    assert admin.post(f"/settings/mail/look-at/{delivery.id}/again").status_code == 302
    assert house.send() == 1
    assert house.recipients() == ["an@example.org"] * 2
    assert admin.post(f"/settings/mail/look-at/{delivery.id}/again").status_code == 404


def test_an_uncertain_mailing_can_be_set_aside_and_never_sent_again(admin: FlaskClient, house: HouseWithPost) -> None:
    (delivery_id,) = house.mail_to(house.person("an@example.org"))
    house.relay.plan(Fault.DROP_AFTER_DOT)
    house.send()
    assert admin.post(f"/settings/mail/look-at/{delivery_id}/again").status_code == 404
    assert admin.post(f"/settings/mail/look-at/{delivery_id}/aside").status_code == 302
    assert house.states() == ["failed"]


def test_checking_the_domain_tells_what_to_ask_for_and_then_signs(house: HouseWithPost) -> None:
    with NameServerStandIn({("deproef.example", "MX"): ["10 mail.deproef.example."]}) as server:
        host, port = server.address
        settings = replace(house.runtime.settings, name_servers=f"{host}:{port}")
        app = create_app(Runtime(settings, house.runtime.keyring, house.runtime.engine))
        app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
        admin = signed_in(app.test_client(), make_user(house.runtime, house.organisation))
        admin.post("/settings/mail/keys")
        page = admin.post("/settings/mail/domain").text
        assert "zaallicht-r._domainkey.deproef.example" in page
        assert "v=spf1" not in page
        with house.transaction() as session:
            records = [record_of(key) for key in session.scalars(select(DkimKey))]
        for name, said in records:
            server.records[name, "TXT"] = [" ".join(f'"{said[at : at + 200]}"' for at in range(0, len(said), 200))]
        admin.post("/settings/mail/domain")
    house.ask()
    house.send()
    assert len(house.relay.delivered[0].message.get_all("DKIM-Signature")) == 2


def test_name_servers_that_say_nothing_are_no_error_page(app: Flask, house: HouseWithPost) -> None:
    with NameServerStandIn({}) as server:
        server.is_silent = True
        host, port = server.address
        settings = replace(house.runtime.settings, name_servers=f"{host}:{port}")
        app.extensions["zaallicht"] = Runtime(settings, house.runtime.keyring, house.runtime.engine)
        admin = signed_in(app.test_client(), make_user(house.runtime, house.organisation))
        answer = admin.post("/settings/mail/domain", follow_redirects=True)
    assert answer.status_code == 200
    assert "naamservers" in answer.text


def test_a_password_kept_with_another_keyring_is_asked_for_again_and_breaks_no_page(
    admin: FlaskClient, house: HouseWithPost
) -> None:
    house.ask()
    with house.transaction() as session:
        session.execute(update(MailSetting).values(relay_password=b"1:not of this keyring"))
    assert house.send() == 0
    assert admin.get("/").status_code == 200
    assert "sleutelbos" in admin.get("/settings/mail/").text
    admin.post("/settings/mail/", data=filled_in(house, relay_user="", relay_password=""))
    assert admin.post("/settings/mail/", data=filled_in(house)).status_code == 302
    assert "sleutelbos" not in admin.get("/settings/mail/").text
