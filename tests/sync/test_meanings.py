"""What a house says the words of its box office mean: applied to what comes, and to what came before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app import worker
from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.activities.models import Activity
from app.consent.explain import explain
from app.consent.ledger import record_event
from app.consent.models import ConsentEvent, Permission
from app.contacts.models import Contact
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.answers import forget_old_answers
from app.sync.catching_up import catch_up
from app.sync.field_mapping import Meaning, mapped
from app.sync.meaning_pages import field_of
from app.sync.meanings import preview, say, words_of
from app.sync.models import Connection, SourceAnswer
from app.sync.storing import store_page
from integrations.base import (
    ActivityRecord,
    ConsentRecord,
    ConsentState,
    ContactRecord,
    IdentityRecord,
    Offer,
    OfferKind,
    SourcePage,
)
from tests.conftest import NOW, make_user, signed_in
from tests.consent.people import a_withdrawal

QUESTION, FIELD, GENRE = OfferKind.QUESTION, OfferKind.FIELD, OfferKind.GENRE
YES = {"state": ConsentState.IN, "captured_at": NOW - timedelta(days=3), "wording": "Mag het?"}


def said(name: str, key: str = "optin:11", **changes: Any) -> ConsentRecord:
    values = {"channel": "email", "purpose": None, "method": "websales", "external_id": f"{name}/{key}", **YES}
    return ConsentRecord(**values | {"wording_language": "nl", "question": key} | changes)


def person(name: str, *consents: ConsentRecord, **custom: Any) -> ContactRecord:
    identities = (IdentityRecord("kassa:contact", name),)
    return ContactRecord("kassa", identities, f"{name}@example.org", consents=consents, custom=custom)


@pytest.fixture
def connection_id(runtime: Runtime, organisation: Organisation) -> int:
    """A box office from which activities of three genres and three people came in."""
    with transaction(runtime.engine, organisation.id) as session:
        connection = Connection(
            organisation_id=organisation.id, system="ticketmatic", kind="source", name="Kassa",
            settings={"source": "kassa"}, state="paused", created_at=NOW,
        )  # fmt: skip
        session.add(connection)
        session.flush()
        connection_id = connection.id
    store(runtime, organisation, connection_id, page())
    return connection_id


def page() -> SourcePage:
    activities = [
        ActivityRecord("kassa", str(n), f"Stuk {n}", genres=genres)
        for n, genres in enumerate([("Jeugdtheater",), ("Jeugdtheater", "Dans"), ("Varia",)])
    ]
    people = (
        person("an", said("an"), c_soort="Vriend"),
        person("bo", said("bo", state=ConsentState.OUT)),
        person("cy", said("cy", method="pre_ticked"), c_soort="Steun"),
    )
    return SourcePage(
        "contacts", {}, people, tuple(activities),
        offers=(Offer(QUESTION, "optin:11", "Nieuws"), Offer(FIELD, "c_soort", "Soort abonnement")),
    )  # fmt: skip


def store(runtime: Runtime, house: Organisation, connection_id: int, told: SourcePage) -> None:
    with transaction(runtime.engine, house.id) as session:
        store_page(session, runtime.keyring, told, connection_id=connection_id)


def tell(runtime: Runtime, house: Organisation, connection_id: int, **words: tuple[OfferKind, str, Meaning]) -> None:
    """Say what words mean, and have what came before brought in line."""
    with transaction(runtime.engine, house.id) as session:
        meanings = {(kind, key): meaning for kind, key, meaning in words.values()}
        assert say(session, connection_id, meanings, actor=SYSTEM) == len(words)
    worker.tick(runtime, only="meanings")
    assert catch_up(runtime, house.id) == 0


def allowed(session: ScopedSession, purpose: str) -> set[str]:
    """Who may be mailed for a purpose, by the first part of their address."""
    people = session.execute(select(Contact.id, Contact.email)).all()
    can = {mail for each, mail in people if explain(session, each, channel="email", purpose=purpose).is_allowed}
    return {str(mail).partition("@")[0] for mail in can}


def test_what_nobody_said_anything_about_allows_and_keeps_nothing_and_is_asked(
    runtime: Runtime, organisation: Organisation, connection_id: int
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        words = {word.key: word for word in words_of(session, connection_id)}
        assert all(word.is_new for word in words.values())
        counts = {key: (word.label, word.count, word.yes, word.no) for key, word in words.items()}
        assert counts["Jeugdtheater"] == ("Jeugdtheater", 2, 0, 0)
        assert counts["optin:11"] == ("Nieuws", 3, 1, 1)
        assert counts["c_soort"] == ("Soort abonnement", 2, 0, 0)
        assert session.scalars(select(ConsentEvent.id)).all() == []
        assert set(map(str, session.scalars(select(Contact.attributes)))) == {"{}"}


def test_genres_of_before_and_of_later_get_the_word_of_the_house_and_keep_their_own(
    runtime: Runtime, organisation: Organisation, connection_id: int
) -> None:
    theatre = (GENRE, "Jeugdtheater", Meaning(genre="Theater"))
    nothing = (GENRE, "Varia", Meaning())
    with transaction(runtime.engine, organisation.id) as session:
        (change,) = preview(session, connection_id, {theatre[:2]: theatre[2]})
        assert (change.activities, change.word.label) == (2, "Jeugdtheater")
    tell(runtime, organisation, connection_id, a=theatre, b=nothing)
    again = SourcePage("events", {}, activities=(ActivityRecord("kassa", "9", "Nieuw", genres=("Jeugdtheater",)),))
    for told in (again, page()):
        store(runtime, organisation, connection_id, told)
    with transaction(runtime.engine, organisation.id) as session:
        rows = session.execute(select(Activity.external_id, Activity.genres, Activity.own_genres))
        found = {name: (genres, own) for name, genres, own in rows}
    assert found == {
        "0": (["Theater"], ["Jeugdtheater"]),
        "1": (["Theater", "Dans"], ["Jeugdtheater", "Dans"]),
        "2": ([], ["Varia"]),
        "9": (["Theater"], ["Jeugdtheater"]),
    }
    tell(runtime, organisation, connection_id, a=(GENRE, "Jeugdtheater", Meaning(genre="Jeugdtheater")))
    with transaction(runtime.engine, organisation.id) as session:
        rows = session.execute(select(Activity.genres, Activity.own_genres).where(Activity.external_id == "1"))
        assert rows.one() == (["Jeugdtheater", "Dans"], None)


def test_a_question_permits_what_the_house_says_and_another_purpose_takes_it_back(
    runtime: Runtime, organisation: Organisation, connection_id: int
) -> None:
    tell(runtime, organisation, connection_id, a=(QUESTION, "optin:11", Meaning(purpose="newsletter")))
    with transaction(runtime.engine, organisation.id) as session:
        assert allowed(session, "newsletter") == {"an"}, "a box that was ticked before is no yes, and a no is a no"
        (change,) = preview(session, connection_id, {(QUESTION, "optin:11"): Meaning(purpose="survey")})
        assert (change.people, change.losing) == (3, 1)
    tell(runtime, organisation, connection_id, a=(QUESTION, "optin:11", Meaning(purpose="survey")))
    store(runtime, organisation, connection_id, page())
    with transaction(runtime.engine, organisation.id) as session:
        assert (allowed(session, "newsletter"), allowed(session, "survey")) == (set(), {"an"})
        negative = select(Permission.purpose).where(Permission.is_negative)
        assert set(session.scalars(negative)) == {"newsletter", "survey"}, "the no that was heard stays"
        told = session.scalar(select(Connection.settings).where(Connection.id == connection_id))
        assert told["said"] == '{"optin:11": "survey"}'


def test_no_meaning_brings_back_who_said_no(runtime: Runtime, organisation: Organisation, connection_id: int) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        record_event(session, runtime.keyring, a_withdrawal("an@example.org", purpose="newsletter"))
    tell(runtime, organisation, connection_id, a=(QUESTION, "optin:11", Meaning(purpose="newsletter")))
    with transaction(runtime.engine, organisation.id) as session:
        assert allowed(session, "newsletter") == set()


def test_a_field_fills_an_attribute_moves_to_another_and_goes(
    runtime: Runtime, organisation: Organisation, connection_id: int
) -> None:
    def attributes() -> list[dict[str, Any]]:
        with transaction(runtime.engine, organisation.id) as session:
            return list(session.scalars(select(Contact.attributes).order_by(Contact.email)))

    tell(runtime, organisation, connection_id, a=(FIELD, "c_soort", Meaning(attribute="abonnement")))
    assert attributes() == [{"abonnement": "Vriend"}, {}, {"abonnement": "Steun"}]
    with transaction(runtime.engine, organisation.id) as session:
        (cy,) = session.scalars(select(Contact).where(Contact.email == "cy@example.org")).all()
        cy.attributes = {"abonnement": "zelf ingevuld"}
    tell(runtime, organisation, connection_id, a=(FIELD, "c_soort", Meaning(attribute="soort")))
    assert attributes() == [{"soort": "Vriend"}, {}, {"abonnement": "zelf ingevuld", "soort": "Steun"}]
    tell(runtime, organisation, connection_id, a=(FIELD, "c_soort", Meaning()))
    assert attributes() == [{}, {}, {"abonnement": "zelf ingevuld"}]


def test_answers_are_forgotten_and_a_word_said_the_same_changes_nothing(
    runtime: Runtime, organisation: Organisation, connection_id: int
) -> None:
    told = {(QUESTION, "optin:11"): Meaning(purpose="newsletter"), (QUESTION, "unknown"): Meaning()}
    with transaction(runtime.engine, organisation.id) as session:
        assert say(session, connection_id, told, actor=SYSTEM) == 1
        assert say(session, connection_id, told, actor=SYSTEM) == 0
        for answer in session.scalars(select(SourceAnswer)):
            answer.read_at = NOW - timedelta(days=61)
    assert forget_old_answers(runtime, organisation.id) == 5


def test_without_a_word_of_the_house_the_settings_of_the_connection_decide() -> None:
    asked = person("an", said("an", purpose="newsletter"), said("an", "optin:12"))
    told = mapped(SourcePage("contacts", {}, (asked,)), {}).contacts[0]
    assert [each.purpose for each in told.consents] == ["newsletter"]
    other = mapped(SourcePage("contacts", {}, (asked,)), {(QUESTION, "optin:12"): Meaning(attribute="vriend")})
    assert other.contacts[0].attributes == {"vriend": True}


def test_a_marketer_sees_what_would_change_before_it_does(
    runtime: Runtime, organisation: Organisation, client: FlaskClient, connection_id: int
) -> None:
    marketer = signed_in(client, make_user(runtime, organisation, "marketer"))
    assert "5 nieuw" in marketer.get("/connections/words").text
    assert "Soort abonnement" in marketer.get(f"/connections/{connection_id}/words").text
    with transaction(runtime.engine, organisation.id) as session:
        field = {word.key: field_of(word) for word in words_of(session, connection_id)}
    filled = {
        f"name-{field['Jeugdtheater']}": "Theater", f"name-{field['Dans']}": "Dans", f"name-{field['Varia']}": "",
        f"is-{field['optin:11']}": "purpose:newsletter", f"is-{field['c_soort']}": "attribute",
        f"name-{field['c_soort']}": "abonnement",
    }  # fmt: skip
    told = marketer.post(f"/connections/{connection_id}/words/preview", data=filled).text
    for sentence in ("heet hier Theater", "2 activiteiten veranderen", "1 persoon zei ja", "vult het veld abonnement"):
        assert sentence in told
    with transaction(runtime.engine, organisation.id) as session:
        assert {word.is_new for word in words_of(session, connection_id)} == {True}, "nothing is stored yet"
    assert marketer.post(f"/connections/{connection_id}/words", data=filled).status_code == 302
    assert (
        "Niets zou veranderen"
        in marketer.post(f"/connections/{connection_id}/words/preview", data=filled, follow_redirects=True).text
    )
    worker.tick(runtime, only="meanings")
    with transaction(runtime.engine, organisation.id) as session:
        assert allowed(session, "newsletter") == {"an"}
    wrong = filled | {f"is-{field['optin:11']}": "purpose:gone"}
    assert marketer.post(f"/connections/{connection_id}/words", data=wrong).status_code == 422
    analyst = signed_in(client, make_user(runtime, organisation, "analyst"))
    assert analyst.get(f"/connections/{connection_id}/words").status_code == 403
