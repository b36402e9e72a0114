"""How little is sent to keep a list in step, and what finding the difference costs.

Promises: the calls that change anything are the difference divided by what one call of the vendor takes, rounded up
(ratio 1: ``ours_calls`` / ``limit_calls``); finding that nobody changed takes at most 3 times the bare statement that
reads the same people and what was acknowledged about them; a first load, by the vendor's batches, takes us no longer
than the vendor would need at its own limit (ten connections, a tenth of a second a call), in memory that does not grow
with the load but for a row of the plan a person; and opt-outs that a list brings home at the first look cost at most
two milliseconds each. The destination is in memory: the network is not measured.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from app import clock
from app.accounts.audit import SYSTEM
from app.audiences.by_batches import BATCHES_FROM
from app.audiences.definitions import AudienceDraft, ask_run, create_audience, find_audience
from app.audiences.engine import carry_out, poll
from app.audiences.runs import find_run
from app.audiences.wanted import make_plan
from app.db import transaction
from app.runtime import Runtime
from app.segments.models import Segment
from app.sync.models import Connection
from bench import harness
from bench.harness import Scale
from integrations import catalogue
from integrations.base import MemberStatus
from tests.standins.memory_destination import BATCHING, LIST, MemoryDestination

TARGET_PLAN = 3.0
VENDOR_PEOPLE_PER_S = 100
MEMORY_KB_PER_PERSON = 2.0
OPT_OUT_S = 0.002
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
        while self._state_of(run_id) == "queued":  # a long push goes on turn by turn
            assert carry_out(self._held, self._organisation_id, run_id)
        assert self._state_of(run_id) == "done"
        return self.destination.calls - before

    def _state_of(self, run_id: int) -> str:
        with transaction(self._held.engine, self._organisation_id) as session:
            return find_run(session, run_id).state

    def opt_out(self, count: int) -> int:
        """Let so many strangers have said no there long ago, as on a list that is read for the first time."""
        for number in range(count):
            self.destination.members[f"gone{number}@example.org"] = MemberStatus.UNSUBSCRIBED
        with transaction(self._held.engine, self._organisation_id) as session:
            audience = find_audience(session, self.audience_id)
            audience.opt_outs_pulled_until = None
        return count

    def poll(self) -> None:
        """Bring the noes of the list home."""
        assert poll(self._held, self._organisation_id, self.audience_id)

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

    def plan_once(self) -> None:
        """Plan before anybody is there, so that what is compiled and cached once does not count."""
        with transaction(self._held.engine, self._organisation_id) as session:
            make_plan(session, find_audience(session, self.audience_id))

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
    destination = MemoryDestination(capabilities=BATCHING)
    opened = replace(catalogue.MAILCHIMP, open_destination=lambda *_: destination)
    catalogue.SYSTEMS = {**catalogue.SYSTEMS, "mailchimp": opened}
    with harness.own_server(asked.keep) as held:
        organisation_id = harness.house(held, asked.scale)
        town = Town(held, organisation_id, destination)
        town.plan_once()
        began_kb, began = _forget_peak(), time.perf_counter()
        first = town.run()
        report_first_load(asked.scale, len(destination.members), took_s=time.perf_counter() - began, began_kb=began_kb)
        harness.settle(held)
        report_calls("audience.first_push", asked.scale, first, told=len(destination.members), tagged=True)
        if asked.wants("audience.one_per_cent"):
            changed = town.change(100)
            report_calls("audience.one_per_cent", asked.scale, town.run(), told=changed, tagged=False)
        if asked.wants("audience.nobody"):
            report_calls("audience.nobody", asked.scale, town.run(), told=0, tagged=False)
        if asked.wants("audience.plan"):
            harness.compare("audience.plan", asked.scale, ours=town.plan, limit=town.bare, target=TARGET_PLAN)
        if asked.wants("audience.opt_outs"):
            report_opt_outs(asked.scale, town)


def report_calls(name: str, scale: Scale, calls: Counter[str], *, told: int, tagged: bool) -> None:
    """Print how many calls changed something there, against as few as the vendor's batches allow."""
    tag_calls = -(-told // BATCHING.tags_per_call) if tagged else 0
    a_call = BATCHING.people_per_batch if told >= BATCHES_FROM else BATCHING.upserts_per_call
    limit = -(-told // a_call) + tag_calls
    ours = calls["upsert"] + calls["begin_batch"] + calls["tag"] + calls["unsubscribe"]
    ratio = 1.0 if ours == limit else round(ours / max(limit, 1), 3)
    line = {"name": name, "scale": scale.name, "ours_calls": ours, "limit_calls": limit, "ratio": ratio, "runs": 1}
    print(json.dumps(line | {"reads": sum(calls.values()) - ours}), flush=True)
    if ours != limit:
        print(f"{name}: {ours} calls where {limit} would do", file=sys.stderr, flush=True)


def report_first_load(scale: Scale, people: int, *, took_s: float, began_kb: int) -> None:
    """Print how long a first load takes us, against what the vendor needs for it, and what it keeps in memory."""
    harness.report(
        "audience.first_load", scale, ours_s=took_s, limit_s=people / VENDOR_PEOPLE_PER_S, runs=1, target=1.0
    )
    grown_kb = _peak_kb() - began_kb
    line = {"name": "audience.first_load.memory", "scale": scale.name, "people": people, "grown_kb": grown_kb}
    print(json.dumps(line | {"ratio": round(grown_kb / people / MEMORY_KB_PER_PERSON, 3), "runs": 1}), flush=True)
    if grown_kb > people * MEMORY_KB_PER_PERSON:
        print(f"audience.first_load.memory: {grown_kb} kB for {people} people", file=sys.stderr, flush=True)


def report_opt_outs(scale: Scale, town: Town) -> None:
    """Print what it costs to bring noes home at the first look at a list, the reading of everybody else taken off."""
    began = time.perf_counter()
    town.opt_out(0)
    town.poll()
    reading_s = time.perf_counter() - began
    count, began = town.opt_out(5_000), time.perf_counter()
    town.poll()
    took_s = max(0.001, time.perf_counter() - began - reading_s)
    harness.report("audience.opt_outs", scale, ours_s=took_s, limit_s=count * OPT_OUT_S, runs=1, target=1.0)


def _forget_peak() -> int:
    """Let the peak of this process begin anew, and return it (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_kb()


def _peak_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1])  # type: ignore[index]


if __name__ == "__main__":
    main()
