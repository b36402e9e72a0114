"""Drafts of journeys: kept as they are, never over somebody else's work."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from app import clock
from app.db import ScopedSession
from app.journeys import drafts
from app.journeys.models import Enrolment, Journey, JourneyVersion
from app.journeys.problems import (
    ImpossibleDraftError,
    JourneyInUseError,
    JourneyMissingError,
    JourneyNameTakenError,
    StaleDraftError,
)
from app.keyring import Keyring
from tests.consent.people import make_contact

UNFINISHED: dict[str, Any] = {"steps": [{"id": "a", "type": "send", "mailing": None}]}


def make(session: ScopedSession, name: str = "Welkom") -> Journey:
    return drafts.make_journey(session, name, created_by=None)


def test_a_new_journey_is_an_empty_draft_that_says_who_made_it(session: ScopedSession) -> None:
    journey = drafts.make_journey(session, "  Welkom ", created_by=7)
    assert (journey.name, journey.state, journey.version, journey.edition) == ("Welkom", "draft", None, 1)
    assert journey.draft["steps"] == []
    assert journey.created_by == 7


def test_an_unfinished_draft_is_kept_as_it_is(session: ScopedSession) -> None:
    journey = make(session)
    assert drafts.save_draft(session, journey.id, UNFINISHED, edition=1) == 2
    assert drafts.find_journey(session, journey.id).draft == UNFINISHED


def test_who_edits_an_older_edition_writes_over_nobody(session: ScopedSession) -> None:
    journey = make(session)
    drafts.save_draft(session, journey.id, UNFINISHED, edition=1)
    with pytest.raises(StaleDraftError) as refused:
        drafts.save_draft(session, journey.id, {"steps": []}, edition=1)
    assert refused.value.edition == 2
    assert drafts.find_journey(session, journey.id).draft == UNFINISHED


def test_asking_again_after_a_lost_answer_is_no_conflict(session: ScopedSession) -> None:
    journey = make(session)
    assert drafts.save_draft(session, journey.id, UNFINISHED, edition=1) == 2
    assert drafts.save_draft(session, journey.id, UNFINISHED, edition=1) == 2


def test_an_archived_journey_is_not_edited(session: ScopedSession) -> None:
    journey = make(session)
    journey.state = "archived"
    session.flush()
    with pytest.raises(StaleDraftError):
        drafts.save_draft(session, journey.id, UNFINISHED, edition=1)


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(depth):
        inner = {"steps": [inner]}
    return inner


@pytest.mark.parametrize(
    "impossible",
    [["steps"], "steps", None, nested(60), {"text": "x" * 400_001}, {"text": "a\x00b"}],
    ids=["list", "text", "nothing", "too deep", "too large", "zero byte"],
)
def test_what_is_no_draft_is_refused_and_nothing_changes(session: ScopedSession, impossible: Any) -> None:
    journey = make(session)
    with pytest.raises(ImpossibleDraftError):
        drafts.save_draft(session, journey.id, impossible, edition=1)
    assert drafts.find_journey(session, journey.id).edition == 1


def test_two_journeys_do_not_share_a_name_whatever_its_capitals(session: ScopedSession) -> None:
    make(session)
    other = make(session, "Verjaardag")
    with pytest.raises(JourneyNameTakenError):
        make(session, "WELKOM")
    with pytest.raises(JourneyNameTakenError):
        drafts.rename_journey(session, other.id, "welkom")
    assert drafts.free_name(session, "Welkom") == "Welkom 2"


def test_a_copy_begins_with_the_draft_and_lives_by_itself(session: ScopedSession) -> None:
    journey = make(session)
    drafts.save_draft(session, journey.id, UNFINISHED, edition=1)
    copy = drafts.copy_journey(session, journey.id, "Welkom 2", created_by=None)
    drafts.save_draft(session, copy.id, {"steps": []}, edition=1)
    assert drafts.find_journey(session, journey.id).draft == UNFINISHED


def test_only_a_journey_that_nobody_entered_can_go(session: ScopedSession, keyring: Keyring) -> None:
    journey, other = make(session), make(session, "Verjaardag")
    enter(session, journey, make_contact(session, keyring, "an@example.org"))
    with pytest.raises(JourneyInUseError):
        drafts.remove_journey(session, journey.id)
    drafts.remove_journey(session, other.id)
    with pytest.raises(JourneyMissingError):
        drafts.find_journey(session, other.id)


def enter(session: ScopedSession, journey: Journey, contact_id: int) -> None:
    now, house = clock.now(), session.organisation_id
    session.add(
        JourneyVersion(organisation_id=house, journey_id=journey.id, version=1, definition={}, published_at=now)
    )
    session.flush()
    session.add(
        Enrolment(
            organisation_id=house,
            journey_id=journey.id,
            version=1,
            contact_id=contact_id,
            occurrence="api:1",
            entered_at=now,
            entered_on=date(2026, 11, 20),
            updated_at=now,
        )
    )
    session.flush()
