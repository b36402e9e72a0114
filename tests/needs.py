"""What some tests need from the machine. Where it is missing they skip and say so; in CI that is a failure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.ui.interface import STATIC

SHARED = Path(__file__).resolve().parents[2] / "shared"


def chromium() -> str:
    """Return the path of a Chromium; skips without one."""
    for name in (os.environ.get("ZAALLICHT_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name) if name else None
        if found:
            return found
    return missing("a Chromium (Debian: apt-get install chromium)")


def smtp_sink() -> str:
    """Return the path of postfix's smtp-sink; skips without one."""
    found = shutil.which("smtp-sink") or shutil.which("smtp-sink", path="/usr/sbin")
    return found or missing("postfix's smtp-sink (Debian: apt-get install --no-install-recommends postfix)")


def front_end() -> None:
    """Skip where the packages the pages are styled with were not built."""
    if not (STATIC / "built/htmx.min.js").is_file():
        missing("the front-end packages (python hatch_build.py)")


def contracts(system: str) -> Path:
    """Return the folder of one outside system's contract, which lies beside the project; skips without it."""
    folder = SHARED / "contracts" / system
    return folder if folder.is_dir() else Path(missing(f"the contracts of {system}, beside the project in ../shared"))


def missing(what: str) -> Any:
    """Skip the test, saying what it lacks; in CI that fails it. Never returns."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have {what}")
    pytest.skip(f"needs {what}")
