"""Every word of every room, in every language."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.ui import catalogues

ROOMS = catalogues.rooms()


@pytest.mark.parametrize("room", ROOMS, ids=[room.name for room in ROOMS])
def test_a_room_is_complete_in_every_language(room: Path) -> None:
    assert catalogues.check(room) == []


def test_no_two_rooms_translate_the_same_words_differently() -> None:
    assert catalogues.contradictions() == []


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A house with two small rooms."""
    for name, code in (
        ("hall", '_("Seats: %(count)s", count=3)\n'),
        ("stage", '_("Light")\nngettext("%(num)s lamp", "%(num)s lamps", 2)\n'),
    ):
        room = tmp_path / name
        room.mkdir()
        (room / "__init__.py").write_text("")
        (room / "pages.py").write_text(code)
        catalogues.update(room)
    return tmp_path


def translate(house: Path, room: str, language: str, changes: dict[str, str]) -> None:
    path = catalogues.po_path(house / room, language)
    text = path.read_text()
    for message_id, translation in changes.items():
        text = text.replace(f'msgid "{message_id}"\nmsgstr ""', f'msgid "{message_id}"\nmsgstr "{translation}"')
    path.write_text(text)


def test_a_string_without_translation_is_found(house: Path) -> None:
    assert "hall/nl: not translated: 'Seats: %(count)s'" in catalogues.check(house / "hall")


def test_a_string_that_was_never_extracted_is_found(house: Path) -> None:
    (house / "stage" / "show.py").write_text('_("Curtain")\n')
    assert "stage/fr: not extracted: 'Curtain'" in catalogues.check(house / "stage")


def test_a_string_no_page_uses_any_more_is_found_and_dropped(house: Path) -> None:
    (house / "stage" / "pages.py").write_text('_("Dark")\n')
    assert "stage/nl: no longer used: 'Light'" in catalogues.check(house / "stage")
    catalogues.update(house / "stage")
    assert "Light" not in catalogues.po_path(house / "stage", "nl").read_text()


def test_a_placeholder_that_went_missing_is_found(house: Path) -> None:
    translate(house, "hall", "nl", {"Seats: %(count)s": "Stoelen"})
    assert any("placeholders differ" in finding for finding in catalogues.check(house / "hall"))


def test_a_catalogue_that_is_not_there_is_found(house: Path) -> None:
    shutil.rmtree(house / "hall" / "translations" / "fr")
    assert "hall/fr: no catalogue for 1 strings" in catalogues.check(house / "hall")


def test_a_new_string_borrows_the_translation_of_another_room(house: Path) -> None:
    translate(house, "stage", "nl", {"Light": "Licht"})
    (house / "hall" / "more.py").write_text('_("Light")\n')
    catalogues.update(house / "hall")
    assert 'msgstr "Licht"' in catalogues.po_path(house / "hall", "nl").read_text()
    assert 'msgstr "Licht"' not in catalogues.po_path(house / "hall", "fr").read_text()


def test_two_rooms_that_disagree_are_found(house: Path) -> None:
    (house / "hall" / "more.py").write_text('_("Light")\n')
    catalogues.update(house / "hall")
    translate(house, "hall", "nl", {"Light": "Lampen"})
    translate(house, "stage", "nl", {"Light": "Licht"})
    assert catalogues.contradictions(house) == ["nl: hall and stage translate 'Light' differently"]


def test_updating_twice_changes_nothing(house: Path) -> None:
    before = catalogues.po_path(house / "stage", "nl").read_text()
    catalogues.update(house / "stage")
    assert catalogues.po_path(house / "stage", "nl").read_text() == before


def test_only_what_is_stale_is_compiled(house: Path) -> None:
    assert len(catalogues.compile_stale(house)) == 4
    assert catalogues.compile_stale(house) == []
