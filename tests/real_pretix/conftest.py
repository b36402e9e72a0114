"""A real pretix on loopback, and our own house served beside it, so that the two can speak."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from werkzeug.serving import make_server

from tests import needs
from tests.real_pretix import installation
from tests.real_pretix.box_office import BoxOffice, PretixProcess
from tests.real_pretix.installation import Installation


@pytest.fixture
def _clock() -> None:
    """Real time for once: pretix stamps what happens with its own clock."""


@pytest.fixture(scope="session")
def installed() -> Installation:
    """The installation; in CI it is made here where nobody made it before."""
    found = installation.bring() if os.environ.get("CI") == "true" else installation.found()
    return found or needs.missing("a real pretix (make pretix)")


@pytest.fixture
def office(installed: Installation) -> Iterator[BoxOffice]:
    """Who works at a box office in which nothing was sold yet."""
    with (
        tempfile.TemporaryDirectory(prefix="zaallicht-pretix-") as folder,
        PretixProcess(installed, Path(folder)) as pretix,
        closing(BoxOffice(pretix.url, installed.tokens["box_office"])) as works_there,
    ):
        yield works_there


@pytest.fixture
def our_address(app: Flask) -> Iterator[str]:
    """Where our own house answers."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
