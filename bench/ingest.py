"""How fast a box office comes in, against the best that can be written by hand on the same tables.

Promises, as ratios of time (ours / by hand): loading in bulk (match people, upsert, keep history) at most 2, from the
inbox to the store at most 2. The same lines once more, which changes nothing, is shown beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import count

from app import clock
from app.activities.ingest import upsert_participations
from app.consent.subjects import hash_key_id
from app.db import transaction
from app.runtime import Runtime
from bench import harness
from bench.harness import Scale
from bench.limits import merge
from bench.limits.box_office import SOURCE, Known, Line, known_to, make_lines
from integrations.base import ContactRecord, IdentityRecord, ParticipationRecord

TARGET = 2.0
TIME_ZONE = "Europe/Brussels"
LINES = {"small": 6_000, "org": 30_000, "sector": 100_000}
LINES_A_TRANSACTION = 5_000


class BoxOffice:
    """Both ways of storing the lines of the moment; ``next_lines`` brings lines nobody has stored."""

    def __init__(self, held: Runtime, organisation_id: int, scale: Scale) -> None:
        """Look up what the house knows already."""
        self._held = held
        self._organisation_id = organisation_id
        self._size = LINES[scale.name]
        self._known: Known = known_to(held, organisation_id)
        self._seeds = count(1)
        self._lines: list[Line] = []
        with transaction(held.engine, organisation_id) as session:
            self._key_id = hash_key_id(session)

    def next_lines(self) -> None:
        """Bring new lines."""
        self._lines = make_lines(self._known, count=self._size, seed=next(self._seeds))

    def ours(self) -> None:
        """Store the lines through the verbs every import and pull uses, a few thousand per transaction."""
        for start in range(0, len(self._lines), LINES_A_TRANSACTION):
            records = [self._record(line) for line in self._lines[start : start + LINES_A_TRANSACTION]]
            with transaction(self._held.engine, self._organisation_id) as session:
                results = upsert_participations(
                    session, self._held.keyring, records, time_zone=TIME_ZONE, actor="import", at=clock.now()
                )
            assert not [result for result in results if result.error]

    def by_hand(self) -> None:
        """Store the lines with COPY and a merge."""
        merge.load(
            self._held,
            self._organisation_id,
            self._lines,
            activity_source=self._known.activity_source,
            subject_key=self._subject_key,
        )

    def _record(self, line: Line) -> ParticipationRecord:
        email, _, given, family, language, postcode, municipality, country, number, activity, *ticket = line
        quantity, amount, channel, status, booked_at = ticket
        return ParticipationRecord(
            source=SOURCE,
            external_id=number,
            contact=ContactRecord(
                source=SOURCE,
                identities=(IdentityRecord("email", email),),
                email=email,
                given_name=given or None,
                family_name=family or None,
                language=language,
                postcode=postcode,
                municipality=municipality,
                country=country,
            ),
            activity_source=self._known.activity_source,
            activity_external_id=activity,
            quantity=int(quantity),
            amount=Decimal(amount),
            channel=channel,
            status=status,
            booked_at=datetime.fromisoformat(booked_at),
        )

    def _subject_key(self, address: str) -> bytes:
        return self._held.keyring.subject_key(self._organisation_id, "email", address, key_id=self._key_id)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what was asked for."""
    asked = harness.arguments(__doc__, argv)
    with harness.own_server(asked.keep) as held:
        box_office = BoxOffice(held, harness.house(held, asked.scale), asked.scale)
        measurements: dict[str, Callable[[], object] | None] = {
            "ingest.bulk": box_office.next_lines,
            "ingest.bulk_again": None,
        }
        for name, before in measurements.items():
            if asked.wants(name):
                box_office.next_lines()
                harness.compare(
                    name,
                    asked.scale,
                    ours=box_office.ours,
                    limit=box_office.by_hand,
                    before=before,
                    target=TARGET if before else None,
                )


if __name__ == "__main__":
    main()
