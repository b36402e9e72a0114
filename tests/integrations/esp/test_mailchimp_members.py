"""MailChimp's words for a person, and ours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.base import MemberPush, MemberStatus
from integrations.esp.mailchimp_members import FIELD_BYTES_MAX, member_hash, state_of, truncated, upsert_body
from tests.integrations.esp.conformance import AN


def test_a_status_mailchimp_invents_later_is_no_permission() -> None:
    state = state_of({"email_address": AN, "status": "dormant", "id": "x"})
    assert (state.status, state.reason) == (MemberStatus.UNSUBSCRIBED, "unknown status 'dormant'")
    assert state_of({"email_address": AN}).status is MemberStatus.UNSUBSCRIBED


def test_the_reason_of_an_opt_out_is_kept_and_an_empty_one_is_none() -> None:
    row = {"email_address": AN, "status": "unsubscribed", "unsubscribe_reason": "Spam"}
    assert state_of(row).reason == "Spam"
    assert state_of({**row, "unsubscribe_reason": ""}).reason is None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-20T09:00:00+00:00", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20T10:00:00+01:00", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20T09:00:00", None),
        ("", None),
        (None, None),
    ],
)
def test_an_instant_without_a_zone_is_none(text: str | None, instant: datetime | None) -> None:
    assert state_of({"email_address": AN, "status": "subscribed", "last_changed": text}).changed_at == instant


def test_the_id_of_an_address_is_the_md5_of_it_in_lower_case() -> None:
    assert member_hash("An@Example.ORG ") == member_hash(AN) == "0ceb7cfd5bee44d5e5ebf935d4bd234d"


@given(st.text(max_size=400))
def test_a_cut_value_is_a_beginning_of_it_and_fits(value: str) -> None:
    cut = truncated(value)
    assert value.startswith(cut)
    assert len(cut.encode()) <= FIELD_BYTES_MAX
    assert cut == value or len(cut.encode()) > FIELD_BYTES_MAX - 4


def test_a_push_has_no_word_for_a_status() -> None:
    person = MemberPush(AN, {"status": "subscribed", "FNAME": "An"}, language="FR")
    assert upsert_body(person, status_if_new="pending", tags={"FNAME"}) == {
        "email_address": AN,
        "status_if_new": "pending",
        "merge_fields": {"FNAME": "An"},
        "language": "fr",
    }


@pytest.mark.parametrize(
    ("row", "is_proof"),
    [
        ({"source": "Hosted Signup Form", "ip_opt": "192.0.2.1", "timestamp_opt": "2026-11-20T09:00:00+00:00"}, True),
        ({"source": "Embed Form", "ip_opt": "", "timestamp_opt": "2026-11-20T09:00:00+00:00"}, False),
        ({"source": "Embed Form", "ip_opt": "192.0.2.1"}, False),
        ({"source": "API - Embed Form", "ip_opt": "192.0.2.1", "timestamp_opt": "2026-11-20T09:00:00+00:00"}, False),
        ({"source": "Admin Add", "ip_opt": "192.0.2.1", "timestamp_opt": "2026-11-20T09:00:00+00:00"}, False),
        ({"ip_opt": "192.0.2.1", "timestamp_opt": "2026-11-20T09:00:00+00:00"}, False),
    ],
)
def test_only_a_form_of_its_own_with_its_time_and_address_is_an_act_of_the_person(
    row: dict[str, str], is_proof: bool
) -> None:
    state = state_of({"email_address": AN, "status": "subscribed", **row})
    assert (state.signed_up_at is not None) is is_proof
