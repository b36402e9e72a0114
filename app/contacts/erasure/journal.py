"""The list of erasures outside the database, and doing them again after an older backup was brought back.

One line of JSON an erasure, in a file beside the keyring: numbers and keyed hashes, nothing that says who anybody was.
A heartbeat adds what is missing, so that the list is right again by itself after a crash, on a second machine, or where
the file was lost. What it cannot be is ahead of the database: a line is written after the erasure was committed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import exists, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.consent.ledger import PROVES_THE_ADDRESS
from app.consent.models import ConsentEvent
from app.consent.precedence import POSITIVE
from app.consent.suppressions import ERASED, suppress_subjects
from app.contacts.erasing import SOURCE, erase_contact, remember_identities
from app.contacts.erasure.models import Erasure
from app.contacts.errors import UnknownContact
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime

FILE_NAME = "erasures.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One erasure as the list holds it."""

    organisation_id: int
    reference: str
    contact_ids: tuple[int, ...]
    subject_keys: tuple[bytes, ...]
    identity_keys: tuple[bytes, ...]
    erased_at: datetime

    def as_line(self) -> str:
        """Return the entry as a line of the file."""
        return json.dumps(
            {
                "organisation": self.organisation_id,
                "reference": self.reference,
                "contacts": list(self.contact_ids),
                "addresses": [key.hex() for key in self.subject_keys],
                "identities": [key.hex() for key in self.identity_keys],
                "erased_at": self.erased_at.isoformat(),
            }
        )


def read_list(file: Path) -> list[Entry]:
    """Return every erasure on the list, oldest first; a line that was cut off by a crash is left out."""
    if not file.exists():
        return []
    entries = {}
    for line in file.read_text().splitlines():
        try:
            held = json.loads(line)
        except ValueError:
            continue
        entry = Entry(
            organisation_id=int(held["organisation"]),
            reference=str(held["reference"]),
            contact_ids=tuple(held["contacts"]),
            subject_keys=tuple(bytes.fromhex(key) for key in held["addresses"]),
            identity_keys=tuple(bytes.fromhex(key) for key in held["identities"]),
            erased_at=datetime.fromisoformat(held["erased_at"]),
        )
        entries[entry.organisation_id, entry.reference] = entry
    return sorted(entries.values(), key=lambda entry: entry.erased_at)


def add_missing(file: Path, entries: Iterable[Entry]) -> int:
    """Add what the list does not hold yet, readable by its owner alone; returns how many lines that took."""
    given = list(entries)
    if not given:
        return 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "a+") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        held = {(entry.organisation_id, entry.reference) for entry in read_list(file)}
        missing = [entry for entry in given if (entry.organisation_id, entry.reference) not in held]
        # A line that a crash cut off must not swallow the next one.
        opened.write("".join(f"\n{entry.as_line()}\n" for entry in missing))
        opened.flush()
        os.fsync(opened.fileno())
    return len(missing)


def entries_of(rows: Iterable[Erasure]) -> list[Entry]:
    """Return erasures as the list holds them."""
    return [
        Entry(
            organisation_id=row.organisation_id,
            reference=row.reference,
            contact_ids=tuple(row.contact_ids),
            subject_keys=tuple(map(bytes, row.subject_keys)),
            identity_keys=tuple(map(bytes, row.identity_keys)),
            erased_at=row.erased_at,
        )
        for row in rows
    ]


def keep_list(runtime: Runtime, organisation_id: int) -> int:
    """Bring the list outside the database up to date for one organisation; returns how many it took (a heartbeat)."""
    with transaction(runtime.engine, organisation_id) as session:
        entries = entries_of(session.scalars(select(Erasure).order_by(Erasure.id)))
    return add_missing(runtime.settings.state_dir / FILE_NAME, entries)


def erase_again(session: ScopedSession, keyring: Keyring, entry: Entry) -> int:
    """Carry out an erasure once more in what a backup brought back; returns how many people had to be erased.

    Whoever is a person of later (they came back by an act of their own) stays, and stays welcome where they had proved
    their address. Everybody else is blocked again, whether the backup knew them or not. Doing it twice changes nothing.
    """
    erased = 0
    for contact_id in _still_there(session, entry):
        try:
            erase_contact(session, keyring, contact_id, at=entry.erased_at, reference=entry.reference)
        except UnknownContact:
            continue
        erased += 1
    _remember(session, entry)
    remember_identities(session, entry.identity_keys, at=entry.erased_at)
    blocked = [key for key in entry.subject_keys if not _came_back(session, key, since=entry.erased_at)]
    suppress_subjects(session, blocked, channel="email", reason=ERASED, source=SOURCE, at=entry.erased_at)
    return erased


def _still_there(session: ScopedSession, entry: Entry) -> Sequence[int]:
    holds = exists().where(
        ContactIdentity.contact_id == Contact.id, ContactIdentity.subject_key.in_(entry.subject_keys)
    )
    return session.scalars(
        select(Contact.id)
        .where(
            Contact.state != "erased",
            Contact.created_at <= entry.erased_at,
            or_(Contact.id.in_(entry.contact_ids), holds),
        )
        .order_by(Contact.id)
    ).all()


def _remember(session: ScopedSession, entry: Entry) -> None:
    session.execute(
        insert(Erasure)
        .values(
            organisation_id=session.organisation_id,
            reference=entry.reference,
            contact_ids=list(entry.contact_ids),
            subject_keys=list(entry.subject_keys),
            identity_keys=list(entry.identity_keys),
            erased_at=entry.erased_at,
        )
        .on_conflict_do_nothing(index_elements=["organisation_id", "reference"])
    )


def _came_back(session: ScopedSession, subject_key: bytes, *, since: datetime) -> bool:
    event = ConsentEvent
    query = select(
        exists().where(
            event.subject_key == subject_key,
            event.action.in_(POSITIVE),
            event.method.in_(PROVES_THE_ADDRESS),
            event.recorded_at > since,
        )
    )
    return bool(session.scalar(query))
