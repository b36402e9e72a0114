"""How fast a box office comes in, against the best that can be written by hand on the same tables.

Promises, as ratios of time (ours / by hand): loading in bulk (match people, upsert, keep history) at most 2, from the
inbox to the store at most 2. The same lines once more, which changes nothing, and the same lines as a file, with
everything an import looks at in every cell, are shown beside them. Memory is flat: the peak of Python's own memory
while four times as much comes in is at most 1.2 times that of the single load, for a reading and for the inbox.
"""

from __future__ import annotations

import csv
import gc
import io
import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

from sqlalchemy import delete

from app import clock
from app.activities import import_rows as _import_rows  # noqa: F401  files of visits are known
from app.activities.ingest import upsert_participations
from app.consent.subjects import hash_key_id
from app.contacts.importing import jobs
from app.contacts.importing.mapping import Mapping
from app.contacts.importing.run import run, work_of
from app.db import transaction
from app.runtime import Runtime
from app.sync.inbox import process_inbox, receive
from app.sync.models import Connection, InboxItem
from app.sync.pull import pull_connection, start_over
from bench import harness
from bench.harness import Scale
from bench.limits import merge, single
from bench.limits.box_office import SOURCE, Known, Line, known_to, make_lines
from integrations import catalogue
from integrations.base import ContactRecord, IdentityRecord, ParticipationRecord, SourcePage
from integrations.sources.pretix import CAPABILITIES

TARGET = 2.0
MEMORY_TARGET = 1.2
LINES_A_PAGE = 50
SYSTEM = "bench"
TIME_ZONE = "Europe/Brussels"
LINES = {"small": 6_000, "org": 30_000, "sector": 100_000}
LINES_A_TRANSACTION = 5_000


COLUMNS = (
    "email", "external_id", "given_name", "family_name", "language", "postcode", "municipality", "country",
    "participation_id", "activity_id", "quantity", "amount", "sales_channel", "status", "booked_at",
)  # fmt: skip
HOOKS = {"small": 300, "org": 1_000, "sector": 3_000}


class BoxOffice:
    """Both ways of storing the lines of the moment; ``next_lines`` brings lines nobody has stored."""

    def __init__(self, held: Runtime, organisation_id: int, size: int) -> None:
        """Look up what the house knows already; ``size`` lines come at a time."""
        self._held = held
        self._organisation_id = organisation_id
        self._size = size
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


class File(BoxOffice):
    """The same lines in a CSV file: from its bytes to the store, against reading it with csv and COPY."""

    def next_file(self) -> None:
        """Bring a new file, its columns chosen and waiting to be stored."""
        self.next_lines()
        written = io.StringIO()
        csv.writer(written, delimiter=";").writerows([COLUMNS, *self._lines])
        self._content = written.getvalue().encode()
        mapping = Mapping(source=self._known.activity_source, columns=COLUMNS)
        with transaction(self._held.engine, self._organisation_id) as session:
            job = jobs.upload(session, self._content, file_name="lijnen.csv", kind="participations", preset="generic")
            jobs.move(session, job.id, (job.state,), "queued", mapping=mapping.as_json())
            session.refresh(job)
            self._work = work_of(session, jobs.claim(session, job, at=clock.now()))

    def ours(self) -> None:
        """Store the file as a worker does."""
        assert run(self._held, self._work) == len(self._lines)

    def by_hand(self) -> None:
        """Read the file with the standard library, and COPY and merge what it says."""
        lines = csv.reader(io.StringIO(self._content.decode()), delimiter=";")
        next(lines)
        merge.load(
            self._held,
            self._organisation_id,
            [tuple(line) for line in lines],
            activity_source=self._known.activity_source,
            subject_key=self._subject_key,
        )


class Hooks(BoxOffice):
    """The same lines, each in a webhook of its own that waits in the inbox, against a statement of its own."""

    capabilities = replace(CAPABILITIES, streams=("lines",), lists_whole=(), requests_per_minute=None)
    load = 0

    def __init__(self, held: Runtime, organisation_id: int, size: int) -> None:
        """Connect a box office whose webhooks carry all there is to know, so that no network is measured."""
        super().__init__(held, organisation_id, size)
        self._connected = single.Connected(held, organisation_id)
        catalogue.SYSTEMS[SYSTEM] = replace(
            catalogue.SYSTEMS["pretix"], system=SYSTEM, open_source=lambda *_: self, hook_dedupe_key=lambda body: None
        )
        with transaction(held.engine, organisation_id) as session:
            connection = Connection(
                organisation_id=organisation_id,
                system=SYSTEM,
                kind="source",
                name="Kassa",
                settings={"source": SOURCE},
                secrets_encrypted=held.keyring.encrypted("{}"),
                created_at=clock.now(),
            )
            session.add(connection)
            session.flush()
            self._connection = connection

    def next_hooks(self) -> None:
        """Let new webhooks arrive, in an inbox that is empty whichever side went before."""
        self.next_lines()
        with transaction(self._held.engine, self._organisation_id) as session:
            session.execute(delete(InboxItem))
            for line in self._lines:
                receive(session, self._connection, headers={}, body=json.dumps(line).encode())

    def pull(self, stream: str, cursor: dict[str, Any]) -> Iterator[SourcePage]:
        """Yield a load page by page, as a connector does: no more than one page is in hand."""
        done = int(cursor.get("done") or 0)
        while done < self.load:
            lines = make_lines(self._known, count=min(LINES_A_PAGE, self.load - done), seed=next(self._seeds))
            done += len(lines)
            yield SourcePage(stream, {"done": done}, participations=tuple(self._record(line) for line in lines))

    def read_load(self, size: int) -> None:
        """Read so many lines from the source, from its beginning to its end."""
        self.load = size
        with transaction(self._held.engine, self._organisation_id) as session:
            start_over(session, self._connection.id)
            session.get_one(Connection, (self._organisation_id, self._connection.id)).next_run_at = clock.now()
        rows = 0
        while rows < size:
            rows += pull_connection(self._held, self._organisation_id, self._connection.id)

    def empty_inbox(self, size: int) -> None:
        """Process so many webhooks that arrived before."""
        self._size = size
        self.next_hooks()
        if tracemalloc.is_tracing():  # the lines they were made of are not the inbox's
            tracemalloc.stop()
            tracemalloc.start()
        self.ours()

    def read_hook(self, body: bytes) -> Sequence[SourcePage]:
        """Return the page a webhook speaks of, as a connector does."""
        return [SourcePage(stream="lines", cursor={}, participations=(self._record(tuple(json.loads(body))),))]

    def ours(self) -> None:
        """Process the inbox until nothing waits."""
        assert process_inbox(self._held, self._organisation_id, processors={}) == len(self._lines)

    def by_hand(self) -> None:
        """Store every line with one statement and one commit."""
        self._connected.store(self._lines, activity_source=self._known.activity_source, subject_key=self._subject_key)

    def close(self) -> None:
        """Nothing to close: this system is asked over no network."""

    def disconnect(self) -> None:
        """Give the connection back."""
        self._connected.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what was asked for."""
    asked = harness.arguments(__doc__, argv)
    with harness.own_server(asked.keep) as held:
        organisation_id = harness.house(held, asked.scale)
        box_office = BoxOffice(held, organisation_id, LINES[asked.scale.name])
        hooks = Hooks(held, organisation_id, HOOKS[asked.scale.name])
        if asked.wants("ingest.bulk"):
            _compare("ingest.bulk", asked.scale, box_office, before=box_office.next_lines)
        if asked.wants("ingest.file"):
            file = File(held, organisation_id, LINES[asked.scale.name])
            _compare("ingest.file", asked.scale, file, before=file.next_file, target=None)
        if asked.wants("ingest.bulk_again"):
            box_office.next_lines()
            _compare("ingest.bulk_again", asked.scale, box_office, target=None)
        if asked.wants("ingest.inbox"):
            _compare("ingest.inbox", asked.scale, hooks, before=hooks.next_hooks)
        if asked.wants("ingest.memory_load"):
            _compare_memory("ingest.memory_load", asked.scale, hooks.read_load, LINES[asked.scale.name])
        if asked.wants("ingest.memory_inbox"):
            _compare_memory("ingest.memory_inbox", asked.scale, hooks.empty_inbox, HOOKS[asked.scale.name])
        hooks.disconnect()


def _compare_memory(name: str, scale: Scale, take_in: Callable[[int], None], size: int) -> None:
    """Print the peaks of Python's memory (MB) while a load comes in, and while four times as much does.

    The collector works as often as Python lets it by itself: a worker lets more garbage lie before it sweeps, some
    megabytes however much comes in, and that would hide what is measured here.
    """
    spared = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    take_in(size)  # what is kept from the first use on is not the load's
    peaks = {}
    for times in (1, 4):
        gc.collect()
        tracemalloc.start()
        take_in(size * times)
        peaks[times] = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    gc.set_threshold(*spared)
    ratio = peaks[4] / peaks[1]
    told = {"name": name, "scale": scale.name, "mb": round(peaks[1], 1), "mb_of_four": round(peaks[4], 1)}
    print(json.dumps(told | {"ratio": round(ratio, 3), "runs": 1}), flush=True)
    if ratio > MEMORY_TARGET:
        print(f"{name}: {ratio:.2f} misses its target of {MEMORY_TARGET:.2f}", file=sys.stderr, flush=True)


def _compare(
    name: str,
    scale: Scale,
    way_in: BoxOffice,
    *,
    before: Callable[[], object] | None = None,
    target: float | None = TARGET,
) -> None:
    harness.compare(name, scale, ours=way_in.ours, limit=way_in.by_hand, before=before, target=target)


if __name__ == "__main__":
    main()
