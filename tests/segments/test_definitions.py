"""Making, changing and removing segments."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from app import clock
from app.audiences.models import Audience
from app.db import ScopedSession
from app.segments import definitions
from app.segments.models import Segment
from app.segments.problems import InvalidRuleError, NameTakenError, SegmentInUseError, SegmentMissingError
from app.sync.models import Connection

TAGGED: dict[str, Any] = {"type": "tag", "tag": "vip"}


def refers_to(segment: Segment | int) -> dict[str, Any]:
    number = segment if isinstance(segment, int) else segment.id
    return {"type": "all", "rules": [{"type": "segment", "segment": number, "is": "member"}]}


def test_a_segment_is_kept_with_its_rule(session: ScopedSession) -> None:
    made = definitions.create_segment(session, name="  Vrienden ", rule=TAGGED, description=" ")
    session.expire_all()
    kept = definitions.find_segment(session, made.id)
    assert (kept.name, kept.rule, kept.version, kept.description) == ("Vrienden", TAGGED, 1, None)


def test_another_rule_is_another_version_and_another_name_is_not(session: ScopedSession) -> None:
    made = definitions.create_segment(session, name="Vrienden", rule=TAGGED)
    definitions.update_segment(session, made.id, name="Beste vrienden", rule=TAGGED)
    assert made.version == 1
    definitions.update_segment(session, made.id, name="Beste vrienden", rule={"type": "tag", "tag": "pers"})
    assert made.version == 2


def test_a_wrong_rule_is_not_kept(session: ScopedSession) -> None:
    with pytest.raises(InvalidRuleError):
        definitions.create_segment(session, name="Vrienden", rule={"type": "tag"})
    assert session.scalars(sa.select(Segment)).all() == []


def test_a_name_is_used_once_whatever_its_capitals(session: ScopedSession) -> None:
    definitions.create_segment(session, name="Vrienden", rule=TAGGED)
    with pytest.raises(NameTakenError):
        definitions.create_segment(session, name="VRIENDEN", rule=TAGGED)
    assert len(session.scalars(sa.select(Segment)).all()) == 1


def test_a_rule_that_refers_to_no_segment_says_where(session: ScopedSession) -> None:
    with pytest.raises(InvalidRuleError) as refused:
        definitions.create_segment(session, name="Vrienden", rule=refers_to(999))
    assert list(refused.value.by_field()) == ["rules.0.segment"]


def test_a_rule_about_an_unknown_purpose_says_which_there_are(session: ScopedSession) -> None:
    rule = {"type": "permission", "channel": "email", "purpose": "gossip", "is": "allowed"}
    with pytest.raises(InvalidRuleError) as refused:
        definitions.read_rule(session, rule)
    [sentence] = refused.value.by_field()["purpose"]
    assert "newsletter" in sentence


def test_a_segment_cannot_come_to_refer_to_itself_through_others(session: ScopedSession) -> None:
    first = definitions.create_segment(session, name="A", rule=TAGGED)
    second = definitions.create_segment(session, name="B", rule=refers_to(first))
    third = definitions.create_segment(session, name="C", rule=refers_to(second))
    for target in (first, second, third):
        with pytest.raises(InvalidRuleError) as refused:
            definitions.update_segment(session, first.id, name="A", rule=refers_to(target))
        assert list(refused.value.by_field()) == ["rules.0.segment"]
    assert first.rule == TAGGED


def test_a_segment_that_another_refers_to_cannot_be_removed(session: ScopedSession) -> None:
    first = definitions.create_segment(session, name="A", rule=TAGGED)
    second = definitions.create_segment(session, name="B", rule=refers_to(first))
    with pytest.raises(SegmentInUseError) as refused:
        definitions.delete_segment(session, first.id)
    assert refused.value.users == (("segment", second.id),)
    definitions.delete_segment(session, second.id)
    definitions.delete_segment(session, first.id)
    with pytest.raises(SegmentMissingError):
        definitions.find_segment(session, first.id)


def test_a_segment_that_an_audience_pushes_cannot_be_removed(session: ScopedSession) -> None:
    segment = definitions.create_segment(session, name="A", rule=TAGGED)
    audience_id = add_audience(session, segment.id)
    with pytest.raises(SegmentInUseError) as refused:
        definitions.delete_segment(session, segment.id)
    assert refused.value.users == (("audience", audience_id),)
    assert [use.name for use in definitions.uses_of(session, segment.id)] == ["Push"]


def add_audience(session: ScopedSession, segment_id: int) -> int:
    connection = Connection(organisation_id=session.organisation_id, name="Chimp", created_at=clock.now())
    connection.system, connection.kind = "mailchimp", "destination"
    session.add(connection)
    session.flush()
    values = {
        "organisation_id": session.organisation_id,
        "name": "Push",
        "segment_id": segment_id,
        "purpose": "newsletter",
        "connection_id": connection.id,
        "list_ref": "l",
        "list_name": "Lijst",
        "tag": "t",
        "field_mapping": {},
        "created_at": clock.now(),
        "updated_at": clock.now(),
    }
    return int(session.execute(sa.insert(Audience).values(**values).returning(Audience.id)).scalar_one())
