"""The ready-made journeys: each can be put in any house, says something decent in three languages, and makes sense."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.consent.models import Purpose
from app.db import ScopedSession, transaction
from app.journeys.definition import Send, all_steps
from app.journeys.drafts import find_journey
from app.journeys.ready_made.catalogue import BY_KEY, READY_MADE, ReadyMade
from app.journeys.ready_made.installing import PurposeMissingError, add_ready_made
from app.journeys.ready_made.letter import LANGUAGES, Letter, content_of
from app.journeys.schemas import parse_definition
from app.mailings.composing.content import Survey, marketing_blocks_of, walk
from app.mailings.composing.content_schemas import parse_content
from app.mailings.composing.rendering import compose
from app.mailings.models import Mailing
from app.runtime import Runtime
from app.segments.models import Segment
from tests.conftest import make_user, signed_in
from tests.mailings.composing.letters_of_content import FRAME

EVERY = [pytest.param(each, id=each.key) for each in READY_MADE]
LETTERS = [pytest.param(letter, id=code) for each in READY_MADE for code, letter in each.letters.items()]


@pytest.fixture
def marketer(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> FlaskClient:
    return signed_in(client, make_user(runtime, organisation, "marketer"))


def walked(content: Any) -> Iterator[Any]:
    for variant in content.variants:
        for text in variant.texts.values():
            yield from walk(text.blocks)


def test_the_sectors_twelve_journeys_are_there() -> None:
    assert len(READY_MADE) == len(BY_KEY) == 12


@pytest.mark.parametrize("journey", EVERY)
def test_a_journey_is_put_in_a_house_as_a_draft_that_only_sends_its_own_letters(
    session: ScopedSession, journey: ReadyMade
) -> None:
    journey_id = add_ready_made(session, journey.key, name=journey.name, actor=SYSTEM)
    held = find_journey(session, journey_id)
    assert (held.state, held.version) == ("draft", None)
    definition = parse_definition(held.draft)
    sent = {step.mailing_id for step in all_steps(definition.steps) if isinstance(step, Send)}
    made = {row.id: row for row in session.scalars(select(Mailing))}
    assert sent == made.keys()
    assert {row.kind for row in made.values()} == {"journey"}
    purposes = {row.purpose for row in made.values()}
    assert purposes == {definition.purpose}, "a journey asks the gate for the purpose that its letters are for"


def test_the_same_journey_twice_has_names_and_letters_of_its_own_and_shares_its_segment(session: ScopedSession) -> None:
    ids = [add_ready_made(session, "win_back", name="Afhakers terugwinnen", actor=SYSTEM) for _ in range(2)]
    assert len({find_journey(session, each).name for each in ids}) == 2
    assert session.scalar(select(func.count()).select_from(Mailing)) == 4
    assert session.scalar(select(func.count()).select_from(Segment)) == 1


def test_a_name_that_a_segment_has_already_is_no_obstacle(session: ScopedSession) -> None:
    session.add(
        Segment(
            organisation_id=session.organisation_id, name="Terug", rule={"type": "all", "rules": []}, version=1,
            created_at=func.now(), updated_at=func.now(),
        )
    )  # fmt: skip
    session.flush()
    add_ready_made(session, "win_back", name="Terug", actor=SYSTEM)
    assert set(session.scalars(select(Segment.name))) == {"Terug", "Terug 2"}


def test_a_house_without_the_purpose_hears_which_and_nothing_is_made(session: ScopedSession) -> None:
    session.execute(update(Purpose).where(Purpose.code == "survey").values(is_active=False))
    with pytest.raises(PurposeMissingError) as refused:
        add_ready_made(session, "after", name="Na je bezoek", actor=SYSTEM)
    assert refused.value.purpose == "survey"
    assert session.scalar(select(func.count()).select_from(Mailing)) == 0


def test_a_house_that_asks_to_confirm_welcomes_on_the_confirmation(session: ScopedSession) -> None:
    session.execute(update(Purpose).where(Purpose.code == "newsletter").values(needs_confirmation=True))
    first = find_journey(session, add_ready_made(session, "welcome", name="Welkom", actor=SYSTEM)).draft
    session.execute(update(Purpose).where(Purpose.code == "newsletter").values(needs_confirmation=False))
    second = find_journey(session, add_ready_made(session, "welcome", name="Welkom", actor=SYSTEM)).draft
    assert (first["trigger"]["on"], second["trigger"]["on"]) == ("confirmed", "granted")


@pytest.mark.parametrize("letter", LETTERS)
def test_a_letter_is_good_content_in_three_languages(letter: Letter) -> None:
    content = parse_content(content_of(letter, field_prefix="bezoek_"))
    (variant,) = content.variants
    assert set(variant.texts) == set(LANGUAGES)
    for text in variant.texts.values():
        assert 5 < len(text.subject) <= 90
        assert len(text.preheader) > 10
    shapes = {tuple(type(block) for block in text.blocks) for text in variant.texts.values()}
    assert len(shapes) == 1, "the languages say the same"
    if letter.purpose == "service":
        assert marketing_blocks_of(content) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("letter", LETTERS)
def test_a_letter_reads_well_for_somebody_of_whom_nothing_is_known(letter: Letter, language: str) -> None:
    content, is_service = parse_content(content_of(letter)), letter.purpose == "service"
    template = compose(content, variant=None, language=language, frame=FRAME, is_service=is_service)
    mail = template.rendered({"salutation": "Beste bezoeker", "house.name": "De Proef"})
    for words in (mail.subject, mail.text):
        assert "{{" not in words
        assert "{%" not in words
        assert "  " not in words.replace("\n", "").strip()
        assert not any(bad in words for bad in (" .", " ,", "()", '""'))


def test_the_answers_of_the_survey_are_kept_in_fields_of_the_house() -> None:
    content = parse_content(content_of(BY_KEY["after"].letters["after"], field_prefix="bezoek_"))
    fields = [block.field for block in walked(content) if isinstance(block, Survey)]
    assert fields[:3] == ["attributes.bezoek_experience", "attributes.bezoek_again", "attributes.bezoek_remark"]
    assert fields == fields[:3] * 3, "whatever the language, an answer is kept in the same field"


def test_one_press_makes_a_draft_and_opens_the_builder(marketer: FlaskClient) -> None:
    assert "Afhakers terugwinnen" in marketer.get("/journeys/").text
    made = marketer.post("/journeys/ready-made/win_back", follow_redirects=True)
    assert made.status_code == 200
    assert made.request.path.endswith("/build")
    assert "Afhakers terugwinnen" in made.text
    assert marketer.post("/journeys/ready-made/nothing").status_code == 404


def test_a_house_that_put_the_purpose_away_is_told_so(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        session.execute(update(Purpose).where(Purpose.code == "survey").values(is_active=False))
    told = marketer.post("/journeys/ready-made/after", follow_redirects=True)
    assert told.request.path.endswith("/new")
    assert "Vragenlijsten" in told.text


def test_who_only_looks_makes_nothing(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
    viewer = signed_in(client, make_user(runtime, organisation, "viewer"))
    assert viewer.post("/journeys/ready-made/welcome").status_code == 403
