"""Recording: what is said becomes a fact, and permission follows at once."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from app import clock
from app.accounts.models import Organisation
from app.consent.errors import NobodyMeant, UnknownNotice, UnknownPurpose
from app.consent.ledger import NewEvent, record_event, record_events, record_opt_outs
from app.consent.models import ConsentEvent, NoticeVersion, Permission, Purpose
from app.consent.notices import Wording, find_or_create_notice
from app.consent.rebuild import differences, rebuild
from app.consent.subjects import email_subject, hash_key_id
from app.consent.suppressions import list_suppressions, suppress
from app.contacts.models import Contact
from app.db import ScopedSession, enter_organisation, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from tests.conftest import NOW, make_house
from tests.consent.people import WORDING, a_grant, a_withdrawal, make_contact, opt_out_arguments

AN = "an@example.org"


def permission(session: ScopedSession, keyring: Keyring, purpose: str = "newsletter") -> Permission | None:
    session.expire_all()
    return session.scalars(
        select(Permission).where(
            Permission.subject_key == email_subject(session, keyring, AN), Permission.purpose == purpose
        )
    ).one_or_none()


def events(session: ScopedSession) -> int:
    return session.scalar(select(func.count()).select_from(ConsentEvent)) or 0


def test_a_grant_allows_and_keeps_the_wording_shown(session: ScopedSession, keyring: Keyring) -> None:
    """I9."""
    contact_id = make_contact(session, keyring, AN)
    recorded = record_event(session, keyring, a_grant(" An@Example.ORG "))
    assert (recorded.is_new, recorded.action, recorded.contact_id) == (True, "granted", contact_id)
    row = permission(session, keyring)
    assert row is not None
    assert (row.is_allowed, row.basis, row.decided_by) == (True, "consent", recorded.event_id)
    event = session.get_one(ConsentEvent, (session.organisation_id, recorded.event_id))
    notice = session.get_one(NoticeVersion, (session.organisation_id, event.notice_version_id))
    assert (notice.wording, notice.language) == (WORDING, "nl")
    assert bytes(notice.wording_sha256) == hashlib.sha256(WORDING.encode()).digest()


def test_a_wording_of_unknown_language_says_so(session: ScopedSession, keyring: Keyring) -> None:
    record_event(session, keyring, a_grant(AN, language=None))
    assert session.scalars(select(NoticeVersion.language)).one() == "und"


def test_the_same_wording_is_one_version(session: ScopedSession, keyring: Keyring) -> None:
    record_events(session, keyring, [a_grant(AN), a_grant("bo@example.org"), a_grant(AN, purpose="survey")])
    assert sorted(session.scalars(select(NoticeVersion.purpose))) == ["newsletter", "survey"]


@pytest.mark.parametrize("lost", [{"wording": None}, {"occurred_at": None}, {"basis": None}, {"source": " "}])
def test_a_yes_without_proof_is_noted_and_allows_nothing(
    session: ScopedSession, keyring: Keyring, lost: dict[str, None]
) -> None:
    """I9."""
    assert record_event(session, keyring, a_grant(AN, **lost)).action == "noted"
    row = permission(session, keyring)
    assert row is not None
    assert (row.is_allowed, row.is_negative, row.reason) == (False, False, "noted")


def test_a_withdrawal_covers_every_marketing_purpose_at_once(session: ScopedSession, keyring: Keyring) -> None:
    record_events(session, keyring, [a_grant(AN), a_withdrawal(AN)])
    marketing = set(session.scalars(select(Purpose.code).where(Purpose.is_marketing)))
    noes = set(session.scalars(select(Permission.purpose).where(Permission.is_negative)))
    assert noes == marketing


def test_a_replay_changes_nothing(session: ScopedSession, keyring: Keyring) -> None:
    first = record_event(session, keyring, a_grant(AN, external_id="row 7"))
    record_event(session, keyring, a_withdrawal(AN, external_id="row 7", source="elsewhere"))
    again = record_events(session, keyring, [a_grant(AN, external_id="row 7"), a_grant(AN, external_id="row 7")])
    assert [(each.event_id, each.is_new) for each in again] == [(first.event_id, False)] * 2
    assert events(session) == 2


def test_the_same_external_id_twice_in_one_batch_is_one_event(session: ScopedSession, keyring: Keyring) -> None:
    first, second = record_events(session, keyring, [a_grant(AN, external_id="1"), a_grant(AN, external_id="1")])
    assert (first.is_new, second.is_new, second.event_id) == (True, False, first.event_id)


def test_what_a_source_holds_is_recorded_once_and_never_undoes_the_return_of_a_person(
    session: ScopedSession, keyring: Keyring
) -> None:
    held = a_withdrawal(AN, source="box office", occurred_at=None, actor="system", method="sync", repeats="state")
    record_event(session, keyring, held)
    with clock.set_to(NOW + timedelta(hours=1)):
        record_event(session, keyring, a_grant(AN, method="preference_page"))
        assert not record_event(session, keyring, held).is_new
        row = permission(session, keyring)
        assert row is not None
        assert row.is_allowed


def test_a_source_that_changes_its_mind_is_heard_each_time(session: ScopedSession, keyring: Keyring) -> None:
    out = a_withdrawal(AN, source="box office", purpose="newsletter", occurred_at=None, actor="system", repeats="state")
    back = a_grant(AN, source="box office", occurred_at=None, actor="system", repeats="state")
    assert [each.is_new for each in record_events(session, keyring, [out, out, back, back, out])] == [
        True,
        False,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("at", [None, NOW - timedelta(days=3)])
def test_an_opt_out_reported_every_night_is_one_fact(session: ScopedSession, keyring: Keyring, at: object) -> None:
    for _ in range(3):
        record_opt_outs(session, keyring, [AN, "bo@example.org"], **opt_out_arguments(at))  # type: ignore[arg-type]
    assert events(session) == 2


def test_an_old_opt_out_does_not_return_but_a_new_one_acts(session: ScopedSession, keyring: Keyring) -> None:
    old, new = NOW - timedelta(days=3), NOW + timedelta(hours=2)
    record_opt_outs(session, keyring, [AN], **opt_out_arguments(old))
    with clock.set_to(NOW + timedelta(hours=1)):
        record_event(session, keyring, a_grant(AN, method="preference_page"))
        record_opt_outs(session, keyring, [AN], **opt_out_arguments(old))
        row = permission(session, keyring)
        assert row is not None
        assert row.is_allowed
    record_opt_outs(session, keyring, [AN], **opt_out_arguments(new))
    row = permission(session, keyring)
    assert row is not None
    assert row.is_negative


def test_an_opt_out_of_unknown_date_acts_again_after_the_person_came_back(
    session: ScopedSession, keyring: Keyring
) -> None:
    record_opt_outs(session, keyring, [AN], **opt_out_arguments(None))
    record_event(session, keyring, a_grant(AN, method="preference_page"))
    record_opt_outs(session, keyring, [AN], **opt_out_arguments(None))
    row = permission(session, keyring)
    assert row is not None
    assert row.is_negative


def test_an_address_that_cannot_exist_is_skipped_in_a_batch_and_refused_alone(
    session: ScopedSession, keyring: Keyring
) -> None:
    bad, good = record_events(session, keyring, [a_grant("geen"), a_grant(AN)])
    assert (bad.event_id, bad.is_new) == (None, False)
    assert good.is_new
    with pytest.raises(NobodyMeant):
        record_event(session, keyring, a_grant("geen"))


def test_what_is_unknown_is_refused_and_nothing_is_recorded(session: ScopedSession, keyring: Keyring) -> None:
    notice = find_or_create_notice(session, Wording("survey", "nl", "Mogen we u iets vragen?", "test"))
    with pytest.raises(UnknownPurpose):
        record_events(session, keyring, [a_grant(AN), a_grant(AN, purpose="nonsense")])
    for wrong in (notice, notice + 1):
        with pytest.raises(UnknownNotice):
            record_events(session, keyring, [a_grant(AN), a_grant(AN, wording=None, notice_version_id=wrong)])
    with pytest.raises(NobodyMeant):
        record_event(session, keyring, NewEvent(**{**_plain(a_grant(AN)), "address": None}))
    assert events(session) == 0


def test_a_contact_without_an_address_has_a_history_too(session: ScopedSession, keyring: Keyring) -> None:
    contact_id = make_contact(session, keyring)
    event = NewEvent(**{**_plain(a_grant(AN, channel="post")), "address": None, "contact_id": contact_id})
    assert record_event(session, keyring, event).contact_id == contact_id
    assert session.scalars(select(Permission.channel)).all() == ["post"]


def test_a_new_purpose_is_covered_by_a_no_to_everything(session: ScopedSession, keyring: Keyring) -> None:
    record_events(session, keyring, [a_withdrawal(AN), a_grant("bo@example.org")])
    session.add(
        Purpose(
            organisation_id=session.organisation_id,
            code="friends",
            names={"nl": "Vrienden"},
            allowed_bases=["consent"],
            created_at=NOW,
        )
    )
    session.flush()
    assert [found.purpose for found in differences(session)] == ["friends"]
    assert rebuild(session) == 1
    row = permission(session, keyring, "friends")
    assert row is not None
    assert row.is_negative
    assert differences(session) == []


def test_a_row_that_was_tampered_with_is_found_and_put_right(session: ScopedSession, keyring: Keyring) -> None:
    """I8."""
    record_events(session, keyring, [a_grant(AN), a_withdrawal(AN)])
    session.execute(
        update(Permission).where(Permission.purpose == "newsletter").values(is_negative=False, reason="noted")
    )
    session.execute(delete(Permission).where(Permission.purpose == "survey"))
    found = {(each.purpose, each.stored, each.implied) for each in differences(session)}
    assert found == {("newsletter", "noted", "withdrawn"), ("survey", None, "withdrawn")}
    assert rebuild(session, subject_keys=[email_subject(session, keyring, AN) or b""]) == 2
    assert differences(session) == []


@pytest.mark.parametrize("statement", ["UPDATE consent_event SET action = 'granted'", "DELETE FROM consent_event"])
def test_the_ledger_refuses_changes(runtime: Runtime, session: ScopedSession, keyring: Keyring, statement: str) -> None:
    """I8."""
    record_event(session, keyring, a_withdrawal(AN))
    with pytest.raises(DBAPIError, match="permission denied"):
        session.execute(text(statement))
    session.rollback()


def test_deleting_what_a_fact_is_about_leaves_the_fact(session: ScopedSession, keyring: Keyring) -> None:
    """I7."""
    contact_id = make_contact(session, keyring, AN)
    record_events(session, keyring, [a_grant(AN), a_withdrawal(AN)])
    suppress(session, keyring, [AN], channel="email", reason="erased", source="test", at=NOW)
    session.execute(delete(Contact).where(Contact.id == contact_id))
    assert events(session) == 2
    assert len(list_suppressions(session)) == 1
    row = permission(session, keyring)
    assert row is not None
    assert row.is_negative


def test_a_notice_whose_hash_does_not_match_cannot_be_stored(session: ScopedSession) -> None:
    """I9."""
    values = {
        "organisation_id": session.organisation_id,
        "purpose": "newsletter",
        "language": "nl",
        "wording": "Iets anders",
        "wording_sha256": hashlib.sha256(b"Iets").digest(),
        "source": "test",
        "created_at": NOW,
    }
    with pytest.raises(IntegrityError, match="wording_matches_hash"):
        session.execute(insert(NoticeVersion).values(values))
    session.rollback()


def test_a_yes_without_a_notice_cannot_be_stored(session: ScopedSession, keyring: Keyring) -> None:
    """I9."""
    values = {
        "organisation_id": session.organisation_id,
        "subject_key": email_subject(session, keyring, AN),
        "hash_key_id": 1,
        "channel": "email",
        "purpose": "newsletter",
        "action": "granted",
        "basis": "consent",
        "recorded_at": NOW,
        "actor": "staff",
        "method": "form",
        "source": "test",
    }
    with pytest.raises(IntegrityError, match="positive_has_notice"):
        session.execute(insert(ConsentEvent).values(values))
    session.rollback()


def test_two_houses_that_share_an_address_never_see_each_other(runtime: Runtime, keyring: Keyring) -> None:
    """I23, I24."""
    one, two = make_house(runtime, "De Proef"), make_house(runtime, "Het Pand")
    with transaction(runtime.engine, one.id) as session:
        record_events(session, keyring, [a_grant(AN, external_id="1"), a_withdrawal(AN)])
        suppress(session, keyring, [AN], channel="email", reason="manual", source="test", at=NOW)
        key_of_one = email_subject(session, keyring, AN)
    with transaction(runtime.engine, two.id) as session:
        assert email_subject(session, keyring, AN) != key_of_one
        assert record_event(session, keyring, a_grant(AN, external_id="1")).is_new
        assert list_suppressions(session) == []
        row = permission(session, keyring)
        assert row is not None
        assert row.is_allowed


def _plain(event: NewEvent) -> dict[str, object]:
    return {name: getattr(event, name) for name in NewEvent.__dataclass_fields__}


def test_a_session_that_goes_to_another_house_hashes_with_that_houses_key(runtime: Runtime, keyring: Keyring) -> None:
    """I24: a request may learn on the way whose it is."""
    one, two = make_house(runtime, "De Proef"), make_house(runtime, "Het Pand")
    with transaction(runtime.engine, one.id) as session:
        session.execute(update(Organisation).values(hash_key_id=7))
        assert hash_key_id(session) == 7
        enter_organisation(session, two.id)
        assert hash_key_id(session) == two.hash_key_id
