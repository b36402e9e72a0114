"""Opening the demonstration house: all of it in one transaction, so that there is never half a house."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select, text

from app import clock, postgres
from app.accounts.audit import Actor, record
from app.accounts.directory import organisation_ids
from app.accounts.organisations import current_organisation
from app.accounts.users import create_user
from app.db import ScopedSession, enter_organisation, transaction
from app.demo import house
from app.demo.afterwards import look_back
from app.demo.journeys import begin_journeys
from app.demo.load import MovingIn, Plan
from app.demo.mailings import write_mailings
from app.demo.segments import create_segments
from app.insights.founding import found_house
from app.runtime import Runtime
from app.segments.membership import evaluate_segment
from app.segments.models import Segment
from app.segments.problems import TooSlowError

TIME_ZONE = "Europe/Brussels"
SEASONS = 5
# Two commands at once must not both find that there is no demonstration yet.
DEMONSTRATION_LOCK = 815_000_002
STAFF = (
    ("admin", "Noor Directeur"),
    ("marketer", "Wout Communicatie"),
    ("analyst", "Elif Publiekswerking"),
    ("viewer", "Jef Onthaal"),
)


class DemonstrationExists(Exception):
    """There is a demonstration house already; ``organisation_id`` says which."""

    def __init__(self, organisation_id: int) -> None:
        super().__init__(f"organisation {organisation_id}")
        self.organisation_id = organisation_id


@dataclass(frozen=True, slots=True)
class Login:
    """How somebody of the demonstration house logs in. The password is shown once and stored as a hash only."""

    user_id: int
    email: str
    role: str
    password: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What was made: the organisation, how to log in, the number of rows by table, and the segments."""

    organisation_id: int
    logins: tuple[Login, ...]
    rows: dict[str, int]
    segment_ids: tuple[int, ...]


def open_demonstration(
    runtime: Runtime,
    *,
    contacts: int,
    seed: int,
    seasons: int = SEASONS,
    password: str | None = None,
    is_another: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Opened:
    """Make a demonstration house and commit it whole, or leave nothing behind.

    The same ``contacts``, ``seed``, ``seasons`` and day give the same people, programme and visits. Without a
    ``password`` everybody receives one of their own. Raises DemonstrationExists unless ``is_another``, and UserError
    for a password that is too short.
    """
    with transaction(runtime.engine, None) as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": DEMONSTRATION_LOCK})
        if not is_another:
            _refuse_second(session)
        plan = Plan(contacts=contacts, seed=seed, seasons=seasons, today=clock.today(TIME_ZONE), time_zone=TIME_ZONE)
        organisation = found_house(
            session,
            runtime.keyring,
            name=house.NAME,
            legal_name=house.LEGAL_NAME,
            legal_address=house.LEGAL_ADDRESS,
            time_zone=TIME_ZONE,
            language="nl",
            settings={"demonstration": {"contacts": contacts, "seed": seed, "seasons": seasons}},
        )
        logins = _hire(session, runtime, password)
        rows = MovingIn(session, runtime.keyring, plan).run(progress)
        look_back(session, today=plan.today, at=plan.at, time_zone=TIME_ZONE)
        segment_ids = tuple(create_segments(session, created_by=logins[0].user_id))
        record(session, Actor("command"), "demonstration.opened", details={"contacts": contacts, "seed": seed})
    return Opened(organisation.id, logins, rows, segment_ids)


def settle(runtime: Runtime, opened: Opened) -> None:
    """Work out at once what would come by itself within minutes: the planner's statistics, and who is in the segments;
    then write the mailings and journeys that need them.

    A segment that takes too long here is left to the worker.
    """
    owner_url = postgres.locate(runtime.settings, runtime.keyring).owner_url
    with postgres.connected(owner_url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("ANALYZE"))
    for segment_id in opened.segment_ids:
        with suppress(TooSlowError), transaction(runtime.engine, opened.organisation_id) as session:
            evaluate_segment(session, segment_id)
    marketer = next(login for login in opened.logins if login.role == "marketer")
    by = Actor("user", marketer.user_id)
    with transaction(runtime.engine, opened.organisation_id) as session:
        names = {segment.name: segment.id for segment in session.scalars(select(Segment))}
        write_mailings(session, names, by=by, time_zone=TIME_ZONE)
        begin_journeys(session, by=by)


def _refuse_second(session: ScopedSession) -> None:
    for organisation_id in organisation_ids(session):
        enter_organisation(session, organisation_id)
        if "demonstration" in current_organisation(session).settings:
            raise DemonstrationExists(organisation_id)


def _hire(session: ScopedSession, runtime: Runtime, password: str | None) -> tuple[Login, ...]:
    logins = []
    for role, name in STAFF:
        email = f"{role}@lantaarn{session.organisation_id}.example"
        chosen = password or secrets.token_urlsafe(9)
        user = create_user(session, runtime.keyring, email=email, name=name, role=role, language="nl", password=chosen)
        logins.append(Login(user.id, email, role, chosen))
    return tuple(logins)
