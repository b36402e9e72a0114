"""What a rule would hold, seen before it is kept."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from app.contacts.models import Contact as ContactRow
from app.contacts.models import ContactIdentity
from app.db import ScopedSession
from app.segments import definitions
from app.segments.building.checking import check_person
from app.segments.building.preview import preview_rule
from app.segments.compiling.time_limit import within
from app.segments.problems import InvalidRuleError, TooSlowError
from tests.segments.people import move_in, person, visits

LAPSER: dict[str, Any] = {
    "type": "all",
    "rules": [
        {"type": "participation", "at_least": 3, "between": ["-P48M", "-P18M"]},
        {"type": "participation", "at_most": 0, "between": ["-P18M", None]},
    ],
}


def test_the_funnel_leads_from_the_rule_to_those_who_can_be_mailed(session: ScopedSession) -> None:
    regular = visits(600, 700, 800)
    filled = move_in(
        session,
        person(1, *regular),
        person(2, *regular),
        person(3, *regular, allowed=False),
        person(4, *regular, email=None, allowed=False),
        person(5, *regular, *visits(10)),
    )
    bouncing = filled.world.contacts[1].id
    session.execute(
        sa.update(ContactIdentity).where(ContactIdentity.contact_id == bouncing).values(deliverability="bouncing")
    )
    shown = preview_rule(session, LAPSER)
    funnel = shown.funnel
    assert (shown.of, shown.count) == (5, 4)
    assert (funnel.holds, funnel.has_address, funnel.permitted, funnel.mailable) == (4, 3, 2, 1)
    assert {one.id for one in shown.sample} == {one.id for one in filled.world.contacts[:4]}
    assert shown.told.startswith("Iedereen in dit segment kwam minstens 3 keer van 20 november 2022")


def test_another_day_is_another_answer(session: ScopedSession) -> None:
    move_in(session, person(1, *visits(600, 700, 800)))
    assert preview_rule(session, LAPSER).count == 1
    assert preview_rule(session, LAPSER, at=date(2026, 5, 1)).count == 0


def test_nobody_is_an_answer(session: ScopedSession) -> None:
    shown = preview_rule(session, {"type": "any", "rules": []}, language="fr")
    assert (shown.count, shown.of, shown.sample) == (0, 0, ())
    assert shown.told == "Personne n’est dans ce segment."


def test_a_sample_is_ten_people_at_most_and_the_same_ones_again(session: ScopedSession) -> None:
    move_in(session, *(person(number) for number in range(25)))
    first, second = (preview_rule(session, {"type": "all", "rules": []}).sample for _ in range(2))
    assert len(first) == 10
    assert [one.id for one in first] == [one.id for one in second]


def test_a_rule_that_takes_too_long_is_given_up_and_harms_nothing(session: ScopedSession) -> None:
    definitions.create_segment(session, name="Blijft", rule=LAPSER)
    with pytest.raises(TooSlowError), within(session, 0.05):
        session.execute(sa.text("SELECT pg_sleep(5)"))
    assert session.scalar(sa.text("SHOW statement_timeout")) == "0"
    assert len(definitions.list_segments(session)) == 1


def test_the_time_limit_ends_with_the_block(session: ScopedSession) -> None:
    with within(session, 1):
        assert session.scalar(sa.text("SHOW statement_timeout")) == "1s"
    assert session.scalar(sa.text("SHOW statement_timeout")) == "0"


def test_a_person_is_checked_condition_by_condition(session: ScopedSession) -> None:
    filled = move_in(session, person(1, *visits(600, 700, 800)), person(2, *visits(600)))
    [yes, no] = [check_person(session, LAPSER, contact_id=one.id) for one in filled.world.contacts]
    assert yes is not None
    assert no is not None
    assert (yes.holds, [check.holds for check in yes.conditions]) == (True, [True, True])
    assert (no.holds, [check.holds for check in no.conditions]) == (False, [False, True])
    assert [check.path for check in no.conditions] == ["rules.0", "rules.1"]
    assert no.conditions[0].told == "kwam minstens 3 keer van 20 november 2022 tot en met 19 mei 2025"


def test_a_condition_about_another_segment_is_checked_by_its_rule(session: ScopedSession) -> None:
    filled = move_in(session, person(1, *visits(600, 700, 800)))
    segment = definitions.create_segment(session, name="Afhakers", rule=LAPSER)
    rule = {"type": "not", "rule": {"type": "segment", "segment": segment.id, "is": "member"}}
    answer = check_person(session, rule, contact_id=filled.world.contacts[0].id)
    assert answer is not None
    assert (answer.holds, answer.conditions[0].holds, answer.conditions[0].told) == (
        False,
        False,
        "zit niet in het segment “Afhakers”",
    )


def test_somebody_who_is_gone_is_nobody_to_check(session: ScopedSession) -> None:
    filled = move_in(session, person(1))
    gone = filled.world.contacts[0].id
    session.execute(sa.update(ContactRow).where(ContactRow.id == gone).values(state="erased"))
    assert check_person(session, LAPSER, contact_id=gone) is None
    assert preview_rule(session, {"type": "all", "rules": []}).count == 0


def test_a_wrong_rule_is_refused_before_anything_is_asked_of_the_database(session: ScopedSession) -> None:
    with pytest.raises(InvalidRuleError):
        preview_rule(session, {"type": "participation"})
