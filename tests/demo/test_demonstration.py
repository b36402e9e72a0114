"""The house in the database: deterministic, whole or absent, and with permissions that equal a rebuild."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from app import clock, postgres
from app.accounts.directory import organisation_ids
from app.accounts.models import User
from app.accounts.users import UserError, password_matches
from app.cli import cli
from app.consent.rebuild import differences
from app.db import transaction
from app.demo import demonstration
from app.demo.demonstration import DemonstrationExists, Opened, open_demonstration
from app.demo.load import MovingIn
from app.demo.segments import SEGMENTS
from app.mailings.effect.results import measure
from app.postgres import Database
from app.runtime import Runtime
from app.segments.building.recipes import BY_KEY
from app.segments.models import Segment
from tests.conftest import NOW

CONTACTS = 600

# Every row in an order of its own making, without what names the organisation: its id, its sequences and its key.
FINGERPRINTS = {
    "activity": "SELECT external_id, title, kind, genres, series, venue, audiences, starts_at, ends_at, starts_on,"
    " is_cancelled, created_at, updated_at FROM activity ORDER BY external_id",
    "contact": "SELECT email, given_name, family_name, language, gender, birth_date, phone, street, postcode,"
    " municipality, country, source, tags, attributes::text, created_at, updated_at FROM contact ORDER BY id",
    "identity": "SELECT kind, value, value_key, is_primary, deliverability, bounced_at, created_at FROM identity"
    " ORDER BY kind, value_key",
    "participation": "SELECT external_id, status, quantity, amount, channel, booked_at, booked_on, activity_on,"
    " attended_at FROM participation ORDER BY external_id",
    "consent_event": "SELECT channel, purpose, action, basis, occurred_at, recorded_at, actor, method, source,"
    " language FROM consent_event ORDER BY id",
    "consent_evidence": "SELECT source, evidence::text FROM consent_evidence ORDER BY event_id",
    "permission": "SELECT i.value_key, p.purpose, p.is_allowed, p.is_negative, p.basis, p.reason, p.since,"
    " p.valid_until FROM permission p JOIN identity i USING (subject_key) ORDER BY 1, 2",
}


def opened(runtime: Runtime, *, seed: int = 3, is_another: bool = False) -> Opened:
    return open_demonstration(
        runtime, contacts=CONTACTS, seed=seed, seasons=4, password="een lang wachtwoord", is_another=is_another
    )


def fingerprint(runtime: Runtime, organisation_id: int) -> dict[str, str]:
    with transaction(runtime.engine, organisation_id) as session:
        return {
            table: hashlib.sha256(repr([tuple(row) for row in session.execute(text(query))]).encode()).hexdigest()
            for table, query in FINGERPRINTS.items()
        }


def test_the_same_seed_and_day_give_the_same_rows_and_another_seed_others(runtime: Runtime) -> None:
    first = fingerprint(runtime, opened(runtime).organisation_id)
    with clock.set_to(NOW + timedelta(hours=3)):
        again = fingerprint(runtime, opened(runtime, is_another=True).organisation_id)
    other = fingerprint(runtime, opened(runtime, seed=4, is_another=True).organisation_id)
    assert again == first
    assert not set(other.values()) & set(first.values())


def test_a_second_house_is_made_only_when_asked_for(runtime: Runtime) -> None:
    made = opened(runtime)
    with pytest.raises(DemonstrationExists) as refused:
        opened(runtime)
    assert refused.value.organisation_id == made.organisation_id
    assert opened(runtime, is_another=True).organisation_id != made.organisation_id


def test_what_goes_wrong_halfway_leaves_nothing_behind(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_demonstration(runtime, contacts=CONTACTS, seed=1, seasons=4, progress=fail)
    with pytest.raises(UserError):
        open_demonstration(runtime, contacts=CONTACTS, seed=1, seasons=4, password="kort")
    with transaction(runtime.engine, None) as session:
        assert organisation_ids(session) == []
    assert opened(runtime).rows["contact"] == CONTACTS


def test_permissions_equal_a_rebuild_from_the_ledger(runtime: Runtime) -> None:
    """I8 holds for what was not written by the ledger's own verbs."""
    made = opened(runtime)
    with transaction(runtime.engine, made.organisation_id) as session:
        assert made.rows["consent_event"] > CONTACTS / 2
        assert differences(session) == []


def test_every_yes_points_to_the_wording_that_was_shown(runtime: Runtime) -> None:
    """I9: the hash of the wording matches, and its language is the one the person was asked in."""
    with transaction(runtime.engine, opened(runtime).organisation_id) as session:
        yes = "action IN ('granted', 'confirmed')"
        assert (session.scalar(text(f"SELECT count(*) FROM consent_event WHERE {yes}")) or 0) > 100
        assert (
            session.scalar(text(f"SELECT count(*) FROM consent_event WHERE {yes} AND notice_version_id IS NULL")) == 0
        )
        wrong = text(
            "SELECT count(*) FROM consent_event e JOIN notice_version n ON n.id = e.notice_version_id"
            " WHERE n.wording_sha256 <> sha256(convert_to(n.wording, 'UTF8')) OR n.language <> e.language"
            " OR n.purpose <> e.purpose"
        )
        assert session.scalar(wrong) == 0


def test_local_dates_are_those_of_the_organisation(runtime: Runtime) -> None:
    with transaction(runtime.engine, opened(runtime).organisation_id) as session:
        wrong = text(
            "SELECT count(*) FROM participation p JOIN activity a ON a.id = p.activity_id"
            " WHERE p.booked_on <> (p.booked_at AT TIME ZONE 'Europe/Brussels')::date"
            " OR (a.starts_on IS NOT NULL AND p.activity_on <> a.starts_on)"
            " OR (a.starts_on IS NULL AND p.attended_at IS NOT NULL"
            "     AND p.activity_on <> (p.attended_at AT TIME ZONE 'Europe/Brussels')::date)"
        )
        assert session.scalar(wrong) == 0
        moved = text(
            "SELECT count(*) FROM activity WHERE starts_on <> (starts_at AT TIME ZONE 'Europe/Brussels')::date"
        )
        assert session.scalar(moved) == 0


def test_a_contact_repeats_its_primary_address_and_nothing_lies_in_the_future(runtime: Runtime) -> None:
    with transaction(runtime.engine, opened(runtime).organisation_id) as session:
        astray = text(
            "SELECT count(*) FROM contact c LEFT JOIN identity i ON i.contact_id = c.id AND i.is_primary"
            " AND i.kind = 'email' WHERE i.value IS DISTINCT FROM c.email"
        )
        assert session.scalar(astray) == 0
        for table, column in (
            ("contact", "updated_at"),
            ("participation", "updated_at"),
            ("consent_event", "recorded_at"),
        ):
            latest = session.scalar(text(f"SELECT max({column}) FROM {table}"))
            assert latest is not None
            assert latest < clock.now()


def test_everybody_can_log_in_with_a_password_of_their_own(runtime: Runtime) -> None:
    made = open_demonstration(runtime, contacts=100, seed=1, seasons=4)
    assert len({login.password for login in made.logins}) == len(made.logins) == 4
    with transaction(runtime.engine, made.organisation_id) as session:
        users = {user.email: user for user in session.query(User)}
    for login in made.logins:
        assert password_matches(users[login.email], login.password)
        assert users[login.email].role == login.role


def test_memory_stays_flat_because_batches_are_stored_as_they_come(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    def watch(self: MovingIn, people: object, diary: object) -> None:
        taken(self, people, diary)  # type: ignore[arg-type]
        held.append(sum(len(loader._rows) for loader in self._loaders.values()))

    taken = MovingIn._load_people
    monkeypatch.setattr("app.demo.load.PEOPLE_A_BATCH", 100)
    monkeypatch.setattr(MovingIn, "_load_people", watch)
    opened(runtime)
    assert held == [0] * (CONTACTS // 100)


def test_the_segments_of_the_recipes_are_there_and_have_members(runtime: Runtime) -> None:
    made = open_demonstration(runtime, contacts=3000, seed=1, password="een lang wachtwoord")
    demonstration.settle(runtime, made)
    with transaction(runtime.engine, made.organisation_id) as session:
        members = {segment.name: segment.member_count for segment in session.query(Segment)}
        known = session.scalar(text("SELECT reltuples FROM pg_class WHERE relname = 'contact'"))
    assert len(members) == len(SEGMENTS)
    assert {BY_KEY[key].key for key, _, _ in SEGMENTS} == set(BY_KEY)
    assert not [name for name, count in members.items() if not count]
    assert max(count or 0 for count in members.values()) < 2000
    assert known == 3000, "the owner refreshed the statistics"


def test_the_command_opens_a_house_once_and_says_how_to_log_in(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The command's own standard error is gone when the test goes on logging.
    monkeypatch.setattr("app.logging.configure", lambda _settings: None)
    environment = {
        "DATABASE_URL": database.owner_url,
        "ZAALLICHT_STATE_DIR": str(tmp_path),
        "ZAALLICHT_KEYRING": str(tmp_path / "keyring.json"),
        "ZAALLICHT_DATABASE_APP_ROLE": "zaallicht_demonstration",
    }

    def run(*options: str) -> Result:
        return CliRunner().invoke(cli, ["demo", "--contacts", "150", "--seasons", "4", *options], env=environment)

    try:
        made = run()
        assert made.exit_code == 0, made.output
        assert "150 contacts" in made.output
        assert made.output.count(".example ") == 4
        refused = run()
        assert refused.exit_code == 1
        assert "--again" in refused.output
        assert "at least 10" in run("--again", "--password", "kort").output
        another = run("--again", "--password", "een lang wachtwoord")
        assert another.exit_code == 0, another.output
        assert another.output.count("een lang wachtwoord") == 4
    finally:
        with postgres.connected(database.owner_url) as connection:
            connection.execute(text("DROP OWNED BY zaallicht_demonstration"))
            connection.execute(text("DROP ROLE zaallicht_demonstration"))
            connection.commit()


def test_a_settled_house_has_mailings_that_were_sent_a_draft_and_journeys(runtime: Runtime) -> None:
    house = opened(runtime)
    demonstration.settle(runtime, house)
    with transaction(runtime.engine, house.organisation_id) as session:
        mailings = session.execute(text("SELECT name, state FROM mailing WHERE kind = 'campaign'")).all()
        assert Counter(state for _name, state in mailings) == {"sent": 3, "draft": 1}
        states = Counter(session.scalars(text("SELECT state FROM delivery")))
        assert states.keys() == {"accepted"}
        held_out = session.scalar(text("SELECT count(*) FROM mailing_left_out WHERE reason = 'held_out'"))
        assert held_out
        journeys = Counter(session.scalars(text("SELECT state FROM journey")))
        assert journeys == {"published": 2, "draft": 2}
        for mailing_id in session.scalars(text("SELECT id FROM mailing WHERE state = 'sent'")).all():
            assert measure(session, mailing_id, at=NOW).funnel.accepted > 0
