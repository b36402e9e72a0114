"""A sign-up form: what is shown is what is kept, a mailbox confirms, and nobody learns whom the house knows."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app import clock
from app.accounts.letters import open_letter
from app.accounts.models import Letter, Organisation
from app.consent.explain import permissions_of
from app.consent.ledger import record_event
from app.consent.models import ConsentEvent, NoticeVersion
from app.consent.purposes import find_purpose, publish_notices
from app.consent.rebuild import differences
from app.consent.subjects import contacts_by_subject, email_subject
from app.consent.tokens import Claims, make_token
from app.contacts.forms.definitions import Definition, Interest, change_form, create_form, find_form
from app.contacts.forms.models import Signup
from app.contacts.forms.signing_up import end_old_signups
from app.contacts.forms.statistics import Counts, counts_of
from app.contacts.models import Contact
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from tests.conftest import NOW, make_user, signed_in
from tests.consent.people import a_grant, a_withdrawal, make_contact

AN = "an@example.org"
A_WHILE = timedelta(seconds=20)


class House:
    """A house with a form, its audience, and what their mailboxes receive."""

    def __init__(self, client: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
        self.client, self.runtime, self.organisation = client, runtime, organisation
        self.code, self.form_id = "", 0
        self.make()

    def make(self, **changes: Any) -> None:
        told: dict[str, Any] = {"languages": ("nl", "fr", "en"), "purposes": ("newsletter", "survey"), "tag": "site"}
        with transaction(self.runtime.engine, self.organisation.id) as session:
            form = create_form(session, self.runtime.keyring, "Site", Definition(**(told | changes)))
            self.code, self.form_id = form.code, form.id

    @property
    def url(self) -> str:
        return f"/f/{self.code}"

    def opened(self, **query: str) -> dict[str, list[str]]:
        return filled(self.client.get(self.url, query_string=query))

    def send(self, form: dict[str, Any], *, after: timedelta = A_WHILE, **changes: Any) -> TestResponse:
        with clock.set_to(clock.now() + after):
            return self.client.post(self.url, data={**form, "email": AN, "wanted": ["newsletter"], **changes})

    def signed_up(self, **changes: Any) -> TestResponse:
        answer = self.send(self.opened(), **changes)
        assert answer.status_code == 200, answer.text
        assert "Set-Cookie" not in answer.headers
        return answer

    def letters(self) -> list[tuple[str, dict[str, Any]]]:
        with transaction(self.runtime.engine, self.organisation.id) as session:
            rows = session.scalars(select(Letter).where(Letter.kind == "confirmation").order_by(Letter.id)).all()
            held = [open_letter(self.runtime.keyring, bytes(row.sealed or b"")) for row in rows]
            return [(each.to_address, dict(each.facts)) for each in held]

    def confirm(self, facts: dict[str, Any], address: str = AN) -> TestResponse:
        with transaction(self.runtime.engine, self.organisation.id) as session:
            key = email_subject(session, self.runtime.keyring, address) or b""
        claims = Claims(
            kind="confirm", organisation_id=self.organisation.id, subject_key=key, event_id=facts["event_id"]
        )
        return self.client.post(f"/c/{make_token(self.runtime.keyring, claims)}")

    def tell(self, *events: Any) -> None:
        for event in events:
            with transaction(self.runtime.engine, self.organisation.id) as session:
                record_event(session, self.runtime.keyring, event)

    def allowed(self, address: str = AN) -> set[str] | None:
        """Return what somebody may be mailed for, or None where the house knows nobody."""
        with transaction(self.runtime.engine, self.organisation.id) as session:
            assert differences(session) == []
            key = email_subject(session, self.runtime.keyring, address) or b""
            contact_id = contacts_by_subject(session, [key]).get(key)
            if contact_id is None:
                return None
            return {each.purpose for each in permissions_of(session, contact_id) if each.is_allowed}

    def actions(self) -> list[str]:
        with transaction(self.runtime.engine, self.organisation.id) as session:
            return list(session.scalars(select(ConsentEvent.action).order_by(ConsentEvent.id)))

    def counts(self) -> Counts:
        with transaction(self.runtime.engine, self.organisation.id) as session:
            return counts_of(session)[self.form_id]

    def publish(self, session: ScopedSession, text: str) -> None:
        purpose = find_purpose(session, "newsletter")
        assert purpose is not None
        publish_notices(session, purpose, {"nl": text})


def filled(page: TestResponse) -> dict[str, list[str]]:
    """Return what a browser would send back of a page as it stands."""
    form: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", page.text):
        attributes = {name: unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        if attributes["type"] != "checkbox" or " checked" in tag:
            form.setdefault(attributes["name"], []).append(attributes.get("value", ""))
    return form


@pytest.fixture
def house(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> House:
    return House(client, runtime, organisation)


def test_nothing_is_ticked_beforehand_and_nothing_is_stored_before_the_mailbox_answers(house: House) -> None:
    """I14."""
    assert "wanted" not in house.opened()
    house.signed_up(wanted=["newsletter", "survey"])
    assert house.allowed() is None
    assert house.actions() == ["requested", "requested"]
    ((to, facts),) = house.letters()
    assert (to, facts["purposes"]) == (AN, ["newsletter", "survey"])
    for _ in range(2):
        assert house.confirm(facts).status_code == 200
        assert house.allowed() == {"newsletter", "survey"}
    assert house.actions() == ["requested", "requested", "confirmed", "confirmed"]
    assert house.counts() == Counts(shown=2, sent=1, confirmed=1)
    with transaction(house.runtime.engine, house.organisation.id) as session:
        assert session.scalars(select(Signup.typed)).all() == [None]
        assert session.scalars(select(Contact.tags)).one() == ["site"]


def test_what_is_kept_is_what_was_shown_also_when_another_text_was_published_meanwhile(house: House) -> None:
    """I9."""
    old = house.opened()
    with transaction(house.runtime.engine, house.organisation.id) as session:
        house.publish(session, "Ja, een heel andere zin.")
    assert house.send(old).status_code == 200
    with transaction(house.runtime.engine, house.organisation.id) as session:
        event = session.scalars(select(ConsentEvent)).one()
        notice = session.scalars(select(NoticeVersion).where(NoticeVersion.id == event.notice_version_id)).one()
        assert notice.wording.startswith("Ja, De Proef mag me de nieuwsbrief mailen")
    newer = house.opened()
    with transaction(house.runtime.engine, house.organisation.id) as session:
        house.publish(session, "Ja, nog een andere zin.")
    assert house.send(newer, email="bo@example.org").status_code == 200
    with transaction(house.runtime.engine, house.organisation.id) as session:
        wordings = session.scalars(select(NoticeVersion.wording).order_by(NoticeVersion.id)).all()
        assert "Ja, een heel andere zin." in wordings


def test_a_form_that_was_open_too_long_comes_back_as_it_is_now_with_what_was_typed(house: House) -> None:
    house.make(fields={"given_name": "optional"})
    old = house.opened()
    answer = house.send(old, after=timedelta(hours=25), given_name="An")
    assert answer.status_code == 422
    assert "is veranderd" in answer.text
    again = filled(answer)
    assert (again["email"], again["given_name"]) == ([AN], ["An"])
    assert "wanted" not in again
    assert house.actions() == []


@pytest.mark.parametrize("shown", ["", "nonsense", "\x00", "é" * 50, "[]", "x" * 60_000])
def test_a_form_that_is_none_of_ours_is_shown_again(house: House, shown: str) -> None:
    answer = house.send(house.opened(), shown=shown)
    assert answer.status_code in (422, 413)
    assert "<h1>" in answer.text
    assert house.actions() == []


def test_the_form_of_one_is_not_taken_for_that_of_another(house: House) -> None:
    other = house.opened()
    house.make(purposes=("partner_offers",))
    assert house.send(other).status_code == 422
    assert house.actions() == []


def test_the_same_sending_counts_once_and_a_corrected_address_counts(house: House) -> None:
    form = house.opened()
    for _ in range(3):
        assert house.send(form).status_code == 200
    assert house.send(form, email="bo@example.org").status_code == 200
    assert [to for to, _ in house.letters()] == [AN, "bo@example.org"]
    assert house.counts().sent == 2


def test_nobody_learns_whom_the_house_knows(house: House) -> None:
    with transaction(house.runtime.engine, house.organisation.id) as session:
        make_contact(session, house.runtime.keyring, "known@example.org")
    for needs_confirmation in (True, False):
        house.make(needs_confirmation=needs_confirmation)
        pages = [house.signed_up(email=each).text for each in ("known@example.org", "unknown@example.org")]
        assert pages[0] == pages[1]


def test_without_confirmation_only_somebody_new_is_stored_at_once(house: House) -> None:
    house.make(needs_confirmation=False)
    with transaction(house.runtime.engine, house.organisation.id) as session:
        make_contact(session, house.runtime.keyring, "known@example.org")
    house.tell(a_withdrawal("left@example.org", purpose="survey"))
    for address in (AN, "known@example.org", "left@example.org"):
        house.signed_up(email=address)
    assert house.allowed() == {"newsletter"}
    assert house.allowed("known@example.org") == set()
    assert house.allowed("left@example.org") is None
    assert [to for to, _ in house.letters()] == ["known@example.org", "left@example.org"]


def test_somebody_who_left_comes_back_by_confirming_and_not_before(house: House) -> None:
    """I6."""
    with transaction(house.runtime.engine, house.organisation.id) as session:
        make_contact(session, house.runtime.keyring, AN)
    house.tell(a_grant(AN), a_withdrawal(AN))
    house.signed_up()
    assert house.allowed() == set()
    assert house.confirm(house.letters()[-1][1]).status_code == 200
    assert house.allowed() == {"newsletter"}


def test_a_no_spoken_after_signing_up_stands_until_the_person_confirms(house: House) -> None:
    house.make(needs_confirmation=False)
    house.signed_up()
    with clock.set_to(NOW + timedelta(hours=1)):
        house.tell(a_withdrawal(AN))
    assert house.allowed() == set()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"email": "an@"}, "geen geldig e-mailadres"),
        ({"email": ""}, "Vul dit in"),
        ({"email": "x" * 400 + "@example.org"}, "Gebruik hoogstens"),
        ({"wanted": []}, "minstens één vakje"),
        ({"wanted": ["nonsense", "service"]}, "minstens één vakje"),
        ({"family_name": ""}, "Vul dit in"),
        ({"birth_date": "gisteren"}, "geen datum"),
        ({"birth_date": "1780-01-01"}, "geen geboortedatum"),
        ({"birth_date": "2030-01-01"}, "geen geboortedatum"),
        ({"birth_date": "2016-01-01"}, "te jong"),
        ({"birth_date": "2016-01-01", "guardian_email": AN}, "je eigen adres"),
        ({"website": "https://spam.example"}, "heel snel"),
        ({"email": "an@gmial.com"}, "Bedoelde je an@gmail.com?"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(house: House, changes: dict[str, Any], words: str) -> None:
    house.make(fields={"given_name": "optional", "family_name": "required", "birth_date": "optional"})
    told = {"given_name": "Ån <b>", "family_name": "Peeters", **changes}
    answer = house.send(house.opened(), **told)
    assert answer.status_code == 422
    assert words in unescape(answer.text)
    assert filled(answer)["given_name"] == ["Ån <b>"]
    assert house.actions() == []
    assert house.letters() == []


def test_whoever_says_the_address_is_right_is_believed(house: House) -> None:
    answer = house.send(house.opened(), email="an@gmial.com")
    again = filled(answer) | {"wanted": ["newsletter"]}
    with clock.set_to(NOW + timedelta(minutes=2)):
        assert house.client.post(house.url, data=again).status_code == 200
    assert [to for to, _ in house.letters()] == ["an@gmial.com"]


def test_faster_than_a_person_reads_is_asked_again_and_no_person_is_lost(house: House) -> None:
    answer = house.send(house.opened(), after=timedelta(0))
    assert answer.status_code == 422
    again = filled(answer)
    assert again["wanted"] == ["newsletter"]
    assert house.send(again).status_code == 200


def test_a_child_is_confirmed_by_a_guardian_and_by_nobody_else(house: House) -> None:
    """I28."""
    house.make(fields={"birth_date": "required"})
    house.signed_up(birth_date="2016-01-01", guardian_email="ouder@example.org")
    ((to, facts),) = house.letters()
    assert to == "ouder@example.org"
    assert house.allowed() is None
    page = house.confirm(facts)
    assert page.status_code == 200
    assert house.allowed() == {"newsletter"}
    with transaction(house.runtime.engine, house.organisation.id) as session:
        assert session.scalars(select(ConsentEvent.actor).where(ConsentEvent.action == "confirmed")).one() == "guardian"


def test_somebody_of_age_needs_no_guardian_whatever_they_fill_in(house: House) -> None:
    house.make(fields={"birth_date": "required"})
    house.signed_up(birth_date="1980-01-01", guardian_email="ouder@example.org")
    assert [to for to, _ in house.letters()] == [AN]


def test_what_was_never_confirmed_is_let_go(house: House) -> None:
    house.signed_up()
    ((_, facts),) = house.letters()
    with clock.set_to(NOW + timedelta(days=31)):
        with transaction(house.runtime.engine, house.organisation.id) as session:
            assert end_old_signups(session) == 1
            assert end_old_signups(session) == 0
            assert session.scalars(select(Signup.typed)).all() == [None]
        assert house.confirm(facts).status_code == 410
    assert house.allowed() is None


def test_a_snippet_on_the_site_of_the_house_works_without_anything_of_ours(
    house: House, runtime: Runtime, organisation: Organisation
) -> None:
    marketer = signed_in(house.client.application.test_client(), make_user(runtime, organisation, "marketer"))
    page = unescape(marketer.get(f"/forms/{house.form_id}").text)
    snippet = page[page.index('<form method="post" action="http') :]
    snippet = snippet[: snippet.index("</form>")]
    assert "<script" not in snippet
    (action,) = re.findall(r'action="[^"]*(/f/[^"]*)"', snippet)
    (signed,) = re.findall(r'name="shown" value="([^"]*)"', snippet)
    sent = {"shown": signed, "email": AN, "wanted": "newsletter", "website": ""}
    for address in (AN, AN, "bo@example.org"):
        assert house.client.post(action, data=sent | {"email": address}).status_code == 200
    assert [to for to, _ in house.letters()] == [AN, "bo@example.org"]
    with clock.set_to(NOW + timedelta(days=400)):
        assert house.client.post(action, data=sent | {"email": "cis@example.org"}).status_code == 200
        with transaction(house.runtime.engine, house.organisation.id) as session:
            house.publish(session, "Ja, een heel andere zin.")
        assert house.client.post(action, data=sent | {"email": "dirk@example.org"}).status_code == 200
    with clock.set_to(NOW + timedelta(days=431)):
        late = house.client.post(action, data=sent | {"email": "eva@example.org"})
        assert late.status_code == 422
        assert "Ja, een heel andere zin." in late.text


def test_a_form_may_be_framed_by_the_sites_it_names_and_by_nobody_else(house: House) -> None:
    answer = house.client.get(house.url)
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    house.make(embed_origins=("https://www.deproef.example",))
    answer = house.client.get(house.url, query_string={"embed": "1"})
    assert "frame-ancestors https://www.deproef.example;" in answer.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in answer.headers
    assert "DENY" in house.client.get("/login").headers["X-Frame-Options"]


@pytest.mark.parametrize(("language", "words"), [("nl", "Inschrijven"), ("fr", "S’inscrire"), ("en", "Sign up")])
def test_the_form_speaks_the_language_that_is_asked_for(house: House, language: str, words: str) -> None:
    page = house.client.get(house.url, query_string={"language": language})
    assert words in unescape(page.text)
    house.send(filled(page))
    with transaction(house.runtime.engine, house.organisation.id) as session:
        assert session.scalars(select(ConsentEvent.language)).one() == language


def test_a_form_in_one_language_speaks_that_one(house: House) -> None:
    house.make(languages=("fr",))
    assert '<html lang="fr">' in house.client.get(house.url, query_string={"language": "nl"}).text


def test_looking_records_nothing_and_a_head_is_not_counted(house: House) -> None:
    """I12."""
    house.opened()
    assert house.client.head(house.url).status_code == 200
    assert house.actions() == []
    assert house.counts() == Counts(shown=1)
    with transaction(house.runtime.engine, house.organisation.id) as session:
        assert session.scalar(select(func.count()).select_from(NoticeVersion)) == 0


def test_a_closed_form_and_one_nobody_made_say_so(house: House) -> None:
    form = house.opened()
    with transaction(house.runtime.engine, house.organisation.id) as session:
        row = find_form(session, house.form_id)
        assert row is not None
        change_form(row, name="Site", definition=Definition.read(row.definition), is_active=False)
    for answer in (house.client.get(house.url), house.send(form)):
        assert answer.status_code == 410
        assert "gesloten" in answer.text
    for code in ("nonsense", "é", "x" * 90):
        assert house.client.get(f"/f/{code}").status_code == 404
        assert house.client.post(f"/f/{code}", data=form).status_code == 404
    assert house.actions() == []


def test_one_mailbox_is_not_flooded_and_the_page_says_the_same(house: House) -> None:
    pages = {house.signed_up().text for _ in range(12)}
    assert len(pages) == 1
    assert len(house.letters()) == 3


def test_an_interest_that_was_offered_becomes_a_tag_and_nothing_else_does(house: House) -> None:
    house.make(needs_confirmation=False, interests=(Interest("dans", {"nl": "Dans"}), Interest("jazz", {})))
    house.signed_up(interest=["dans", "vip"])
    with transaction(house.runtime.engine, house.organisation.id) as session:
        assert session.scalars(select(Contact.tags)).one() == ["site", "dans"]
