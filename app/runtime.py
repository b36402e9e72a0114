"""What every process of the house has in hand: settings, keys and the database."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from sqlalchemy import Engine

from app import postgres
from app.config import Settings
from app.db import make_engine
from app.keyring import Keyring, load_keyring


@dataclass(frozen=True, slots=True)
class Runtime:
    """Made once per process, by the entry point, and passed on."""

    settings: Settings
    keyring: Keyring
    engine: Engine


def start(settings: Settings, *, migrate: bool = False) -> Runtime:
    """Open the keyring and the database (starting the embedded server where that is the default).

    With ``migrate`` the migrations run first. Raises KeyringError or DatabaseError with a message for the operator.
    """
    _spare_the_collector()
    keyring = load_keyring(settings.keyring_path)
    database = postgres.locate(settings, keyring)
    if migrate:
        postgres.upgrade(database, keyring)
    engine = make_engine(database.app_url, pool_size=settings.database_pool_size)
    return Runtime(settings, keyring, engine)


def _spare_the_collector() -> None:
    """Keep Python's cycle collector from walking what never goes, and from walking every batch a dozen times.

    Thousands of records live and die together here, hardly ever in cycles: with the default thresholds a bulk load
    spent a sixth of its time on looking for some (bench/ingest.py).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
