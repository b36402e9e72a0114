"""Rows of visits: what their cells say, as participations with their contact and activity.

A line without a number of its own gets one made of what it says, counted where it is said twice, so that the same file
again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.activities.ingest import upsert_activities, upsert_participations
from app.activities.models import Activity, Participation
from app.contacts import normalise
from app.contacts.importing.contact_rows import Cells, People, spreadsheet_day
from app.contacts.importing.kinds import ImportKind, Problem, Setting, Stored, Taken, register
from app.contacts.importing.mapping import Mapping
from app.contacts.importing.rows import Row
from app.contacts.models import Contact
from app.contacts.normalise import Unreadable, cleaned, folded
from app.db import ScopedSession
from app.keyring import Keyring
from integrations.base import ActivityRecord, ParticipationRecord

GENRES_PER_CELL_MAX = 20


def _statuses(status: str, words: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), status)


# What a source calls the state of a line. Compared without accents, case, blanks and hyphens.
STATUSES = {
    **_statuses(
        "booked",
        "betaald paye paid geboekt booked bevestigd confirme confirmed verkocht vendu sold geldig valide valid ok"
        " actief active actif afgewerkt voltooid complete completed termine gereserveerd reserve reserved ingeschreven"
        " inscrit registered attending ja besteld ordered vrijkaart gratis free",
    ),
    **_statuses(
        "attended",
        "gescand scanne scanned aanwezig present attended gebruikt utilise used ingecheckt checkedin entered bezocht",
    ),
    **_statuses(
        "cancelled",
        "geannuleerd annule annulee cancelled canceled vervallen verlopen expire expired ongeldig invalide invalid"
        " uitgeschreven desinscrit verwijderd deleted supprime nietaanwezig afwezig noshow",
    ),
    **_statuses("refunded", "terugbetaald rembourse remboursee refunded refund retour teruggenomen returned"),
    **_statuses(
        "pending",
        "openstaand open wachtend inafwachting enattente pending onbetaald nietbetaald nonpaye unpaid optie option"
        " wachtlijst waitlist listedattente voorlopig incomplete",
    ),
}


@dataclass(slots=True)
class Visit:
    """A row taken: the participation, and its activity as the first row of the file that names it describes it."""

    participation: ParticipationRecord
    activity: ActivityRecord


@dataclass(slots=True)
class Visits:
    """Reads participations from rows, remembering the activities and line numbers of earlier rows."""

    mapping: Mapping
    setting: Setting
    activities: dict[str, ActivityRecord] = field(default_factory=dict)
    numbers: set[bytes] = field(default_factory=set)
    repetitions: Counter[bytes] = field(default_factory=Counter)
    people: People = field(init=False)

    def __post_init__(self) -> None:
        self.people = People(self.mapping, self.setting)

    def read(self, row: Row) -> Taken:
        """Return the row as a Visit."""
        if row.problem is not None:
            return Taken(row.number, None, (Problem(row.number, "", row.problem, None),))
        cells = Cells(row, self.mapping, self.setting.headers)
        visit = self._visit(cells)
        return cells.taken(visit)

    def _visit(self, cells: Cells) -> Visit | None:
        contact = self.people.person(cells)
        activity = self._activity(cells)
        if contact is None or activity is None:
            return None
        attended_at, has_attended = _attended(cells, self._instant)
        quantity = cells.read("quantity", normalise.whole_number, is_needed=True)
        status = _status(cells)
        booked_at = self._instant(cells, "booked_at")
        number = self._number(cells, activity.external_id, booked_at)
        if cells.has_error or number is None:
            return None
        activity = self.activities.setdefault(activity.external_id, activity)
        participation = ParticipationRecord(
            source=self.mapping.source,
            external_id=number,
            contact=contact,
            activity_source=activity.source,
            activity_external_id=activity.external_id,
            quantity=1 if quantity is None else quantity,
            amount=_amount(cells, quantity),
            currency=(cells.text("currency") or "EUR").upper().replace("€", "EUR"),
            channel=_folded(cells.text("sales_channel")),
            kind=_folded(cells.text("participation_kind")) or "ticket",
            status="attended" if has_attended and status == "booked" else status,
            booked_at=booked_at,
            attended_at=attended_at,
        )
        return Visit(participation, activity)

    def _activity(self, cells: Cells) -> ActivityRecord | None:
        title, given_id = cells.text("activity_title"), cells.text("activity_id")
        if title is None and given_id is None:
            code = "activity_title" if "activity_title" in self.mapping.columns else "activity_id"
            cells.note(code, "no_activity", None, is_warning=False)
            return None
        starts_at = self._instant(cells, "activity_starts_at", time_of="activity_start_time")
        said = f"{folded(title or '')}\x1f{starts_at.isoformat() if starts_at else ''}"
        return ActivityRecord(
            source=self.mapping.source,
            external_id=given_id or f"file:{_digest(said).hex()}",
            title=title or given_id or "",
            genres=tuple(_genres(cells)),
            series=cells.text("series"),
            venue=cells.text("venue"),
            starts_at=starts_at,
        )

    def _number(self, cells: Cells, activity_id: str, booked_at: datetime | None) -> str | None:
        """Return the number of the line; the same number a second time is an error, so that no line goes unseen."""
        given = cells.text("participation_id")
        if given is not None:
            fingerprint = _digest(given)
            if fingerprint in self.numbers:
                cells.note("participation_id", "repeated_number", given, is_warning=False)
                return None
            self.numbers.add(fingerprint)
            return given
        who = [cells.text(code) or "" for code in ("email", "external_id", "uitpas", "order_id")]
        said = "\x1f".join([*who, activity_id, booked_at.isoformat() if booked_at else ""]).lower()
        fingerprint = _digest(said)
        self.repetitions[fingerprint] += 1
        return f"file:{fingerprint.hex()}:{self.repetitions[fingerprint]}"

    def _instant(self, cells: Cells, code: str, *, time_of: str = "") -> datetime | None:
        moment: datetime | None = cells.read(code, _moment, is_needed=True)
        clock_time = cells.text(time_of) if time_of else None
        if moment is not None and clock_time is not None:
            try:
                moment = normalise.moment(f"{moment.date().isoformat()} {clock_time}")
            except Unreadable:
                cells.note(time_of, "time", clock_time, is_warning=True)
        if moment is None:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.setting.time_zone))).astimezone(UTC)


def _moment(written: str) -> datetime | None:
    if written.isdecimal() and len(written) == 5:
        on = spreadsheet_day(written)
        return datetime(on.year, on.month, on.day) if on else None  # noqa: DTZ001  the zone is put on by the caller
    return normalise.moment(written)


def _attended(cells: Cells, instant: Any) -> tuple[datetime | None, bool]:
    """Return when somebody came in, and whether they did: the column may hold an instant or a yes."""
    written = cells.text("attended_at")
    if written is None:
        return None, False
    try:
        return None, normalise.yes_no(written) is True
    except Unreadable:
        at = instant(cells, "attended_at")
        return at, at is not None


def _status(cells: Cells) -> str:
    written = cells.text("status")
    if written is None:
        return "booked"
    status = STATUSES.get(folded(written).replace(" ", "").replace("-", "").replace("_", ""))
    if status is None:
        cells.note("status", "status", written, is_warning=False)
    return status or "booked"


def _amount(cells: Cells, quantity: int | None) -> Decimal | None:
    total: Decimal | None = cells.read("amount", normalise.amount, is_needed=True)
    if total is not None:
        return total
    each: Decimal | None = cells.read("unit_price", normalise.amount, is_needed=True)
    return None if each is None else each * (1 if quantity is None else quantity)


def _genres(cells: Cells) -> Iterator[str]:
    for _, value in cells.each("genre"):
        for genre in value.replace("|", ",").replace(";", ",").replace("/", ",").split(",")[:GENRES_PER_CELL_MAX]:
            if (kept := cleaned(genre)) is not None:
                yield kept.lower()


def _folded(text: str | None) -> str | None:
    return text.lower() if text else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:12]


def _store(
    session: ScopedSession, keyring: Keyring, records: Sequence[Visit], setting: Setting, at: datetime
) -> list[Stored]:
    activities = {visit.activity.external_id: visit.activity for visit in records}
    upsert_activities(session, list(activities.values()), time_zone=setting.time_zone)
    results = upsert_participations(
        session,
        keyring,
        [visit.participation for visit in records],
        time_zone=setting.time_zone,
        actor="import",
        at=at,
    )
    return [Stored(result.outcome, result.participation_id, result.error) for result in results]


def _look(session: ScopedSession, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    line = Participation
    rows = session.execute(
        select(
            line.id,
            Contact.email,
            Activity.title.label("activity_title"),
            line.activity_on.label("activity_starts_at"),
            line.status,
            line.quantity,
            line.amount,
            line.booked_on.label("booked_at"),
        )
        .join(Contact, Contact.id == line.contact_id)
        .join(Activity, Activity.id == line.activity_id)
        .where(line.id.in_(ids))
    )
    return {row.id: {name: value for name, value in row._mapping.items() if name != "id"} for row in rows}


PARTICIPATIONS = register(ImportKind("participations", Visits, _store, _look))
