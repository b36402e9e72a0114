"""A person is recognised in every spelling systems use, and somebody else with nearly the same is not."""

from __future__ import annotations

import io
import json
from email.message import EmailMessage

import pytest
from openpyxl import Workbook

from app.contacts.erasure.traces import Traces, traces_of
from tests.contacts.erasure.test_nothing_is_left import ADDRESS, CARD, FIRST, LAST, PHONE, SPELLINGS

HER = traces_of(addresses=[ADDRESS], keys=[CARD, "12"], phones=[PHONE], names=[(FIRST, LAST)])


@pytest.mark.parametrize("how", SPELLINGS)
def test_every_spelling_gives_her_away(how: str) -> None:
    spelling = SPELLINGS[how]
    for content in (spelling, spelling.encode(), spelling.encode("utf-16"), f"\x00\xff{spelling}".encode("latin-1")):
        assert HER.are_in(content), how


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
def test_a_mail_as_it_arrived_gives_her_away(encoding: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Uw vraag"
    mail.set_content(f"Beste mevrouw,\n\nU schreef ons vanaf {ADDRESS} – é.\n" * 3, cte=encoding)
    assert HER.are_in(mail.as_bytes())


def test_a_workbook_gives_her_away() -> None:
    book = Workbook()
    book.active.append([FIRST, LAST, "x", ADDRESS])  # type: ignore[union-attr]
    packed = io.BytesIO()
    book.save(packed)
    assert HER.are_in(packed.getvalue())


@pytest.mark.parametrize(
    "content",
    [
        f"klein.{ADDRESS}",
        f"{ADDRESS}.be",
        "Wilhelmina schreef aan de heer Vandersteen-Claes en aan iedereen die daar die avond nog in de zaal zat",
        "9 0470 61 82 93 1".replace(" ", ""),
        f"kaart {CARD}9",
        "rij 12",
        "",
        "Jan Janssens",
    ],
)
def test_who_is_nearly_the_same_is_somebody_else(content: str) -> None:
    assert not HER.are_in(content, by_name=ADDRESS not in content)


def test_blackening_keeps_the_shape_and_everybody_else() -> None:
    rule = {"type": "all", "rules": [{"field": "email", "value": ADDRESS.upper()}, {"field": "city", "value": "Gent"}]}
    blackened = HER.blackened(rule)
    assert blackened == {
        "type": "all",
        "rules": [{"field": "email", "value": "erased"}, {"field": "city", "value": "Gent"}],
    }
    apart = {"first": FIRST, "last": LAST, "city": "Gent"}
    assert HER.are_in(json.dumps(apart))
    assert HER.without_names(apart) == {"first": "erased", "last": "erased", "city": "Gent"}


def test_nothing_known_of_a_person_finds_nothing() -> None:
    nobody = traces_of(addresses=[""], keys=["", "1"], phones=["12"], names=[("", "Peeters"), ("An", "")])
    assert nobody == Traces(frozenset(), frozenset(), frozenset(), frozenset())
    assert not nobody.are_in("An Peeters, an@example.org")
    assert nobody.likenesses() == []
