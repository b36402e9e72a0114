"""Links in mails: nobody can make, alter or swap one, and they hold no address."""

from __future__ import annotations

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.consent.tokens import Claims, make_token, read_token
from app.keyring import Keyring

KEYS = Keyring(((1, b"1" * 32),))
CLAIMS = Claims(kind="unsubscribe", organisation_id=7, subject_key=b"s" * 32, purpose="newsletter", event_id=12)


@given(
    st.sampled_from(["unsubscribe", "preferences", "confirm"]),
    st.integers(1, 2**31 - 1),
    st.binary(min_size=32, max_size=32),
    st.none() | st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=40),
    st.integers(0, 2**63 - 1),
)
def test_a_token_says_what_was_put_in(
    kind: str, organisation_id: int, subject_key: bytes, purpose: str | None, event_id: int
) -> None:
    claims = Claims(
        kind=kind,  # type: ignore[arg-type]
        organisation_id=organisation_id,
        subject_key=subject_key,
        purpose=purpose,
        event_id=event_id,
    )
    assert read_token(KEYS, claims.kind, make_token(KEYS, claims)) == claims


@given(st.data())
def test_no_altered_token_is_read(data: st.DataObject) -> None:
    token = make_token(KEYS, CLAIMS)
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCxyz012-_=").filter(lambda each: each != token[place]))
    assert read_token(KEYS, "unsubscribe", token[:place] + letter + token[place + 1 :]) is None


@given(st.text(max_size=200) | st.binary(max_size=120).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_nonsense_is_no_token(text: str) -> None:
    assert read_token(KEYS, "preferences", text) is None


def test_one_kind_of_link_is_no_other() -> None:
    token = make_token(KEYS, CLAIMS)
    assert read_token(KEYS, "preferences", token) is None
    assert read_token(KEYS, "confirm", token) is None


def test_old_links_work_after_a_new_key_and_not_without_the_old_one() -> None:
    token = make_token(KEYS, CLAIMS)
    assert read_token(Keyring((*KEYS.keys, (2, b"2" * 32))), "unsubscribe", token) == CLAIMS
    assert read_token(Keyring(((2, b"2" * 32),)), "unsubscribe", token) is None
    assert read_token(Keyring(((1, b"3" * 32),)), "unsubscribe", token) is None


@pytest.mark.parametrize("_time", range(3))
def test_a_token_fits_in_a_line_of_a_mail(_time: int) -> None:
    claims = Claims(
        kind="unsubscribe", organisation_id=2**31 - 1, subject_key=secrets.token_bytes(32), purpose="x" * 20
    )
    assert len(make_token(KEYS, claims)) < 130
