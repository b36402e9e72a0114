"""One spelling for one address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.addresses import normalise_email


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("  An.Peeters@Example.ORG ", "an.peeters@example.org"),
        ("an@example.org.", "an@example.org"),
        ("an+nieuws@example.org", "an+nieuws@example.org"),
        ("o'brien@example.org", "o'brien@example.org"),
        ("an@caf\u00e9.example", "an@xn--caf-dma.example"),
        ("an@cafe\u0301.example", "an@xn--caf-dma.example"),
        ("an@straße.example", "an@xn--strae-oqa.example"),
        ("ANAÏS@example.org", "anaïs@example.org"),
        ("mailto:an@example.org", "an@example.org"),
    ],
)
def test_spellings_of_one_address_become_one(written: str, meant: str) -> None:
    assert normalise_email(written) == meant


@pytest.mark.parametrize(
    "nonsense",
    [
        "", " ", "an", "an@", "@example.org", "an@example", "an@@example.org", "an@exa mple.org",
        "an peeters@example.org",
        ".an@example.org", "an.@example.org", "a..n@example.org", "an@-example.org",
        "an@example-.org", "an@example..org",
        "an@[127.0.0.1]", "an@127.0.0.1", "an@example.123", "x" * 65 + "@example.org", "an@" + "x" * 64 + ".org",
        "a@" + ".".join(["x" * 60] * 5), "an@example.org, bo@example.org", "An <an@example.org>", "an\n@example.org",
        '"an"@example.org', "an@exa\u0000mple.org", "geen", "n.v.t.",
    ],
)  # fmt: skip
def test_what_cannot_be_an_address_is_none(nonsense: str) -> None:
    assert normalise_email(nonsense) is None


@given(st.text(max_size=40) | st.emails())
def test_normalising_twice_changes_nothing_and_never_fails(text: str) -> None:
    once = normalise_email(text)
    assert once is None or normalise_email(once) == once
