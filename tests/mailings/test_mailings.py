"""Mailings as a marketer keeps them: what is refused, what nobody can overwrite, and what stays."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.accounts.audit import SYSTEM
from app.db import ScopedSession
from app.mailings import mailings
from app.mailings.composing.problems import MarketingInServiceError
from app.mailings.freezing import freeze
from app.mailings.models import MailingVersion
from app.mailings.problems import InvalidMailing, NotThatState, StaleEdition, UnknownMailing
from app.segments.definitions import delete_segment, uses_of
from app.segments.problems import SegmentInUseError
from tests.mailings.campaigns import a_draft, a_mailing, a_segment, words


def test_a_mailing_is_kept_with_its_people(session: ScopedSession) -> None:
    to, without = a_segment(session).id, a_segment(session, "Niet zij").id
    mailing = mailings.create_mailing(session, a_draft(to, without=[without]), actor=SYSTEM)
    assert (mailing.state, mailing.kind, mailing.edition, mailing.version) == ("draft", "campaign", 1, None)
    assert mailings.segments_of(session, mailing.id) == ([to], [without])


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"name": "  "}, "name", "required"),
        ({"name": "x" * 121}, "name", "too_long"),
        ({"name": "Nieuws\nBcc: x"}, "name", "not_printable"),
        ({"purpose": "gossip"}, "purpose", "unknown"),
        ({"purpose": "track_open"}, "purpose", "unknown"),
        ({"to": [4711]}, "to", "unknown"),
        ({"to": list(range(1, 60))}, "to", "too_many"),
        ({"holdout_percent": 51}, "holdout_percent", "out_of_range"),
        ({"effect_days": 0}, "effect_days", "out_of_range"),
        ({"priority": 101}, "priority", "out_of_range"),
    ],
)
def test_what_cannot_be_is_refused_by_field(
    session: ScopedSession, changes: dict[str, object], field: str, code: str
) -> None:
    with pytest.raises(InvalidMailing) as refused:
        a_mailing(session, **changes)
    assert refused.value.errors == {field: code}
    assert mailings.list_mailings(session) == []


def test_nobody_is_at_once_meant_and_not_meant(session: ScopedSession) -> None:
    one = a_segment(session).id
    with pytest.raises(InvalidMailing) as refused:
        a_mailing(session, one, without=[one])
    assert refused.value.errors == {"without": "also_to"}


def test_two_mailings_cannot_have_one_name_whatever_the_capitals(session: ScopedSession) -> None:
    a_mailing(session)
    with pytest.raises(InvalidMailing) as refused:
        a_mailing(session, name="NOVEMBERNIEUWS")
    assert refused.value.errors == {"name": "taken"}


def test_who_saves_over_what_they_did_not_see_is_refused_and_nothing_is_lost(session: ScopedSession) -> None:
    mailing_id = a_mailing(session)
    assert mailings.save_content(session, mailing_id, words("nl", "fr"), edition=1).edition == 2
    with pytest.raises(StaleEdition) as refused:
        mailings.save_content(session, mailing_id, words("en"), edition=1)
    assert refused.value.edition == 2
    assert mailings.find_mailing(session, mailing_id).content == words("nl", "fr")


def test_what_was_frozen_does_not_change_with_the_draft(session: ScopedSession) -> None:
    mailing_id = a_mailing(session)
    assert freeze(session, mailing_id) == 1
    assert freeze(session, mailing_id) == 1, "the same words need no second version"
    mailings.save_content(session, mailing_id, words("fr"), edition=1)
    assert freeze(session, mailing_id) == 2
    contents = session.scalars(select(MailingVersion.content).order_by(MailingVersion.version)).all()
    languages = [list(content["variants"][0]["texts"]) for content in contents]
    assert languages == [["nl"], ["fr"]]


def test_a_service_mail_with_blocks_that_sell_is_not_frozen(session: ScopedSession) -> None:
    """I15"""
    sells = {"type": "activities", "id": "cards", "mode": "automatic", "count": 3}
    mailing_id = a_mailing(session, purpose="service", content=words("nl", blocks=[sells]))
    with pytest.raises(MarketingInServiceError) as refused:
        freeze(session, mailing_id)
    assert refused.value.block_ids == ("cards",)
    assert freeze(session, a_mailing(session, name="Afgelast", purpose="service")) == 1


def test_a_copy_is_a_draft_of_its_own(session: ScopedSession) -> None:
    one = a_segment(session).id
    original = a_mailing(session, one, holdout_percent=10)
    copies = [mailings.copy_mailing(session, original, actor=SYSTEM) for _ in range(2)]
    assert [copy.name for copy in copies] == ["Novembernieuws (2)", "Novembernieuws (3)"]
    assert copies[0].holdout_percent == 10
    assert mailings.segments_of(session, copies[0].id) == ([one], [])
    mailings.save_content(session, copies[0].id, words("en"), edition=1)
    assert mailings.find_mailing(session, original).content == words()


def test_a_draft_goes_and_what_was_sent_stays(session: ScopedSession) -> None:
    gone, stays = a_mailing(session), a_mailing(session, name="Gezonden")
    mailings.remove_mailing(session, gone, actor=SYSTEM)
    with pytest.raises(UnknownMailing):
        mailings.find_mailing(session, gone)
    freeze(session, stays)
    mailings.find_mailing(session, stays).state = "sent"
    session.flush()
    with pytest.raises(NotThatState):
        mailings.remove_mailing(session, stays, actor=SYSTEM)
    with pytest.raises(NotThatState):
        mailings.save_content(session, stays, words(), edition=1)


def test_a_segment_that_a_mailing_uses_stays_and_says_who_uses_it(session: ScopedSession) -> None:
    one = a_segment(session).id
    mailing_id = a_mailing(session, one)
    assert [(use.kind, use.id, use.name) for use in uses_of(session, one)] == [
        ("mailing", mailing_id, "Novembernieuws")
    ]
    with pytest.raises(SegmentInUseError):
        delete_segment(session, one)
    mailings.remove_mailing(session, mailing_id, actor=SYSTEM)
    delete_segment(session, one)
