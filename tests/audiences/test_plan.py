"""The brake and the difference, without a database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.audiences.plan import (
    Confirmation,
    Funnel,
    Leaver,
    Plan,
    Push,
    brake_reason,
    fields_for,
    needs_push,
    payload_sha256,
)
from integrations.base import MemberPush


def a_plan(*, add: int = 0, update: int = 0, remove: int = 0, out: int = 0, current: int = 100, of: int = 1000) -> Plan:
    segment = max(0, current + add - remove)
    plan = Plan(Funnel(of, segment, 0, 0, 0, 0, 0, segment), current=current)
    plan.pushes = [Push(number, b"", number < add, True) for number in range(add + update)]
    plan.leavers = [Leaver(b"", "", None, number < out, False) for number in range(remove + out)]
    return plan


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (a_plan(), None),
        (a_plan(add=1, current=0), "first_push"),
        (a_plan(add=20), None),
        (a_plan(add=21), "large_change"),
        (a_plan(remove=20), None),
        (a_plan(add=11, remove=10), "large_change"),
        (a_plan(update=100), None),
        (a_plan(out=100), None),
        (a_plan(remove=100), "empty_segment"),
        (a_plan(add=1, of=101), "everybody"),
        (a_plan(of=100), None),
    ],
)
def test_what_waits_for_a_person(plan: Plan, reason: str | None) -> None:
    assert brake_reason(plan, brake_pct=20, was_everybody=False, confirmation=None) == reason


def test_everybody_is_asked_about_once() -> None:
    assert brake_reason(a_plan(add=1, of=101), brake_pct=20, was_everybody=True, confirmation=None) is None


@pytest.mark.parametrize(("size", "reason"), [(100, None), (120, None), (121, "large_change")])
def test_a_confirmation_covers_what_was_shown_give_or_take_the_brake(size: int, reason: str | None) -> None:
    plan, shown = a_plan(add=size), Confirmation(100)
    assert brake_reason(plan, brake_pct=20, was_everybody=False, confirmation=shown) == reason
    assert brake_reason(plan, brake_pct=20, was_everybody=False, confirmation=Confirmation(None)) is None


@pytest.mark.parametrize(
    ("state", "pushed", "code", "is_needed"),
    [
        (None, None, None, True),
        ("out", None, None, True),
        ("in", b"same", None, False),
        ("in", b"other", None, True),
        ("in", None, None, True),
        ("refused", b"other", "forgotten", False),
        ("refused", b"other", "invalid_field", True),
        ("refused", b"same", "invalid_field", False),
        ("claimed", None, None, False),
        ("uncertain", None, None, False),
    ],
)
def test_who_is_pushed(state: str | None, pushed: bytes | None, code: str | None, is_needed: bool) -> None:
    assert needs_push(state, pushed, code, wanted=b"same") is is_needed


def test_a_payload_is_known_by_what_it_says_and_not_by_its_order() -> None:
    one = MemberPush("an@example.org", {"FNAME": "An", "LNAME": "De Wit"}, "nl")
    two = MemberPush("an@example.org", {"LNAME": "De Wit", "FNAME": "An"}, "nl")
    assert payload_sha256(one) == payload_sha256(two)
    assert payload_sha256(one) != payload_sha256(MemberPush("an@example.org", {"FNAME": "An"}, "nl"))
    assert payload_sha256(one) != payload_sha256(MemberPush("an@example.org", one.fields, "fr"))
    followed = [payload_sha256(replace(one, may_track=may_track)) for may_track in (None, True, False)]
    assert followed[0] == payload_sha256(one)
    assert len(set(followed)) == 3


def test_an_unknown_value_is_left_out() -> None:
    values = {"given_name": "An", "family_name": None, "phone": ""}
    mapping = {"FNAME": "given_name", "LNAME": "family_name", "PHONE": "phone"}
    assert fields_for(values, mapping) == {"FNAME": "An"}
