"""A slip of the pen is asked about; an address that is right never is."""

from __future__ import annotations

import pytest

from app.consent.address_hints import PROVIDERS, likely_meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("an@gmial.com", "an@gmail.com"),
        ("An@gmail.con", "an@gmail.com"),
        ("an@gmail.co", "an@gmail.com"),
        ("an@gmaill.com", "an@gmail.com"),
        ("an@hotmial.com", "an@hotmail.com"),
        ("an@telnet.be", "an@telenet.be"),
        ("an@skynt.be", "an@skynet.be"),
        ("an@outlok.com", "an@outlook.com"),
        ("an@xs4al.nl", "an@xs4all.nl"),
    ],
)
def test_one_letter_off_a_large_provider_is_asked_about(typed: str, meant: str) -> None:
    assert likely_meant(typed) == meant


@pytest.mark.parametrize("typed", ["an@example.org", "an@deproef.be", "an@gent.be", "an", "", "an@m.be", "an@ugent.be"])
def test_nothing_else_is(typed: str) -> None:
    assert likely_meant(typed) is None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_provider_is_taken_for_another(provider: str) -> None:
    assert likely_meant(f"an@{provider}") is None
