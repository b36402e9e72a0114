"""Segments that ask for a term of the shared vocabulary find whatever word the house used for it."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.activities.genres import UnknownTermError, list_genres, set_terms, words_by_term
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.segments import definitions, membership
from app.segments.building.absences import absences_in
from app.segments.building.checking import check_person
from app.segments.building.suggestions import suggest
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import scope_of
from app.segments.definitions import complete_rule, read_rule
from app.segments.keeping.upkeep import keep_segments_current
from app.segments.language.told import tell
from tests.conftest import make_user, signed_in
from tests.segments.evaluator import Activity
from tests.segments.people import DAY, at_noon, move_in, person, visits
from tests.segments.test_api import Api

DANCE, CIRCUS, JAZZ = "uitdatabank:0.54.0.0.0", "uitdatabank:0.52.0.0.0", "uitdatabank:1.8.2.0.0"
PERFORMANCE = Activity(id=7, genres=("Dans/performance",), starts_at=at_noon(DAY))
PLAIN = Activity(id=8, genres=("Dans",), starts_at=at_noon(DAY))
SAX = Activity(id=9, genres=("Jazz & co",), starts_at=at_noon(DAY))


def found_by(session: ScopedSession, rule: dict[str, Any]) -> list[int]:
    whole = complete_rule(session, read_rule(session, rule))
    return sorted(session.scalars(select_members(whole, scope_of(session))))


def asks(*genres: str) -> dict[str, Any]:
    return {"type": "participation", "at_least": 1, "where": {"genres": list(genres)}}


def three_people(session: ScopedSession) -> list[int]:
    filled = move_in(
        session,
        person(1, *visits(3, activity=PERFORMANCE)),
        person(2, *visits(3, activity=PLAIN)),
        person(3, *visits(3, activity=SAX)),
    )
    return [one.id for one in filled.world.contacts]


def test_a_term_stands_for_every_word_the_house_uses_for_it_and_a_word_for_itself(session: ScopedSession) -> None:
    performance, plain, _sax = three_people(session)
    assert found_by(session, asks(DANCE)) == [plain], "what plainly is a term counts by itself"
    set_terms(session, {"dans/performance": DANCE})
    assert found_by(session, asks(DANCE)) == [performance, plain]
    assert found_by(session, asks("Dans")) == [plain]
    share = {"type": "share", "of": {"genres": [DANCE]}, "at_least": 0.4, "min_count": 1, "where": {}}
    assert found_by(session, share) == [performance, plain]
    set_terms(session, {"DANS": ""})
    assert found_by(session, asks(DANCE)) == [performance], "a person's word goes above what it plainly is"
    set_terms(session, {"dans": None})
    assert found_by(session, asks(DANCE)) == [performance, plain]


def test_a_term_the_house_has_no_word_for_holds_for_nobody_and_is_told_in_words(session: ScopedSession) -> None:
    three_people(session)
    assert found_by(session, asks(CIRCUS)) == []
    (problem,) = absences_in(session, read_rule(session, asks(CIRCUS)))
    told = problem.message.said_in(lambda sentence: sentence)
    assert told == "No activity has the genre “Circus” any more."
    assert absences_in(session, read_rule(session, asks(DANCE))) == []


def test_a_rule_is_told_and_a_person_checked_with_the_term_by_its_name(session: ScopedSession) -> None:
    _performance, plain, sax = three_people(session)
    rule = read_rule(session, asks(JAZZ))
    names = definitions.names_in(session, rule, language="fr")
    assert "dans le genre Jazz et blues" in tell(rule, as_of=DAY, language="fr", names=names)
    set_terms(session, {"Jazz & co": JAZZ})
    checked = check_person(session, asks(JAZZ), contact_id=sax)
    assert checked is not None
    assert (checked.holds, len(checked.conditions[0].visits or [])) == (True, 1)
    other = check_person(session, asks(JAZZ), contact_id=plain)
    assert other is not None
    assert not other.holds


def test_the_builder_proposes_terms_that_stand_for_words_of_the_house(session: ScopedSession) -> None:
    three_people(session)
    set_terms(session, {"Jazz & co": JAZZ})
    (term,) = [one for one in suggest(session, "genres", "jazz", language="fr") if one.value == JAZZ]
    assert (term.label, term.about) == ("Jazz et blues", "jazz & co")


def test_a_kept_segment_follows_what_somebody_says_of_a_genre(runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        performance, plain, _sax = three_people(session)
        segment_id = definitions.create_segment(session, name="Dansers", rule=asks(DANCE)).id
    keep_segments_current(runtime, organisation.id)
    assert members(runtime, organisation, segment_id) == {plain}
    with transaction(runtime.engine, organisation.id) as session:
        set_terms(session, {"Dans/performance": DANCE})
    while keep_segments_current(runtime, organisation.id):
        pass
    assert members(runtime, organisation, segment_id) == {performance, plain}


def members(runtime: Runtime, organisation: Organisation, segment_id: int) -> set[int]:
    with transaction(runtime.engine, organisation.id) as session:
        return {one.contact_id for one in membership.members_now(session, segment_id, limit=None)}


def test_an_unknown_term_changes_nothing(session: ScopedSession) -> None:
    three_people(session)
    with pytest.raises(UnknownTermError):
        set_terms(session, {"Jazz & co": JAZZ, "Dans": "uitdatabank:9.9"})
    assert words_by_term(session) == {DANCE: ("dans",)}


def test_a_marketer_says_what_a_genre_is_on_a_page_and_a_program_over_rest(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        three_people(session)
        key = create_api_key(session, runtime.keyring, name="Programma", scopes=["activities:read", "activities:write"])
    marketer = signed_in(client, make_user(runtime, organisation, "marketer"))
    page = marketer.get("/activities/genres").get_data(as_text=True)
    assert "Dansvoorstelling (vanzelf)" in page
    sent = {"word": ["Dans", "Jazz & co"], "term": ["-", JAZZ]}
    assert marketer.post("/activities/genres", data=sent).status_code == 302
    assert marketer.post("/activities/genres", data={"word": "Dans", "term": "x"}).status_code == 302
    with transaction(runtime.engine, organisation.id) as session:
        known = {one.word: (one.term.number if one.term else None, one.is_said) for one in list_genres(session)}
    assert known["Jazz & co"] == ("1.8.2.0.0", True)
    assert known["Dans"] == ("0.54.0.0.0", False), "what cannot be, is not kept"
    api = Api(client, key)
    listed = {one["genre"]: one for one in api.ask("GET", "/genres")}
    assert listed["Jazz & co"]["term"]["names"]["fr"] == "Jazz et blues"
    api.ask("PUT", "/genres", 422, items=[{"genre": "Dans", "term": "uitdatabank:9"}])
    said = api.ask("PUT", "/genres", items=[{"genre": "Jazz & co", "term": None}])
    assert not any(one["is_said"] for one in said)
