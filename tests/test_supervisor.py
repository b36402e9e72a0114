"""`zaallicht up`, as a stranger runs it: everything starts, answers, survives a dead part, and stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.config import Settings
from app.supervisor import SENDERS_MAX, part_names

pytestmark = pytest.mark.slow

PATIENCE_S = 240


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def house(state_dir: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"ZAALLICHT_STATE_DIR": str(state_dir), "ZAALLICHT_PORT": str(port)}
    environment["ZAALLICHT_MAIL_SENDERS"] = "2"
    environment.pop("DATABASE_URL", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "up"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)
    if process.stdout is not None:
        process.stdout.close()


def test_one_command_starts_everything_and_one_signal_stops_it(house: subprocess.Popen[str], port: int) -> None:
    ready = _eventually(lambda: _answer(port, "/readyz"), lambda answer: answer.get("status") == "ok")
    assert ready["checks"] == {"database": True, "migrations": True, "worker": True}
    house.send_signal(signal.SIGINT)
    said, _ = house.communicate(timeout=PATIENCE_S)
    assert house.returncode == 0
    assert f"http://127.0.0.1:{port}/welcome/" in said
    assert "Zaallicht has stopped." in said
    assert "Traceback" not in said


def test_a_web_server_that_is_killed_comes_back(house: subprocess.Popen[str], port: int) -> None:
    _eventually(lambda: _answer(port, "/healthz"), lambda answer: answer.get("status") == "ok")
    web = next(child for child in psutil.Process(house.pid).children() if "web" in child.cmdline())
    web.kill()
    _eventually(lambda: _answer(port, "/healthz"), lambda answer: answer == {})
    _eventually(lambda: _answer(port, "/healthz"), lambda answer: answer.get("status") == "ok")


def test_a_parent_that_is_killed_leaves_nothing_behind_that_keeps_the_port(
    house: subprocess.Popen[str], port: int
) -> None:
    _eventually(lambda: _answer(port, "/readyz"), lambda answer: answer.get("status") == "ok")
    parts = psutil.Process(house.pid).children()
    assert sorted(part.cmdline()[3] for part in parts if "app.cli" in part.cmdline()) == ["sender", "web", "worker"]
    house.kill()
    house.wait(PATIENCE_S)
    _gone, still_there = psutil.wait_procs([part for part in parts if "app.cli" in part.cmdline()], PATIENCE_S)
    assert still_there == []


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        environment = os.environ | {"ZAALLICHT_STATE_DIR": str(tmp_path), "ZAALLICHT_PORT": str(port)}
        command = [sys.executable, "-m", "app.cli", "up"]
        tried = subprocess.run(
            command, check=False, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
        )
    assert tried.returncode == 1
    assert "ZAALLICHT_PORT=" in tried.stderr
    assert "Traceback" not in tried.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_worker_is_one_of_the_senders() -> None:
    assert part_names(Settings(mail_senders=1)) == ["web", "worker"]
    assert part_names(Settings(mail_senders=3)) == ["web", "worker", "sender 2", "sender 3"]
    assert len(part_names(Settings())) <= 1 + SENDERS_MAX


def _answer(port: int, path: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as refused:
        with refused:
            return dict(json.load(refused))
    except OSError:
        return {}


def _eventually(ask: Callable[[], dict[str, Any]], holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = ask()
        if holds(answer):
            return answer
        assert time.monotonic() < deadline, f"still {answer}"
        time.sleep(0.1)
