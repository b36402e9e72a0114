"""Storing people from outside: set-based, idempotent, and never against somebody's no.

A batch costs a handful of statements, however many rows it has. Two batches that meet the same new person at the same
time cannot make them twice: the unique index on identities decides, and the loser looks again.

Locks: the shared advisory lock ``IDENTITIES`` of the organisation (merging, unmerging, erasing and moving identities
take it exclusively), then contacts in the order of their ids, then identities in the order of kind and value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import text

from app.accounts.addresses import normalise_email
from app.accounts.organisations import current_organisation
from app.contacts.consents import record_consents
from app.contacts.erasure.returning import without_erased
from app.contacts.households import readers_of, share_mailboxes
from app.contacts.json_data import storable
from app.contacts.matching import EMAIL, Assignment, Key, KnownAs, Person, assign, identities_of
from app.contacts.normalise import cleaned
from app.db import ScopedSession, array_text
from app.keyring import Keyring
from integrations.base import ContactRecord

IDENTITIES_LOCK = 7201
ATTEMPTS_MAX = 5
BATCH_ROWS_MAX = 10_000

PROFILE = (
    "given_name", "family_name", "language", "gender", "birth_date",
    "phone", "street", "postcode", "municipality", "country",
)  # fmt: skip

Outcome = Literal["created", "updated", "unchanged", "error"]


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """What became of one record. ``error`` is a code: ``no_identity``, ``invalid_email``, ``invalid_identity``,
    ``identity_conflict`` or ``erased``; then nothing of the record was stored."""

    contact_id: int | None
    outcome: Outcome
    error: str | None = None


class _Overtaken(Exception):
    """Another transaction stored one of the new identities first: everything must be looked up again."""


class BusyStore(RuntimeError):
    """Other writers kept adding the same people; the same call may be tried again."""


# Whoever is given by these did something; files (``import``) and sources (``system``) repeat what they hold.
BRINGING_BACK = frozenset({"contact", "api"})


def upsert_contacts(
    session: ScopedSession,
    keyring: Keyring,
    records: Sequence[ContactRecord],
    *,
    actor: str,
    at: datetime,
    acted_at: Sequence[datetime | None] | None = None,
) -> list[UpsertResult]:
    """Store people as a source knows them and return one result per record, in order.

    A record matches by any of its identities. Absent values overwrite nothing, tags and attributes are added to, the
    first address of a contact becomes the primary one and a later one stands beside it. ``updated_at`` moves only when
    something really changed. Statements about consent go to the ledger, as ``actor`` (``import``, ``api``,
    ``system``) makes them; none of them can lift a no. Raises BusyStore; the caller owns the transaction.

    Somebody who was erased is refused (``erased``), unless the person did something themselves since: ``acted_at`` says
    when, one instant per record; with the actors ``contact`` and ``api`` it is ``at``: a program that gives a person by
    name does so because they came; a file or a source repeats what it holds. Marketing stays blocked all the same.
    """
    results: list[UpsertResult] = []
    acts = list(acted_at) if acted_at is not None else [at if actor in BRINGING_BACK else None] * len(records)
    for start in range(0, len(records), BATCH_ROWS_MAX):
        batch = records[start : start + BATCH_ROWS_MAX]
        part = acts[start : start + BATCH_ROWS_MAX]
        assignment, outcomes = _stored(session, keyring, batch, at=at, acted_at=part)
        record_consents(session, keyring, batch, assignment, actor=actor)
        results += _results(assignment, outcomes)
    return results


def _stored(
    session: ScopedSession,
    keyring: Keyring,
    records: Sequence[ContactRecord],
    *,
    at: datetime,
    acted_at: Sequence[datetime | None],
) -> tuple[Assignment, dict[int, Outcome]]:
    given = [identities_of(record, normalise_email) for record in records]
    share_identities(session)
    for _ in range(ATTEMPTS_MAX):
        held = holders_of(session, (each.key for identities, _error in given for each in identities))
        known = {key: contact_id for key, (contact_id, _is_shared) in held.items()}
        usable = without_erased(session, keyring, given, known, acted_at=acted_at)
        assignment = assign(
            [each for each, _ in usable],
            [error for _, error in usable],
            known,
            given_names=[record.given_name for record in records],
            readers=readers_of(session, _mailboxes_in_doubt([each for each, _ in usable], held)),
        )
        try:
            with session.begin_nested():
                return assignment, _write(session, keyring, records, assignment, at=at)
        except _Overtaken:
            continue
    raise BusyStore


def share_identities(session: ScopedSession) -> None:
    """Keep merges and erasures out until this transaction ends; other writers may go on."""
    _lock(session, "pg_advisory_xact_lock_shared")


def own_identities(session: ScopedSession) -> None:
    """Keep every other writer of identities out until this transaction ends: for merging, unmerging and erasing."""
    _lock(session, "pg_advisory_xact_lock")


def known_contacts(session: ScopedSession, keys: Iterable[Key]) -> dict[Key, int]:
    """Return the contact that each of these identities belongs to; unknown ones are left out.

    Of several people who read one mailbox that is its holder, whom the address alone stands for.
    """
    return {key: contact_id for key, (contact_id, _is_shared) in holders_of(session, keys).items()}


def _mailboxes_in_doubt(identities: Iterable[Sequence[KnownAs]], held: Mapping[Key, tuple[int, bool]]) -> set[Key]:
    """Return the known addresses of which more must be known: several read them, or a number beside them is another's.

    Everybody else is whom their address names, and costs no look.
    """
    found: set[Key] = set()
    for known_as in identities:
        for each in known_as:
            if each.kind != EMAIL or each.key not in held:
                continue
            holder, is_shared = held[each.key]
            numbers = (other.key for other in known_as if other.kind != EMAIL)
            if is_shared or any(held.get(key, (None, False))[0] != holder for key in numbers):
                found.add(each.key)
    return found


def holders_of(session: ScopedSession, keys: Iterable[Key]) -> dict[Key, tuple[int, bool]]:
    """Return the holder of each of these identities, and whether others share it."""
    wanted = list(dict.fromkeys(keys))
    rows = session.execute(
        text(
            # One look into the unique index per key (LATERAL): a join would read all identities for a batch.
            "SELECT wanted.kind, wanted.value_key, held.contact_id, held.is_shared"
            "  FROM unnest(CAST(:kinds AS text[]), CAST(:value_keys AS text[])) AS wanted(kind, value_key)"
            "  CROSS JOIN LATERAL (SELECT contact_id, is_shared FROM identity"
            "    WHERE identity.organisation_id = :organisation_id AND identity.is_holder"
            "      AND identity.kind = wanted.kind AND identity.value_key = wanted.value_key LIMIT 1) AS held"
        ),
        {
            "organisation_id": session.organisation_id,
            "kinds": array_text(kind for kind, _ in wanted),
            "value_keys": array_text(value_key for _, value_key in wanted),
        },
    )
    return {(kind, value_key): (contact_id, is_shared) for kind, value_key, contact_id, is_shared in rows}


def _write(
    session: ScopedSession, keyring: Keyring, records: Sequence[ContactRecord], assignment: Assignment, *, at: datetime
) -> dict[int, Outcome]:
    """Return the outcome per contact; raises _Overtaken where somebody else was first."""
    new = [person for person in assignment.people if person.is_new]
    old = [person for person in assignment.people if not person.is_new]
    guests = {key for person in assignment.people for key in person.guest_of}
    share_mailboxes(session, guests)
    _number(session, new)
    _insert_contacts(session, [_row(person, records) for person in new], at=at)
    updated = _update_contacts(session, [_row(person, records) for person in old], at=at)
    _insert_identities(session, keyring, records, assignment.people, at=at)
    extended = [person.contact_id for person in old if person.new_identities]
    _follow_primary_address(session, extended, at=at)
    share_mailboxes(session, guests)
    outcomes: dict[int, Outcome] = {}
    for person in assignment.people:
        assert person.contact_id is not None  # noqa: S101  every person has been numbered above
        is_updated = person.contact_id in updated or bool(person.new_identities)
        outcomes[person.contact_id] = "created" if person.is_new else "updated" if is_updated else "unchanged"
    return outcomes


def _results(assignment: Assignment, outcomes: dict[int, Outcome]) -> list[UpsertResult]:
    results = []
    for index, (person, error) in enumerate(zip(assignment.person_of, assignment.errors, strict=True)):
        if person is None or person.contact_id is None:
            results.append(UpsertResult(None, "error", error))
        else:
            is_first = person.records[0] == index
            results.append(UpsertResult(person.contact_id, outcomes[person.contact_id] if is_first else "unchanged"))
    return results


def _row(person: Person, records: Sequence[ContactRecord]) -> dict[str, Any]:
    """Fold what all records of one person say: a later value wins, an absent one overwrites nothing."""
    row: dict[str, Any] = {"contact_id": person.contact_id, "source": records[person.records[0]].source}
    tags: dict[str, None] = {}
    attributes: dict[str, Any] = {}
    for index in person.records:
        record = records[index]
        for name in PROFILE:
            value = getattr(record, name)
            if value is not None and (kept := cleaned(value) if isinstance(value, str) else value.isoformat()):
                row[name] = kept
        tags.update((tag, None) for each in record.tags if (tag := cleaned(each)))
        attributes.update(_kept_attributes(record))
    primary = next((each for each in person.identities.values() if each.kind == EMAIL), None)
    row["email"] = primary.value if primary else None
    row["tags"] = list(tags)
    row["attributes"] = attributes
    return row


def _kept_attributes(record: ContactRecord) -> dict[str, Any]:
    return {
        key: storable(value)
        for name, value in record.attributes.items()
        if (key := cleaned(name)) and value is not None and value != ""
    }


def _number(session: ScopedSession, people: Sequence[Person]) -> None:
    if not people:
        return
    ids = session.scalars(
        text("SELECT nextval(pg_get_serial_sequence('contact', 'id')) FROM generate_series(1, :n)"), {"n": len(people)}
    )
    for person, contact_id in zip(people, ids, strict=True):
        person.contact_id = contact_id


_RECORDSET = (
    "jsonb_to_recordset(CAST(:rows AS jsonb)) AS given(contact_id bigint, source text, email text, "
    + ", ".join(f"{name} {'date' if name == 'birth_date' else 'text'}" for name in PROFILE)
    + ", tags text[], attributes jsonb)"
)
_COLUMNS = ", ".join(PROFILE)

_INSERT_CONTACTS = f"""
INSERT INTO contact (organisation_id, id, source, email, {_COLUMNS}, tags, attributes, created_at, updated_at)
SELECT :organisation_id, contact_id, source, email, {_COLUMNS}, tags, attributes, :at, :at FROM {_RECORDSET}
"""

# The rows that really change are locked in the order of their ids before any is written, so that two batches that
# overlap wait for each other instead of deadlocking.
_UPDATE_CONTACTS = f"""
WITH given AS MATERIALIZED (SELECT * FROM {_RECORDSET}),
changed AS MATERIALIZED (
    SELECT contact.id
      FROM given JOIN contact ON contact.organisation_id = :organisation_id AND contact.id = given.contact_id
     WHERE ({", ".join(f"COALESCE(given.{name}, contact.{name})" for name in PROFILE)})
           IS DISTINCT FROM ({", ".join(f"contact.{name}" for name in PROFILE)})
        OR NOT given.tags <@ contact.tags
        OR contact.attributes || given.attributes IS DISTINCT FROM contact.attributes
     ORDER BY contact.id
       FOR NO KEY UPDATE OF contact
)
UPDATE contact
   SET {", ".join(f"{name} = COALESCE(given.{name}, contact.{name})" for name in PROFILE)},
       tags = contact.tags || ARRAY(SELECT tag FROM unnest(given.tags) AS tag WHERE tag <> ALL (contact.tags)),
       attributes = contact.attributes || given.attributes,
       updated_at = :at
  FROM given JOIN changed ON changed.id = given.contact_id
 WHERE contact.organisation_id = :organisation_id AND contact.id = changed.id
RETURNING contact.id
"""

# A contact without a primary address gets the first new one; a second primary would break uq_identity_primary_email.
_INSERT_IDENTITIES = """
INSERT INTO identity
       (organisation_id, contact_id, kind, value, value_key, subject_key, is_primary, is_holder, is_shared,
        deliverability, source, created_at)
SELECT :organisation_id, given.contact_id, given.kind, given.value, given.value_key, given.subject_key,
       given.kind = 'email' AND given.is_first AND NOT EXISTS (
           SELECT FROM identity AS held
            WHERE held.organisation_id = :organisation_id AND held.contact_id = given.contact_id
              AND held.kind = 'email' AND held.is_primary),
       given.is_holder, NOT given.is_holder,
       CASE WHEN given.is_holder THEN 'unknown' ELSE COALESCE(
           (SELECT same.deliverability FROM identity AS same
             WHERE same.organisation_id = :organisation_id AND same.is_holder
               AND same.kind = given.kind AND same.value_key = given.value_key), 'unknown') END,
       given.source, :at
  FROM unnest(CAST(:contact_ids AS bigint[]), CAST(:kinds AS text[]), CAST(:values AS text[]),
              CAST(:value_keys AS text[]), CAST(:subject_keys AS bytea[]), CAST(:firsts AS boolean[]),
              CAST(:holders AS boolean[]), CAST(:sources AS text[]))
       AS given(contact_id, kind, value, value_key, subject_key, is_first, is_holder, source)
 ORDER BY given.kind, given.value_key
    ON CONFLICT DO NOTHING
"""

_FOLLOW_PRIMARY_ADDRESS = """
UPDATE contact
   SET updated_at = :at,
       email = (SELECT identity.value FROM identity
                 WHERE identity.organisation_id = :organisation_id AND identity.contact_id = contact.id
                   AND identity.kind = 'email' AND identity.is_primary)
 WHERE organisation_id = :organisation_id AND id = ANY (CAST(:contact_ids AS bigint[]))
"""


def _insert_contacts(session: ScopedSession, rows: Sequence[dict[str, Any]], *, at: datetime) -> None:
    if rows:
        session.execute(text(_INSERT_CONTACTS), _parameters(session, rows, at=at))


def _update_contacts(session: ScopedSession, rows: Sequence[dict[str, Any]], *, at: datetime) -> set[int]:
    if not rows:
        return set()
    return set(session.scalars(text(_UPDATE_CONTACTS), _parameters(session, rows, at=at)))


def _parameters(session: ScopedSession, rows: Sequence[dict[str, Any]], *, at: datetime) -> dict[str, Any]:
    return {"organisation_id": session.organisation_id, "rows": json.dumps(rows, default=str), "at": at}


def _insert_identities(
    session: ScopedSession,
    keyring: Keyring,
    records: Sequence[ContactRecord],
    people: Sequence[Person],
    *,
    at: datetime,
) -> None:
    new = [(person, each) for person in people for each in person.new_identities]
    if not new:
        return
    hashed = _subject_keys(session, keyring)
    first_addresses = {person.contact_id: each.value_key for person, each in reversed(new) if each.kind == EMAIL}
    stored = session.execute(
        text(_INSERT_IDENTITIES),
        {
            "organisation_id": session.organisation_id,
            "at": at,
            "contact_ids": array_text(person.contact_id for person, _ in new),
            "kinds": array_text(each.kind for _, each in new),
            "values": array_text(each.value for _, each in new),
            "value_keys": array_text(each.value_key for _, each in new),
            "subject_keys": array_text(hashed(each) for _, each in new),
            "firsts": array_text(first_addresses.get(person.contact_id) == each.value_key for person, each in new),
            "holders": array_text(each.key not in person.guest_of for person, each in new),
            "sources": array_text(records[person.records[0]].source for person, _ in new),
        },
    )
    if stored.rowcount != len(new):  # type: ignore[attr-defined]
        raise _Overtaken


def _subject_keys(session: ScopedSession, keyring: Keyring) -> Callable[[KnownAs], bytes | None]:
    organisation = current_organisation(session)

    def hashed(identity: KnownAs) -> bytes | None:
        if identity.kind != EMAIL:
            return None
        return keyring.subject_key(organisation.id, EMAIL, identity.value_key, key_id=organisation.hash_key_id)

    return hashed


def _follow_primary_address(session: ScopedSession, contact_ids: Sequence[int | None], *, at: datetime) -> None:
    if contact_ids:
        session.execute(
            text(_FOLLOW_PRIMARY_ADDRESS),
            {"organisation_id": session.organisation_id, "contact_ids": list(contact_ids), "at": at},
        )


def _lock(session: ScopedSession, function: str) -> None:
    session.execute(
        text(f"SELECT {function}(CAST(:key AS bigint))"), {"key": (IDENTITIES_LOCK << 32) + session.organisation_id}
    )
