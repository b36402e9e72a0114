"""What letters say: in three languages, with one button, and nothing that sells."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from app import clock
from app.accounts.letters import KINDS
from app.accounts.models import Organisation
from app.consent.models import ConsentEvent, Permission, Purpose
from app.consent.suppressions import suppress
from app.contacts.erasing import erase_contact
from app.keyring import Keyring
from app.mailings.letter_texts import TEXTS, letter_content
from app.mailings.mail_settings import Sender
from app.mailings.mime import Content, Unwritable, envelope_sender, message_of
from app.mailings.models import MailSetting
from app.mailings.return_paths import delivery_number, read_delivery_number
from integrations.esp.smtp import Relay
from tests.conftest import NOW
from tests.consent.people import WORDING, a_grant
from tests.mailings.house_with_post import HouseWithPost

SENDER = Sender(
    organisation_id=1,
    relay=Relay("127.0.0.1"),
    from_name="Café <b>Théâtre</b>",
    from_address="post@theatre.example",
    reply_to="balie@theatre.example",
    bounces_go="to_sender",
    bounce_address=None,
    postal_address="Café Théâtre vzw\nZaalstraat 1, 9000 Gent",
    colour="#7a1f3d",
    on_colour="#ffffff",
    language="nl",
    time_zone="Europe/Brussels",
    base_url="https://theatre.example",
)
LINK = "https://theatre.example/c/abc"


def parsed(octets: bytes) -> EmailMessage:
    return message_from_bytes(octets, policy=policy.SMTP)  # type: ignore[return-value]


@pytest.mark.parametrize("language", ["nl", "fr", "en"])
@pytest.mark.parametrize("kind", TEXTS)
def test_every_letter_is_whole_in_every_language(kind: str, language: str) -> None:
    content = letter_content(
        kind, SENDER, language=language, link=LINK, purposes=("Nieuwsbrief",), day=date(2026, 12, 1)
    )
    for part in (content.text, content.html):
        assert "%(" not in part
        assert "Zaalstraat 1, 9000 Gent" in part
        assert (LINK in part) == bool(TEXTS[kind].button)
    assert f'lang="{language}"' in content.html
    assert "<b>Th" not in content.html, "what a house calls itself is text"
    assert "Café <b>Théâtre</b>" in content.text
    if language != "en":
        english = letter_content(kind, SENDER, language="en", link=LINK, purposes=("x",), day=date(2026, 12, 1))
        assert content.text != english.text


def test_there_is_a_letter_for_every_kind_that_can_be_asked_for() -> None:
    assert set(KINDS) <= TEXTS.keys()


@pytest.mark.parametrize("kind", TEXTS)
def test_a_letter_has_one_link_and_loads_nothing(kind: str) -> None:
    """I15"""
    content = letter_content(kind, SENDER, language="nl", link=LINK, purposes=("x",), day=date(2026, 12, 1))
    assert set(re.findall(r'(?:href|src)="([^"]*)"', content.html)) <= {LINK}
    assert not re.search(r"<(img|link|script|iframe)", content.html)


@pytest.mark.parametrize("bad", ["a\r\nBcc: all@example.org", "a\nb", "a\rb", "a\x00b", "a\x1bb"])
@pytest.mark.parametrize("where", ["subject", "header", "from_name"])
def test_no_header_can_be_broken_out_of(bad: str, where: str) -> None:
    sender = replace(SENDER, from_name=bad) if where == "from_name" else SENDER
    content = Content(bad if where == "subject" else "a", "t", "h", {"List-Id": bad} if where == "header" else {})
    with pytest.raises(Unwritable):
        message_of(sender, content, to_address="an@example.org", number="d1", at=NOW)


@given(
    subject=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=120),
    name=st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=60),
)
def test_any_words_come_back_as_they_went(subject: str, name: str) -> None:
    content = Content(f"x{subject}x", f"Dag {subject}\n", "<p>Dag</p>")
    octets = message_of(
        replace(SENDER, from_name=f"x{name}x"), content, to_address="an@example.org", number="d1", at=NOW
    )
    assert octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert b"\n" not in octets.replace(b"\r\n", b"")
    message = parsed(octets)
    assert set(message.keys()) == {
        "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert message["From"].addresses[0].addr_spec == "post@theatre.example"
    assert str(message["Subject"]).split() == f"x{subject}x".split()


def test_the_same_mail_is_the_same_octets() -> None:
    content = letter_content("preferences_link", SENDER, language="nl", link=LINK)
    made = {message_of(SENDER, content, to_address="an@example.org", number="d1", at=NOW) for _ in range(3)}
    assert len(made) == 1


def test_bounces_go_where_the_house_says(keyring: Keyring) -> None:
    number = delivery_number(keyring, 3, 41)
    assert envelope_sender(SENDER, number=number) == "post@theatre.example"
    assert envelope_sender(replace(SENDER, bounces_go="nowhere"), number=number) == ""
    mailbox = replace(SENDER, bounces_go="to_mailbox", bounce_address="terug@theatre.example")
    path = envelope_sender(mailbox, number=number)
    assert path == f"terug+{number}@theatre.example"
    assert len(path.partition("@")[0]) <= 64
    assert read_delivery_number(keyring, f"To: <{path.upper()}>") == (3, 41)
    assert read_delivery_number(keyring, path.replace(".41.", ".42.")) is None
    assert read_delivery_number(keyring, "nothing of ours") is None


def test_an_unconfirmed_person_gets_one_confirmation_that_leads_to_the_page(
    house: HouseWithPost, client: FlaskClient
) -> None:
    """I14"""
    house.person("an@example.org", says_yes=False)
    with house.transaction() as session:
        session.execute(update(Purpose).where(Purpose.code == "newsletter").values(needs_confirmation=True))
    house.record(a_grant("an@example.org", action="requested"))
    with house.transaction() as session:
        event_id = session.scalars(select(ConsentEvent.id).where(ConsentEvent.action == "requested")).one()
    for _ in range(3):
        house.ask("confirmation", facts={"event_id": event_id}, about=f"event {event_id}")
        house.send()
    (mail,) = house.relay.delivered
    body = mail.message.get_body(("plain",))
    assert body is not None
    link = re.search(r"https?://\S+(/c/\S+)", body.get_content())
    assert link is not None
    assert WORDING in client.get(link[1]).text
    assert not allowed(house), "looking confirms nothing"
    assert client.post(link[1]).status_code == 200
    assert allowed(house)


def allowed(house: HouseWithPost) -> bool:
    with house.transaction() as session:
        return bool(session.scalars(select(Permission.is_allowed).where(Permission.purpose == "newsletter")).one())


@pytest.mark.parametrize("meanwhile", ["confirmed", "withdrawn"])
def test_a_confirmation_that_is_answered_already_is_not_asked_for(house: HouseWithPost, meanwhile: str) -> None:
    """I14"""
    house.record(a_grant("an@example.org", action="requested"))
    with house.transaction() as session:
        event_id = session.scalars(select(ConsentEvent.id)).one()
        session.scalars(select(Organisation)).one().country = "NL"
    house.ask("confirmation", facts={"event_id": event_id})
    if meanwhile == "confirmed":
        house.record(a_grant("an@example.org", action="confirmed"))
    else:
        house.withdraw("an@example.org")
    house.send()
    assert house.recipients() == []
    assert house.delivery().problem_code == "already_answered"


def test_a_letter_of_a_house_with_keys_is_signed_and_one_to_an_odd_address_goes(house: HouseWithPost) -> None:
    house.ask(to="zoë@café.example")
    house.send()
    (mail,) = house.relay.delivered
    assert mail.recipient == "zoë@xn--caf-dma.example"


def test_a_house_without_a_name_of_its_own_sends_as_itself(house: HouseWithPost) -> None:
    with house.transaction() as session:
        session.execute(update(MailSetting).values(from_name="Post van De Proef", reply_to="balie@deproef.example"))
    house.ask()
    house.send()
    (mail,) = house.relay.delivered
    assert str(mail.message["From"]).startswith("Post van De Proef <")
    assert mail.message["Reply-To"] == "balie@deproef.example"
    assert clock.now() == NOW


def test_a_guardian_confirms_for_a_child_by_a_mail_of_their_own(house: HouseWithPost, client: FlaskClient) -> None:
    """I14"""
    house.record(a_grant("kind@example.org", action="requested"))
    with house.transaction() as session:
        asked = session.scalars(select(ConsentEvent)).one()
    facts = {"event_id": asked.id, "purposes": ["newsletter"], "subject_key": bytes(asked.subject_key).hex()}
    house.ask("confirmation", to="ouder@example.org", facts=facts)
    house.send()
    assert house.recipients() == ["ouder@example.org"]
    body = house.relay.delivered[0].message.get_body(("plain",))
    assert body is not None
    link = re.search(r"https?://[^/\s]+(/c/\S+)", body.get_content())
    assert link is not None
    assert client.post(link[1]).status_code == 200
    assert allowed(house)


def test_whoever_was_written_to_can_be_erased_and_what_waits_for_them_does_not_go(house: HouseWithPost) -> None:
    contact_id = house.person("an@example.org")
    house.ask(contact_id=contact_id)
    house.send()
    waiting = house.ask(contact_id=contact_id)
    house.mail_to(contact_id)
    with house.transaction() as session:
        erase_contact(session, house.runtime.keyring, contact_id, at=NOW)
    assert house.letter(waiting).sealed is None
    house.send()
    assert len(house.relay.delivered) == 1
    assert house.states()[1:] == ["cancelled"]
    with house.transaction() as session:
        assert "an@example.org" not in str(session.execute(text("SELECT letter::text FROM letter")).all())


@pytest.mark.parametrize(("reason", "goes"), [("erased", True), ("manual", False), ("complaint", False)])
def test_only_whoever_was_erased_is_asked_to_confirm_in_spite_of_a_suppression(
    house: HouseWithPost, reason: str, goes: bool
) -> None:
    """I14"""
    addresses = ["an@example.org"]
    with house.transaction() as session:
        suppress(session, house.runtime.keyring, addresses, channel="email", reason=reason, source="x", at=NOW)
    house.record(a_grant("an@example.org", action="requested"))
    with house.transaction() as session:
        event_id = session.scalars(select(ConsentEvent.id)).one()
    house.ask("confirmation", facts={"event_id": event_id})
    house.send()
    assert house.recipients() == (addresses if goes else [])
