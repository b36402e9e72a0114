"""Journeys told as stories: finished or not, in the reader's language."""

from __future__ import annotations

from typing import Any

import pytest

from app.db import ScopedSession
from app.journeys.comparing import compared
from app.journeys.telling import Wording, tell_story
from app.journeys.telling.wording import sign_of
from tests.journeys.moving.house import tag, wait, when

Json = dict[str, Any]


def gettext(text: str, **fillings: Any) -> str:
    return text % fillings if fillings else text


def ngettext(one: str, many: str, count: int) -> str:
    return (one if count == 1 else many) % {"num": count}


ENGLISH = Wording(gettext, ngettext, "en")


def told(session: ScopedSession, step: Json) -> str:
    return tell_story(session, {"steps": [step]}, ENGLISH).steps["s"]


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ({"type": "wait", "for": "P2D", "at": "10:00"}, "Wait 2 days, until 10:00"),
        ({"type": "wait", "for": "P1DT12H"}, "Wait 1 day and 12 hours"),
        ({"type": "wait", "for": "PT30M", "weekdays": [4, 2, 2]}, "Wait 30 minutes, until Tue or Thu"),
        ({"type": "wait"}, "Wait (choose how long)"),
        ({"type": "wait", "for": "soon"}, "Wait (choose how long)"),
        ({"type": "wait_until", "offset": "-PT4H"}, "Wait until 4 hours before the activity"),
        ({"type": "wait_until", "offset": "P1D"}, "Wait until 1 day after the activity"),
        ({"type": "wait_until", "offset": "P0D"}, "Wait until the activity begins"),
        ({"type": "wait_for", "timeout": "P7D"}, "Wait until (choose what to wait for), for 7 days at most"),
        (
            {"type": "wait_for", "timeout": "P1W", "trigger": {"type": "participation", "on": "booked"}},
            "Wait until this person books, for 1 week at most",
        ),
        ({"type": "send", "mailing": None}, "Mail (choose a mailing)"),
        ({"type": "send", "mailing": 404}, "Mail (choose a mailing)"),
        ({"type": "tag", "add": ["a", "b"], "remove": ["c"]}, "Give the tag “a” and “b”, and take off “c”"),
        ({"type": "tag"}, "Give the tag (choose a tag)"),
        ({"type": "set", "field": "attributes.kind", "value": True}, "Fill in “yes” in the field “kind”"),
        ({"type": "set", "field": "attributes.kind", "value": ""}, "Empty the field “kind”"),
        ({"type": "webhook", "url": "https://example.org/a?b"}, "Tell another system (example.org)"),
        ({"type": "webhook", "url": "http://["}, "Tell another system (fill in its address)"),
        ({"type": "unheard of"}, "unheard of"),
    ],
)
def test_a_step_is_told_also_when_it_is_not_finished(session: ScopedSession, step: Json, sentence: str) -> None:
    assert told(session, {"id": "s", **step}) == sentence


@pytest.mark.parametrize(
    ("trigger", "sentence"),
    [
        (None, "Nothing starts this journey yet."),
        ({"type": "participation", "on": "attended", "nth": 5}, "When somebody came for the fifth time."),
        (
            {"type": "participation", "on": "booked", "where": {"genres": ["dance"], "weekdays": [6, 7]}},
            "When somebody books (genre dance; day of the week Sat or Sun).",
        ),
        ({"type": "activity", "offset": "-P2D"}, "When somebody will come in 2 days."),
        ({"type": "anniversary", "field": "birth_date"}, "When it is the birthday of somebody."),
        ({"type": "segment", "segment": 404}, "When somebody comes into the segment (choose a segment)."),
        (
            {"type": "consent", "purpose": "newsletter", "on": "confirmed"},
            "When somebody confirms the subscription to “Newsletter”.",
        ),
        ({"type": "what"}, "When something happens that is not chosen yet."),
    ],
)
def test_what_starts_it_is_told(session: ScopedSession, trigger: Json | None, sentence: str) -> None:
    assert tell_story(session, {"trigger": trigger}, ENGLISH).start == sentence


def test_branches_have_labels_also_when_their_rule_is_not_finished(session: ScopedSession) -> None:
    choice = when("c", {"type": "tag", "tag": ""}, [tag("x")])
    split = {"id": "d", "type": "split", "branches": [{"name": "A", "weight": 1}, {"name": "B", "weight": 3}]}
    story = tell_story(session, {"steps": [choice, split]}, ENGLISH)
    assert story.branches["c"] == ("A rule that is not finished", "Everybody else")
    assert story.branches["d"] == ("A: 25% of them", "B: 75% of them")
    assert "x" in story.steps


@pytest.mark.parametrize("nonsense", [{"steps": "x"}, {"steps": [1, None, {"id": 3}]}, {"goal": [], "trigger": 4}, {}])
def test_nonsense_is_told_without_breaking(session: ScopedSession, nonsense: Json) -> None:
    assert tell_story(session, nonsense, ENGLISH).start


def test_the_sign_of_a_duration() -> None:
    assert [sign_of(one) for one in ("-P2D", "P2D", "P0D", "PT0M", None, "x")] == [-1, 1, 0, 0, 0, 0]


def test_a_version_is_compared_step_by_step(session: ScopedSession) -> None:
    before = {
        "steps": [wait("w"), tag("t"), when("c", {"type": "tag", "tag": "a"}, [tag("x")])],
        "purpose": "newsletter",
    }
    after = {
        "steps": [tag("t"), wait("w", "P5D"), when("c", {"type": "tag", "tag": "a"}, []), tag("n")],
        "purpose": "service",
    }
    changes = {(one.kind, one.what) for one in compared(session, before, after, ENGLISH)}
    assert {("changed", "purpose"), ("changed", "w"), ("added", "n"), ("removed", "x"), ("moved", "t")} <= changes
    assert ("changed", "c") not in changes
    assert compared(session, before, before, ENGLISH) == []
