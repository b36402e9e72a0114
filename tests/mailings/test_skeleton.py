"""The fast way of writing a mail makes exactly what the slow way makes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.consent.models import Permission
from app.consent.subjects import email_subject
from app.consent.tokens import Claims, make_token
from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.dkim import Signer
from app.mailings.dkim_keys import create_keys, record_of, signers_of
from app.mailings.mime import Content, Unwritable, message_of, one_click_headers
from app.mailings.skeleton import filled, hole, skeleton_of
from integrations.esp.smtp_data import Envelope, made_ready
from tests.conftest import NOW
from tests.mailings.house_with_post import HouseWithPost
from tests.mailings.test_dkim import verified
from tests.mailings.test_letters import SENDER, parsed

PEM = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
SIGNING = replace(SENDER, signers=(Signer(SENDER.domain, "e", "ed25519-sha256", PEM),))

words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r\ue000\ue001"), max_size=90)
pieces = st.lists(
    st.one_of(
        st.text(st.sampled_from("ab =.<&é€\t\n\x0b\x85\u2028"), max_size=90),
        st.sampled_from([hole("name"), hole("link"), "x" * 74, "é" * 25, "\n", " \n", "=\n"]),
    ),
    max_size=12,
).map(lambda each: "".join(each) + "\n")


@settings(max_examples=300, deadline=None)
@given(text=pieces, html=pieces, subject=words, name=words, number=st.integers(0, 10**9))
def test_a_filled_skeleton_is_the_mail_that_the_slow_way_builds(
    text: str, html: str, subject: str, name: str, number: int
) -> None:
    subject = "".join(each for each in f"S{subject}" if each.isprintable())
    content = Content(subject, text, html, one_click_headers(hole("link")))
    given_words = {"name": name, "link": f"https://theatre.example/u/{number}"}
    where = {"to_address": f"an{number}@example.org", "number": f"d1.{number}.1.abc", "at": NOW}
    sender = SIGNING if number % 2 else SENDER
    skeleton = skeleton_of(sender, content)
    assert skeleton is not None
    fast = skeleton.fill(given_words, **where)  # type: ignore[arg-type]
    assert fast == message_of(sender, filled(content, given_words), **where)  # type: ignore[arg-type]
    envelope = Envelope("", "an@example.org", fast or b"")
    assert made_ready(replace(envelope, has_good_lines=True)) == made_ready(envelope), "nobody needs to look again"


@settings(max_examples=300, deadline=None)
@given(before=words, name=words, after=words)
def test_a_subject_with_a_name_in_it_is_written_as_the_slow_way_does(before: str, name: str, after: str) -> None:
    start, end = ("".join(each for each in text if each.isprintable()) for text in (before, after))
    content = Content(f"{start}{hole('name')}{end}", "Dag\n", "<p>Dag</p>\n")
    given_words = {"name": "".join(each for each in name if each.isprintable())}
    skeleton = skeleton_of(SENDER, content)
    assert skeleton is not None
    where = {"to_address": "an@example.org", "number": "d1.2.1.abc", "at": NOW}
    fast = skeleton.fill(given_words, **where)  # type: ignore[arg-type]
    assert fast == message_of(SENDER, filled(content, given_words), **where)  # type: ignore[arg-type]


def test_a_name_that_would_begin_another_header_stops_this_mail() -> None:
    skeleton = skeleton_of(SENDER, Content(f"Dag {hole('name')}", "Dag\n", "<p>Dag</p>\n"))
    assert skeleton is not None
    where = {"to_address": "an@example.org", "number": "d1", "at": NOW}
    assert skeleton.fill({"name": "An\nBcc: bo@example.org"}, **where) is None  # type: ignore[arg-type]
    with pytest.raises(Unwritable):
        skeleton.fill({"name": "An\x0bBcc: bo@example.org"}, **where)  # type: ignore[arg-type]


def test_what_does_not_fit_takes_the_slow_way() -> None:
    content = Content("Nieuws", f"Dag {hole('name')}\n", "<p>x</p>\n")
    assert skeleton_of(SENDER, replace(content, text=hole("name"))) is None
    assert skeleton_of(SENDER, replace(content, html=f"\r{hole('name')}\n")) is None
    skeleton = skeleton_of(SENDER, content)
    assert skeleton is not None
    where = {"to_address": "an@example.org", "number": "d1", "at": NOW}
    assert skeleton.fill({"name": "An"}, **where) is not None  # type: ignore[arg-type]
    assert skeleton.fill({"name": "An\nBo"}, **where) is None  # type: ignore[arg-type]
    assert skeleton.fill({"name": "An"}, **(where | {"to_address": f"{'a' * 60}@{'b' * 30}.example"})) is None  # type: ignore[arg-type]
    assert skeleton.fill({"name": "An"}, **(where | {"to_address": "zoë@example.org"})) is None  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        skeleton.fill({}, **where)  # type: ignore[arg-type]


def test_nothing_a_person_is_called_breaks_out_of_a_header() -> None:
    skeleton = skeleton_of(SENDER, Content("x", "x\n", "x\n", {"List-Id": hole("name")}))
    assert skeleton is not None
    with pytest.raises(Unwritable):
        skeleton.fill({"name": "a\x0bBcc: all@example.org"}, to_address="an@example.org", number="d1", at=NOW)


def test_what_a_person_is_called_is_text_in_the_html() -> None:
    skeleton = skeleton_of(SENDER, Content("x", hole("name") + "\n", f"<p>{hole('name')}</p>\n"))
    assert skeleton is not None
    made = skeleton.fill({"name": "<b>An</b>"}, to_address="an@example.org", number="d1", at=NOW)
    assert made is not None
    html = parsed(made).get_body(("html",))
    assert html is not None
    assert "<b>" not in html.get_content()


def test_the_one_click_pair_is_signed_and_unsubscribes(
    house: HouseWithPost, session: ScopedSession, keyring: Keyring, client: FlaskClient
) -> None:
    """I13"""
    keys = create_keys(session, keyring, SENDER.domain)
    for key in keys:
        key.published_at = NOW
    session.flush()
    records = dict(record_of(key) for key in keys)
    signing = replace(SENDER, signers=signers_of(session, keyring, SENDER.domain))
    session.commit()
    house.person("an@example.org")
    with house.transaction() as held:
        subject_key = email_subject(held, keyring, "an@example.org")
    assert subject_key is not None
    claims = Claims(
        kind="unsubscribe", organisation_id=house.organisation.id, subject_key=subject_key, purpose="newsletter"
    )
    path = f"/u/{make_token(keyring, claims)}"
    skeleton = skeleton_of(
        signing, Content("Nieuws", f"{hole('link')}\n", "<p>x</p>\n", one_click_headers(hole("link")))
    )
    assert skeleton is not None
    link = f"https://theatre.example{path}"
    made = skeleton.fill({"link": link}, to_address="an@example.org", number="d1", at=NOW)
    assert made is not None
    assert verified(made, records) == [True, True]
    assert verified(made.replace(b"=One-Click", b"=Two-Click", 1), records) == [False, False]
    message = parsed(made)
    assert message["List-Unsubscribe"] == f"<{link}>"
    assert client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    with house.transaction() as held:
        rows = held.scalars(select(Permission.is_negative).where(Permission.purpose == "newsletter"))
        assert rows.all() == [True]
