"""Opens answer a question and feed nothing: no journey, no winner, no retention (decision 8)."""

from __future__ import annotations

import ast
from pathlib import Path

from app.mailings.effect.ab_tests import DECIDE_BY, problem_of
from app.segments.language.rules import looks_at_opens
from app.segments.language.schemas import parse_rule

TOP = Path(__file__).resolve().parents[3]

# Who may speak of an opened mail: whoever records it, the language of segments, and the report that shows it.
MAY_SAY_OPENED = {
    "app/contacts/engagement.py",
    "app/contacts/models.py",
    "app/contacts/schemas.py",
    "app/demo/afterwards.py",
    "app/mailings/effect/results.py",
    "app/mailings/tracking/hits.py",
    "app/segments/building/recipes.py",
    "app/segments/language/rules.py",
    "app/segments/language/told/dutch.py",
    "app/segments/language/told/english.py",
    "app/segments/language/told/french.py",
}


def test_nothing_but_segments_and_reports_knows_that_a_mail_was_opened() -> None:
    """I17: who reads opens is a short list; journeys, winners, retention and permission are not on it."""
    speaking = set()
    for path in sorted((TOP / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if is_text and (node.value == "opened" or "'opened'" in node.value):
                speaking.add(path.relative_to(TOP).as_posix())
    assert speaking == MAY_SAY_OPENED


def test_a_winner_is_never_chosen_by_opens() -> None:
    """I17: an A/B test is decided by clicks or by bookings."""
    assert set(DECIDE_BY) == {"clicks", "bookings"}
    assert problem_of({"share_percent": 20, "decide_by": "opens"}) is not None


def test_a_rule_that_asks_about_opens_says_so_wherever_it_hides() -> None:
    """I17: what journeys refuse is found inside a negation and inside a rule about others too."""
    opened = {"type": "engagement", "event": "opened", "at_least": 1}
    clicked = opened | {"event": "clicked"}
    assert looks_at_opens(parse_rule({"type": "not", "rule": {"type": "any", "rules": [clicked, opened]}}))
    assert not looks_at_opens(parse_rule({"type": "all", "rules": [clicked]}))
