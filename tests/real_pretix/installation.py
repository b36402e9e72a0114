"""A real pretix, installed from PyPI into an environment of its own; never into ours, and never imported by us.

``make pretix`` brings it to ``.cache/pretix``, once for each version of what it is made of; that takes about a minute,
and CI starts it beside its checks. Only the standard library is used, so that it can begin before ours is installed.

Its tables are made from its models, as pretix's own test suite makes them: its 459 migrations come to the same tables
and take more than a minute.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "pretix"
MADE_OF = ("requirements.txt", "boot.py", "without_migrations.py", "installation.py")
DATABASE = "db.sqlite3"
STEP_S = 600


@dataclass(frozen=True)
class Installation:
    """Where a pretix lies: its interpreter, and the data folder of a shop in which nothing was sold yet."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "venv/bin/python"

    @property
    def pretix(self) -> list[str]:
        """The command that is pretix."""
        return [str(self.python), "-W", "ignore", "-m", "pretix"]

    @property
    def fresh(self) -> Path:
        """The database with one organizer and two API tokens."""
        return self.folder / "data" / DATABASE

    @property
    def tokens(self) -> dict[str, str]:
        """``box_office`` may do everything; ``zaallicht`` may do what our page asks for, in team number ``team``."""
        told: dict[str, str] = json.loads((self.folder / "ready.json").read_text())
        return told

    def environment(self, data: Path, url: str) -> dict[str, str]:
        """Return the environment of a pretix that keeps its data in a folder and is reached at an address."""
        settings = {
            "CONFIG_FILE": os.devnull,
            "PRETIX_DATADIR": str(data),
            "PRETIX_URL": url,
            "PRETIX_REGISTRATION": "off",
            "PRETIX_ALLOW_HTTP_TO_PRIVATE_NETWORKS": "on",
            "PRETIX_ECB_RATES": "off",
            "DJANGO_SECRET": "invented for tests",
            "DJANGO_DEBUG": "off",
            "DATABASE_BACKEND": "sqlite3",
            "MAIL_FROM": "kassa@example.org",
            "MAIL_HOST": "127.0.0.1",
            "MAIL_PORT": "9",
        }
        ours = ("PATH", "HOME", "LANG", "TMPDIR")
        kept = {name: os.environ[name] for name in ours if name in os.environ}
        return {**kept, **{f"PRETIX_{name}": value for name, value in settings.items()}}


def found() -> Installation | None:
    """Return the installation, or None where it was not brought here yet."""
    installation = Installation(CACHE / _version())
    return installation if (installation.folder / "ready.json").is_file() else None


def bring() -> Installation:
    """Return the installation, made now where it is not there. Whoever comes second waits for the first."""
    with _alone():
        installation = found()
        if installation is None:
            installation = Installation(CACHE / _version())
            for earlier in (each for each in CACHE.iterdir() if each.is_dir()):
                shutil.rmtree(earlier, ignore_errors=True)
            _make(installation)
    return installation


def _make(installation: Installation) -> None:
    folder, data = installation.folder, installation.folder / "data"
    data.mkdir(parents=True)
    _run([sys.executable, "-m", "venv", str(folder / "venv")])
    pip = [str(installation.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--no-compile", "--require-hashes", "--requirement", str(HERE / "requirements.txt")])
    environment = installation.environment(data, "http://127.0.0.1:9")
    quick = {**environment, "DJANGO_SETTINGS_MODULE": "without_migrations", "PYTHONPATH": str(HERE)}
    _run([*installation.pretix, "migrate", "--run-syncdb", "--verbosity", "0"], quick)
    said = _run([*installation.pretix, "shell"], environment, typed=(HERE / "boot.py").read_text())
    made = json.loads(said.strip().splitlines()[-1])
    waiting = folder / f"ready-{secrets.token_hex(4)}"
    waiting.write_text(json.dumps(made))
    waiting.rename(folder / "ready.json")


def _run(command: list[str], environment: dict[str, str] | None = None, *, typed: str = "") -> str:
    ended = subprocess.run(
        command, env=environment, input=typed, capture_output=True, text=True, timeout=STEP_S, check=False
    )
    if ended.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:5])} failed:\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}")
    return ended.stdout


def _version() -> str:
    content = b"".join((HERE / name).read_bytes() for name in MADE_OF) + f"{sys.version_info[:2]}".encode()
    return hashlib.sha256(content).hexdigest()[:16]


@contextmanager
def _alone() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.stdout.write(f"pretix is at {bring().folder}\n")
