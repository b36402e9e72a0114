"""The public matrix says what the connectors say."""

from __future__ import annotations

from pathlib import Path

from integrations.catalogue import SYSTEMS
from integrations.matrix import matrix

DOCS = Path(__file__).parents[2] / "docs"


def test_the_matrix_is_up_to_date() -> None:
    assert (DOCS / "connectors.md").read_text("utf-8") == matrix(SYSTEMS.values()), (
        "write it again: python -m integrations.matrix > docs/connectors.md"
    )


def test_every_connector_has_a_page_of_its_own() -> None:
    missing = [system for system in SYSTEMS if not (DOCS / "connectors" / f"{system}.md").is_file()]
    assert missing == []
