"""A newer question of the same asker cancels the older one at the server, and nobody else's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from app.accounts.models import Organisation
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.segments.building.superseding import superseding
from app.segments.compiling.time_limit import within
from app.segments.problems import TooSlowError
from tests.conftest import make_house

LONG_S = 20.0
SOON_S = 5.0


class Asker(threading.Thread):
    """Asks something slow under a name, and notes how it ended."""

    def __init__(self, runtime: Runtime, organisation_id: int, name: str) -> None:
        super().__init__(daemon=True)
        self.runtime, self.organisation_id, self.asked_by = runtime, organisation_id, name
        self.is_cancelled: bool | None = None
        self.is_usable = False

    def run(self) -> None:
        with transaction(self.runtime.engine, self.organisation_id) as session:
            try:
                with superseding(session, self.asked_by), within(session, LONG_S * 2):
                    session.execute(sa.text("SELECT pg_sleep(:s)"), {"s": LONG_S})
                self.is_cancelled = False
            except TooSlowError:
                self.is_cancelled = True
            self.is_usable = session.scalar(sa.text("SELECT 1")) == 1


@pytest.fixture
def ask(runtime: Runtime, organisation: Organisation) -> Callable[[str], Asker]:
    """Start somebody asking, and wait until the question is at the server."""

    def begin(name: str) -> Asker:
        asker = Asker(runtime, organisation.id, name)
        asker.start()
        _until(lambda: _sleeping(runtime, organisation.id) > 0)
        return asker

    return begin


def test_a_newer_question_of_the_same_name_cancels_the_older(
    runtime: Runtime, organisation: Organisation, ask: Callable[[str], Asker]
) -> None:
    older = ask("7 live abc")
    with transaction(runtime.engine, organisation.id) as session, superseding(session, "7 live abc"):
        older.join(SOON_S)
        assert older.is_cancelled is True
        assert older.is_usable
        assert session.scalar(sa.text("SELECT 42")) == 42


def test_another_name_or_another_house_cancels_nothing(
    runtime: Runtime, organisation: Organisation, session: ScopedSession, ask: Callable[[str], Asker]
) -> None:
    elsewhere = make_house(runtime, "Elders")
    older = ask("7 live abc")
    for name in ("7 live abd", "8 live abc", "7 counts abc", ""):
        with superseding(session, name):
            assert session.scalar(sa.text("SELECT 1")) == 1
    with transaction(runtime.engine, elsewhere.id) as other, superseding(other, "7 live abc"):
        pass
    assert older.is_cancelled is None
    _cancel_all(runtime, organisation.id)
    older.join(SOON_S)


def test_a_question_that_is_over_is_never_cancelled(session: ScopedSession, runtime: Runtime) -> None:
    with superseding(session, "7 live abc"):
        pass
    assert session.scalar(sa.text("SHOW application_name")) == ""
    with transaction(runtime.engine, session.organisation_id) as newer, superseding(newer, "7 live abc"):
        assert session.scalar(sa.text("SELECT 1")) == 1


def test_a_refusal_inside_is_passed_on_and_the_name_put_away(session: ScopedSession) -> None:
    with pytest.raises(TooSlowError), superseding(session, "7 live abc"), within(session, 0.05):
        session.execute(sa.text("SELECT pg_sleep(5)"))
    assert session.scalar(sa.text("SHOW application_name")) == ""


def _sleeping(runtime: Runtime, organisation_id: int) -> int:
    with transaction(runtime.engine, organisation_id) as session:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
        return session.scalar(sa.text(f"{asked} AND pid <> pg_backend_pid()")) or 0


def _cancel_all(runtime: Runtime, organisation_id: int) -> None:
    with transaction(runtime.engine, organisation_id) as session:
        session.execute(
            sa.text(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'SELECT pg_sleep%' AND pid <> pg_backend_pid()"
            )
        )


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not come so far"
        time.sleep(0.02)
