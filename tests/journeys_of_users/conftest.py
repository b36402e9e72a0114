"""A real browser against a real house: `zaallicht up` in a process of its own, on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

PATIENCE_S = 240
SCREENSHOTS = Path(__file__).resolve().parents[2] / ".cache" / "screenshots"
FAILED = pytest.StashKey[bool]()
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
LANTAARN_PASSWORD = "lantaarn-lantaarn"


@dataclass(frozen=True, slots=True)
class LiveHouse:
    """A running installation: where it is, and the link that makes its first administrator."""

    base_url: str
    welcome_url: str
    environment: dict[str, str]

    def command(self, *words: str) -> str:
        """Run a `zaallicht` command in this installation and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        return done.stdout


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the page fixture know whether its test failed."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A desktop window in a Dutch browser, closed before the house is. A script error or refused script fails the test.

    What the window showed when a test failed is kept in .cache/screenshots.
    """
    if "live_house" in request.fixturenames:
        request.getfixturevalue("live_house")  # opened before, so closed after
    context = browser.new_context(viewport=DESKTOP, locale="nl-BE", timezone_id="Europe/Brussels")  # type: ignore[arg-type]
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    opened.set_default_timeout(15_000)
    yield opened
    if request.node.stash.get(FAILED, False):
        opened.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)
    context.close()
    assert problems == []


@pytest.fixture
def live_house(tmp_path: Path, state_dir: Path) -> Iterator[LiveHouse]:
    """A new installation, for this test alone."""
    with _opened(tmp_path, state_dir) as house:
        yield house


@pytest.fixture(scope="session")
def lantaarn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHouse]:
    """An installation with a small demonstration house, shared by tests that only add to it.

    Opening one takes longer than most tests; whoever changes what others look at takes ``live_house``.
    """
    log_folder = tmp_path_factory.mktemp("lantaarn")
    with tempfile.TemporaryDirectory(prefix="zaallicht-test-") as folder, _opened(log_folder, Path(folder)) as house:
        house.command("demo", "--contacts", "300", "--seasons", "4", "--password", LANTAARN_PASSWORD)
        yield house


def enter_lantaarn(page: Page, house: LiveHouse) -> None:
    """Log in as the marketer of the demonstration house."""
    page.goto(f"{house.base_url}/login")
    page.get_by_label("E-mailadres").fill("marketer@lantaarn1.example")
    page.get_by_label("Wachtwoord").fill(LANTAARN_PASSWORD)
    page.get_by_role("button", name="Aanmelden").click()
    page.wait_for_url(lambda url: "/login" not in url)


@contextmanager
def _opened(tmp_path: Path, state_dir: Path) -> Iterator[LiveHouse]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | {
        "ZAALLICHT_STATE_DIR": str(state_dir),
        "ZAALLICHT_PORT": str(port),
        "ZAALLICHT_ALLOW_LOOPBACK_CONNECTIONS": "true",
    }
    environment.pop("DATABASE_URL", None)
    log = tmp_path / "up.log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "app.cli", "up"], env=environment, stdout=written, stderr=subprocess.STDOUT
        )
    base_url = f"http://127.0.0.1:{port}"
    try:
        yield LiveHouse(base_url, _welcome(log, base_url), environment)
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)


def _welcome(log: Path, base_url: str) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        links = [word for word in log.read_text().split() if word.startswith(f"{base_url}/welcome/")]
        if links and _answers(f"{base_url}/healthz"):
            return links[0]
        time.sleep(0.1)
    raise AssertionError(f"the house did not start:\n{log.read_text()}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
