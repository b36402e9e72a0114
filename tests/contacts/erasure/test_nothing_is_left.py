"""I10: after an erasure a scan of every column of every table finds nothing of the person, however it was spelt."""

from __future__ import annotations

import base64
import json
import quopri
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import Column, LargeBinary, Table, Text, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import IntegrityError, ProgrammingError

from app import postgres
from app.accounts.models import Organisation
from app.consent.ledger import NewEvent, record_events
from app.contacts.access_export import export_contact
from app.contacts.erasing import erase_contact
from app.contacts.erasure.rules import person_condition
from app.contacts.importing.jobs import upload
from app.contacts.ingest import upsert_contacts
from app.contacts.models import ContactIdentity, ImportJob
from app.db import ScopedSession, tenant_tables, transaction
from app.runtime import Runtime
from app.sync.models import Connection, InboxItem
from integrations.base import ContactRecord, IdentityRecord
from tests.conftest import NOW
from tests.structure.furnishing import furnish

LATER = NOW + timedelta(hours=1)
ADDRESS = "Wilhelmina.Vandersteen@oude-post.example"
FIRST, LAST = "Wilhelmina", "Vandersteen"
PHONE = "+32 470 61 82 93"
CARD = "UIT-77120045518"
BORN = date(1961, 4, 23)
STREET = "Zandpoortvest 60"

SPELLINGS = {
    "plain": ADDRESS,
    "in capitals": ADDRESS.upper(),
    "percent-encoded": quote(ADDRESS, safe=""),
    "in a form": f"merges%5BEMAIL%5D={quote(ADDRESS)}&data%5Bphone%5D={quote(PHONE)}",
    "JSON escapes": json.dumps({"to": ADDRESS}).replace("@", "\\u0040"),
    "quoted-printable": quopri.encodestring(f"Dag {FIRST} {LAST} = {ADDRESS} =".encode()).decode(),
    "base64": base64.b64encode(f"From: {FIRST} {LAST} <{ADDRESS}>".encode()).decode(),
    "base64 in lines": base64.encodebytes(
        f"From: {FIRST} {LAST} <{ADDRESS}>, {PHONE}, {CARD}, {BORN}".encode()
    ).decode(),
    "HTML": f"<a href='mailto:{ADDRESS.replace('@', '&#64;')}'>{FIRST}&nbsp;{LAST}</a>",
    "last name first": f"{LAST.upper()}, {FIRST}: {BORN}",
    "a phone number": "bel 0470/61.82.93",
    "a card": f"kaart {CARD.lower()} geweigerd",
}


def scan(database: postgres.Database) -> dict[str, list[str]]:
    """Every place in the whole database, past the wall, in which a spelling of the person is found.

    The person is encoded here, where the erasure decodes what it reads: two ways that share nothing.
    """
    wanted = {form for value in (ADDRESS, CARD, PHONE, FIRST, LAST, STREET) for form in _forms(value)}
    wanted |= {"0470618293", "470618293", "0470/61.82.93", str(BORN)}
    found: dict[str, list[str]] = {}
    with postgres.connected(database.owner_url) as connection:
        columns = connection.execute(
            text(
                "SELECT c.relname, a.attname, a.atttypid::regtype::text FROM pg_attribute a JOIN pg_class c ON"
                " c.oid = a.attrelid WHERE c.relkind IN ('r', 'p', 'm') AND c.relnamespace = 'public'::regnamespace"
                " AND a.attnum > 0 AND NOT a.attisdropped"
            )
        ).all()
        for table, name, kind in columns:
            shown = f"encode({name}, 'escape')" if kind == "bytea" else f"{name}::text"
            for value in connection.scalars(text(f'SELECT lower({shown}) FROM "{table}" WHERE {name} IS NOT NULL')):
                hits = [form for form in wanted if form.lower() in value]
                if hits:
                    found.setdefault(f"{table}.{name}", []).append(hits[0])
    return found


def _forms(value: str) -> set[str]:
    forms = {value, quote(value, safe=""), json.dumps(value)[1:-1], value.replace("@", "\\u0040")}
    for shift in range(3):
        packed = base64.b64encode(b" " * shift + value.encode()).decode()
        forms.add(packed[4 if shift else 0 : len(packed) - 4 - len(packed) % 4][:16])
    return forms


def somebody(session: ScopedSession, runtime: Runtime) -> tuple[int, bytes]:
    record = ContactRecord(
        "box office",
        (IdentityRecord("uitpas", CARD),),
        email=ADDRESS,
        given_name=FIRST,
        family_name=LAST,
        phone=PHONE,
        street=STREET,
        postcode="2800",
        birth_date=BORN,
        tags=(f"tante van {FIRST}",),
        attributes={"bijnaam": f"{FIRST} {LAST}"},
    )
    (stored,) = upsert_contacts(session, runtime.keyring, [record], actor="system", at=NOW)
    assert stored.contact_id is not None
    key = session.scalars(select(ContactIdentity.subject_key).where(ContactIdentity.kind == "email")).one()
    event = NewEvent(
        address=ADDRESS,
        channel="email",
        purpose="newsletter",
        action="granted",
        basis="consent",
        occurred_at=NOW,
        actor="contact",
        method="form",
        source="website",
        wording="Ja, stuur mij de nieuwsbrief",
        language="nl",
        external_id=f"form of {ADDRESS}",
        evidence={"filled in": {"name": f"{FIRST} {LAST}", "mail": ADDRESS}},
    )
    record_events(session, runtime.keyring, [event])
    return stored.contact_id, bytes(key or b"")


def mark(session: ScopedSession, contact_id: int, subject_key: bytes, spelling: str) -> set[str]:
    """Make every row about the person that can be, and write a spelling of them into every column that may hold one."""
    marked = set()
    for table in tenant_tables():
        if table.name in ("consent_event", "audit_event", "organisation"):
            continue
        _make_theirs(session, table, contact_id, subject_key)
        for column in table.columns:
            if not _may_hold(table, column):
                continue
            if table.name == "contact" and not isinstance(column.type, JSONB):
                continue  # somebody else's own name and number are theirs
            try:
                with session.begin_nested():
                    session.execute(update(table).values({column.name: _written(column, spelling)}))
                    marked.add(f"{table.name}.{column.name}")
            except IntegrityError:
                continue  # a CHECK takes certain words only
    return marked


def _make_theirs(session: ScopedSession, table: Table, contact_id: int, subject_key: bytes) -> None:
    """Let the row be about the person, where the database allows it to be about somebody else than before."""
    for name, value in (("contact_id", contact_id), ("subject_key", subject_key), ("address_hash", subject_key)):
        if name in table.columns and table.name not in ("identity", "suppression"):
            try:
                with session.begin_nested():
                    session.execute(update(table).values({name: value}))
            except (IntegrityError, ProgrammingError):
                continue


def _may_hold(table: Table, column: Column[Any]) -> bool:
    if column.computed is not None or column.foreign_keys or not isinstance(column.type, Text | JSONB | LargeBinary):
        return False
    if isinstance(column.type, ARRAY) or table.name in ("identity", "suppression", "erasure", "erased_identity"):
        return False
    has_keys = person_condition(table, [], []) is not None
    kind = column.info["pii"]
    return (
        kind == "content"
        or (kind == "contact" and has_keys)
        or (kind == "pseudonym" and not has_keys and isinstance(column.type, Text))
    )


def _written(column: Column[Any], spelling: str) -> Any:
    match column.type:
        case JSONB():
            return {"type": "all", "rules": [], "said": {"deep": [spelling, 1]}}
        case LargeBinary():
            return f"prefix\x00 {spelling} suffix".encode()
        case _:
            return f"x {spelling} y"


def test_nothing_is_found_in_any_column_of_any_table_in_any_spelling(
    runtime: Runtime, organisation: Organisation, database: postgres.Database
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        contact_id, subject_key = somebody(session, runtime)
    furnish(runtime, organisation.id)
    marked: set[str] = set()
    present = contact_id
    for number, how in enumerate(("plain", "in capitals", "in a form", "base64 in lines", "last name first")):
        spelling = SPELLINGS[how]
        with transaction(runtime.engine, organisation.id) as session:
            marked |= mark(session, contact_id, subject_key, spelling)
        assert scan(database) or "base64" in how, "the scan finds what is there"
        with transaction(runtime.engine, organisation.id) as session:
            if number == 0:
                assert ADDRESS in json.dumps(export_contact(session, contact_id), default=str)
            erase_contact(session, runtime.keyring, present, at=LATER + timedelta(hours=number))
        assert scan(database) == {}, how
        with transaction(runtime.engine, organisation.id) as session:
            present = back_again(session, runtime, at=LATER + timedelta(hours=number, minutes=30))
    assert {"inbox_item.body", "segment.rule", "consent_evidence.evidence", "pull_progress.cursor"} <= marked
    assert {"import_problem.value", "import_job.file_name", "rights_request.note", "sync_problem.external_id"} <= marked


def test_a_file_that_waits_and_a_message_that_waits_do_not_outlive_the_person(
    runtime: Runtime, organisation: Organisation, database: postgres.Database
) -> None:
    """I10: what was not processed yet is not processed any more, and nobody else's is touched."""
    others = "E-mail,Naam\nbo@example.org,Bo\n"
    hers = f"E-mail,Naam\n{ADDRESS},{FIRST}\nbo@example.org,Bo\n"
    namesake = json.dumps({"name": f"{FIRST} {LAST}", "mail": "another@example.org"})
    with transaction(runtime.engine, organisation.id) as session:
        contact_id, _ = somebody(session, runtime)
        files = {who: upload(session, text.encode(), file_name="l.csv", kind="contacts", preset="generic").id
                 for who, text in (("hers", hers), ("others", others))}  # fmt: skip
        connection = Connection(organisation_id=organisation.id, system="pretix", kind="source", name="Kassa",
                                state="paused", created_at=NOW)  # fmt: skip
        session.add(connection)
        session.flush()
        for body in (json.dumps({"order": 1, "email": ADDRESS}), json.dumps({"order": 2}), namesake):
            session.add(
                InboxItem(organisation_id=organisation.id, connection_id=connection.id, received_at=NOW,
                          body=body.encode(), next_try_at=NOW)
            )  # fmt: skip
    with transaction(runtime.engine, organisation.id) as session:
        erase_contact(session, runtime.keyring, contact_id, at=LATER)
    with transaction(runtime.engine, organisation.id) as session:
        jobs = {job.id: (job.state, job.problem, job.content) for job in session.scalars(select(ImportJob))}
        assert jobs[files["hers"]] == ("cancelled", "erased_inside", None)
        assert jobs[files["others"]] == ("uploaded", None, others.encode())
        items = session.execute(select(InboxItem.state, InboxItem.body).order_by(InboxItem.id)).all()
        assert [(state, bytes(body)) for state, body in items] == [
            ("ignored", b""), ("waiting", b'{"order": 2}'), ("waiting", namesake.encode()),
        ]  # fmt: skip
        session.execute(update(InboxItem).values(state="done"))
        somebody_new = back_again(session, runtime, at=LATER + timedelta(hours=1))
        erase_contact(session, runtime.keyring, somebody_new, at=LATER + timedelta(hours=2))
    assert scan(database) == {}, "once it is done, a namesake's message is no loss"


def back_again(session: ScopedSession, runtime: Runtime, *, at: datetime) -> int:
    """The same person, back by an act of their own."""
    record = ContactRecord(
        "website", (IdentityRecord("uitpas", CARD),), email=ADDRESS, given_name=FIRST, family_name=LAST, phone=PHONE
    )
    (stored,) = upsert_contacts(session, runtime.keyring, [record], actor="contact", at=at)
    assert stored.contact_id is not None
    return stored.contact_id
