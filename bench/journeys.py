"""What moving people through a journey costs: a wait that ends, a choice and a mail, against the bare SQL.

Ours is the heartbeat: claims in batches, asks before every step who may not go on, decides, writes each visit before
its effect, plans the mails. By hand is one transaction of five statements that make the same changes on the same rows,
the gate included. Promise: at least a third of it, so a ratio of at most 3. And a heartbeat with nothing due must cost
less than five milliseconds, however many people sleep.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import text

from app import clock
from app.accounts.audit import SYSTEM
from app.db import transaction
from app.journeys.drafts import free_name, make_journey
from app.journeys.entering.beat import let_people_in
from app.journeys.moving.beat import move_due
from app.journeys.publishing import publish
from app.mailings.mailings import MailingDraft, create_mailing
from app.runtime import Runtime
from bench import harness

TARGET = 3.0
IDLE_S = 0.005
DUE = {"small": 10_000, "org": 100_000, "sector": 100_000}
SLEEPING = {"small": 100_000, "org": 300_000, "sector": 1_000_000}
PURPOSE = "newsletter"
RULE = {"type": "participation", "at_least": 1, "between": ["-P12M", None]}

_PEOPLE = """
    WITH people AS (
        SELECT contact_id, row_number() OVER (ORDER BY contact_id) - 1 AS place, count(*) OVER () AS many
        FROM contactable WHERE organisation_id = :organisation_id AND channel = 'email' AND purpose = :purpose
    )
    INSERT INTO enrolment (organisation_id, journey_id, version, contact_id, occurrence, step_id, is_waiting,
        arrived_at, wake_at, entered_at, entered_on, updated_at)
    SELECT :organisation_id, :journey_id, 1, people.contact_id, 'bench:' || number, 'wait', true,
        :before, :wake_at, :before, CAST(:before AS date), :before
    FROM generate_series(0, :many - 1) AS number JOIN people ON people.place = number % people.many
"""
_VISITS = """
    INSERT INTO journey_visit (organisation_id, enrolment_id, step_id, journey_id, version, contact_id, arrived_at,
        outcome) SELECT organisation_id, id, 'wait', journey_id, 1, contact_id, :before, 'waiting'
    FROM enrolment WHERE organisation_id = :organisation_id AND journey_id = :journey_id
"""
_BY_HAND = (
    """
    CREATE TEMPORARY TABLE moved ON COMMIT DROP AS
    SELECT enrolment.id, enrolment.contact_id, EXISTS (
        SELECT FROM participation AS p WHERE p.organisation_id = :organisation_id AND p.is_valid
        AND p.contact_id = enrolment.contact_id AND p.activity_on >= CAST(:year_ago AS date)) AS came
    FROM enrolment JOIN contact ON contact.organisation_id = enrolment.organisation_id
        AND contact.id = enrolment.contact_id AND contact.state = 'living'
    JOIN contactable ON contactable.organisation_id = enrolment.organisation_id
        AND contactable.contact_id = enrolment.contact_id AND channel = 'email' AND purpose = :purpose
    WHERE enrolment.organisation_id = :organisation_id AND journey_id = :journey_id AND enrolment.state = 'active'
        AND wake_at <= :now FOR UPDATE OF enrolment
    """,
    """
    UPDATE journey_visit SET done_at = :now, outcome = 'done' FROM moved
    WHERE organisation_id = :organisation_id AND enrolment_id = moved.id AND step_id = 'wait'
    """,
    """
    INSERT INTO journey_visit (organisation_id, enrolment_id, step_id, journey_id, version, contact_id, arrived_at,
        done_at, outcome, branch, facts)
    SELECT CAST(:organisation_id AS integer), moved.id, step.id, CAST(:journey_id AS bigint), 1, contact_id,
        CAST(:now AS timestamptz), CAST(:now AS timestamptz), 'done', step.branch, step.facts
    FROM moved CROSS JOIN LATERAL (VALUES
        ('choose', CASE WHEN came THEN '0' ELSE 'otherwise' END, jsonb_build_object('holds', jsonb_build_array(came))),
        (CASE WHEN came THEN 'guest' ELSE 'stranger' END, NULL, NULL)) AS step (id, branch, facts)
    """,
    """
    INSERT INTO delivery (organisation_id, kind, contact_id, purpose, mailing_id, mailing_version, variant, language,
        enrolment_id, step_id, state, planned_at, next_try_at)
    SELECT CAST(:organisation_id AS integer), 'mailing', contact_id, CAST(:purpose AS text),
        CASE WHEN came THEN CAST(:guest AS bigint) ELSE CAST(:stranger AS bigint) END, 1, 'A', 'nl', id,
        CASE WHEN came THEN 'guest' ELSE 'stranger' END, 'planned', CAST(:now AS timestamptz),
        CAST(:now AS timestamptz) FROM moved
    """,
    """
    UPDATE enrolment SET state = 'completed', step_id = CASE WHEN came THEN 'guest' ELSE 'stranger' END,
        wake_at = NULL, is_waiting = false, left_at = :now, left_on = CAST(:now AS date), updated_at = :now
    FROM moved WHERE enrolment.organisation_id = :organisation_id AND enrolment.id = moved.id
    """,
)


class Walk:
    """A published journey of a wait, a choice and a mail in each branch, and people about to walk it."""

    def __init__(self, held: Runtime, organisation_id: int, *, many: int) -> None:
        """Make the journey."""
        self._held, self._organisation_id, self._many = held, organisation_id, many
        with transaction(held.engine, organisation_id) as session:
            self._mailings = {name: _mailing(session, name) for name in ("guest", "stranger")}
            sends = {name: [{"id": name, "type": "send", "mailing": number}] for name, number in self._mailings.items()}
            choice = {
                "id": "choose",
                "type": "choose",
                "branches": [{"when": RULE, "steps": sends["guest"]}],
                "otherwise": sends["stranger"],
            }
            steps = [{"id": "wait", "type": "wait", "for": "P1D"}, choice]
            definition = {"trigger": {"type": "api"}, "purpose": PURPOSE, "steps": steps}
            self.journey_id = make_journey(session, free_name(session, "Bench"), definition, created_by=None).id
            publish(session, self.journey_id, actor=SYSTEM)
        # What happened while the house was made is heard, as the heartbeat beside this one would have long ago.
        let_people_in(held, organisation_id)

    def fill(self, *, sleeping: bool = False) -> None:
        """Put everybody at the wait: due now, or asleep for a month."""
        now = clock.now()
        wake_at = now + timedelta(days=30) if sleeping else now - timedelta(minutes=1)
        given = self._given() | {"before": now - timedelta(days=2), "wake_at": wake_at, "many": self._many}
        with transaction(self._held.engine, self._organisation_id) as session:
            for statement in ("DELETE FROM delivery WHERE enrolment_id IS NOT NULL", "DELETE FROM enrolment"):
                session.execute(text(statement))
            session.execute(text(_PEOPLE), given)
            session.execute(text(_VISITS), given)
        for table in ("enrolment", "journey_visit", "delivery"):
            harness.as_owner(self._held, f"VACUUM (ANALYZE) {table}")

    def by_heartbeat(self) -> None:
        """The heartbeat."""
        moved = move_due(self._held, self._organisation_id)
        assert moved == self._many, moved

    def by_hand(self) -> None:
        """Five statements."""
        with transaction(self._held.engine, self._organisation_id) as session:
            given = self._given() | {"now": clock.now(), "year_ago": clock.now() - timedelta(days=365)} | self._mailings
            for statement in _BY_HAND:
                session.execute(text(statement), given)

    def idle(self, beats: int = 50) -> float:
        """Return the median seconds of a heartbeat that finds nothing due."""
        times = []
        for _ in range(beats):
            started = perf_counter()
            assert move_due(self._held, self._organisation_id) == 0
            times.append(perf_counter() - started)
        return median(times)

    def _given(self) -> dict[str, Any]:
        return {"organisation_id": self._organisation_id, "journey_id": self.journey_id, "purpose": PURPOSE}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print one JSON object per measurement."""
    wanted = harness.arguments(__doc__, argv)
    with harness.own_server(wanted.keep) as held:
        organisation_id = harness.house(held, wanted.scale)
        if wanted.wants("move"):
            walk = Walk(held, organisation_id, many=DUE[wanted.scale.name])
            harness.compare(
                "journeys.move", wanted.scale, ours=walk.by_heartbeat, limit=walk.by_hand, before=walk.fill, runs=3,
                target=TARGET,
            )  # fmt: skip
        if wanted.wants("idle"):
            sleepers = Walk(held, organisation_id, many=SLEEPING[wanted.scale.name])
            sleepers.fill(sleeping=True)
            harness.report("journeys.idle", wanted.scale, ours_s=sleepers.idle(), limit_s=IDLE_S, runs=50, target=1.0)


def _mailing(session: Any, name: str) -> int:
    texts = {
        "nl": {"subject": name, "preheader": "", "blocks": [{"type": "text", "id": "b1", "html": f"<p>{name}</p>"}]}
    }
    content = {"style": {}, "variants": [{"name": "A", "texts": texts}]}
    number = session.scalar(text("SELECT count(*) FROM mailing"))
    draft = MailingDraft(name=f"Bench {name} {number}", purpose=PURPOSE, kind="journey", content=content)
    return create_mailing(session, draft, actor=SYSTEM).id


if __name__ == "__main__":
    main()
