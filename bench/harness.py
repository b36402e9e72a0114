"""What every bench shares: the scale, a database server of its own, and two sides timed by turns.

A bench states a promise as a ratio between our way and a limit (the best that can be written by hand), both measured in
the same run on the same rows, so that a slow or noisy machine slows both. One JSON object per measurement is printed:
``{"name", "scale", "ours_s", "limit_s", "ratio", "runs"}``, seconds being medians and ``ratio`` ours / limit.

    python -m bench.segments --scale org --keep var/bench-org

``--keep`` leaves the server's folder with its rows for the next run; without it a folder is made and removed.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import text

from app import models as _models  # noqa: F401  every table is known before the first query
from app import postgres, runtime
from app.accounts.directory import organisation_ids
from app.accounts.organisations import current_organisation
from app.config import Settings
from app.db import enter_organisation, transaction
from app.demo.demonstration import open_demonstration
from app.runtime import Runtime

RUNS = 5


@dataclass(frozen=True, slots=True)
class Scale:
    """How many contacts a bench works with, and over how many seasons their visits are spread."""

    name: str
    contacts: int
    seasons: int


SCALES = {
    "small": Scale("small", 20_000, 4),
    "org": Scale("org", 100_000, 8),
    "sector": Scale("sector", 1_000_000, 8),
}


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a bench was asked for: the scale, where to keep the database (None: nowhere), and which measurements."""

    scale: Scale
    keep: Path | None
    only: str | None

    def wants(self, name: str) -> bool:
        """Whether a measurement was asked for (``--only`` names a part of its name)."""
        return self.only is None or self.only in name


@dataclass(frozen=True, slots=True)
class Measurement:
    """The medians of both sides, in seconds."""

    name: str
    scale: str
    ours_s: float
    limit_s: float
    runs: int

    @property
    def ratio(self) -> float:
        """Ours over the limit: 1 is as good as by hand, 2 takes twice as long."""
        return self.ours_s / self.limit_s

    def as_json(self) -> str:
        """Return the line a bench prints."""
        return json.dumps(
            {
                "name": self.name,
                "scale": self.scale,
                "ours_s": round(self.ours_s, 6),
                "limit_s": round(self.limit_s, 6),
                "ratio": round(self.ratio, 3),
                "runs": self.runs,
            }
        )


def arguments(about: str | None, argv: Sequence[str] | None = None) -> Arguments:
    """Read the command line of a bench."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--scale", choices=list(SCALES), default="small")
    parser.add_argument("--keep", type=Path, default=None, help="keep the database in this folder for the next run")
    parser.add_argument("--only", default=None, help="only measurements whose name holds this text")
    read = parser.parse_args(argv)
    return Arguments(SCALES[read.scale], read.keep, read.only)


def compare(
    name: str,
    scale: Scale,
    *,
    ours: Callable[[], object],
    limit: Callable[[], object],
    before: Callable[[], object] | None = None,
    runs: int = RUNS,
    target: float | None = None,
) -> Measurement:
    """Time both sides by turns after one untimed round of each, print the medians and return them.

    ``before`` runs untimed before every single timing and puts the database back as both sides must find it. A missed
    ``target`` (a ratio that ours / limit may not exceed) is told on standard error.
    """
    times: dict[str, list[float]] = {"ours": [], "limit": []}
    for turn in range(runs + 1):
        # Whoever goes second may find warmer caches: take turns.
        sides = [("ours", ours), ("limit", limit)]
        for side, work in sides if turn % 2 else sides[::-1]:
            taken_s = _timed(work, before)
            if turn:
                times[side].append(taken_s)
    return report(name, scale, ours_s=median(times["ours"]), limit_s=median(times["limit"]), runs=runs, target=target)


def report(
    name: str, scale: Scale, *, ours_s: float, limit_s: float, runs: int, target: float | None = None
) -> Measurement:
    """Print one measurement; for benches whose two sides cannot be timed by ``compare``."""
    measured = Measurement(name, scale.name, ours_s, limit_s, runs)
    print(measured.as_json(), flush=True)
    if target is not None and measured.ratio > target:
        print(f"{name}: {measured.ratio:.2f} misses its target of {target:.2f}", file=sys.stderr, flush=True)
    return measured


def _timed(work: Callable[[], object], before: Callable[[], object] | None) -> float:
    if before is not None:
        before()
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def own_server(keep: Path | None = None) -> Iterator[Runtime]:
    """Yield a runtime on an embedded server of this bench's own, migrated, with durable commits.

    Without ``keep`` the server's folder is removed at the end, whatever happened.
    """
    folder = Path(tempfile.mkdtemp(prefix="zaallicht-bench-")) if keep is None else keep
    server = postgres.start_embedded(folder)
    held = runtime.start(Settings(state_dir=folder), migrate=True)
    try:
        yield held
    finally:
        held.engine.dispose()
        server.cleanup()
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def house(held: Runtime, scale: Scale, *, seed: int = 1) -> int:
    """Return the id of a demonstration house of this scale, made (and settled) where there is none yet."""
    with transaction(held.engine, None) as session:
        for organisation_id in organisation_ids(session):
            enter_organisation(session, organisation_id)
            made = current_organisation(session).settings.get("demonstration", {})
            if made == {"contacts": scale.contacts, "seed": seed, "seasons": scale.seasons}:
                # A kept database may have been migrated a moment ago.
                settle(held)
                return organisation_id
    opened = open_demonstration(held, contacts=scale.contacts, seed=seed, seasons=scale.seasons, is_another=True)
    settle(held)
    return opened.organisation_id


def as_owner(held: Runtime, statement: str) -> list[Any]:
    """Run one statement as the owner outside any transaction (VACUUM, ALTER SYSTEM, a look past the wall)."""
    with postgres.connected(postgres.locate(held.settings, held.keyring).owner_url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        result = connection.execute(text(statement))
        return list(result) if result.returns_rows else []


def settle(held: Runtime) -> None:
    """Bring statistics and visibility maps up to date, as autovacuum would have by the next morning."""
    as_owner(held, "VACUUM (ANALYZE)")


def rows_of(held: Runtime, organisation_id: int, table: str) -> int:
    """Return how many rows an organisation has in a table."""
    with transaction(held.engine, organisation_id) as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
