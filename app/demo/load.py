"""Moving in: from invented people to rows, household after household, with flat memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from random import Random
from typing import Any

from sqlalchemy import text

from app.consent import projection
from app.consent.notices import find_or_create_notices
from app.consent.precedence import Fact
from app.consent.subjects import hash_key_id
from app.db import ScopedSession
from app.demo import house, wordings
from app.demo.copying import Loader, reserve_ids
from app.demo.people import Person, make_people
from app.demo.permissions import Said, is_suppressed, said_by
from app.demo.programme import Evening, make_programme, season_of, season_starts
from app.demo.visits import Diary, Line, visits_of
from app.keyring import Keyring

PEOPLE_A_BATCH = 2000
# The programme grows a little slower than the town: larger houses have larger crowds, too.
CONTACTS_AT_SCALE_ONE = 20_000

ACTIVITY = ("id", "source", "external_id", "title", "kind", "genres", "series", "venue", "audiences", "starts_at",
            "ends_at", "starts_on", "is_cancelled", "created_at", "updated_at")  # fmt: skip
CONTACT = ("id", "email", "given_name", "family_name", "language", "gender", "birth_date", "phone", "street",
           "postcode", "municipality", "country", "source", "tags", "attributes", "created_at",
           "updated_at")  # fmt: skip
IDENTITY = ("contact_id", "kind", "value", "value_key", "subject_key", "is_primary", "deliverability", "bounced_at",
            "source", "created_at")  # fmt: skip
PARTICIPATION = ("contact_id", "activity_id", "source", "external_id", "status", "quantity", "amount", "channel",
                 "booked_at", "booked_on", "activity_on", "attended_at", "created_at", "updated_at")  # fmt: skip
CONSENT_EVENT = ("id", "subject_key", "hash_key_id", "contact_id", "channel", "purpose", "action", "basis",
                 "occurred_at", "recorded_at", "actor", "method", "source", "notice_version_id",
                 "language")  # fmt: skip
CONSENT_EVIDENCE = ("event_id", "subject_key", "contact_id", "source", "evidence")
PERMISSION = ("subject_key", "channel", "purpose", "is_allowed", "is_negative", "basis", "reason", "since",
              "valid_until", "decided_by", "paused_until")  # fmt: skip
SUPPRESSION = ("address_hash", "hash_key_id", "channel", "reason", "source", "since")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How large the house is and which day it is there. The same plan gives the same people and visits."""

    contacts: int
    seed: int
    seasons: int
    today: date
    time_zone: str

    @property
    def scale(self) -> float:
        """The size of the programme against a house with twenty thousand contacts."""
        return float(max(0.4, (self.contacts / CONTACTS_AT_SCALE_ONE) ** 0.9))

    @property
    def first_on(self) -> date:
        """The first day of the oldest season."""
        return season_starts(season_of(self.today) - self.seasons + 1)

    @property
    def at(self) -> datetime:
        """Everything was recorded before this instant: the first of today, in UTC."""
        return datetime.combine(self.today, time(), UTC)


class MovingIn:
    """Fills the tables of one organisation. Verbs never commit: all of it stands or falls with the transaction."""

    def __init__(self, session: ScopedSession, keyring: Keyring, plan: Plan) -> None:
        """Prepare for loading; the session is scoped to an organisation that has its purposes."""
        self._session = session
        self._keyring = keyring
        self._plan = plan
        self._key_id = hash_key_id(session)
        self._rules = projection.purpose_rules(session)
        self._notices = _notices(session)
        self._randoms = {
            concern: Random(f"{concern} {plan.seed}") for concern in ("visits", "permissions", "attributes")
        }
        self._activity_ids: dict[int, int] = {}
        self._loaders: dict[str, Loader] = {}
        for table, columns in (
            ("activity", ACTIVITY),
            ("contact", CONTACT),
            ("identity", IDENTITY),
            ("participation", PARTICIPATION),
            ("consent_event", CONSENT_EVENT),
            ("consent_evidence", CONSENT_EVIDENCE),
            ("permission", PERMISSION),
            ("suppression", SUPPRESSION),
        ):
            self._loaders[table] = Loader(session, table, columns)

    def run(self, progress: Callable[[int], None] = lambda done: None) -> dict[str, int]:
        """Load everything and return the number of rows by table; ``progress`` hears how many contacts are in."""
        plan = self._plan
        evenings = make_programme(
            seed=plan.seed, today=plan.today, time_zone=plan.time_zone, seasons=plan.seasons, scale=plan.scale
        )
        self._load_programme(evenings)
        diary = Diary(evenings, time_zone=plan.time_zone)
        people = make_people(plan.contacts, seed=plan.seed, first_on=plan.first_on, today=plan.today)
        done, count_next = 0, 0
        while batch := list(islice(people, PEOPLE_A_BATCH)):
            self._load_people(batch, diary)
            done += len(batch)
            progress(done)
            if done >= count_next:
                # The triggers keep the plans they made for empty tables until somebody counts the rows.
                self._session.execute(text("SELECT refresh_statistics(only_changed => false)"))
                count_next = 2 * done
        return {table: loader.stored for table, loader in self._loaders.items()}

    def _load_programme(self, evenings: Sequence[Evening]) -> None:
        ids = reserve_ids(self._session, "activity", len(evenings))
        loader = self._loaders["activity"]
        for activity_id, evening in zip(ids, evenings, strict=True):
            self._activity_ids[evening.number] = activity_id
            loader.add((activity_id, *_activity_row(evening, self._plan)))
        loader.flush()

    def _load_people(self, people: Sequence[Person], diary: Diary) -> None:
        ids = reserve_ids(self._session, "contact", len(people))
        said: list[tuple[int, bytes, str, Said]] = []
        for contact_id, person in zip(ids, people, strict=True):
            lines = visits_of(person, diary, today=self._plan.today, random=self._randoms["visits"])
            met_at = lines[0].booked_at if lines else diary.instant(person.begins_on, self._randoms["visits"])
            self._take_person(contact_id, person, lines, met_at)
            said += self._take_words(contact_id, person, lines, met_at)
        self._take_events(said)
        for loader in self._loaders.values():
            loader.flush()

    def _take_person(self, contact_id: int, person: Person, lines: Sequence[Line], met_at: datetime) -> None:
        random = self._randoms["attributes"]
        updated_at = max((line.booked_at for line in lines), default=met_at)
        self._loaders["contact"].add((contact_id, *_contact_row(person, met_at, updated_at, random)))
        identity = self._loaders["identity"]
        for row in self._identity_rows(person, met_at):
            identity.add((contact_id, *row))
        participation = self._loaders["participation"]
        for line in lines:
            participation.add((contact_id, self._activity_ids[line.evening.number], *_participation_row(line)))

    def _identity_rows(self, person: Person, met_at: datetime) -> Iterator[tuple[Any, ...]]:
        for address in (person.email, person.other_email):
            if address is None:
                continue
            is_primary = address is person.email
            state = person.deliverability if is_primary else "unknown"
            bounced_at = self._plan.at - timedelta(days=20 + person.number % 300) if "bouncing" in state else None
            yield (
                "email", address, address.lower(), self._subject_key(address), is_primary, state,
                max(met_at, bounced_at) if bounced_at else None, person.source, met_at,
            )  # fmt: skip
        if person.source == house.TICKETS:
            number = f"K{person.number:07d}"
            yield (f"{house.TICKETS}:customer", number, number, None, False, "unknown", None, house.TICKETS, met_at)

    def _take_words(
        self, contact_id: int, person: Person, lines: Sequence[Line], met_at: datetime
    ) -> list[tuple[int, bytes, str, Said]]:
        if person.email is None:
            return []
        random = self._randoms["permissions"]
        key = self._subject_key(person.email)
        if is_suppressed(person, random):
            since = self._plan.at - timedelta(days=30 + person.number % 700)
            self._loaders["suppression"].add((key, self._key_id, "email", "never_contact", house.OLD_LIST, since))
        language = wordings.language_shown(person.language)
        words = said_by(person, lines, met_at=met_at, until=self._plan.at, random=random)
        return [(contact_id, key, language, each) for each in words]

    def _take_events(self, said: Sequence[tuple[int, bytes, str, Said]]) -> None:
        """Append a batch of events and what they imply, by the same rule that decides everywhere."""
        histories: dict[projection.Pair, list[Fact]] = {}
        events, evidence = self._loaders["consent_event"], self._loaders["consent_evidence"]
        for event_id, (contact_id, key, language, each) in zip(
            reserve_ids(self._session, "consent_event", len(said)), said, strict=True
        ):
            fact = self._fact(event_id, language, each)
            histories.setdefault((key, "email"), []).append(fact)
            events.add(
                (
                    event_id,
                    key,
                    self._key_id,
                    contact_id,
                    "email",
                    each.purpose,
                    each.action,
                    each.basis,
                    each.at,
                    each.at,
                    each.actor,
                    each.method,
                    each.source,
                    fact.notice_version_id,
                    language,
                )
            )
            if each.evidence:
                evidence.add((event_id, key, contact_id, each.source, json.dumps(each.evidence, ensure_ascii=False)))
        permissions = self._loaders["permission"]
        for (key, channel, purpose), verdict in projection.implied_rows(histories, self._rules).items():
            permissions.add((key, channel, purpose, *(getattr(verdict, name) for name in projection.VERDICT_COLUMNS)))

    def _fact(self, event_id: int, language: str, each: Said) -> Fact:
        return Fact(
            id=event_id,
            purpose=each.purpose,
            action=each.action,
            basis=each.basis,
            occurred_at=each.at,
            recorded_at=each.at,
            actor=each.actor,
            method=each.method,
            source=each.source,
            notice_version_id=self._notices[each.notice, language] if each.notice else None,
            evidence=each.evidence,
        )

    def _subject_key(self, address: str) -> bytes:
        return self._keyring.subject_key(self._session.organisation_id, "email", address.lower(), key_id=self._key_id)


def _notices(session: ScopedSession) -> dict[tuple[str, str], int]:
    texts = wordings.all_wordings()
    ids = find_or_create_notices(session, [wording for _, wording in texts])
    return {(name, wording.language): ids[wording.key] for name, wording in texts}


def _activity_row(evening: Evening, plan: Plan) -> tuple[Any, ...]:
    created_at = datetime.combine(evening.on_sale_on - timedelta(days=14), time(9), UTC)
    changed_on = evening.cancelled_on or evening.moved_on
    updated_at = datetime.combine(changed_on, time(11), UTC) if changed_on else created_at
    is_dated = evening.starts_at is not None
    return (
        house.TICKETS, evening.external_id, evening.title, evening.kind, list(evening.genres), evening.series,
        evening.hall.name, list(evening.audiences), evening.starts_at, evening.ends_at,
        evening.starts_on if is_dated else None, evening.cancelled_on is not None,
        min(created_at, plan.at), min(updated_at, plan.at),
    )  # fmt: skip


def _contact_row(person: Person, met_at: datetime, updated_at: datetime, random: Random) -> tuple[Any, ...]:
    attributes: dict[str, Any] = {}
    if person.card:
        attributes["card_type"] = person.card
        attributes["card_until"] = (met_at.date() + timedelta(days=365 * random.randrange(1, 6))).isoformat()
    if random.random() < 0.1:
        attributes["discovered_through"] = random.choice(("affiche", "vrienden", "krant", "sociale media", "brochure"))
    return (
        person.email, person.given_name, person.family_name, person.language, person.gender, person.birth_date,
        person.phone, person.street, person.postcode, person.place.municipality, person.place.country, person.source,
        person.tags, json.dumps(attributes, ensure_ascii=False), met_at, updated_at,
    )  # fmt: skip


def _participation_row(line: Line) -> tuple[Any, ...]:
    return (
        house.TICKETS, line.number, line.status, line.quantity, f"{line.cents // 100}.{line.cents % 100:02d}",
        line.channel, line.booked_at, line.booked_on, line.activity_on, line.attended_at, line.booked_at,
        line.attended_at or line.booked_at,
    )  # fmt: skip
