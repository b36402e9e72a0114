"""Rows of people: what their cells say, as records the store takes in.

Within one file the first row that says something about a person is right, and later rows of the same person only fill
in what is still missing: so the same file again changes nothing, whatever the size of its batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app import clock
from app.accounts.addresses import normalise_email
from app.consent.address_hints import likely_meant
from app.contacts import normalise
from app.contacts.directory import identities_of
from app.contacts.importing.columns import ATTRIBUTE, CONSENT, CONSENT_KEY, TAG
from app.contacts.importing.kinds import ImportKind, Problem, Setting, Stored, Taken, register
from app.contacts.importing.mapping import ConsentMeaning, Mapping
from app.contacts.importing.rows import Row
from app.contacts.ingest import PROFILE, upsert_contacts
from app.contacts.matching import Key, are_other_names
from app.contacts.models import Contact
from app.contacts.normalise import Unreadable, cleaned, is_past_birth
from app.db import ScopedSession
from app.keyring import Keyring
from integrations.base import ConsentRecord, ConsentState, ContactRecord, IdentityRecord

# A spreadsheet counts days from here, when a date is stored without its format.
SPREADSHEET_EPOCH = date(1899, 12, 30)
TAGS_PER_CELL_MAX = 50

# How a column of each meaning was collected, in the words of the ledger.
METHODS = {
    "granted": "form",
    "pre_ticked": "pre_ticked",
    "soft_opt_in": "opt_out_offered",
    "unknown": "unknown",
    "opt_out": "unknown",
}


@dataclass(slots=True)
class Cells:
    """The cells of one row by field, with the problems found on the way."""

    row: Row
    mapping: Mapping
    headers: Sequence[str]
    problems: list[Problem] = field(default_factory=list)
    contact: ContactRecord | None = None

    def text(self, code: str) -> str | None:
        """Return the cell of a field, cleaned, or None."""
        place = self.mapping.places.get(code)
        return None if place is None else cleaned(self.row.cells[place])

    def each(self, code: str) -> Iterator[tuple[int, str]]:
        """Yield every column of a repeatable field with its place, blank cells left out."""
        if code not in self.mapping.places:
            return
        for place, held in enumerate(self.mapping.columns):
            if held == code and (value := cleaned(self.row.cells[place])) is not None:
                yield place, value

    def read(self, code: str, reading: Callable[[str], Any], *, is_needed: bool = False) -> Any:
        """Return a field read by a rule of ``normalise``; what cannot be read is a warning, or an error if needed."""
        written = self.text(code)
        if written is None:
            return None
        try:
            return reading(written)
        except Unreadable as problem:
            self.note(code, problem.code, written, is_warning=not is_needed)
            return None

    def note(self, code: str, problem: str, value: str | None, *, is_warning: bool) -> None:
        """Note a problem with the column of a field."""
        self.note_at(self.mapping.places.get(code), problem, value, is_warning=is_warning)

    def note_at(self, place: int | None, problem: str, value: str | None, *, is_warning: bool) -> None:
        """Note a problem with a column by its place, or with the row as a whole."""
        header = self.headers[place] if place is not None else ""
        self.problems.append(Problem(self.row.number, header, problem, value, is_warning))

    def taken(self, record: object | None, *, is_repeated: bool = False) -> Taken:
        """Return the row with what was read from it; ``record`` counts only where nothing is wrong."""
        kept = None if self.has_error else record
        return Taken(self.row.number, kept, tuple(self.problems), is_repeated, self.contact)

    @property
    def has_error(self) -> bool:
        """Whether the row cannot be taken."""
        return any(not problem.is_warning for problem in self.problems)


@dataclass(slots=True)
class People:
    """Reads people from rows, remembering what earlier rows of the file said about each of them."""

    mapping: Mapping
    setting: Setting
    said: dict[Key, int] = field(default_factory=dict)
    read_by: dict[Key, tuple[set[IdentityRecord], str]] = field(default_factory=dict)
    is_repeated: bool = False

    def read(self, row: Row) -> Taken:
        """Return the row as a ContactRecord."""
        if row.problem is not None:
            return Taken(row.number, None, (Problem(row.number, "", row.problem, None),))
        cells = Cells(row, self.mapping, self.setting.headers)
        record = self.person(cells)
        return cells.taken(record, is_repeated=self.is_repeated)

    def person(self, cells: Cells) -> ContactRecord | None:
        """Return the person a row is about, or None (with the problem noted) where it names nobody."""
        email = cells.text("email")
        identities = self._identities(cells)
        if email is not None and normalise_email(email) is None:
            cells.note("email", "invalid_email", email, is_warning=bool(identities))
            email = None
        if email is None and not identities:
            if not cells.has_error:
                cells.note_at(None, "no_identity", None, is_warning=False)
            return None
        if email is not None and (meant := likely_meant(email)) is not None:
            cells.note("email", "likely_mistyped", f"{email} ({meant}?)", is_warning=True)
        profile = self._first_said(email, identities, self._profile(cells))
        cells.contact = ContactRecord(
            source=self.mapping.source,
            identities=identities,
            email=email,
            tags=(*self.mapping.tags, *_tags(cells)),
            attributes=profile.pop("attributes", {}),
            consents=tuple(self._consents(cells)),
            **profile,
        )
        return cells.contact

    def _identities(self, cells: Cells) -> tuple[IdentityRecord, ...]:
        source = self.mapping.source
        given = ((f"{source}:customer", cells.text("external_id")), ("uitpas", cells.text("uitpas")))
        return tuple(IdentityRecord(kind, value) for kind, value in given if value is not None)

    def _profile(self, cells: Cells) -> dict[str, Any]:
        country = cells.read("country", normalise.country)
        at_home = country or self.setting.country
        given_name, family_name = _names(cells)
        attributes = {
            name: value for place, value in cells.each(ATTRIBUTE) if (name := self.mapping.attribute_names.get(place))
        }
        return {
            "given_name": given_name,
            "family_name": family_name,
            "language": cells.read("language", normalise.language),
            "gender": cells.read("gender", normalise.gender),
            "birth_date": cells.read("birth_date", _day_of_birth),
            "phone": cells.read("phone", lambda written: normalise.phone(written, at_home)),
            "street": _street(cells),
            "postcode": cells.read("postcode", lambda written: normalise.postcode(written, country)),
            "municipality": cells.text("municipality"),
            "country": country,
            "attributes": attributes,
        }

    def _first_said(
        self, email: str | None, identities: Sequence[IdentityRecord], profile: dict[str, Any]
    ) -> dict[str, Any]:
        """Leave out what an earlier row of the file said about this person already."""
        keys = [(each.kind, each.value) for each in identities]
        mailbox = ("email", normalise_email(email or "") or "")
        if email and not self._is_read_by_another(mailbox, identities, profile.get("given_name")):
            keys.append(mailbox)
        bits = {name: 1 << place for place, name in enumerate((*PROFILE, "attributes"))}
        self.is_repeated = any(key in self.said for key in keys)
        earlier = 0
        for key in keys:
            earlier |= self.said.get(key, 0)
        kept = {name: value for name, value in profile.items() if value and not earlier & bits[name]}
        now = earlier | sum(bits[name] for name in kept)
        self.said.update(dict.fromkeys(keys, now))
        return kept

    def _is_read_by_another(self, mailbox: Key, identities: Sequence[IdentityRecord], given_name: str | None) -> bool:
        """Whether an earlier row had this address with another number of the same system and another first name."""
        numbers, name = self.read_by.setdefault(mailbox, (set(identities), normalise.folded(given_name or "")))
        kinds = {each.kind for each in numbers}
        has_other_number = any(each.kind in kinds and each not in numbers for each in identities)
        return has_other_number and are_other_names(name, normalise.folded(given_name or ""))

    def _consents(self, cells: Cells) -> Iterator[ConsentRecord]:
        noted_on = cells.read("consent_date", spreadsheet_day)
        named = normalise.folded(cells.text(CONSENT_KEY) or "")
        for place, value in cells.each(CONSENT):
            meaning = self.mapping.consents[place]
            if meaning.key is not None and named != normalise.folded(meaning.key):
                continue
            state, on = _stated(cells, place, value, meaning)
            if state is not None:
                yield self._consent(cells, place, state, on or noted_on or meaning.captured_on)

    def _consent(self, cells: Cells, place: int, state: ConsentState, on: date | None) -> ConsentRecord:
        meaning = self.mapping.consents[place]
        zone = ZoneInfo(self.setting.time_zone)
        is_soft = meaning.meaning == "soft_opt_in"
        raw = {"value": cleaned(cells.row.cells[place]), "meaning": meaning.meaning}
        if is_soft:
            raw |= {"seller": meaning.seller, "transaction": self._transaction(cells)}
        return ConsentRecord(
            channel="email",
            purpose=meaning.purpose,
            state=state,
            captured_at=datetime.combine(on, time(12), zone).astimezone(UTC) if on else None,
            method=METHODS[meaning.meaning],
            wording=meaning.wording,
            wording_language=meaning.language,
            basis="soft_opt_in" if is_soft else "consent",
            # The same file read in the same sense says it once; read in another sense it says something else.
            external_id=f"file:{self.setting.file_key}:{cells.row.number}:{place}:{_sense(meaning)}",
            raw=raw,
        )

    def _transaction(self, cells: Cells) -> str | None:
        number = cells.text("order_id") or cells.text("participation_id")
        return None if number is None else f"{self.mapping.source}:{number}"


def spreadsheet_day(written: str) -> date | None:
    """Return a date; a number of five digits is the day number of a spreadsheet that lost its format."""
    if written.isdecimal() and len(written) == 5:
        return SPREADSHEET_EPOCH + timedelta(days=int(written))
    return normalise.day(written)


def _names(cells: Cells) -> tuple[str | None, str | None]:
    given, prefix, family = cells.text("given_name"), cells.text("name_prefix"), cells.text("family_name")
    full = cells.text("full_name")
    if full and not given and not family:
        before, comma, after = full.partition(",")
        if comma:  # "Peeters, An"
            given, family = cleaned(after), cleaned(before)
        else:
            given, _, family = (part or None for part in full.partition(" "))
    return given, normalise.family_name(prefix, family)


def _street(cells: Cells) -> str | None:
    street, number, box = cells.text("street"), cells.text("house_number"), cells.text("house_box")
    if street is None:
        return None
    parts = [street, number or "", f"bus {box}" if box and box.isdigit() else box or ""]
    return cleaned(" ".join(parts))


def _tags(cells: Cells) -> Iterator[str]:
    for _, value in cells.each(TAG):
        for tag in value.replace("|", ",").replace(";", ",").split(",")[:TAGS_PER_CELL_MAX]:
            if (kept := cleaned(tag)) is not None:
                yield kept[:60]


def _sense(meaning: ConsentMeaning) -> str:
    return hashlib.sha256(repr(meaning).encode()).hexdigest()[:8]


def _stated(cells: Cells, place: int, value: str, meaning: ConsentMeaning) -> tuple[ConsentState | None, date | None]:
    """Return what a cell of a consent column states, and the date where it is one.

    What cannot be read errs on the side of no: in a column of opt-outs it is one, elsewhere it allows nothing.
    """
    on, is_yes = None, None
    try:
        is_yes = normalise.yes_no(value)
    except Unreadable:
        try:
            on = spreadsheet_day(value)
            is_yes = True
        except Unreadable:
            cells.note_at(place, "yes_no", value, is_warning=True)
            return (ConsentState.OUT if meaning.meaning == "opt_out" else ConsentState.UNKNOWN), None
    if meaning.meaning == "opt_out":
        return (ConsentState.OUT if is_yes else None), on
    if meaning.meaning == "unknown" or is_yes is None:
        return ConsentState.UNKNOWN, on
    return (ConsentState.IN if is_yes else ConsentState.OUT), on


def _store(
    session: ScopedSession, keyring: Keyring, records: Sequence[ContactRecord], _setting: Setting, at: datetime
) -> list[Stored]:
    results = upsert_contacts(session, keyring, records, actor="import", at=at)
    return [Stored(result.outcome, result.contact_id, result.error) for result in results]


def _look(session: ScopedSession, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    shown = (Contact.email, *(getattr(Contact, name) for name in PROFILE), Contact.tags, Contact.attributes)
    rows = session.execute(select(Contact.id, *shown).where(Contact.id.in_(ids)))
    looks = {row.id: {name: value for name, value in row._mapping.items() if name != "id"} for row in rows}
    for contact_id, identities in identities_of(session, looks).items():
        looks[contact_id]["known_as"] = sorted(each.value for each in identities if not each.is_primary)
    return looks


CONTACTS = register(ImportKind("contacts", People, _store, _look))


def _day_of_birth(written: str) -> date | None:
    """A day of birth; one that is still to come is a slip of the pen."""
    day = spreadsheet_day(written)
    if day is not None and not is_past_birth(day, at=clock.now()):
        raise Unreadable("future_birth")
    return day
