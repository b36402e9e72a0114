"""How little is sent to keep a list in step, and what finding the difference costs.

Promises: the calls that change anything are the difference divided by what one call of the vendor takes, rounded up
(ratio 1: ``ours_calls`` / ``limit_calls``); finding that nobody changed takes at most 3 times the bare statement that
reads the same people and what was acknowledged about them. The destination is in memory: the network is not measured.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import text

from app import clock
from app.accounts.audit import SYSTEM
from app.audiences.definitions import AudienceDraft, ask_run, create_audience, find_audience
from app.audiences.engine import carry_out
from app.audiences.wanted import make_plan
from app.db import transaction
from app.runtime import Runtime
from app.segments.models import Segment
from app.sync.models import Connection
from bench import harness
from bench.harness import Scale
from integrations import catalogue
from tests.standins.memory_destination import CAPABILITIES, LIST, MemoryDestination

TARGET_PLAN = 3.0
EVERYBODY = {"type": "all", "rules": []}

# The same people, and what was acknowledged about them, as bare as it can be asked for.
BARE = """
SELECT DISTINCT ON (may.subject_key) may.contact_id, may.subject_key, identity.value, contact.given_name,
       contact.family_name, contact.language, seat.state, seat.pushed_sha256
  FROM contactable AS may
  JOIN identity ON identity.organisation_id = may.organisation_id AND identity.id = may.identity_id
  JOIN contact ON contact.organisation_id = may.organisation_id AND contact.id = may.contact_id
  LEFT JOIN audience_member AS seat ON seat.organisation_id = may.organisation_id
       AND seat.audience_id = :audience AND seat.subject_key = may.subject_key
 WHERE may.channel = 'email' AND may.purpose = 'newsletter' AND may.is_deliverable
 ORDER BY may.subject_key
"""


class Town:
    """A demonstration house with an audience of everybody who may have the newsletter."""

    def __init__(self, held: Runtime, organisation_id: int, destination: MemoryDestination) -> None:
        """Make the audience; its first push is still to come."""
        self._held, self._organisation_id, self.destination = held, organisation_id, destination
        with transaction(held.engine, organisation_id) as session:
            now = clock.now()
            segment = Segment(organisation_id=organisation_id, name=f"Bench {now}", rule=EVERYBODY)
            segment.created_at = segment.updated_at = now
            connection = Connection(
                organisation_id=organisation_id, system="mailchimp", kind="destination", name="Bench", created_at=now
            )
            session.add_all([segment, connection])
            session.flush()
            draft = AudienceDraft(
                name=f"Bench {now}",
                segment_id=segment.id,
                purpose="newsletter",
                connection_id=connection.id,
                list_ref=LIST,
                list_name="List",
                field_mapping={"FNAME": "given_name", "LNAME": "family_name"},
            )
            self.audience_id = create_audience(session, draft, actor=SYSTEM).id

    def run(self) -> Counter[str]:
        """Run the audience and return the calls it made."""
        before = self.destination.calls.copy()
        with transaction(self._held.engine, self._organisation_id) as session:
            run_id = ask_run(session, self.audience_id, is_dry=False, is_confirmed=True, actor=SYSTEM)
        assert carry_out(self._held, self._organisation_id, run_id)
        return self.destination.calls - before

    def change(self, one_in: int) -> int:
        """Give one person in so many another name and return how many of them are there."""
        with transaction(self._held.engine, self._organisation_id) as session:
            changed = session.execute(
                text(
                    "UPDATE contact SET given_name = 'Bench ' || :now FROM audience_member AS seat"
                    " WHERE seat.contact_id = contact.id AND seat.audience_id = :audience AND seat.state = 'in'"
                    " AND contact.id % :one_in = 0 RETURNING contact.id"
                ),
                {"one_in": one_in, "audience": self.audience_id, "now": str(datetime.now(UTC))},
            )
            return len(changed.all())

    def plan(self) -> None:
        """Find the difference; there is none."""
        with transaction(self._held.engine, self._organisation_id) as session:
            assert make_plan(session, find_audience(session, self.audience_id)).pushes == []

    def bare(self) -> None:
        """Read the same people by hand."""
        with transaction(self._held.engine, self._organisation_id) as session:
            assert session.execute(text(BARE), {"audience": self.audience_id}).all()


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what was asked for."""
    asked = harness.arguments(__doc__, argv)
    destination = MemoryDestination()
    opened = replace(catalogue.MAILCHIMP, open_destination=lambda *_: destination)
    catalogue.SYSTEMS = {**catalogue.SYSTEMS, "mailchimp": opened}
    with harness.own_server(asked.keep) as held:
        organisation_id = harness.house(held, asked.scale)
        town = Town(held, organisation_id, destination)
        first = town.run()
        harness.settle(held)
        report_calls("audience.first_push", asked.scale, first, told=len(destination.members), tagged=True)
        if asked.wants("audience.one_per_cent"):
            changed = town.change(100)
            report_calls("audience.one_per_cent", asked.scale, town.run(), told=changed, tagged=False)
        if asked.wants("audience.nobody"):
            report_calls("audience.nobody", asked.scale, town.run(), told=0, tagged=False)
        if asked.wants("audience.plan"):
            harness.compare("audience.plan", asked.scale, ours=town.plan, limit=town.bare, target=TARGET_PLAN)


def report_calls(name: str, scale: Scale, calls: Counter[str], *, told: int, tagged: bool) -> None:
    """Print how many calls changed something there, against as few as the vendor's batches allow."""
    tag_calls = -(-told // CAPABILITIES.tags_per_call) if tagged else 0
    limit = -(-told // CAPABILITIES.upserts_per_call) + tag_calls
    ours = calls["upsert"] + calls["tag"] + calls["unsubscribe"]
    ratio = 1.0 if ours == limit else round(ours / max(limit, 1), 3)
    line = {"name": name, "scale": scale.name, "ours_calls": ours, "limit_calls": limit, "ratio": ratio, "runs": 1}
    print(json.dumps(line | {"reads": sum(calls.values()) - ours}), flush=True)
    if ours != limit:
        print(f"{name}: {ours} calls where {limit} would do", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
