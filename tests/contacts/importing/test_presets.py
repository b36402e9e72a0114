"""Each system files come from is told about, and no more is claimed of its columns than is public."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.contacts.importing.columns import CONSENT, CONSENT_KEY, CONTACT_FIELDS, IGNORE
from app.contacts.importing.presets import PRESETS, Preset

PAGE = Path(__file__).resolve().parents[3] / "docs/connectors/files.md"


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_the_page_about_files_says_where_its_columns_come_from(preset: Preset) -> None:
    (row,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {preset.name} |")]
    public = row.split("|")[3].strip()
    if preset.code != "generic":
        assert public.startswith("**yes**") == preset.knows_columns
    for header, meaning in preset.columns.items():
        assert header in "".join(public.lower().replace("-", "").split())
        assert meaning in {field.code for field in CONTACT_FIELDS} | {IGNORE, CONSENT, CONSENT_KEY}
